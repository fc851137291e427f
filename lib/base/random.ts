/**
 * The interface of randomness. The host provides cryptographic random bytes, and the simulator a
 * sequence that its seed determines.
 *
 * @module
 */

/** A source of randomness. */
export interface Random {
  /** Returns `length` unpredictable bytes. In a simulation, the seed determines them. */
  bytes(length: number): Uint8Array;
  /** Returns a number in [0, 1). */
  next(): number;
}

/** Returns a random UUID (RFC 9562, version 4). */
export function uuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = bytes[6]! & 0x0f | 0x40;
  bytes[8] = bytes[8]! & 0x3f | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [0, 8, 12, 16, 20].map((at, i, all) => hex.slice(at, all[i + 1])).join("-");
}

/**
 * A small seeded generator (sfc32, seeded with splitmix) for tests, fuzzers and simulations. Not
 * for secrets.
 *
 * @example
 * ```ts
 * import { SeededRandom } from "@firn/firn/sim";
 * import { assertEquals } from "@std/assert";
 *
 * const [one, same] = [new SeededRandom(7), new SeededRandom(7)];
 * assertEquals([one.uint32(), one.below(6)], [same.uint32(), same.below(6)]);
 * ```
 */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** Starts a sequence that `seed` determines. Equal seeds produce equal sequences. */
  constructor(seed: number) {
    let x = seed >>> 0;
    const mix = (): number => {
      x = (x + 0x9e3779b9) | 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = mix();
    this.#b = mix();
    this.#c = mix();
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** Returns the next 32 bits as an unsigned number. */
  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t >>> 0;
  }

  /** Returns an integer from 0 up to, but not including, `below`. */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** Returns a number in [0, 1). */
  next(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** Returns `length` bytes determined by the seed. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.uint32() & 0xff;
    return bytes;
  }
}
