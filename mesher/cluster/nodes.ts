/**
 * Several nodes as processes on this machine: one Mesher. They share the database, a file of SQLite or
 * PostgreSQL; SQLite lets one process write at a time, and the others wait a little.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { blame, type Config, ConfigError, storageConfig } from "../config.ts";
import { firstRun } from "../first_run.ts";
import { freePorts, mustBeFree, portsOf } from "../ports.ts";
import { say, sayFirstRun } from "../say.ts";
import { openStorage } from "../storage/open.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** Runs `count` nodes until it is told to stop; the exit status. */
export async function runNodes(
  config: Config,
  count: number,
  told: Promise<void>,
): Promise<number> {
  if (config.cluster !== null) {
    throw new ConfigError("--nodes names its nodes itself: unset MESHER_NODE_NAME and the others");
  }
  if (config.database === ":memory:") {
    throw new ConfigError("DATABASE_URL is :memory:, which processes cannot share: name a file");
  }
  const served = portsOf(config, count);
  for (const ports of served) await mustBeFree(config.hostname, ports);
  // Before any node starts, so that they do not race for it.
  const storage = await blame("DATABASE_URL", openStorage(storageConfig(config.database)));
  const first = await firstRun(storage).finally(() => storage.close());
  const cookie = crypto.randomUUID() + crypto.randomUUID();
  const ports = await freePorts(count);
  const names = ports.map((port, i) => `mesher${i + 1}@127.0.0.1:${port}`);
  const children = names.map((name, i) =>
    start({
      ...process.env,
      DATABASE_URL: config.database,
      MESHER_NODE_NAME: name,
      MESHER_COOKIE: cookie,
      MESHER_PEERS: names.filter((other) => other !== name).join(","),
      MESHER_HTTP_PORT: String(served[i]!.httpPort),
      MESHER_WS_PORT: String(served[i]!.wsPort),
    })
  );
  if (first !== null) sayFirstRun(first, `http://${config.hostname}:${config.httpPort}`);
  const pages = served.map(({ httpPort }) => `http://${config.hostname}:${httpPort}`).join(" ");
  say(
    "info",
    `${count} nodes start; pages: ${config.httpPort === 0 ? "each says its own" : pages}`,
  );
  const ended = Promise.all(children.map(({ ended }) => ended));
  await Promise.race([told, ended]);
  for (const { child } of children) {
    // Not by the child's own `kill`: after that Deno tells no status of it.
    if (child.exitCode === null && child.signalCode === null) process.kill(child.pid!, "SIGTERM");
  }
  return Math.max(...await ended);
}

function start(env: NodeJS.ProcessEnv): { child: ChildProcess; ended: Promise<number> } {
  const run = "Bun" in globalThis ? [MAIN] : ["run", "-A", MAIN];
  const child = spawn(process.execPath, run, { env, stdio: ["ignore", "inherit", "inherit"] });
  const ended = new Promise<number>((resolve) => {
    child.on("error", (error) => {
      say("error", `a node cannot be started: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code, signal) => {
      if (code !== 0) say("warn", `${env["MESHER_NODE_NAME"]} has ended: ${signal ?? code}`);
      resolve(code ?? 1);
    });
  });
  return { child, ended };
}
