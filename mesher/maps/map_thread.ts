/**
 * The thread that parses source maps, as seen by its owner.
 *
 *     absent ──a request──▶ running ──close · it fails · a request takes too long──▶ absent
 *
 * If a map makes the thread fail, the frames stay unchanged, and the next request starts another
 * thread. If the thread cannot import the library, this is logged, and another one is started after
 * a minute at the earliest.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import type { LogLine } from "../log.ts";
import type { MapOrder, Traced } from "./map_reader.ts";
import type { MinifiedPlace } from "./trace.ts";

/** The original places; undefined if the map is not loaded. */
type Places = readonly (Traced | null)[] | undefined;

/** A reply of the thread: the places, or why it cannot import the library. */
export type MapReport =
  | { readonly id: number; readonly traced: Places }
  | { readonly id: number; readonly problem: string };

/** Time limit for a request, including its wait for earlier requests, in milliseconds. */
const ORDER_MS_MAX = 20_000;
/** The pause after the library could not be imported, in milliseconds. */
const PROBLEM_MS = 60_000;

/** The thread of one node. */
export class MapThread {
  readonly #log: LogLine;
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, (traced: Places | null) => void>();
  #lastId = 0;
  #isClosed = false;
  /** The time before which no thread is started, as of `performance.now`. */
  #startAfter = 0;

  constructor(log: LogLine) {
    this.#log = log;
  }

  /**
   * Returns the original places of `places` with a loaded map. Resolves with undefined if the map
   * is not loaded, or with null if the thread has failed.
   */
  trace(key: string, places: readonly MinifiedPlace[]): Promise<Places | null> {
    return this.#ask({ kind: "trace", id: ++this.#lastId, key, places });
  }

  /**
   * Loads a map, and returns the original places as {@linkcode trace} does. The contents must not
   * be used afterwards, because their buffers are transferred to the thread.
   */
  load(
    key: string,
    places: readonly MinifiedPlace[],
    map: Uint8Array,
    code: Uint8Array | null,
  ): Promise<Places | null> {
    return this.#ask({ kind: "load", id: ++this.#lastId, key, places, map, code });
  }

  /** Ends the thread. Requests that wait resolve with null. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#end();
  }

  async #ask(order: MapOrder): Promise<Places | null> {
    if (this.#isClosed || performance.now() < this.#startAfter) return null;
    const worker = this.#worker ??= this.#start();
    return await new Promise((resolve) => {
      const late = setTimeout(() => this.#end(), ORDER_MS_MAX);
      this.#waiting.set(order.id, (traced) => {
        clearTimeout(late);
        resolve(traced);
      });
      worker.postMessage(order, buffersOf(order));
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./map_worker.ts", import.meta.url));
    worker.on("message", (report: MapReport) => {
      if (this.#worker !== worker) return;
      if ("problem" in report) return this.#giveUp(report.problem);
      const done = this.#waiting.get(report.id);
      this.#waiting.delete(report.id);
      done?.(report.traced);
    });
    const ended = (): void => {
      if (this.#worker === worker) void this.#end();
    };
    worker.on("error", ended);
    worker.on("exit", ended);
    return worker;
  }

  #giveUp(problem: string): void {
    this.#log("error", `source maps are not applied: the library cannot be imported: ${problem}`);
    this.#startAfter = performance.now() + PROBLEM_MS;
    void this.#end();
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    for (const done of this.#waiting.values()) done(null);
    this.#waiting.clear();
    await worker?.terminate();
  }
}

/**
 * Returns the buffers of a request that can be transferred without a copy: those that contain one
 * whole file and nothing else.
 */
function buffersOf(order: MapOrder): ArrayBuffer[] {
  const files = order.kind === "load" ? [order.map, order.code] : [];
  return files.flatMap((file) =>
    file?.buffer instanceof ArrayBuffer && file.byteLength === file.buffer.byteLength
      ? [file.buffer]
      : []
  );
}
