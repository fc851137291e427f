/**
 * Question: what does setting and cancelling a timer cost while many others are set, compared with
 * the runtime's timers?
 *
 * One iteration sets a hundred timers and cancels them.
 *
 * @module
 */
import type { TimerRef } from "../../lib/actor/timer.ts";
import { bench, size } from "../kit.ts";
import { benchSystem } from "./system.ts";

const TIMERS = size(100, 3);
const NEAR_MS = 5_000;
const FAR_MS = 3_600_000;

const system = benchSystem();
const sink = system.spawn(undefined, undefined, () => () => {}, []);

/** Timers that are set once, and never cancelled. */
const waiting: TimerRef[] = [];

for (const pending of [0, size(100_000, 10)]) {
  const group = `${TIMERS} set and cancelled while ${pending} wait`;
  bench(`sendAfter (${pending})`, { group, baseline: true }, () => {
    while (waiting.length < pending) waiting.push(system.sendAfter(sink, 0, FAR_MS));
    const refs = new Array<TimerRef>(TIMERS);
    for (let i = 0; i < TIMERS; i++) refs[i] = system.sendAfter(sink, i, NEAR_MS + i);
    for (let i = 0; i < TIMERS; i++) system.cancelTimer(refs[i]!);
  });
  if (pending > 0) continue;
  bench("setTimeout", { group }, () => {
    const timers = new Array<ReturnType<typeof setTimeout>>(TIMERS);
    for (let i = 0; i < TIMERS; i++) timers[i] = setTimeout(() => {}, NEAR_MS + i);
    for (let i = 0; i < TIMERS; i++) clearTimeout(timers[i]);
  });
}

// Stops the system, because it would keep the process alive on Bun.
bench("stop", { group: "the end", n: 1, warmup: 0 }, () => system.stop());
