/**
 * A first-in, first-out queue in an array whose length is a power of two, so that an index wraps
 * with one `&`. It grows by doubling and never shrinks. A plain array is not used because its
 * `shift` moves all remaining items.
 *
 * @module
 */

/**
 * A queue of `T`. `undefined` is not a valid item, because `shift` returns it if the queue is
 * empty.
 */
export class Ring<T extends NonNullable<unknown>> {
  #items: (T | undefined)[];
  #head = 0;
  #length = 0;

  /** `capacity` is the initial size, a power of two. */
  constructor(capacity = 8) {
    this.#items = new Array(capacity).fill(undefined);
  }

  /** Number of items in the queue. */
  get length(): number {
    return this.#length;
  }

  /** Adds an item at the end. */
  push(item: T): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#length) & (this.#items.length - 1)] = item;
    this.#length++;
  }

  /** Removes and returns the item at the front. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#length--;
    return item;
  }

  /** Returns the item at the front without removing it. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  #grow(): void {
    const old = this.#items;
    const grown: (T | undefined)[] = new Array(old.length * 2).fill(undefined);
    for (let i = 0; i < this.#length; i++) grown[i] = old[(this.#head + i) & (old.length - 1)];
    this.#items = grown;
    this.#head = 0;
  }
}
