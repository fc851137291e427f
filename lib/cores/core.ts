/**
 * `core`: what the program of a worker calls.
 *
 * @module
 */
import process from "node:process";
import { Node } from "../node.ts";
import type { NodeOptions } from "../node_options.ts";
import { systemHost } from "../start.ts";
import { CoresError } from "./error.ts";
import { encodeReport, WORKER_ARGUMENT, type WorkerReport, type WorkerTerms } from "./protocol.ts";

/** What a worker knows of its place. */
export interface Core {
  /** The port that all workers share, for `node.serve({ port, reusePort: true })`. */
  readonly port: number;
  /** The number of this worker, from 1. */
  readonly core: number;
  /** The number of workers. */
  readonly count: number;
}

/**
 * Starts the node of a worker process, in a program that `cores` has started, and calls `setup` with
 * it. When `setup` has resolved, the worker is ready: during a rolling restart the one that it replaces
 * leaves. `options` are those of `Node.start`; name, cookie and seeds come from the parent. SIGTERM, or
 * the end of the parent, has the node leave its cluster and the process exit.
 *
 * @throws {CoresError} `code` "noparent": the program was not started by `cores`.
 *
 * @example A worker
 * ```ts ignore
 * import { core } from "@firn/firn/cores";
 *
 * await core(async (node, { port }) => {
 *   await node.serve({ port, reusePort: true, message: (conn, data) => conn.send(data) });
 * });
 * ```
 */
export async function core(
  setup: (node: Node, core: Core) => unknown,
  options: NodeOptions = {},
): Promise<Node> {
  if (!process.argv.includes(WORKER_ARGUMENT)) {
    throw new CoresError("noparent", "core: start this program with cores(), not by itself");
  }
  const parentGone = Promise.withResolvers<void>();
  const terms = await readTerms(parentGone.resolve);
  const report = (what: WorkerReport): void => {
    process.stdout.write(encodeReport(terms.token, what));
  };
  // A terminal sends Ctrl-C to all processes. The parent decides what it means.
  process.on("SIGINT", () => {});
  process.stdout.on("error", () => {
    // The parent is gone; the end of the input reports that.
  });
  systemHost().clock.every(terms.beatMs, () => report({ kind: "beat" }));
  const node = await Node.start({
    leaveOnSigterm: { timeout: terms.leaveMs },
    ...options,
    name: `${terms.name}@${terms.hostname}:0`,
    cookie: terms.cookie as string,
    seeds: terms.seeds,
  });
  void parentGone.promise.then(() => process.kill(process.pid, "SIGTERM"));
  const { port, core, count } = terms;
  await setup(node, { port, core, count });
  report({ kind: "ready", node: node.name });
  return node;
}

/** Reads the first line of standard input. `gone` is called at its end. */
function readTerms(gone: () => void): Promise<WorkerTerms> {
  return new Promise((done) => {
    let input = "";
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", (text: string) => {
      const before = input.includes("\n");
      input += text;
      if (!before && input.includes("\n")) done(JSON.parse(input.slice(0, input.indexOf("\n"))));
    });
    process.stdin.on("end", gone);
  });
}
