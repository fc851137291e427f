/**
 * Holds back deliveries while an earlier large message to the same receiver is incomplete, so that
 * order is kept.
 *
 *     key of a receiver ─▶ [ large, incomplete ][ small ][ small ][ large, incomplete ][ small ]
 *                              ▲ opened            ▲ held
 *
 * A large message takes its place in the order when its first fragment arrives. Later messages for
 * the same receiver wait in the queue of that key; messages for others do not. Complete entries are
 * delivered from the front of a queue, up to the first incomplete one. An empty queue is removed.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { Ring } from "../base/ring.ts";

/**
 * Maximum number of held bytes. A peer with this implementation sends at most half as many bytes
 * past incomplete large messages: see `PASSED_BYTES_MAX` in `outbox.ts`. If a peer exceeds the
 * limit, its session ends.
 */
export const HELD_BYTES_MAX: number = 16 * 1024 * 1024;

/** Identifies the receiver of a message. */
export type HoldKey = string | number;

/** One entry of a queue: a held message, or a large message that may be incomplete. */
export interface Slot {
  readonly key: HoldKey;
  readonly bytes: number;
  /** Delivers the message; `undefined` while it is incomplete. */
  run: (() => void) | undefined;
}

/** Holds back the messages of one session. */
export class HoldbackQueue {
  readonly #queues = new Map<HoldKey, Ring<Slot>>();
  readonly #bytesMax: number;
  #bytes = 0;

  /** `bytesMax`: the maximum number of held bytes. Only tests change it. */
  constructor(bytesMax: number = HELD_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** The number of receivers with held messages; 0 if nothing is held. */
  get count(): number {
    return this.#queues.size;
  }

  /** The number of held bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns whether a message for this receiver must be held. */
  isHeld(key: HoldKey): boolean {
    return this.#queues.size > 0 && this.#queues.has(key);
  }

  /**
   * Called when a large message for `key` begins: later messages for this key are held until it is
   * complete.
   */
  open(key: HoldKey): Slot {
    const slot: Slot = { key, bytes: 0, run: undefined };
    const queue = this.#queues.get(key);
    if (queue !== undefined) queue.push(slot);
    else {
      const fresh = new Ring<Slot>();
      fresh.push(slot);
      this.#queues.set(key, fresh);
    }
    return slot;
  }

  /**
   * Holds a message of `bytes` bytes for a receiver for which {@linkcode isHeld} is true. Returns
   * false if that exceeds the limit.
   */
  hold(key: HoldKey, bytes: number, run: () => void): boolean {
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) return false;
    const queue = this.#queues.get(key);
    assert(queue !== undefined, `nothing is held for ${key}`);
    queue.push({ key, bytes, run });
    return true;
  }

  /**
   * Called when the large message of a slot is complete. Delivers it when it is at the front of its
   * queue, followed by the messages that waited for it.
   */
  close(slot: Slot, run: () => void): void {
    slot.run = run;
    const queue = this.#queues.get(slot.key);
    // A delivery may end the session, which clears the queue.
    for (let front = queue?.peek(); front?.run !== undefined; front = queue!.peek()) {
      this.#bytes -= front.bytes;
      queue!.shift();
      front.run();
      if (this.#queues.get(slot.key) !== queue) return;
    }
    if (queue?.length === 0) this.#queues.delete(slot.key);
  }

  /** Drops all held messages. */
  clear(): void {
    this.#queues.clear();
    this.#bytes = 0;
  }
}
