/**
 * Waits until other programs leave the machine idle.
 *
 * @module
 */
import { cpus } from "node:os";

/** Duration in milliseconds of one measurement. */
const WINDOW_MS = 500;

/** Use of all cores, from 0 to 1, below which the machine counts as idle. */
const IDLE_USE_MAX = 0.05;

/**
 * Waits until the machine is idle, for at most `seconds`. Resolves to the last measured use, or at
 * once to 0 if there is no time to wait.
 */
export async function calm(seconds: number): Promise<number> {
  if (seconds === 0) return 0;
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const used = await use();
    if (used < IDLE_USE_MAX || Date.now() >= deadline) return used;
  }
}

/** Measures the use of all cores, from 0 to 1. */
async function use(): Promise<number> {
  const before = times();
  await new Promise((wake) => setTimeout(wake, WINDOW_MS));
  const after = times();
  return 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);
}

function times(): { readonly idle: number; readonly all: number } {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    for (const part of Object.values(times)) all += part;
  }
  return { idle, all };
}
