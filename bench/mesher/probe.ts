/**
 * Measures the time until an event is stored: sends an event at intervals, and polls the database
 * for it.
 *
 * @module
 */
import type { Place } from "./place.ts";

/** Interval in milliseconds between two events. */
const EVERY_MS = 100;
/** Interval in milliseconds between two polls. */
const POLL_MS = 4;
/** Time in milliseconds after which an event that is not stored counts as lost. */
const STORE_MS_MAX = 30_000;

/** Results of the probe. */
export interface Probes {
  /** Number of sent events. */
  readonly count: number;
  /** Time from the request until the event is stored, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Runs the probe for `ms` milliseconds. Resolves to its results. */
export async function probe(place: Place, port: number, ms: number): Promise<Probes> {
  const until = performance.now() + ms;
  const looking: Promise<number>[] = [];
  do {
    looking.push(one(place, port));
    await new Promise((wake) => setTimeout(wake, EVERY_MS));
  } while (performance.now() < until);
  const times = (await Promise.all(looking)).sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor(part * times.length)]!;
  return { count: times.length, p50: at(0.5), p99: at(0.99) };
}

async function one(place: Place, port: number): Promise<number> {
  const began = performance.now();
  const id = crypto.randomUUID();
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": place.key },
    body: JSON.stringify({ id, message: "probe" }),
  });
  await response.text();
  if (response.status !== 202) throw new Error(`a probe was answered ${response.status}`);
  while (!await place.has(id)) {
    if (performance.now() - began > STORE_MS_MAX) throw new Error(`event ${id} is not stored`);
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
  return performance.now() - began;
}
