/**
 * The way out of one connection: whole frames into its stream, counted.
 *
 *     waiting bytes   0 ─────── BEHIND_BYTES ─────── backpressureLimit
 *     a send gives      "sent"               "behind"                  "dropped" or "held"
 *     drain() after                  yes, once nothing waits any more
 *
 * A pong is no exception: a peer that pings and does not read has at most one pong waiting beyond
 * `BEHIND_BYTES`, and the latest of its pings in memory (RFC 6455, 5.5.3, lets us skip the others).
 *
 * @module
 */
import type { Stream } from "../host/stream.ts";
import { Buffer } from "node:buffer";
import type { Backpressure } from "./backpressure.ts";
import type { Deflate } from "./deflate.ts";
import { appendMessage, encodeFrame, encodeMessage, OPCODES } from "./frame.ts";
import type { Masker } from "./masker.ts";
import type { Scratch } from "./scratch.ts";

/** More than this waiting to be sent is "behind". */
export const BEHIND_BYTES: number = 64 * 1024;

/** What became of something that was to be sent. */
export type SendResult =
  /** It leaves when this turn ends. */
  | "sent"
  /** It will leave, but much waits before it: better go on after `drain`. */
  | "behind"
  /** It did not fit under `backpressureLimit` and is lost, by the policy "drop". */
  | "dropped"
  /** It did not fit, and leaves when nothing waits, unless a later one takes its place: "latest". */
  | "held"
  /** The connection is not open. */
  | "closed";

/** Queues frames for one stream. */
export class Outbox {
  readonly #stream: Stream;
  readonly #scratch: Scratch;
  readonly #limits: Backpressure;
  readonly #deflate: Deflate | undefined;
  /** A client has one. */
  readonly #masker: Masker | undefined;
  /** Somebody was told "behind" or "dropped", and `drained` has not been called since. */
  #behind = false;
  /** Bytes that were ever written. */
  #written = 0;
  /** `#written` when the last pong was. */
  #pongAt = 0;
  /** The latest ping that has not been answered. */
  #ping: Uint8Array | undefined;
  /** The latest frames that did not fit, by their slot. */
  #held: Map<string, Uint8Array> | undefined;
  #heldBytes = 0;

  /** So much may wait; a message that waits alone may be longer. */
  constructor(
    stream: Stream,
    scratch: Scratch,
    limits: Backpressure,
    deflate?: Deflate,
    masker?: Masker,
  ) {
    this.#masker = masker;
    this.#stream = stream;
    this.#deflate = deflate;
    this.#scratch = scratch;
    this.#limits = limits;
  }

  /** Bytes that have been handed to the system. */
  get departed(): number {
    return this.#written - this.#stream.unsent;
  }

  /** Queues a message as one frame. */
  message(data: string | Uint8Array): SendResult {
    const packed = this.#deflate?.frame(data, lengthOf(data));
    if (packed !== undefined) return this.frames(packed);
    const length = appendMessage(this.#scratch, 0, data);
    return this.frames(length < 0 ? encodeMessage(data) : this.#scratch.bytes.slice(0, length));
  }

  /**
   * Queues whole frames, in memory that will not change any more. Those that are held take the place
   * of those before in the same slot.
   */
  frames(frames: Uint8Array, limits: Backpressure = this.#limits, slot: string = ""): SendResult {
    const { unsent } = this.#stream;
    const waiting = unsent + frames.length;
    if (waiting > limits.bytesMax && unsent > 0) {
      this.#behind = true;
      if (limits.policy !== "latest") return "dropped";
      this.#hold(slot, frames, limits.bytesMax);
      return "held";
    }
    // What is held in its slot is out of date.
    if (this.#held !== undefined) this.#release(slot);
    this.#write(frames);
    if (waiting <= BEHIND_BYTES) return "sent";
    this.#behind = true;
    return "behind";
  }

  /** Queues a ping. One that does not fit is lost. */
  ping(payload: Uint8Array): SendResult {
    return this.frames(encodeFrame(OPCODES.ping, payload), { ...this.#limits, policy: "drop" });
  }

  /** Queues a frame that is short and must not be lost. */
  control(opcode: number, payload: Uint8Array): void {
    this.#write(encodeFrame(opcode, payload));
  }

  /** Answers a ping, now or later. */
  pong(payload: Uint8Array): void {
    const { unsent } = this.#stream;
    const lastHasLeft = this.#written - unsent >= this.#pongAt;
    if (unsent > BEHIND_BYTES && !lastHasLeft) {
      this.#ping = payload;
      return;
    }
    this.#ping = undefined;
    this.control(OPCODES.pong, payload);
    this.#pongAt = this.#written;
  }

  /** Queues what is held: nothing more will be. */
  finish(): void {
    const held = this.#held;
    this.#held = undefined;
    this.#heldBytes = 0;
    if (held !== undefined) { for (const frames of held.values()) this.#write(frames); }
  }

  /** Nothing waits any more. True if somebody is to be told. */
  drained(): boolean {
    this.finish();
    if (this.#ping !== undefined) this.pong(this.#ping);
    const behind = this.#behind;
    this.#behind = false;
    return behind;
  }

  /** Keeps frames, and of what is held no more than the limit: the oldest goes. */
  #hold(slot: string, frames: Uint8Array, bytesMax: number): void {
    const held = this.#held ??= new Map();
    this.#release(slot);
    held.set(slot, frames);
    this.#heldBytes += frames.length;
    for (const oldest of held.keys()) {
      if (this.#heldBytes <= bytesMax || oldest === slot) break;
      this.#release(oldest);
    }
  }

  #release(slot: string): void {
    const frames = this.#held?.get(slot);
    if (frames === undefined) return;
    this.#held!.delete(slot);
    this.#heldBytes -= frames.length;
  }

  #write(frames: Uint8Array): void {
    const bytes = this.#masker === undefined ? frames : this.#masker.mask(frames);
    this.#written += bytes.length;
    this.#stream.write(bytes);
  }
}

function lengthOf(data: string | Uint8Array): number {
  return typeof data === "string" ? Buffer.byteLength(data) : data.length;
}
