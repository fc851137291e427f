/**
 * Virtual time: a queue of all future events in order. Time advances from one event to the next.
 * The seed determines the order of events at the same time.
 *
 * @module
 */
import type { SeededRandom } from "../base/random.ts";
import type { Trace } from "./trace.ts";

/**
 * The owner of events, such as a machine. After its removal, its events do not run any more; while
 * it is paused, they wait.
 */
export interface Place {
  /** Name of the place in the trace. */
  readonly label: string;
  isGone: boolean;
  isHeld: boolean;
}

/** An event that is scheduled for a virtual time. */
export interface Event {
  at: number;
  readonly place: Place | undefined;
  /** Description of the event in the trace. If empty, the event is not traced. */
  readonly what: string;
  run: (() => void) | undefined;
}

/**
 * A tie-breaker that is lower than all random ones. Events with this tie-breaker at the same time
 * run in the order in which they were scheduled.
 */
const FIRST = -1;

interface Entry {
  readonly event: Event;
  readonly tie: number;
  readonly number: number;
}

/** The event queue of one simulation. */
export class World {
  /** The current virtual time: milliseconds since the beginning of the simulation. */
  now = 0;
  /** Number of events that have run. */
  steps = 0;
  /** The first error that a listener of a node's events threw. The simulation fails with it. */
  failure: { readonly error: unknown } | undefined = undefined;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly #heap: Entry[] = [];
  /** Events of paused places whose time has come, in order. */
  #held: Event[] = [];
  #numbers = 0;

  constructor(random: SeededRandom, trace: Trace) {
    this.random = random;
    this.trace = trace;
  }

  /** Number of events in the queue, including cancelled ones. */
  get size(): number {
    return this.#heap.length;
  }

  /**
   * Schedules an event of a place in `ms` virtual milliseconds. The event does not run if the place
   * was removed in the meantime.
   */
  after(ms: number, place: Place | undefined, what: string, run: () => void): Event {
    const event = { at: this.now + Math.max(0, ms), place, what, run };
    this.#push(event);
    return event;
  }

  /** Cancels an event: it does not run. */
  cancel(event: Event): void {
    event.run = undefined;
  }

  /** Runs the next event. Returns false if there are no more events. */
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

  /** Resumes a paused place. The events that should have run during the pause run next. */
  release(place: Place): void {
    place.isHeld = false;
    const missed = this.#held.filter((event) => event.place === place);
    this.#held = this.#held.filter((event) => event.place !== place);
    // The missed events keep their order, and run before all other scheduled events.
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
