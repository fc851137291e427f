/**
 * A node in its own process that runs the workload of the promises until the command `rest`, and
 * writes a journal. The first input line contains the options; each further line is a command with
 * an `id`, answered with the same `id`. It exits at the end of its input.
 */
import process from "node:process";
import type { LogEntry } from "../../../lib/base/log.ts";
import { SeededRandom } from "../../../lib/base/random.ts";
import type { Host } from "../../../lib/host/host.ts";
import { Node } from "../../../lib/node.ts";
import type { NodeOptions } from "../../../lib/node_options.ts";
import { startNode, systemHost } from "../../../lib/start.ts";
import { cheapKeys } from "../../kit/keys.ts";
import { takeCommands, tell as say } from "../../kit/child_commands.ts";
import { leftOf } from "../../sim/checkers/leaks.ts";
import { viewOf } from "../../sim/promises/incarnations.ts";
import { BROKEN } from "../../sim/sabotage.ts";
import { openJournal } from "./journal.ts";
import { Work } from "./work.ts";

/** The interval between steps of the workload. */
const ACT_MS = 50;

/** The options in the first input line. */
export interface ChaosOptions extends NodeOptions {
  readonly short: string;
  readonly incarnation: string;
  readonly seed: number;
  readonly journal: string;
  /** All nodes, by their short names. */
  readonly names: Readonly<Record<string, string>>;
  /** The port to dial for each port in a node's name. */
  readonly routes: Readonly<Record<string, number>>;
  /** The defects of this build: keys of `BROKEN`. */
  readonly sabotage: readonly string[];
}

interface Command {
  readonly id: number;
  readonly do: string;
  readonly round: number;
}

/** Wraps the real host so that dials use the routes. */
function routed(routes: ChaosOptions["routes"], listening: (port: number) => void): Host {
  const host = systemHost();
  const { connect, listen } = host;
  host.connect = (options) =>
    connect.call(host, { ...options, port: routes[options.port] ?? options.port });
  host.listen = async (options, accept) => {
    const listener = await listen.call(host, options, accept);
    listening(listener.address.port);
    return listener;
  };
  return host;
}

async function run(options: ChaosOptions): Promise<(command: Command) => unknown> {
  const { short, incarnation, seed, journal, names, routes, sabotage, ...own } = options;
  const tell = openJournal(journal);
  for (const [, what, breaks] of BROKEN) if (sabotage.includes(what)) breaks();
  let port = 0;
  const host = routed(routes, (listening) => void (port = listening));
  const log = ({ level, line }: LogEntry): void => tell({ kind: "log", level, line });
  const parts = await startNode({ joinTimeout: 0, ...own, log }, host, cheapKeys);
  const node = Node.of(parts);
  node.on("nodeup", ({ node }) => tell({ kind: "met", node }));
  node.on("nodedown", ({ node, reason }) => tell({ kind: "lost", node, reason }));
  const work = new Work({ node, names, short, incarnation, random: new SeededRandom(seed), tell });
  work.start();
  const timer = setInterval(() => work.act(), ACT_MS);
  say({ event: "ready", name: node.name, port });

  return async ({ do: what, round }) => {
    switch (what) {
      case "rest":
        clearInterval(timer);
        return work.rest(round);
      case "lives":
        return await work.incarnations();
      case "view":
        return viewOf(incarnation, node);
      case "endTargets":
        return work.endTargets();
      case "stopTree":
        return await work.stopTree();
      case "clear":
        return work.clear();
      case "left":
        return leftOf(parts, Work.ACTORS, Object.keys(names).length - 1);
      case "stop":
        clearInterval(timer);
        await node.stop({ timeout: 5_000 });
        return process.exit(0);
      default:
        throw new Error(`unknown command ${what}`);
    }
  };
}

takeCommands(run);
