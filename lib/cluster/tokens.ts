/**
 * Records the fencing tokens that this node has granted; a name is only granted with a higher
 * token.
 *
 * They are stored in memory, for the last {@linkcode TOKENS_MAX} names. For all others, only the
 * highest token is stored, including the highest token known to each peer when its session opened.
 *
 * @module
 */

/** Maximum number of names whose last token is stored. */
const TOKENS_MAX = 65_536;

/** Records the last granted fencing token of each name. */
export class Tokens {
  readonly #last = new Map<string, number>();
  /** The highest token of the names whose last token is not stored. */
  #floor = 0;
  /** The highest token of all names. */
  highest = 0;

  /** Returns the token that a new token of a name must exceed. */
  last(name: string): number {
    return Math.max(this.#last.get(name) ?? 0, this.#floor);
  }

  /** Returns the last known token of a name; 0 if there is none. */
  known(name: string): number {
    return this.#last.get(name) ?? 0;
  }

  /** Records a token that was granted, or is known to be in use. */
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
