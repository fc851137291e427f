/**
 * Fuzzing in many rounds, each with its own random numbers. `FIRN_FUZZ=200000` runs more rounds. A
 * failure prints the seed with which `FIRN_FUZZ_SEED=n` replays it. Deno uses the even seeds and
 * Bun the odd ones, so that a run on both tests twice as many.
 */
import process from "node:process";
import { concat } from "../../lib/base/bytes.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { pick } from "./seeds.ts";
import { runtime } from "./test.ts";

/** The seed of the round to replay; undefined to run all rounds. */
const ONLY = process.env["FIRN_FUZZ_SEED"];

/** Returns the number of rounds on this runtime: by default, each of the two runs half of `count`. */
export function fuzzCount(count: number): number {
  return Number(process.env["FIRN_FUZZ"] ?? Math.ceil(count / 2));
}

/** The number of rounds, or a function that returns whether to run another round. */
type Count = number | (() => boolean);

/** Runs `body` once per round. Returns the number of rounds. */
export function rounds(count: Count, body: (random: SeededRandom) => void): number {
  let made = 0;
  for (const seed of seedsOf(count)) {
    try {
      body(new SeededRandom(seed));
    } catch (error) {
      throw replayable(seed, error);
    }
    made++;
  }
  return made;
}

/** Runs `body`, which may be async, once per round, and waits for each round before the next. */
export async function roundsInTurn(
  count: Count,
  body: (random: SeededRandom) => Promise<void>,
): Promise<number> {
  let made = 0;
  for (const seed of seedsOf(count)) {
    await body(new SeededRandom(seed)).catch((error) => {
      throw replayable(seed, error);
    });
    made++;
  }
  return made;
}

function* seedsOf(count: Count): Generator<number> {
  if (ONLY !== undefined) return yield Number(ONLY);
  const first = runtime === "deno" ? 0 : 1;
  for (let i = 0; typeof count === "number" ? i < count : count(); i++) yield first + 2 * i;
}

function replayable(seed: number, cause: unknown): Error {
  return new Error(`replay with FIRN_FUZZ_SEED=${seed}`, { cause });
}

/**
 * Returns the bytes in random pieces: sometimes of at most `tinyMax` bytes, sometimes of any
 * length.
 */
export function cut(random: SeededRandom, bytes: Uint8Array, tinyMax: number = 4): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const most = random.below(2) === 0 ? tinyMax : 1 + bytes.length;
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.below(most);
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
}

/** Byte values that are often boundaries. */
const EDGES = [0x00, 0x01, 0x02, 0x7f, 0x80, 0xe4, 0xff] as const;

/** Returns a copy with a few bytes changed, removed, inserted or repeated, or truncated. */
export function mutated(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(result.length + 1);
    const [before, behind] = [result.subarray(0, at), result.subarray(at)];
    switch (random.below(7)) {
      case 0:
        if (at < result.length) result[at] = random.below(256);
        break;
      case 1:
        if (at < result.length) result[at] = pick(random, EDGES);
        break;
      case 2:
        // Flips one of the low four bits, which turns a small number into another small number.
        if (at < result.length) result[at]! ^= 1 << random.below(4);
        break;
      case 3:
        result = before.slice();
        break;
      case 4:
        result = concat([before, behind.subarray(random.below(5))]);
        break;
      case 5:
        result = concat([before, random.bytes(random.below(9)), behind]);
        break;
      case 6:
        result = concat([before, result.subarray(random.below(at + 1))]);
    }
  }
  return result;
}
