/**
 * A stream over `Deno.Conn`: TCP, or TLS that this side dialled.
 *
 * Reads go into a buffer that is used again. It begins small, because every idle connection holds
 * one, and is replaced by a large one when a read fills it.
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

/** How many writes the process has in flight at once: past some dozens each costs more. */
const WRITES_IN_FLIGHT_MAX = 32;

/** A TCP or TLS connection of Deno's. */
export class DenoStream extends QueuedStream {
  readonly #conn: Deno.Conn;
  readonly #window: WriteWindow;
  #chunk: Uint8Array | undefined;
  #offset = 0;
  /** The window's epoch in which the write in flight began. */
  #epoch = 0;
  #wake: (() => void) | undefined;

  constructor(point: FlushPoint, window: WriteWindow, conn: Deno.Conn, remote: Address) {
    super(point, remote);
    this.#conn = conn;
    this.#window = window;
  }

  /** Called by the window when this stream's turn has come. */
  begin(epoch: number): void {
    this.#epoch = epoch;
    if (this.isOver) return this.#window.release(this.#epoch);
    this.#chunk = this.take();
    this.#offset = 0;
    this.#conn.write(this.#chunk).then(this.#wrote, this.#failed);
  }

  protected override launch(): void {
    this.#window.request(this);
  }

  protected override startReading(): void {
    this.#read();
  }

  protected override finish(): void {
    // The connection may be gone already; then the read side reports it.
    this.#conn.closeWrite().catch(() => {});
  }

  protected override cut(): void {
    try {
      this.#conn.close();
    } catch {
      // Already closed by the system.
    }
    this.#wake?.();
  }

  protected override resumeReading(): void {
    this.#wake?.();
  }

  readonly #wrote = (length: number): void => {
    const chunk = this.#chunk!;
    this.#offset += length;
    this.sent(length);
    if (this.#offset < chunk.length && !this.isOver) {
      this.#conn.write(chunk.subarray(this.#offset)).then(this.#wrote, this.#failed);
      return;
    }
    this.#chunk = undefined;
    this.#window.release(this.#epoch);
    this.done();
  };

  readonly #failed = (error: unknown): void => {
    this.#chunk = undefined;
    this.#window.release(this.#epoch);
    this.#broke(error);
  };

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

/**
 * Lets at most {@linkcode WRITES_IN_FLIGHT_MAX} writes be in flight, first come, first served. A
 * write that is still in flight when others have waited for a whole turn of the event loop is slow
 * (its peer does not read) and stops counting, so that slow peers cannot use the window up.
 */
export class WriteWindow {
  readonly #waiting = new Ring<DenoStream>(64);
  #inFlight = 0;
  /** Writes of earlier epochs no longer count. */
  #epoch = 0;
  #sweeping = false;

  request(stream: DenoStream): void {
    if (this.#inFlight < WRITES_IN_FLIGHT_MAX) {
      this.#inFlight++;
      stream.begin(this.#epoch);
      return;
    }
    this.#waiting.push(stream);
    if (this.#sweeping) return;
    this.#sweeping = true;
    // The first immediate runs before this turn's I/O is looked at, the second after.
    setImmediate(() => setImmediate(this.#sweep));
  }

  release(epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#inFlight--;
    this.#admit();
  }

  readonly #sweep = (): void => {
    this.#sweeping = false;
    if (this.#waiting.length === 0) return;
    this.#epoch++;
    this.#inFlight = 0;
    this.#admit();
    if (this.#waiting.length === 0) return;
    this.#sweeping = true;
    setImmediate(() => setImmediate(this.#sweep));
  };

  #admit(): void {
    while (this.#inFlight < WRITES_IN_FLIGHT_MAX) {
      const stream = this.#waiting.shift();
      if (stream === undefined) return;
      this.#inFlight++;
      stream.begin(this.#epoch);
    }
  }
}
