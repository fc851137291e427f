/**
 * Counts passed tests: those in the last lines of a test runner's output, or one for a whole stage.
 *
 * @module
 */
import type { Result } from "./command.ts";

/** Numbers of passed, failed and skipped tests. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The format of the printed counts. `"whole"` is a stage that passes or fails as a unit. */
export type Counting = "whole" | "deno test" | "bun test";

/** Returns the counts of one run. If the run has failed, at least one failure is counted. */
export function tallyOf(counting: Counting, { ok, output }: Result): Tally {
  const counts = COUNTS[counting](output) ?? { passed: ok ? 1 : 0, failed: 0, skipped: 0 };
  return ok ? counts : { ...counts, failed: Math.max(1, counts.failed) };
}

/** Returns the output of a failed run without the lines of passed tests. */
export function complaintOf({ output }: Result): string {
  const dull = /^(\(pass\) .*|.* \.\.\. ok \(.*\)|Check .*|)$/;
  return output.split("\n").filter((line) => !dull.test(line)).join("\n");
}

/** Returns the sum of several tallies. */
export function sum(tallies: readonly Tally[]): Tally {
  const of = (key: keyof Tally): number => tallies.reduce((all, tally) => all + tally[key], 0);
  return { passed: of("passed"), failed: of("failed"), skipped: of("skipped") };
}

/** Returns a tally as a sentence. */
export function sentence({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Parses the counts of each runner. Returns `undefined` if there are none. */
const COUNTS: Record<Counting, (output: string) => Tally | undefined> = {
  whole: () => undefined,

  // Matches lines such as `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)`.
  "deno test": (output) => {
    const line = lastLine(output, /^(ok|FAILED) \| \d+ passed/);
    if (line === undefined) return undefined;
    return {
      passed: numberAt(line, /(\d+) passed/),
      failed: numberAt(line, /(\d+) failed/),
      skipped: numberAt(line, /(\d+) ignored/),
    };
  },

  // Matches lines such as ` 12 pass`, ` 1 skip` and ` 0 fail`.
  "bun test": (output) => {
    const end = output.slice(Math.max(0, output.length - 500));
    if (!/^ *\d+ pass$/m.test(end)) return undefined;
    return {
      passed: numberAt(end, /^ *(\d+) pass$/m),
      failed: numberAt(end, /^ *(\d+) fail$/m),
      skipped: numberAt(end, /^ *(\d+) skip$/m),
    };
  },
};

function lastLine(output: string, pattern: RegExp): string | undefined {
  return output.split("\n").findLast((line) => pattern.test(line));
}

function numberAt(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}
