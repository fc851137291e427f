/**
 * CPU time of processes and of the machine, on Linux.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import process from "node:process";

/** Microseconds of a kernel clock tick. */
const TICK_US = 10_000;

/**
 * Returns the total CPU time of processes in microseconds: user and system time of all threads.
 * Processes that have exited count as 0.
 */
export function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid, 11, 12) * TICK_US, 0);
}

/**
 * Returns the ids of all running descendants of a process: the processes that it has started, and
 * those that these have started.
 */
export function descendants(pid: number): number[] {
  const children = list(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(" ").filter(Boolean).map(Number)
  );
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/**
 * Measures the share of all cores that other programs use, beginning when this object is created.
 */
export class Others {
  readonly #busy: number = busyUs();
  readonly #own: number = ownUs();
  readonly #start: number = performance.now();

  /** Returns the share of all cores that other programs have used since the start, from 0 to 1. */
  use(): number {
    const all = (performance.now() - this.#start) * 1000 * cpus().length;
    return Math.max(0, (busyUs() - this.#busy - (ownUs() - this.#own)) / Math.max(1, all));
  }
}

/** Returns the time in microseconds for which the cores were in use. */
function busyUs(): number {
  return cpus().reduce(
    (sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq,
    0,
  ) *
    1000;
}

/**
 * Returns the CPU time of this process, of its running descendants, and of the processes that these
 * have waited for.
 */
function ownUs(): number {
  const pids = [process.pid, ...descendants(process.pid)];
  return pids.reduce((sum, pid) => sum + ticksOf(pid, 11, 12, 13, 14) * TICK_US, 0);
}

function ticksOf(pid: number, ...fields: readonly number[]): number {
  // The process name may contain spaces. The third field follows its closing parenthesis.
  const text = read(`/proc/${pid}/stat`);
  const values = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields.reduce((sum, field) => sum + (Number(values[field]) || 0), 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
