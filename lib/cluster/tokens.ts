/**
 * The fencing tokens that this node has granted: for a name it never grants one that is not higher.
 *
 * They are kept in memory only, and for the last {@linkcode TOKENS_MAX} names. Of all others only the
 * highest token is known, and so is the highest that a peer knew when its session came up.
 *
 * @module
 */

/** For at most this many names the last token is kept. */
const TOKENS_MAX = 65_536;

/** The last token of each name. */
export class Tokens {
  readonly #last = new Map<string, number>();
  /** No token of a name that is not kept is higher. */
  #floor = 0;
  /** The highest of all. */
  highest = 0;

  /** A new token of a name must be higher. */
  last(name: string): number {
    return Math.max(this.#last.get(name) ?? 0, this.#floor);
  }

  /** The last token that is known of a name; 0: none. */
  known(name: string): number {
    return this.#last.get(name) ?? 0;
  }

  /** Notes a token that was granted, or is known to be in use. */
  note(name: string, token: number): void {
    if (token <= this.known(name)) return;
    this.highest = Math.max(this.highest, token);
    this.#last.delete(name);
    this.#last.set(name, token);
    if (this.#last.size <= TOKENS_MAX) return;
    const [oldest, dropped] = this.#last.entries().next().value!;
    this.#last.delete(oldest);
    this.#floor = Math.max(this.#floor, dropped);
  }

  /** A peer knows of tokens up to this one. */
  learn(highest: number): void {
    this.highest = Math.max(this.highest, highest);
    this.#floor = Math.max(this.#floor, highest);
  }
}
