/**
 * Runs a property test with many seeds. `FIRN_SEEDS` is the number of seeds, and `FIRN_SEED`
 * replays one.
 */
import process from "node:process";
import { SeededRandom } from "../../lib/base/random.ts";

/**
 * Runs `body` with the random numbers of each seed, and with a size that grows from seed to seed, so
 * that the first failure is small. A failure prints the line that replays it.
 */
export async function seeds(
  count: number,
  sizeMax: number,
  body: (random: SeededRandom, size: number) => void | Promise<void>,
): Promise<void> {
  const only = process.env["FIRN_SEED"];
  const all = Number(process.env["FIRN_SEEDS"] ?? count);
  const first = only === undefined ? 0 : Number(only);
  const last = only === undefined ? all : first + 1;
  for (let seed = first; seed < last; seed++) {
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
