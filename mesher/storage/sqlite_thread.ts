/**
 * A thread that works on a SQLite file, as seen by its owner. Statements and commits run there and
 * block nothing here.
 *
 *     absent ──a request────▶ running ──close──▶ absent
 *        ▲                       │ it fails
 *        └───────────────────────┘ its requests reject, and may be tried again
 *
 * Requests are sent one after another. A request whose signal is aborted before its turn is never
 * sent; a running one cannot be stopped, so long reads consist of short statements
 * (`sql/search.ts`).
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import type { Value } from "./database.ts";
import { StorageError } from "./error.ts";
import type { EventOutcome } from "./events.ts";
import type { EventColumns } from "./rows.ts";
import type { SqliteFile } from "./sqlite_connection.ts";
import { packRows, unpackOutcomes } from "./sqlite_pack.ts";

/** A request to the thread. */
export type Order =
  | {
    readonly kind: "write";
    readonly id: number;
    readonly now: number;
    /** The rows, encoded by `sqlite_pack.ts`. */
    readonly rows: string;
  }
  | {
    readonly kind: "rows" | "change";
    readonly id: number;
    readonly sql: string;
    readonly params: readonly Value[];
  }
  | { readonly kind: "exec"; readonly id: number; readonly sql: string }
  | { readonly kind: "close" };

/** A reply of the thread. */
export type Report =
  | { readonly kind: "done"; readonly id: number; readonly value: unknown }
  | {
    readonly kind: "failed";
    readonly id: number;
    readonly message: string;
    readonly retry: boolean;
    /** Whether the request failed because another process had locked the file for too long. */
    readonly busy: boolean;
  }
  | { readonly kind: "closed" };

/** A request before it is numbered. */
type Ordered = DistributiveOmit<Exclude<Order, { kind: "close" }>, "id">;
type DistributiveOmit<T, Key extends string> = T extends unknown ? Omit<T, Key> : never;

/** Time limit for a thread to close its file, in milliseconds. The thread is then terminated. */
const CLOSE_MS_MAX = 10_000;
/** Maximum number of waiting requests. Further requests reject at once. */
export const ORDERS_MAX = 1_000;

interface Waiting {
  readonly id: number;
  readonly order: Ordered;
  readonly signal: AbortSignal | undefined;
  done(value: unknown): void;
  fail(error: unknown): void;
}

/** A thread that works on one database file. */
export class SqliteThread {
  readonly #file: SqliteFile;
  #worker: Worker | undefined;
  #waiting: Waiting[] = [];
  /** The request that was sent and not answered yet. */
  #running: Waiting | undefined;
  #lastId = 0;
  /** Called when the thread has closed its file. */
  #closed: (() => void) | undefined;

  constructor(file: SqliteFile) {
    this.#file = file;
  }

  /** Returns all rows of a statement. */
  rows<Row>(sql: string, params: readonly Value[], signal?: AbortSignal): Promise<Row[]> {
    return this.#ask<Row[]>({ kind: "rows", sql, params }, signal);
  }

  /** Returns the number of rows that a statement changed. */
  change(sql: string, params: readonly Value[]): Promise<number> {
    return this.#ask<number>({ kind: "change", sql, params });
  }

  /** Runs statements that return nothing. */
  exec(sql: string): Promise<void> {
    return this.#ask<void>({ kind: "exec", sql });
  }

  /** Writes a batch. */
  async write(rows: readonly EventColumns[], now: number): Promise<readonly EventOutcome[]> {
    return unpackOutcomes(await this.#ask<string>({ kind: "write", now, rows: packRows(rows) }));
  }

  /** Finishes all requests, closes the file and ends the thread. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    await new Promise<void>((closed) => {
      const late = setTimeout(closed, CLOSE_MS_MAX);
      this.#closed = () => {
        clearTimeout(late);
        closed();
      };
      this.#pump();
    });
    this.#worker = undefined;
    await worker.terminate();
  }

  #ask<T>(order: Ordered, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#waiting.length >= ORDERS_MAX) {
      const words = `${ORDERS_MAX} requests already wait for SQLite`;
      return Promise.reject(new StorageError(words, true));
    }
    return new Promise<unknown>((done, fail) => {
      this.#waiting.push({ id: ++this.#lastId, order, signal, done, fail });
      this.#pump();
    }) as Promise<T>;
  }

  /** Sends the next request if none is running. If none is left, sends the request to close. */
  #pump(): void {
    if (this.#running !== undefined) return;
    for (;;) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      if (next.signal?.aborted) {
        next.fail(next.signal.reason);
        continue;
      }
      this.#running = next;
      this.#worker ??= this.#start();
      this.#worker.postMessage({ ...next.order, id: next.id } satisfies Order);
      return;
    }
    if (this.#closed !== undefined) this.#worker?.postMessage({ kind: "close" } satisfies Order);
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
    const running = this.#running;
    this.#running = undefined;
    this.#pump();
    if (report.kind === "done") running?.done(report.value);
    else {
      // Adds SQLite's code for a locked file, by which callers decide to retry.
      const cause = report.busy ? { errcode: 5 } : undefined;
      running?.fail(new StorageError(report.message, report.retry, cause));
    }
  }

  /**
   * Called when the thread has ended: rejects its requests. The next request starts another thread.
   */
  #ended(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const words = error instanceof Error ? error.message : String(error);
    const failure = new StorageError(`a thread of SQLite failed: ${words}`, true, error);
    const failed = [this.#running, ...this.#waiting];
    this.#running = undefined;
    this.#waiting = [];
    for (const one of failed) one?.fail(failure);
    this.#closed?.();
  }
}
