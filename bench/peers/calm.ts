/**
 * What others do on this machine, and waiting for them.
 *
 * @module
 */
import { cpus } from "node:os";

/** How long a look takes. */
const LOOK_MS = 500;

/** Less use than this is calm. Of all cores, 0 to 1. */
const CALM = 0.05;

/** Waits until the machine is calm, or the time is over; gives what others used of it at last. */
export async function calm(seconds: number): Promise<number> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const used = await use();
    if (used < CALM || Date.now() >= deadline) return used;
  }
}

/** The part of all cores that is used in a while. */
async function use(): Promise<number> {
  const before = times();
  await new Promise((wake) => setTimeout(wake, LOOK_MS));
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
