/**
 * The fencing tokens that this node has granted: for a name it never grants one that is not higher.
 *
 * They are kept in memory only, and for the last {@linkcode TOKENS_MAX} names; for all others the highest
 * token that was dropped counts.
 *
 * @module
 */

/** For at most this many names the last token is kept. */
const TOKENS_MAX = 65_536;

/** The last token of each name. */
export class Tokens {
  readonly #last = new Map<string, number>();
  #dropped = 0;
  /** The highest of all. */
  highest = 0;

  /** The last token of a name: a new one must be higher. */
  last(name: string): number {
    return this.#last.get(name) ?? this.#dropped;
  }

  /** Notes a token that was granted, or is known to be in use. */
  note(name: string, token: number): void {
    if (token <= this.last(name)) return;
    this.highest = Math.max(this.highest, token);
    this.#last.delete(name);
    this.#last.set(name, token);
    if (this.#last.size <= TOKENS_MAX) return;
    const [oldest, dropped] = this.#last.entries().next().value!;
    this.#last.delete(oldest);
    this.#dropped = Math.max(this.#dropped, dropped);
  }
}
