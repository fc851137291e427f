/**
 * Queues the frames of one connection: writes them to its stream, and limits the queued bytes.
 *
 *     queued bytes    0 ─────── BEHIND_BYTES ─────── backpressureLimit
 *     `send` returns     "sent"               "behind"                  "dropped" or "held"
 *     drain() is called  no                   yes, when the queue is empty
 *
 * Pongs are limited too: for a peer that pings and does not read, at most one pong is queued beyond
 * `BEHIND_BYTES`, and only the latest ping is stored. RFC 6455, section 5.5.3, allows answering the
 * latest ping only.
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

/** Number of queued bytes above which `send` returns "behind". */
export const BEHIND_BYTES: number = 64 * 1024;

/**
 * The result of a send.
 *
 * - `"sent"`: the message is sent at the end of this turn;
 * - `"behind"`: the message is queued behind many bytes: wait for `drain` before sending more;
 * - `"dropped"`: the message exceeded `backpressureLimit` and was dropped, by the policy "drop";
 * - `"held"`: the message exceeded the limit, and is sent when the queue is empty unless a later
 *   one replaces it: policy "latest";
 * - `"closed"`: the connection is not open.
 */
export type SendResult = "sent" | "behind" | "dropped" | "held" | "closed";

/** Queues the frames of one connection. */
export class ConnectionOutbox {
  readonly #stream: Stream;
  readonly #scratch: Scratch;
  readonly #limits: Backpressure;
  readonly #deflate: Deflate | undefined;
  /** Masks frames; used only by clients. */
  readonly #masker: Masker | undefined;
  /**
   * Whether a send has returned another result than "sent" since {@linkcode drained} was last
   * called.
   */
  #behind = false;
  /** Number of bytes written so far. */
  #written = 0;
  /** The value of `#written` at the last pong. */
  #pongAt = 0;
  /** The latest unanswered ping. */
  #ping: Uint8Array | undefined;
  /**
   * The latest frames that exceeded the limit under the policy "latest", by slot: a room's name, or
   * "" for direct messages. They are sent when the queue is empty.
   */
  #held: Map<string, Uint8Array> | undefined;
  #heldBytes = 0;

  /**
   * `limits` contains the maximum number of queued bytes. A longer message is accepted if nothing
   * else is queued.
   */
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

  /** Number of bytes passed to the system. */
  get accepted(): number {
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
   * Queues complete frames, whose buffer must not be changed afterwards. Frames of the same `slot`
   * replace each other under the policy "latest".
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
    // A newer message for this slot replaces the stored one.
    if (this.#held !== undefined) this.#release(slot);
    this.#write(frames);
    if (waiting <= BEHIND_BYTES) return "sent";
    this.#behind = true;
    return "behind";
  }

  /** Queues a ping, or drops it if it exceeds the limit of queued bytes. */
  ping(payload: Uint8Array): SendResult {
    return this.frames(encodeFrame(OPCODES.ping, payload), { ...this.#limits, policy: "drop" });
  }

  /** Queues a short frame that is never dropped. */
  control(opcode: number, payload: Uint8Array): void {
    this.#write(encodeFrame(opcode, payload));
  }

  /** Answers a ping, at once or when earlier data has been sent. */
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

  /** Queues the frames stored under the policy "latest", regardless of the limit. */
  finish(): void {
    const held = this.#held;
    this.#held = undefined;
    this.#heldBytes = 0;
    if (held !== undefined) { for (const frames of held.values()) this.#write(frames); }
  }

  /**
   * Called when all queued bytes were sent. Queues the stored frames and a delayed pong. Returns
   * whether to call the `drain` handler.
   */
  drained(): boolean {
    this.finish();
    if (this.#ping !== undefined) this.pong(this.#ping);
    const behind = this.#behind;
    this.#behind = false;
    return behind;
  }

  /**
   * Stores frames for the policy "latest". Drops the oldest frames if more than `bytesMax` bytes
   * are stored.
   */
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
