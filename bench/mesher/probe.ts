/**
 * How long events take into the database: one is sent now and then, and looked for until it is there.
 *
 * @module
 */
import type { Place } from "./place.ts";

/** How often one is sent. Milliseconds. */
const EVERY_MS = 100;
/** How often it is looked for. Milliseconds. */
const LOOK_MS = 4;
/** One that is not there by then is lost. Milliseconds. */
const STORE_MS_MAX = 30_000;

/** What was seen. */
export interface Probes {
  /** Events that were sent. */
  readonly count: number;
  /** Milliseconds from the request to the row. */
  readonly p50: number;
  readonly p99: number;
}

/** Sends and looks for so many milliseconds. */
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
    await new Promise((wake) => setTimeout(wake, LOOK_MS));
  }
  return performance.now() - began;
}
