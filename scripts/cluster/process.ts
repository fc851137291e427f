/**
 * One node's process, as seen by its parent.
 *
 *     down ──start──▶ starting ──ready──▶ up ◀──pause, resume──▶ paused
 *      ▲                  └───────────────┴───── the process is gone ──┘
 *      └───────────────────────────────────────────────┘
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { TextLineStream } from "@std/streams/text-line-stream";
import { type NodeCard, parseReport, type Report, shortName, type Terms } from "./report.ts";
import { argumentsFor } from "./runtimes.ts";

/** Time limit in milliseconds for a process to stop, after which it is killed. */
const END_MS = 4_000;

/** Number of characters kept from the end of standard error, to report why a process exited. */
const ERROR_CHARS_MAX = 4_000;

/** The states of a process. */
export const PROCESS_STATES = ["down", "starting", "up", "paused"] as const;

/** One of {@linkcode PROCESS_STATES}. */
export type ProcessState = (typeof PROCESS_STATES)[number];

/** The options of a process. */
export interface ProcessPlan extends NodeCard {
  readonly port: number;
  readonly program: string;
}

/** The callbacks of a process. */
export interface ProcessWatcher {
  reported(process: NodeProcess, report: Report): void;
  /**
   * Called when the process has exited. `how` is the exit status or the name of the signal,
   * `lastWords` the end of its standard error.
   */
  ended(process: NodeProcess, how: number | string, lastWords: string): void;
}

/** One node's process. */
export class NodeProcess {
  readonly plan: ProcessPlan;
  /** The part of the name before the `@`. */
  readonly short: string;
  /** The peers that the node has reported. */
  readonly peers: Set<string> = new Set();
  readonly #terms: Terms;
  readonly #watcher: ProcessWatcher;
  #state: ProcessState = "down";
  #child: ChildProcess | undefined;
  #pid = 0;
  #version = "";
  #ended: Promise<void> = Promise.resolve();

  constructor(plan: ProcessPlan, terms: Terms, watcher: ProcessWatcher) {
    this.plan = plan;
    this.short = shortName(plan.name);
    this.#terms = terms;
    this.#watcher = watcher;
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** The process id of the node, once it is up; the started process may be a wrapper. */
  get pid(): number {
    return this.#pid;
  }

  /** The runtime's version, once the node is up. */
  get version(): string {
    return this.#version;
  }

  /** The URL of the node for clients of the chat. */
  get url(): string {
    return `ws://127.0.0.1:${this.plan.port}/ws`;
  }

  /** Starts the process if it is down. */
  start(): void {
    if (this.#state !== "down") return;
    const file = fileURLToPath(new URL("./node.ts", import.meta.url));
    const child = spawn(this.plan.program, argumentsFor(this.plan.runtime, file), {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    this.#state = "starting";
    this.#pid = child.pid ?? 0;
    let lastWords = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      lastWords = (lastWords + text).slice(-ERROR_CHARS_MAX);
    });
    const read = readLines(child.stdout!, (line) => this.#reported(parseReport(line)));
    child.stdin!.on("error", () => {
      // The process has exited, which `close` reports.
    });
    child.stdin!.write(`${JSON.stringify(this.#terms)}\n`);
    this.#ended = new Promise((ended) => {
      const end = (how: number | string): void => {
        if (this.#state !== "down") this.#gone(how, lastWords.trim());
        ended();
      };
      child.on("error", (error) => end(error.message));
      // The last lines may still be in transit, so waits for the end of the streams.
      child.on("close", (code, signal) => {
        read.finally(() => end(code ?? signal ?? "unknown"));
      });
    });
  }

  /** Kills the process with kill -9. */
  kill(): void {
    this.#signal("SIGKILL");
  }

  /** Suspends the process, as if the machine hung. */
  pause(): void {
    if (this.#state !== "up") return;
    this.#signal("SIGSTOP");
    this.#state = "paused";
  }

  /** Resumes the process. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "up";
    this.#signal("SIGCONT");
  }

  /** Stops the process in order. Resolves when it has exited. */
  async stop(): Promise<void> {
    if (this.#state === "down") return await this.#ended;
    // The process may be paused, and must then be resumed first.
    this.#signal("SIGCONT");
    this.#child!.stdin!.end();
    const patience = setTimeout(() => this.kill(), END_MS);
    await this.#ended;
    clearTimeout(patience);
  }

  #reported(report: Report): void {
    switch (report.kind) {
      case "ready":
        this.#pid = report.pid;
        this.#version = report.version;
        this.#state = "up";
        break;
      case "nodeup":
        this.peers.add(report.node);
        break;
      case "nodedown":
        this.peers.delete(report.node);
        break;
      case "failed":
      case "refused":
      case "log":
        break;
      default:
        report satisfies never;
    }
    this.#watcher.reported(this, report);
  }

  #gone(how: number | string, lastWords: string): void {
    this.#state = "down";
    this.#child = undefined;
    this.peers.clear();
    this.#watcher.ended(this, how, lastWords);
  }

  // Does not use `child.kill`: on Deno, it treats any signal as the end of the child, and closes
  // the child's input.
  #signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    for (const pid of new Set([this.#pid, this.#child?.pid ?? 0])) {
      try {
        if (pid > 0 && this.#state !== "down") process.kill(pid, name);
      } catch {
        // Ignores the error: the process has already exited.
      }
    }
  }
}

/** Reads the output of a process, line by line, until its end. */
async function readLines(output: Readable, take: (line: string) => void): Promise<void> {
  const bytes = Readable.toWeb(output) as ReadableStream<BufferSource>;
  const lines = bytes.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) take(line);
}
