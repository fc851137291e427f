/**
 * The thread that parses source maps, as seen by its owner.
 *
 *     absent ──a request──▶ running ──close · it fails · a request takes too long──▶ absent
 *
 * If a map makes the thread fail, the frames stay unchanged, and the next request starts another
 * thread. On Bun, where threads cannot import the library, maps are read in the main thread.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { type MapOrder, MapReader, type Traced } from "./map_reader.ts";
import type { MinifiedPlace } from "./trace.ts";

/** A reply of the thread. `traced` is undefined for a map that is not loaded. */
export interface MapReport {
  readonly id: number;
  readonly traced: readonly (Traced | null)[] | undefined | "no library";
}

/** Time limit for a request, including the requests before it, in milliseconds. */
const ORDER_MS_MAX = 20_000;

type Result = Exclude<MapReport["traced"], string> | null;

/** The thread of one node. */
export class MapThread {
  #worker: Worker | undefined;
  /** Reads maps in this thread. Used if other threads cannot import the library. */
  #reader: MapReader | undefined;
  readonly #waiting = new Map<number, (traced: MapReport["traced"] | null) => void>();
  #lastId = 0;
  #isClosed = false;

  /**
   * Returns the original places of `places` with a loaded map. Resolves with undefined if the map
   * is not loaded, or with null if the thread has failed.
   */
  trace(key: string, places: readonly MinifiedPlace[]): Promise<Result> {
    return this.#ask({ kind: "trace", id: ++this.#lastId, key, places });
  }

  /** Loads a map, and returns the original places as {@linkcode trace} does. */
  load(
    key: string,
    places: readonly MinifiedPlace[],
    map: Uint8Array,
    code: Uint8Array | null,
  ): Promise<Result> {
    return this.#ask({ kind: "load", id: ++this.#lastId, key, places, map, code });
  }

  /** Ends the thread. Requests that wait resolve with null. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#end();
  }

  async #ask(order: MapOrder): Promise<Result> {
    if (this.#isClosed) return null;
    if (this.#reader === undefined) {
      const traced = await this.#send(order);
      if (traced !== "no library") return traced;
      this.#reader ??= new MapReader();
      await this.#end();
    }
    return await this.#reader.answer(order);
  }

  #send(order: MapOrder): Promise<MapReport["traced"] | null> {
    const worker = this.#worker ??= this.#start();
    return new Promise((resolve) => {
      const late = setTimeout(() => this.#end(), ORDER_MS_MAX);
      this.#waiting.set(order.id, (traced) => {
        clearTimeout(late);
        resolve(traced);
      });
      worker.postMessage(order);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./map_worker.ts", import.meta.url));
    worker.on("message", ({ id, traced }: MapReport) => {
      const done = this.#waiting.get(id);
      this.#waiting.delete(id);
      done?.(traced);
    });
    const ended = (): void => {
      if (this.#worker === worker) void this.#end();
    };
    worker.on("error", ended);
    worker.on("exit", ended);
    return worker;
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    for (const done of this.#waiting.values()) done(null);
    this.#waiting.clear();
    await worker?.terminate();
  }
}
