/**
 * A stream over `Deno.Conn`: a TCP connection or a Unix socket.
 *
 * Reads go into a reused buffer. It starts small, because every idle connection holds one, and is
 * replaced by a large one when a read fills it.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { Ring } from "../base/ring.ts";
import type { FlushPoint } from "./flush_point.ts";
import { QueuedStream } from "./queued_stream.ts";
import type { Address } from "./stream.ts";

const READ_BYTES_SMALL = 1024;
const READ_BYTES_LARGE = 64 * 1024;

/**
 * Maximum number of concurrent writes of the process. With more than some dozens, each write costs
 * more.
 */
const WRITES_IN_FLIGHT_MAX = 32;

/** A stream over a connection of Deno: TCP or a Unix socket. */
export class DenoStream extends QueuedStream {
  readonly #conn: Deno.Conn;
  readonly #window: WriteWindow;
  #wake: (() => void) | undefined;

  constructor(point: FlushPoint, window: WriteWindow, conn: Deno.Conn, remote: Address) {
    super(point, remote);
    this.#conn = conn;
    this.#window = window;
  }

  /** Begins to send the queued data in a lane. Returns false if the stream has ended. */
  begin(lane: Lane): boolean {
    if (this.isOver) return false;
    this.#send(lane, this.take());
    return true;
  }

  /**
   * Called when the system has accepted `length` bytes of the chunk in the lane. Sends the rest of
   * the chunk, if any.
   */
  wrote(lane: Lane, length: number): void {
    this.sent(length);
    const { chunk } = lane;
    if (length < chunk.length && !this.isOver) return this.#send(lane, chunk.subarray(length));
    this.#window.release(lane);
    this.done();
  }

  /** Called when the lane's write has failed. */
  failed(lane: Lane, error: unknown): void {
    this.#window.release(lane);
    this.#broke(error);
  }

  protected override launch(): void {
    this.#window.request(this);
  }

  protected override startReading(): void {
    this.#read();
  }

  protected override finish(): void {
    // Ignores the error of a connection that is already closed, which the read side reports.
    this.#conn.closeWrite().catch(() => {});
  }

  protected override cut(): void {
    try {
      this.#conn.close();
    } catch {
      // Ignores the error: the system has already closed the connection.
    }
    this.#wake?.();
  }

  protected override resumeReading(): void {
    this.#wake?.();
  }

  #send(lane: Lane, chunk: Uint8Array): void {
    lane.chunk = chunk;
    this.#conn.write(chunk).then(lane.wrote, lane.failed);
  }

  #broke(error: unknown): void {
    this.gone(error instanceof Error ? error.message : String(error));
  }

  async #read(): Promise<void> {
    let buffer = new Uint8Array(READ_BYTES_SMALL);
    try {
      while (!this.isOver) {
        if (this.isPaused) {
          await new Promise<void>((wake) => this.#wake = wake);
          this.#wake = undefined;
          continue;
        }
        const length = await this.#conn.read(buffer);
        if (length === null) return this.pushEnd();
        this.push(buffer.subarray(0, length), true);
        if (length === READ_BYTES_SMALL && buffer.length === READ_BYTES_SMALL) {
          buffer = new Uint8Array(READ_BYTES_LARGE);
        }
      }
    } catch (error) {
      this.#broke(error);
    }
  }
}

const NOTHING = new Uint8Array();

/**
 * A slot for one concurrent write, which streams use in turn. The callbacks belong to the lane, so
 * a stream needs none of its own.
 */
class Lane {
  readonly epoch: number;
  stream: DenoStream | undefined;
  chunk: Uint8Array = NOTHING;
  readonly wrote = (length: number): void => this.stream!.wrote(this, length);
  readonly failed = (error: unknown): void => this.stream!.failed(this, error);

  constructor(epoch: number) {
    this.epoch = epoch;
  }
}

/**
 * Limits concurrent writes to {@linkcode WRITES_IN_FLIGHT_MAX}, in order of arrival. A write that
 * is still running after others have waited for a whole turn of the event loop is slow (its peer
 * does not read). A new lane then replaces its lane, so that slow peers cannot exhaust the window.
 */
export class WriteWindow {
  readonly #waiting = new Ring<DenoStream>(64);
  #free: Lane[] = [];
  /** Number of lanes that were created in the current epoch. */
  #count = 0;
  /** Number of the current epoch. Lanes of earlier epochs are not reused. */
  #epoch = 0;
  #sweeping = false;

  request(stream: DenoStream): void {
    const lane = this.#take();
    if (lane !== undefined) return this.#enter(lane, stream);
    this.#waiting.push(stream);
    this.#sweepLater();
  }

  /** Called when the lane's write has completed: the next waiting stream may use the lane. */
  release(lane: Lane): void {
    if (lane.epoch === this.#epoch) return this.#enter(lane, this.#waiting.shift());
    lane.stream = undefined;
    lane.chunk = NOTHING;
  }

  /** Returns a free lane, or a new one within the limit. */
  #take(): Lane | undefined {
    if (this.#free.length > 0) return this.#free.pop();
    if (this.#count === WRITES_IN_FLIGHT_MAX) return undefined;
    this.#count++;
    return new Lane(this.#epoch);
  }

  /**
   * Starts a write of the stream in the lane. If the stream has ended, the lane is used for the
   * next waiting stream that has not ended. If there is none, the lane becomes free.
   */
  #enter(lane: Lane, stream: DenoStream | undefined): void {
    for (let next = stream; next !== undefined; next = this.#waiting.shift()) {
      lane.stream = next;
      if (next.begin(lane)) return;
    }
    lane.stream = undefined;
    lane.chunk = NOTHING;
    this.#free.push(lane);
  }

  #sweepLater(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    // The first immediate runs before this turn's I/O is polled, and the second after it.
    setImmediate(() => setImmediate(this.#sweep));
  }

  readonly #sweep = (): void => {
    this.#sweeping = false;
    if (this.#waiting.length === 0) return;
    this.#epoch++;
    this.#count = 0;
    this.#free = [];
    while (this.#waiting.length > 0) {
      const lane = this.#take();
      if (lane === undefined) return this.#sweepLater();
      this.#enter(lane, this.#waiting.shift());
    }
  };
}
