/**
 * Formats the Date header of a response: RFC 9110, sections 5.6.7 and 6.6.1. Deterministic.
 *
 * @module
 */

/** Formats times, and caches the text of the current second. */
export class HttpDate {
  #second = NaN;
  #text = "";

  /** Returns the text of a time. `wall` is the time in milliseconds since 1970, UTC. */
  text(wall: number): string {
    const second = Math.floor(wall / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toUTCString();
    }
    return this.#text;
  }
}
