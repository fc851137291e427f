/**
 * The thread that writes batches into a SQLite file, as its owner sees it. Committing waits for the disk, and a
 * batch takes milliseconds: here that holds up no request.
 *
 *     absent ──first batch──▶ running ──close──▶ absent
 *        ▲                       │ it fails
 *        └───────────────────────┘ what it was given rejects, and may be tried again
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import type { EventColumns } from "./rows.ts";
import { packRows, unpackOutcomes } from "./sqlite_pack.ts";
import { StorageError } from "./error.ts";
import type { EventOutcome } from "./events.ts";

/** Where the file is, and how it is written. */
export interface SqliteFile {
  readonly path: string;
  /** Wait for the disk at each transaction. */
  readonly fullSync: boolean;
}

/** What the thread is asked. */
export type Order =
  | {
    readonly kind: "write";
    readonly id: number;
    readonly now: number;
    /** Packed. */
    readonly rows: string;
  }
  | { readonly kind: "close" };

/** What it answers. */
export type Report =
  | {
    readonly kind: "written";
    readonly id: number;
    /** Packed. */
    readonly outcomes: string;
  }
  | {
    readonly kind: "failed";
    readonly id: number;
    readonly message: string;
    readonly retry: boolean;
  }
  | { readonly kind: "closed" };

/** A thread that does not close its file in this time is ended. Milliseconds. */
const CLOSE_MS_MAX = 10_000;

interface Waiting {
  done(outcomes: readonly EventOutcome[]): void;
  fail(error: StorageError): void;
}

/** The thread of one file. */
export class SqliteThread {
  readonly #file: SqliteFile;
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  /** Called when the thread has closed its file. */
  #closed: (() => void) | undefined;

  constructor(file: SqliteFile) {
    this.#file = file;
  }

  /** Has a batch written, after those that were given before. */
  write(rows: readonly EventColumns[], now: number): Promise<readonly EventOutcome[]> {
    const worker = this.#worker ??= this.#start();
    return new Promise((done, fail) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { done, fail });
      worker.postMessage({ kind: "write", id, now, rows: packRows(rows) } satisfies Order);
    });
  }

  /** Closes its file and ends it. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    await new Promise<void>((closed) => {
      const late = setTimeout(closed, CLOSE_MS_MAX);
      this.#closed = () => {
        clearTimeout(late);
        closed();
      };
      worker.postMessage({ kind: "close" } satisfies Order);
    });
    this.#worker = undefined;
    await worker.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL("./sqlite_worker.ts", import.meta.url), {
      workerData: this.#file,
    });
    worker.on("message", (report: Report) => this.#reported(report));
    worker.on("error", (error) => this.#ended(worker, error));
    worker.on("exit", () => this.#ended(worker, new Error("it has ended")));
    return worker;
  }

  #reported(report: Report): void {
    if (report.kind === "closed") return this.#closed?.();
    const waiting = this.#waiting.get(report.id);
    this.#waiting.delete(report.id);
    if (report.kind === "written") waiting?.done(unpackOutcomes(report.outcomes));
    else waiting?.fail(new StorageError(report.message, report.retry));
  }

  /** The next batch starts another. */
  #ended(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const words = error instanceof Error ? error.message : String(error);
    const failure = new StorageError(`the thread that writes SQLite failed: ${words}`, true, error);
    for (const { fail } of this.#waiting.values()) fail(failure);
    this.#waiting.clear();
    this.#closed?.();
  }
}
