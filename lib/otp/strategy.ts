/**
 * The restart strategies: which children restart together. Deterministic.
 *
 * | strategy | children stopped, in reverse order | children then started, in order |
 * |---|---|---|
 * | one_for_one | none | the failed child |
 * | one_for_all | all except the failed child | all |
 * | rest_for_one | those after the failed child | the failed child and those after it |
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";

/**
 * Determines which siblings are restarted together with a child that has exited.
 *
 * @example
 * ```ts
 * import { STRATEGIES } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(STRATEGIES, ["one_for_one", "one_for_all", "rest_for_one"]);
 * ```
 */
export const STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"] as const;

/** One of {@linkcode STRATEGIES}. */
export type Strategy = (typeof STRATEGIES)[number];

/** Returns the range of children that restart with the child at `failed`. The end is exclusive. */
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
