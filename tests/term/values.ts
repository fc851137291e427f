/** Random terms of every kind from a seed, and an exact comparison of terms. */
import { inspect } from "node:util";
import type { SeededRandom } from "../../lib/base/random.ts";
import { Pid, Ref } from "../../lib/term/pid.ts";
import { HOMES } from "./session.ts";

const NUMBERS = [
  0,
  -0,
  1,
  63,
  64,
  255,
  256,
  65535,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
]
  .concat([2 ** 53, 1e300, 5e-324, NaN, Infinity, 0.1, Date.UTC(2024, 1, 1)]);
const CHARS = ["a", "Z", "0", " ", "\n", "\0", "\u007f", "\u0080", "\u00ff", "\u0100", "\u20ac"]
  .concat(["\u{1f600}", "\ud800", "\udfff", "\ufeff", '"']);
const NAMES = [
  "id",
  "type",
  "by",
  "user",
  "__proto__",
  "constructor",
  "toString",
  "length",
  "0",
  "99",
]
  .concat(["", "1e3", "a b", "\u20ac", "k".repeat(70), "then"]);

/** Returns a random term. `depth` limits its nesting. */
export function randomTerm(random: SeededRandom, depth: number = 4): unknown {
  const kinds = depth > 0 ? KINDS : SCALARS;
  return kinds[random.below(kinds.length)]!(random, depth - 1);
}

type Kind = (random: SeededRandom, depth: number) => unknown;

const SCALARS: readonly Kind[] = [
  () => null,
  () => undefined,
  (random) => random.below(2) === 1,
  (random) => pick(random, NUMBERS),
  (random) => -pick(random, NUMBERS),
  (random) => random.uint32() >> random.below(32),
  (random) => random.next() * 2 ** random.below(80),
  randomText,
  randomText,
  (random) => BigInt(random.uint32()) ** BigInt(random.below(9)) * (random.below(2) ? 1n : -1n),
  (random) => new Date(random.below(3) === 0 ? NaN : random.uint32() * 1000),
  (random) => random.bytes(random.below(300)),
  (random) => new Pid(pick(random, HOMES), random.uint32() * 256, undefined),
  (random) => new Ref(pick(random, HOMES), random.uint32()),
  randomBinary,
];

const NESTED: readonly Kind[] = [
  (random, depth) => list(random, () => randomTerm(random, depth)),
  randomObject,
  randomObject,
  randomObject,
  (random, depth) => {
    return new Map(list(random, () => [randomTerm(random, 0), randomTerm(random, depth)]));
  },
  (random, depth) => new Set(list(random, () => randomTerm(random, depth))),
  randomError,
];

const KINDS: readonly Kind[] = [...SCALARS, ...NESTED, ...NESTED, ...NESTED];

function randomText(random: SeededRandom): string {
  const chars = CHARS.slice(0, 1 + random.below(CHARS.length));
  const length = pick(random, [1, 5, 30, 39, 40, 63, 64, 65, 255, 256, 300, 1500]);
  return list(random, () => pick(random, chars), random.below(length)).join("");
}

function randomBinary(random: SeededRandom): unknown {
  const memory = random.bytes(8 * random.below(5)).buffer as ArrayBuffer;
  return pick(random, BINARIES)(memory);
}

const BINARIES: readonly ((memory: ArrayBuffer) => unknown)[] = [
  (memory) => memory,
  (memory) => new DataView(memory),
  (memory) => new Int8Array(memory),
  (memory) => new Uint8ClampedArray(memory),
  (memory) => new Int16Array(memory),
  (memory) => new Uint16Array(memory),
  (memory) => new Int32Array(memory),
  (memory) => new Uint32Array(memory),
  (memory) => new Float16Array(memory),
  (memory) => new Float32Array(memory),
  (memory) => new Float64Array(memory),
  (memory) => new BigInt64Array(memory),
  (memory) => new BigUint64Array(memory),
];

function randomObject(random: SeededRandom, depth: number): unknown {
  const object = {};
  for (const key of list(random, () => pick(random, NAMES), random.below(7))) {
    const value = randomTerm(random, depth);
    Object.defineProperty(object, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return object;
}

function randomError(random: SeededRandom, depth: number): unknown {
  const constructor = pick(random, [Error, TypeError, RangeError]);
  const error = random.below(2)
    ? new constructor(randomText(random), { cause: randomTerm(random, depth) })
    : new constructor(randomText(random));
  if (constructor === Error && random.below(3) === 0) error.name = "Mine";
  return error;
}

function list<T>(random: SeededRandom, item: () => T, length: number = random.below(6)): T[] {
  return Array.from({ length }, item);
}

function pick<T>(random: SeededRandom, items: readonly T[]): T {
  return items[random.below(items.length)]!;
}

/** Throws unless both values are equal to the last bit, with objects of the same classes. */
export function assertSame(actual: unknown, expected: unknown, path: string = "message"): void {
  const differ = (): never => {
    throw new Error(`${path}: ${inspect(actual)} arrived instead of ${inspect(expected)}`);
  };
  if (typeof expected !== "object" || expected === null) {
    if (!Object.is(actual, expected)) differ();
    return;
  }
  if (expected instanceof Pid || expected instanceof Ref) {
    if (!expected.equals(actual)) differ();
    return;
  }
  if (typeof actual !== "object" || actual === null) return differ();
  const [is, was] = [actual, expected].map((each) => Object.getPrototypeOf(each));
  if (is !== was) differ();
  const [found, wanted] = [partsOf(actual), partsOf(expected)];
  if (found.length !== wanted.length) differ();
  wanted.forEach((part, i) => assertSame(found[i], part, `${path}/${i}`));
}

/** Returns all parts of a value that must be equal, in order. */
function partsOf(value: object): unknown[] {
  if (value instanceof Date) return [value.getTime()];
  if (value instanceof Map || value instanceof Set) return [...value].flat(1);
  if (value instanceof Error) return [value.name, value.message, value.stack, value.cause];
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) {
    return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  }
  return [...Object.entries(value).flat(1), Array.isArray(value) ? value.length : "object"];
}
