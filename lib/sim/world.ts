/**
 * Virtual time: everything that will happen, in the order in which it will. Time jumps from one event to
 * the next. What falls on one moment happens in an order that the seed decides.
 *
 * @module
 */
import type { SeededRandom } from "../base/random.ts";
import type { Trace } from "./trace.ts";

/** Whose an event is: nobody's of a place that is gone happens, and those of one that is held wait. */
export interface Place {
  /** As the trace has it. */
  readonly label: string;
  isGone: boolean;
  isHeld: boolean;
}

/** Something that will happen. */
export interface Event {
  at: number;
  readonly place: Place | undefined;
  /** As the trace has it; not in the trace if it is empty. */
  readonly what: string;
  run: (() => void) | undefined;
}

/** Before all ties that chance gives; among each other in the order of their numbers. */
const FIRST = -1;

interface Entry {
  readonly event: Event;
  readonly tie: number;
  readonly number: number;
}

/** All events of one simulation. */
export class World {
  /** Virtual milliseconds since the beginning. */
  now = 0;
  /** How many events have happened. */
  steps = 0;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly #heap: Entry[] = [];
  /** Events of places that are held, in their order. */
  #held: Event[] = [];
  #numbers = 0;

  constructor(random: SeededRandom, trace: Trace) {
    this.random = random;
    this.trace = trace;
  }

  /** How many events are to come. */
  get size(): number {
    return this.#heap.length;
  }

  /** Something happens after a time, at a place, unless that has gone by then. */
  after(ms: number, place: Place | undefined, what: string, run: () => void): Event {
    const event = { at: this.now + Math.max(0, ms), place, what, run };
    this.#push(event);
    return event;
  }

  /** It does not happen. */
  cancel(event: Event): void {
    event.run = undefined;
  }

  /** The next event happens. False: there is none. */
  step(): boolean {
    for (let event = this.#pop(); event !== undefined; event = this.#pop()) {
      const { place, run } = event;
      if (run === undefined || place?.isGone) continue;
      if (place?.isHeld) {
        this.#held.push(event);
        continue;
      }
      this.now = Math.max(this.now, event.at);
      this.steps++;
      if (event.what !== "") this.trace.add(this.now, place?.label ?? "", event.what);
      event.run = undefined;
      run();
      return true;
    }
    return false;
  }

  /** A place goes on: what it has missed happens to it now. */
  release(place: Place): void {
    place.isHeld = false;
    const missed = this.#held.filter((event) => event.place === place);
    this.#held = this.#held.filter((event) => event.place !== place);
    // In the order in which it would have happened, now, and before all that is still to come.
    for (const event of missed) {
      event.at = this.now;
      this.#push(event, FIRST);
    }
  }

  #push(event: Event, tie: number = this.random.uint32()): void {
    const heap = this.#heap;
    const entry = { event, tie, number: this.#numbers++ };
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) sink(heap, last);
    return first.event;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  if (a.event.at !== b.event.at) return a.event.at < b.event.at;
  return a.tie !== b.tie ? a.tie < b.tie : a.number < b.number;
}

function sink(heap: Entry[], entry: Entry): void {
  let i = 0;
  while (true) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
    if (!isBefore(heap[child]!, entry)) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = entry;
}
