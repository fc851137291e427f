/**
 * Deliveries that wait behind a large message to the same addressee, so that order is kept.
 *
 *     key of an addressee ─▶ [ large, on its way ][ small ][ small ][ large, on its way ][ small ]
 *                              ▲ opened            ▲ held
 *
 * A large message has its place in the order where its first piece came; it takes long to arrive.
 * What comes later for the same addressee waits in the queue of that key, and what comes for others
 * passes. A queue runs from its front, as far as it is ready, and is gone when it is empty.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { Ring } from "../base/ring.ts";

/**
 * At most this many bytes may wait. Our own outbox lets half as many pass what is in pieces, so
 * only a peer that means harm gets here; that ends its session.
 */
export const HELD_BYTES_MAX: number = 16 * 1024 * 1024;

/** Who a message is for, as the handler tells them apart. */
export type HoldKey = string | number;

/** One place in a queue. */
export interface Slot {
  readonly key: HoldKey;
  readonly bytes: number;
  /** What delivers it; `undefined` as long as it has not arrived. */
  run: (() => void) | undefined;
}

/** What one session holds back. */
export class HoldbackQueue {
  readonly #queues = new Map<HoldKey, Ring<Slot>>();
  readonly #bytesMax: number;
  #bytes = 0;

  /** Tests give another limit. */
  constructor(bytesMax: number = HELD_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** How many addressees there are for whom something waits. As long as it is 0, nothing is held. */
  get count(): number {
    return this.#queues.size;
  }

  /** Bytes of what waits. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a delivery to this addressee has to wait. */
  isHeld(key: HoldKey): boolean {
    return this.#queues.size > 0 && this.#queues.has(key);
  }

  /** A large message for `key` has begun: what comes later waits until it is closed. */
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
   * HoldbackQueue a delivery to an addressee for whom {@linkcode isHeld}, which a row of this many bytes
   * brought. False: too much waits already.
   */
  hold(key: HoldKey, bytes: number, run: () => void): boolean {
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) return false;
    const queue = this.#queues.get(key);
    assert(queue !== undefined, `nothing is held for ${key}`);
    queue.push({ key, bytes, run });
    return true;
  }

  /** The large message of this place has arrived: runs it when its turn is, and all that waited for it. */
  close(slot: Slot, run: () => void): void {
    slot.run = run;
    const queue = this.#queues.get(slot.key);
    // What is run may end the session, and then the queue is no longer ours.
    for (let front = queue?.peek(); front?.run !== undefined; front = queue!.peek()) {
      this.#bytes -= front.bytes;
      queue!.shift();
      front.run();
      if (this.#queues.get(slot.key) !== queue) return;
    }
    if (queue?.length === 0) this.#queues.delete(slot.key);
  }

  /** Drops everything. */
  clear(): void {
    this.#queues.clear();
    this.#bytes = 0;
  }
}
