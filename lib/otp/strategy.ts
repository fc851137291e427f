/**
 * Which siblings share the fate of a child that ended. Quiet.
 *
 * | strategy | stopped, last first | started, first first |
 * |---|---|---|
 * | one_for_one | | the child |
 * | one_for_all | all the others | all |
 * | rest_for_one | those after the child | the child and those after it |
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";

/** What happens to the siblings of a child that ended. */
export const STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"] as const;

/** One of {@linkcode STRATEGIES}. */
export type Strategy = (typeof STRATEGIES)[number];

/** The first and the last-but-one index of those that restart with the child at `failed`. */
export function affected(strategy: Strategy, failed: number, count: number): [number, number] {
  switch (strategy) {
    case "one_for_one":
      return [failed, failed + 1];
    case "one_for_all":
      return [0, count];
    case "rest_for_one":
      return [failed, count];
    default:
      return unreachable(strategy);
  }
}
