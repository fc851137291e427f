/**
 * Checks: the code of an actor that has ended stops, even if it catches every error. What it waits for
 * rejects once; it comes to its next wait, and has no effect on others on the way.
 */
import { DEAD_USES_MAX } from "../../../lib/actor/actor.ts";
import { throwBroken } from "./checker.ts";

/** What is known of a loop that catches every error. */
export interface Loop {
  readonly name: string;
  /** How often it has gone round. */
  rounds: number;
  /** How often it had when its actor ended; undefined while that lives. */
  roundsAtEnd: number | undefined;
  /** Whether its `finally` has run since. */
  cleaned: boolean;
  /** Messages of it that have arrived and were sent after its end. */
  late: number;
}

/** Throws what was broken. */
export function checkLoops(loops: readonly Loop[]): void {
  const broken: string[] = [];
  for (const { name, rounds, roundsAtEnd, cleaned, late } of loops) {
    if (late > 0) broken.push(`${name}: ${late} messages were sent after its end`);
    if (roundsAtEnd === undefined) continue;
    const more = rounds - roundsAtEnd;
    if (more > DEAD_USES_MAX + 1) broken.push(`${name}: ${more} rounds after its end`);
    if (!cleaned) broken.push(`${name}: no finally has run after its end`);
  }
  throwBroken(broken);
}
