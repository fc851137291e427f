/**
 * CPU time of processes, on Linux.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** Microseconds of a kernel clock tick. */
const TICK_US = 10_000;

/**
 * Returns the total CPU time of processes in microseconds. Processes that have exited count as 0.
 */
export function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * TICK_US, 0);
}

function ticksOf(pid: number): number {
  try {
    // The process name may contain spaces. The third field follows its closing parenthesis.
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}
