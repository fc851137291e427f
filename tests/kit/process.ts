/** Nodes as operating-system processes, and the pairs of runtimes that they run on. */
import { fileURLToPath } from "node:url";
import process from "node:process";
import type { Child } from "../../lib/host/host.ts";
import type { NodeOptions } from "../../lib/node_options.ts";
import { makeHost } from "./host.ts";
import { COOKIE } from "./keys.ts";
import { isLong, runtime, test, until } from "./test.ts";

/** The runtime on which a node's process runs. */
export type Runtime = "deno" | "bun";

/**
 * The pairs of runtimes for the two sides of a test: this one, or with FIRN_PAIRS=mixed one of
 * each.
 */
export const PAIRS: readonly (readonly [Runtime, Runtime])[] = process.env["FIRN_PAIRS"] === "mixed"
  ? [["deno", "bun"], ["bun", "deno"]]
  : [[runtime, runtime]];

/**
 * Returns whether the `i`-th of several similar tests runs on a pair. In mixed mode, each test runs
 * on one pair, alternately, so that together they cover both; with FIRN_LONG=1 each runs on both.
 */
export function isTurnOf(pair: readonly [Runtime, Runtime], i: number): boolean {
  return isLong || PAIRS[i % PAIRS.length] === pair;
}

/**
 * Returns a function that declares tests on a pair. The tests alternate between the pairs as in
 * {@linkcode isTurnOf}.
 */
export function testsInTurn(
  pair: readonly [Runtime, Runtime],
): (name: string, body: () => Promise<void>) => void {
  let tests = 0;
  return (name, body) => {
    if (isTurnOf(pair, tests++)) test(name, body);
  };
}

/**
 * Returns the pairs of runtimes on which the `i`-th costly test of a file runs: one of the pairs,
 * alternately, or all of them with FIRN_LONG=1.
 */
export function pairsInTurn(i: number): readonly (readonly [Runtime, Runtime])[] {
  return PAIRS.filter((pair) => isTurnOf(pair, i));
}

/**
 * Limits of warnings that a busy machine does not reach. The number is finite, because JSON has no
 * `Infinity`.
 */
const NO_WARNINGS = { eventLoopDelay: 1e9 };

/** A message from a node's process to the test. */
export interface Report {
  readonly event: string;
  readonly node?: string;
  readonly reason?: string;
  readonly line?: string;
  readonly at?: number;
  readonly [key: string]: unknown;
}

/** A node in a process. */
export class NodeProcess {
  readonly received: Report[] = [];
  readonly runtime: Runtime;
  name = "";
  url = "";
  readonly #child: Child;
  readonly #answers = new Map<number, (answer: { result?: unknown; error?: string }) => void>();
  #lastId = 0;

  private constructor(
    runtime: Runtime,
    options: NodeOptions,
    program: string,
    launch: (runtime: Runtime, file: string) => Child,
  ) {
    this.runtime = runtime;
    const file = fileURLToPath(new URL(`../process/${program}`, import.meta.url));
    this.#child = launch(runtime, file);
    this.#child.lines((line) => {
      const value = JSON.parse(line);
      if ("event" in value) this.received.push(value);
      else {
        this.#answers.get(value.id)?.(value);
        this.#answers.delete(value.id);
      }
    });
    this.#child.write(JSON.stringify(options) + "\n");
  }

  /**
   * Starts a node and waits until it listens. The system chooses the port unless one is given. The
   * default program in `tests/process` serves rooms. `launch` starts the process, for example in a
   * namespace.
   */
  static async start(
    runtime: Runtime,
    short: string,
    options: NodeOptions = {},
    program: string = "child.ts",
    launch: (runtime: Runtime, file: string) => Child = (runtime, file) =>
      makeHost().spawn({ runtime, file }),
  ): Promise<NodeProcess> {
    const all = { name: `${short}@127.0.0.1:0`, cookie: COOKIE, warnings: NO_WARNINGS, ...options };
    const node = new NodeProcess(runtime, all, program, launch);
    let status: number | string | undefined;
    node.ended.then((ended) => status = ended);
    const isDecided = (): boolean =>
      status !== undefined || node.received.some(({ event }) => event !== "log");
    await until(`${short} is ready`, isDecided);
    const ready = node.received.find(({ event }) => event === "ready");
    if (ready === undefined) {
      const end = status === undefined ? "" : `exited (${status}): `;
      throw new Error(`${short} ${end}${JSON.stringify(node.received)}`);
    }
    node.name = String(ready["name"]);
    node.url = String(ready["url"]);
    return node;
  }

  /** Sends a request to the node. Resolves to its reply. */
  async ask<T = unknown>(what: string, details: Record<string, unknown> = {}): Promise<T> {
    const id = ++this.#lastId;
    const answer = new Promise<{ result?: unknown; error?: string }>((answered) =>
      this.#answers.set(id, answered)
    );
    this.#child.write(JSON.stringify({ id, do: what, ...details }) + "\n");
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${this.name}: ${error}`);
    return result as T;
  }

  /** Returns how often the node reported an event. */
  count(event: string, node?: string, reason?: string): number {
    return this.received.filter((received) =>
      received.event === event && (node === undefined || received.node === node) &&
      (reason === undefined || received.reason === reason)
    ).length;
  }

  /** Returns the lines of the node's log at "warn" and above. */
  warnings(): string[] {
    return this.received.filter((received) =>
      received.event === "log" && received["level"] === "warn"
    )
      .map((received) => String(received.line));
  }

  signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGTERM"): void {
    this.#child.signal(name);
  }

  /** Resolves to the exit status, or to the signal that ended the process. */
  get ended(): Promise<number | string> {
    return this.#child.ended;
  }

  /** Kills the process, and waits until it has exited. */
  async kill(): Promise<void> {
    this.#child.signal("SIGKILL");
    await this.#child.ended;
  }
}

/** Waits until these nodes are all connected with each other. */
export async function untilWhole(...nodes: NodeProcess[]): Promise<void> {
  await until("all nodes are connected", async () => {
    for (const node of nodes) {
      const peers = await node.ask<string[]>("peers");
      if (nodes.some((other) => other !== node && !peers.includes(other.name))) return false;
    }
    return true;
  });
}

/** Runs `body`, and then ends all nodes that it started, even if it fails. */
export async function withNodes(
  body: (start: typeof NodeProcess.start) => Promise<void>,
): Promise<void> {
  const nodes: NodeProcess[] = [];
  try {
    await body(async (...args) => {
      const node = await NodeProcess.start(...args);
      nodes.push(node);
      return node;
    });
  } finally {
    await Promise.all(nodes.map((node) => node.kill()));
  }
}
