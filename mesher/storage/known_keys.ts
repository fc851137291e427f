/** A bounded set of the keys of rows that a batch writer knows to be stored. */
export class KnownKeys {
  readonly #keys = new Set<string>();
  readonly #max: number;

  /** Creates a set of at most `max` keys. When one more is added, all others are removed. */
  constructor(max: number) {
    this.#max = max;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  add(key: string): void {
    if (this.#keys.size >= this.#max) this.#keys.clear();
    this.#keys.add(key);
  }

  forget(): void {
    this.#keys.clear();
  }
}
