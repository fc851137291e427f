/**
 * Mesher collects and groups the errors of programs.
 *
 *     deno task mesher              one node
 *     deno task mesher --nodes 3    three processes on this machine
 *     deno task mesher --help       all options
 *
 * @module
 */
import process from "node:process";
import { givenArguments } from "../scripts/command_arguments.ts";
import { onRunnerGone } from "../scripts/runner.ts";
import { startApp } from "./app.ts";
import { runNodes } from "./cluster/nodes.ts";
import { hasParent, onParentGone, reportReady } from "./cluster/parent.ts";
import { runAdmin } from "./admin.ts";
import { type Config, ConfigError, HELP, readCommand, readConfig } from "./config.ts";
import { firstLoginNotice, keepSecrets, removeFirstLogin } from "./first_login.ts";
import { say as sayPlainly, sayOf } from "./log.ts";

/** Exit status of the program after a failure. */
const FAILED = 1;
/** Exit status of the program if a setting is invalid. */
const INVALID_SETTINGS = 2;

/**
 * Resolves at the first SIGINT or SIGTERM, or when the parent process has exited. At a second
 * signal, the process exits at once.
 */
function untilStopRequested(): Promise<void> {
  return new Promise((resolve) => {
    let isRequested = false;
    const requested = (): void => {
      if (isRequested) process.exit(FAILED);
      isRequested = true;
      resolve();
    };
    process.on("SIGTERM", requested);
    if (hasParent()) {
      process.on("SIGINT", () => {});
      onParentGone(resolve);
    } else {
      process.on("SIGINT", requested);
      onRunnerGone(resolve);
    }
  });
}

async function runOne(config: Config): Promise<number> {
  // If several processes share a terminal, each line begins with the node's name.
  const say = hasParent() && config.cluster !== null ? sayOf(config.cluster.name) : sayPlainly;
  const path = config.firstLogin;
  const app = await startApp(config, { log: say, keepSecrets: (url) => keepSecrets(path, url) });
  const requested = untilStopRequested();
  if (app.first !== null) process.stdout.write(firstLoginNotice(path, app.url));
  say("info", `Mesher is ready: ${app.url}  (node ${app.mesher.node.name})`);
  reportReady();
  await requested;
  say("info", "stopping: accepted events are being stored");
  const lost = await app.stop();
  // The database in memory is gone, so the first login is no longer valid.
  if (app.first !== null && config.database === ":memory:") removeFirstLogin(path);
  return lost === 0 ? 0 : FAILED;
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const command = readCommand(args);
    if (command.help) {
      process.stdout.write(HELP);
      return 0;
    }
    const config = readConfig(process.env, command);
    if (command.admin !== null) return await runAdmin(command.admin, config);
    return command.nodes === 1
      ? await runOne(config)
      : await runNodes(config, command.nodes, untilStopRequested());
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    process.stderr.write(`mesher: ${words}\n`);
    return error instanceof ConfigError ? INVALID_SETTINGS : FAILED;
  }
}

process.exit(await main(givenArguments()));
