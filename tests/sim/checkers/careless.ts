/**
 * Checks that the code of an exited actor stops, even if it catches every error: its pending wait
 * rejects once, the code runs up to its next wait, and affects no other actor.
 */
import { DEAD_USES_MAX } from "../../../lib/actor/actor.ts";
import { throwBroken } from "./checker.ts";

/** The state of a loop that catches every error. */
export interface Loop {
  readonly name: string;
  /** The number of rounds so far. */
  rounds: number;
  /** The number of rounds when its actor exited; `undefined` while the actor is alive. */
  roundsAtEnd: number | undefined;
  /** Whether the `finally` block of the loop has run after its actor exited. */
  cleaned: boolean;
  /** Number of messages that arrived although they were sent after the actor's exit. */
  late: number;
}

/** Throws a description of the violations. */
export function checkLoops(loops: readonly Loop[]): void {
  const broken: string[] = [];
  for (const { name, rounds, roundsAtEnd, cleaned, late } of loops) {
    if (late > 0) broken.push(`${name}: ${late} messages were sent after it exited`);
    if (roundsAtEnd === undefined) continue;
    const more = rounds - roundsAtEnd;
    if (more > DEAD_USES_MAX + 1) broken.push(`${name}: ${more} rounds after it exited`);
    if (!cleaned) broken.push(`${name}: its finally block has not run`);
  }
  throwBroken(broken);
}
