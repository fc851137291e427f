/**
 * Records the fencing tokens that this node has granted. A name is granted only with a token that
 * is higher than the last one.
 *
 * The last tokens of up to {@linkcode TOKENS_MAX} names are stored, in memory. For all other names,
 * one common minimum is stored: the highest of their tokens, and of the tokens that peers knew when
 * their sessions opened.
 *
 * @module
 */

/** Maximum number of names whose last token is stored. */
const TOKENS_MAX = 65_536;

/** Records the last granted fencing token of each name. */
export class Tokens {
  readonly #last = new Map<string, number>();
  /**
   * The token that each new token must exceed, for any name: the highest of the last tokens that
   * are no longer stored, and of the tokens that peers knew when their sessions opened.
   */
  #floor = 0;
  /** The highest token of all names. */
  highest = 0;

  /** Returns the token that a new token of a name must exceed. */
  last(name: string): number {
    return Math.max(this.#last.get(name) ?? 0, this.#floor);
  }

  /** Returns the last recorded token of a name, or 0. */
  known(name: string): number {
    return this.#last.get(name) ?? 0;
  }

  /** Records a token that was granted or is in use. */
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

  /** Records the highest token that a peer has recorded. */
  learn(highest: number): void {
    this.highest = Math.max(this.highest, highest);
    this.#floor = Math.max(this.#floor, highest);
  }
}
