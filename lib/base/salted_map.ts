/**
 * A Map whose keys are numbers that a peer chooses.
 *
 * V8 hashes numbers without a secret, so a peer could choose keys that share one bucket; each
 * operation would then take linear time. The keys are therefore combined with a secret. Use only
 * `get`, `has`, `set`, `delete`, `size`, `values` and `clear`: iteration returns the combined keys.
 *
 * @module
 */
export class SaltedMap<V> extends Map<number, V> {
  readonly #salt: number;

  /** `chance`, a random number in [0, 1), determines the secret. */
  constructor(chance: number) {
    super();
    this.#salt = Math.floor(chance * SALT_VALUES);
  }

  override get(key: number): V | undefined {
    return super.get(salted(key, this.#salt));
  }

  override has(key: number): boolean {
    return super.has(salted(key, this.#salt));
  }

  override set(key: number, value: V): this {
    return super.set(salted(key, this.#salt), value);
  }

  override delete(key: number): boolean {
    return super.delete(salted(key, this.#salt));
  }
}

/** Number of possible secrets. Keeps small keys in the range of V8's small integers. */
const SALT_VALUES: number = 2 ** 30;

function salted(key: number, salt: number): number {
  if (key < SALT_VALUES) return key ^ salt;
  const low = key % SALT_VALUES;
  return key - low + (low ^ salt);
}
