/**
 * A mailbox: first in, first out, in a ring that is made with the first message. An actor extends
 * it, so that an idle actor holds three empty fields and no queue.
 *
 * @module
 */

const NONE: unknown[] = [];
const FIRST_CAPACITY = 4;
/** In few steps: each is a ring for the collector. */
const GROWTH = 4;
/** A ring that grew past this is given back when it is empty. */
const KEPT_CAPACITY = 256;

/** What a mailbox does when it is full. System messages are let in whatever the policy. */
export type MailboxPolicy = "dropNewest" | "dropOldest" | "exit";

/**
 * The messages of one actor. What is private and is done rarely is static: a class with private
 * methods has a word in each of its objects that says so.
 */
export class Mailbox {
  /** A ring; its length is 0 or a power of two. */
  #items: unknown[] = NONE;
  #head = 0;
  /** How many messages wait. */
  length = 0;

  /** Adds at the end. */
  push(message: unknown): void {
    if (this.length === this.#items.length) Mailbox.#grow(this);
    this.#items[(this.#head + this.length) & (this.#items.length - 1)] = message;
    this.length++;
  }

  /** Takes from the front. Only when there is one. */
  shift(): unknown {
    const items = this.#items;
    const message = items[this.#head];
    items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (items.length - 1);
    if (--this.length === 0 && items.length > KEPT_CAPACITY) this.#items = NONE;
    return message;
  }

  /** Takes the first message that `wanted` is true of; the others keep their order. */
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

  /** Takes out all that `unwanted` is true of. */
  discard(unwanted: (message: unknown) => boolean): void {
    for (let i = this.length - 1; i >= 0; i--) {
      if (unwanted(this.#items[(this.#head + i) & (this.#items.length - 1)])) {
        Mailbox.#close(this, i);
      }
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#items = NONE;
    this.#head = 0;
    this.length = 0;
  }

  /** The messages in order, for who looks in. */
  peek(): unknown[] {
    const mask = this.#items.length - 1;
    return Array.from({ length: this.length }, (_, i) => this.#items[(this.#head + i) & mask]);
  }

  /** Closes the gap at `index` by moving up what stands before it: what is taken stands in front. */
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
    // Not filled: what is read was written before, and `fill` would take half the time of a send.
    const grown = new Array<unknown>(old.length === 0 ? FIRST_CAPACITY : old.length * GROWTH);
    for (let i = 0; i < mailbox.length; i++) {
      grown[i] = old[(mailbox.#head + i) & (old.length - 1)];
    }
    mailbox.#items = grown;
    mailbox.#head = 0;
  }
}
