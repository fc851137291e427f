/**
 * Runs a property test with many seeds. Each runtime runs half of them, or all with FIRN_LONG=1.
 * With `FIRN_SEEDS`, it runs all seeds below that number; `FIRN_SEED` replays one.
 */
import process from "node:process";
import { SeededRandom } from "../../lib/base/random.ts";
import { isOwnHalf } from "./test.ts";

/**
 * Runs `body` with the random numbers of each seed, and with a size that grows from seed to seed, so
 * that the first failure is small. A failure prints the line that replays it.
 */
export async function seeds(
  count: number,
  sizeMax: number,
  body: (random: SeededRandom, size: number) => void | Promise<void>,
): Promise<void> {
  const { FIRN_SEED: only, FIRN_SEEDS: most } = process.env;
  const all = Number(most ?? count);
  const first = only === undefined ? 0 : Number(only);
  const last = only === undefined ? all : first + 1;
  for (let seed = first; seed < last; seed++) {
    if (only === undefined && most === undefined && !isOwnHalf(seed)) continue;
    try {
      await body(new SeededRandom(seed), 1 + Math.floor(sizeMax * Math.min(1, (seed + 1) / count)));
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`FIRN_SEED=${seed} replays: ${message}`, { cause: error });
    }
  }
}

/** Returns a random element of the list. */
export function pick<T>(random: SeededRandom, list: readonly T[]): T {
  return list[random.below(list.length)]!;
}
