/**
 * Implements `core`, which starts the node of a worker process.
 *
 * @module
 */
import process from "node:process";
import { Node } from "../node.ts";
import type { NodeOptions } from "../node_options.ts";
import { systemHost } from "../start.ts";
import { CoresError } from "./error.ts";
import { encodeReport, WORKER_ARGUMENT, type WorkerReport, type WorkerTerms } from "./protocol.ts";

/** The number of a worker, the number of all workers, and their common port. */
export interface Core {
  /** The port that all workers share, for `node.serve({ port, reusePort: true })`. */
  readonly port: number;
  /** Number of this worker, from 1. */
  readonly core: number;
  /** Number of workers. */
  readonly count: number;
}

/**
 * Starts the node of a worker process, in a program that `cores` has started, and calls `setup`
 * with it. The worker is ready when `setup` resolves; in a rolling restart, the worker that it
 * replaces then leaves. If `setup` rejects, so does `core`, which ends the process. `options` are
 * those of `Node.start`; name, cookie and seeds come from the parent. On SIGTERM, and when the
 * parent exits, the node leaves its cluster and the process exits.
 *
 * @throws {CoresError} `code` "noparent": the program was not started by `cores`; "nostart":
 *   `setup` rejected.
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
  // A terminal sends SIGINT to all processes of a group. The worker ignores it, because the parent
  // handles it.
  process.on("SIGINT", () => {});
  process.stdout.on("error", () => {
    // Ignores the error of a write to a parent that has exited. The end of standard input, which is
    // handled elsewhere, reports the exit.
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
  try {
    await setup(node, { port, core, count });
  } catch (error) {
    throw notSetUp(core, error);
  }
  report({ kind: "ready", node: node.name });
  return node;
}

/**
 * Returns the error with which `core` rejects if `setup` has rejected. It is a new error without
 * `cause`, because Deno does not end a process for an error of the node, such as a port in use.
 */
function notSetUp(core: number, error: unknown): CoresError {
  const isError = error instanceof Error;
  const failure = new CoresError("nostart", `core ${core}: ${isError ? error.message : error}`);
  if (isError && error.stack !== undefined) failure.stack = error.stack;
  return failure;
}

/** Reads the first line of standard input. Calls `gone` at the end of the input. */
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
