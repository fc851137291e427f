/**
 * The fencing tokens that this node has granted: for each name it grants only higher ones.
 *
 * They are kept in memory, for the last {@linkcode TOKENS_MAX} names. For all others only the highest token is
 * kept, and so is the highest that a peer knew when its session came up.
 *
 * @module
 */

/** Maximum number of names of which the last token is kept. */
const TOKENS_MAX = 65_536;

/** The last token of each name. */
export class Tokens {
  readonly #last = new Map<string, number>();
  /** The highest token of names that are not kept. */
  #floor = 0;
  /** The highest of all. */
  highest = 0;

  /** Returns the token that a new one of a name must exceed. */
  last(name: string): number {
    return Math.max(this.#last.get(name) ?? 0, this.#floor);
  }

  /** Returns the last known token of a name; 0 if there is none. */
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

  /** Adds the highest token that a peer knows. */
  learn(highest: number): void {
    this.highest = Math.max(this.highest, highest);
    this.#floor = Math.max(this.#floor, highest);
  }
}
