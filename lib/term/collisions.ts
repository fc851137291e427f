/**
 * Counts the collisions of keys of Maps and Sets, so that a term whose keys were chosen to collide
 * is rejected before it causes too much work.
 *
 * V8 hashes numbers, bigints and strings that are array indices without a secret, so a peer can
 * compute 8,000 integers that share one bucket. Each insertion would then search the whole bucket.
 * This file repeats these hash functions and the growth of V8's hash tables (two entries for a
 * bucket), and counts the entries that an insertion must compare. The hashes of all other keys
 * depend on a secret of the process. For JavaScriptCore, no such attack is known. The count is the
 * same on all runtimes, so that they accept the same terms.
 *
 * `tests/term/collisions_test.ts` compares the hash functions with the V8 that it runs on.
 *
 * @module
 */

/**
 * Number of collisions that any term may cause, in addition to those allowed for its bytes. They
 * take about 4 ms.
 */
const COLLISIONS_FREE: number = 2 ** 20;

/** Number of additional collisions that a term may cause for each of its bytes. */
const COLLISIONS_PER_BYTE = 16;

/**
 * Minimum number of keys of a Map or Set whose collisions are counted. In a smaller one, counting
 * costs more than the collisions.
 */
export const COUNTED_FROM_SIZE = 64;

/** Returns the number of collisions allowed in a term of this many bytes. */
export function collisionsMax(bytes: number): number {
  return COLLISIONS_FREE + COLLISIONS_PER_BYTE * bytes;
}

/** Simulates the hash table of one Map or Set in V8, without its entries. */
export class KeyTable {
  readonly #hashes: Uint32Array;
  readonly #scratch = new DataView(new ArrayBuffer(8));
  #size = 0;
  /** Number of entries in each bucket. */
  #loads: Uint32Array = new Uint32Array(COUNTED_FROM_SIZE / 2);

  /** `size` is the maximum number of keys of the Map or Set. */
  constructor(size: number) {
    this.#hashes = new Uint32Array(size);
  }

  /** Adds a key. Returns the number of entries that share its bucket. */
  add(key: unknown): number {
    const hash = predictableHash(key, this.#scratch);
    if (hash < 0) return 0;
    if (this.#size >= 2 * this.#loads.length) this.#grow();
    this.#hashes[this.#size++] = hash;
    return this.#loads[hash & (this.#loads.length - 1)]!++;
  }

  #grow(): void {
    const loads = new Uint32Array(2 * this.#loads.length);
    for (let i = 0; i < this.#size; i++) loads[this.#hashes[i]! & (loads.length - 1)]!++;
    this.#loads = loads;
  }
}

/**
 * Returns the hash that V8 computes for a key, or -1 if it depends on a secret of the process.
 * `scratch` must have space for one number.
 */
export function predictableHash(key: unknown, scratch: DataView): number {
  switch (typeof key) {
    case "number":
      return (key | 0) === key ? intHash(key) : doubleHash(key, scratch);
    case "bigint":
      return bigintHash(key);
    case "string":
      return indexHash(key);
    default:
      return -1;
  }
}

function intHash(value: number): number {
  let hash = (~value + (value << 15)) | 0;
  hash ^= hash >>> 12;
  hash = (hash + (hash << 2)) | 0;
  hash ^= hash >>> 4;
  hash = Math.imul(hash, 2057);
  return (hash ^ (hash >>> 16)) & HASH_MASK;
}

const HASH_MASK = 0x3fff_ffff;
const WORD = 2 ** 32;

function doubleHash(value: number, scratch: DataView): number {
  scratch.setFloat64(0, value);
  return longHash(scratch.getUint32(4), scratch.getUint32(0));
}

/** Returns the hash that V8 computes for a bigint, from its lowest 64 bits without the sign. */
function bigintHash(value: bigint): number {
  const absolute = value < 0n ? -value : value;
  const low = Number(BigInt.asUintN(32, absolute));
  const high = Number(BigInt.asUintN(32, absolute >> 32n));
  return value === 0n ? 0 : longHash(low, high);
}

/** Hashes 64 bits, in two halves. */
function longHash(low: number, high: number): number {
  let sum = (~low >>> 0) + ((low << 18) >>> 0);
  high = (~high + ((high << 18) | (low >>> 14)) + (sum >= WORD ? 1 : 0)) | 0;
  low = sum | 0;
  low ^= (low >>> 31) | (high << 1);
  high ^= high >>> 31;
  const product = (low >>> 0) * 21;
  high = (Math.imul(high, 21) + Math.floor(product / WORD)) | 0;
  low = product | 0;
  low ^= (low >>> 11) | (high << 21);
  high ^= high >>> 11;
  sum = (low >>> 0) + ((low << 6) >>> 0);
  high = (high + ((high << 6) | (low >>> 26)) + (sum >= WORD ? 1 : 0)) | 0;
  low = sum | 0;
  return (low ^ ((low >>> 22) | (high << 10))) & HASH_MASK;
}

/**
 * Returns the hash of a string that is an array index (`"0"` to `"4294967294"`); the hash contains
 * the index. Returns -1 for any other string.
 */
function indexHash(key: string): number {
  if (key.length > 10) return -1;
  const code = key.charCodeAt(0);
  if (!(code >= 0x30 && code <= 0x39)) return -1;
  const value = Number(key) >>> 0;
  return String(value) === key ? (value & 0xff_ffff) | (key.length << 24) : -1;
}
