/**
 * The time that processes have had a processor for, on Linux.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** Microseconds of one tick of the kernel's. */
const TICK_US = 10_000;

/** What they have had together, in microseconds; one that is gone counts as nothing. */
export function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * TICK_US, 0);
}

function ticksOf(pid: number): number {
  try {
    // The name before may hold anything; behind its parenthesis the fields are counted from the third.
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}
