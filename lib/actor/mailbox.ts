/**
 * A mailbox: a first-in, first-out ring that is allocated when the first message arrives. `Actor`
 * extends it, so that an idle actor needs only three empty fields.
 *
 * @module
 */

const NONE: unknown[] = [];
const FIRST_CAPACITY = 4;
/**
 * Factor by which a full ring grows. A large factor causes less garbage, because each growth
 * replaces the ring.
 */
const GROWTH = 4;
/** A ring with a higher capacity than this is released when it is empty. */
const KEPT_CAPACITY = 256;

/**
 * What happens when a message arrives at a full mailbox. System messages are always accepted.
 *
 * - `"dropNewest"`: drops the new message;
 * - `"dropOldest"`: drops the oldest message;
 * - `"exit"`: the actor exits with the reason `{ mailbox: "full" }`.
 */
export type MailboxPolicy = "dropNewest" | "dropOldest" | "exit";

/**
 * The mailbox of one actor. Rarely used private methods are static, because a class with private
 * methods stores an extra word in each instance.
 */
export class Mailbox {
  /** A ring whose length is 0 or a power of two. */
  #items: unknown[] = NONE;
  #head = 0;
  /** Number of messages in the mailbox. */
  length = 0;

  /** Adds a message at the end. */
  push(message: unknown): void {
    if (this.length === this.#items.length) Mailbox.#grow(this);
    this.#items[(this.#head + this.length) & (this.#items.length - 1)] = message;
    this.length++;
  }

  /** Removes and returns the first message. The mailbox must not be empty. */
  shift(): unknown {
    const items = this.#items;
    const message = items[this.#head];
    items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (items.length - 1);
    if (--this.length === 0 && items.length > KEPT_CAPACITY) this.#items = NONE;
    return message;
  }

  /**
   * Removes and returns the first message for which `wanted` is true; the other messages keep their
   * order.
   */
  take(wanted: (message: never) => boolean): { readonly message: unknown } | undefined {
    for (let i = 0; i < this.length; i++) {
      const message = this.#items[(this.#head + i) & (this.#items.length - 1)];
      if (!wanted(message as never)) continue;
      // The predicate may have ended the actor, which empties the mailbox.
      if (i >= this.length) return undefined;
      Mailbox.#close(this, i);
      return { message };
    }
    return undefined;
  }

  /** Removes all messages for which `unwanted` is true. */
  discard(unwanted: (message: unknown) => boolean): void {
    for (let i = this.length - 1; i >= 0; i--) {
      if (unwanted(this.#items[(this.#head + i) & (this.#items.length - 1)])) {
        Mailbox.#close(this, i);
      }
    }
  }

  /** Removes all messages. */
  clear(): void {
    this.#items = NONE;
    this.#head = 0;
    this.length = 0;
  }

  /** Returns the first `max` messages in order, for inspection. */
  peek(max: number = Infinity): unknown[] {
    const mask = this.#items.length - 1;
    const length = Math.min(max, this.length);
    return Array.from({ length }, (_, i) => this.#items[(this.#head + i) & mask]);
  }

  /** Closes the gap at `index` by moving the messages before it. These are usually few. */
  static #close(mailbox: Mailbox, index: number): void {
    const items = mailbox.#items;
    const mask = items.length - 1;
    for (let i = index; i > 0; i--) {
      items[(mailbox.#head + i) & mask] = items[(mailbox.#head + i - 1) & mask];
    }
    mailbox.shift();
  }

  static #grow(mailbox: Mailbox): void {
    const old = mailbox.#items;
    // The array is not filled: only written slots are read, and `fill` would take half the time of
    // a send.
    const grown = new Array<unknown>(old.length === 0 ? FIRST_CAPACITY : old.length * GROWTH);
    for (let i = 0; i < mailbox.length; i++) {
      grown[i] = old[(mailbox.#head + i) & (old.length - 1)];
    }
    mailbox.#items = grown;
    mailbox.#head = 0;
  }
}
