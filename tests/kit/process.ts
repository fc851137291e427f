/**
 * Nodes as operating-system processes, and the pairs of runtimes to run them on.
 */
import { fileURLToPath } from "node:url";
import process from "node:process";
import type { Child } from "../../lib/host/host.ts";
import type { NodeOptions } from "../../lib/node_options.ts";
import { makeHost } from "./host.ts";
import { COOKIE } from "./keys.ts";
import { runtime, until } from "./test.ts";

/** A runtime that a node runs on. */
export type Runtime = "deno" | "bun";

/** Which runtimes the two sides of a test run on: this one, or with FIRN_PAIRS=mixed one of each. */
export const PAIRS: readonly (readonly [Runtime, Runtime])[] = process.env["FIRN_PAIRS"] === "mixed"
  ? [["deno", "bun"], ["bun", "deno"]]
  : [[runtime, runtime]];

/** The machine may be busy with other tests. JSON has no `Infinity`. */
const UNHURRIED = { eventLoopDelay: 1e9 };

/** A report of a node. */
export interface Told {
  readonly event: string;
  readonly node?: string;
  readonly reason?: string;
  readonly line?: string;
  readonly at?: number;
  readonly [key: string]: unknown;
}

/** A node in a process. */
export class NodeProcess {
  readonly told: Told[] = [];
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
      if ("event" in value) this.told.push(value);
      else {
        this.#answers.get(value.id)?.(value);
        this.#answers.delete(value.id);
      }
    });
    this.#child.write(JSON.stringify(options) + "\n");
  }

  /**
   * Starts one and waits until it listens. The port is the system's choice unless named, the program in
   * `tests/process` the one that serves rooms. `launch` starts it elsewhere than beside the test.
   */
  static async start(
    runtime: Runtime,
    short: string,
    options: NodeOptions = {},
    program: string = "child.ts",
    launch: (runtime: Runtime, file: string) => Child = (runtime, file) =>
      makeHost().spawn({ runtime, file }),
  ): Promise<NodeProcess> {
    const all = { name: `${short}@127.0.0.1:0`, cookie: COOKIE, warnings: UNHURRIED, ...options };
    const node = new NodeProcess(runtime, all, program, launch);
    await until(`${short} is ready`, () => node.told.some(({ event }) => event !== "log"), 30_000);
    const ready = node.told.find(({ event }) => event === "ready");
    if (ready === undefined) throw new Error(`${short}: ${JSON.stringify(node.told)}`);
    node.name = String(ready["name"]);
    node.url = String(ready["url"]);
    return node;
  }

  /** Has the node do something. */
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

  /** Returns how often it reported an event. */
  count(event: string, node?: string, reason?: string): number {
    return this.told.filter((told) =>
      told.event === event && (node === undefined || told.node === node) &&
      (reason === undefined || told.reason === reason)
    ).length;
  }

  /** The lines of its log at "warn" and above. */
  warnings(): string[] {
    return this.told.filter((told) => told.event === "log" && told["level"] === "warn")
      .map((told) => String(told.line));
  }

  signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGTERM"): void {
    this.#child.signal(name);
  }

  /** Its exit status, or the signal that ended it, when it has ended. */
  get ended(): Promise<number | string> {
    return this.#child.ended;
  }

  /** Kills it and waits until it has exited. */
  async kill(): Promise<void> {
    this.#child.signal("SIGKILL");
    await this.#child.ended;
  }
}

/** Waits until each of these nodes has a session with each other. */
export async function untilWhole(...nodes: NodeProcess[]): Promise<void> {
  await until("the mesh is whole", async () => {
    for (const node of nodes) {
      const peers = await node.ask<string[]>("peers");
      if (nodes.some((other) => other !== node && !peers.includes(other.name))) return false;
    }
    return true;
  });
}

/** Runs `body` and ends the nodes that it was given or started, whatever happens. */
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
