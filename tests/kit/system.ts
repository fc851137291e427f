/** Creates actor systems: one whose clock the test controls, and one on the real host. */
import { setImmediate } from "node:timers";
import type { Clock, Timer } from "../../lib/base/clock.ts";
import { type Random, SeededRandom } from "../../lib/base/random.ts";
import type { Actor } from "../../lib/actor/actor.ts";
import type { ActorFunction, SpawnOptions } from "../../lib/actor/self.ts";
import { System, type SystemHost } from "../../lib/actor/system.ts";
import type { Home, Pid } from "../../lib/term/pid.ts";
import { makeHost } from "./host.ts";

/** Maximum number of rounds for a system to become idle. */
const ROUNDS_MAX = 10_000;

interface Armed extends Timer {
  due: number;
  readonly task: () => void;
  readonly everyMs: number | undefined;
}

/** A clock that the test controls. */
export class ManualClock implements Clock {
  #now: number;
  #armed: Armed[] = [];
  /** Number of reads of the clock. */
  readings = 0;

  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    this.readings++;
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  after(ms: number, task: () => void): Timer {
    return this.#arm(ms, task, undefined);
  }

  every(ms: number, task: () => void): Timer {
    return this.#arm(ms, task, ms);
  }

  /** Number of timers that are set. */
  get armed(): number {
    return this.#armed.length;
  }

  /** The longest remaining delay of the timers that are set. */
  get longest(): number {
    return Math.max(0, ...this.#armed.map(({ due }) => due - this.#now));
  }

  /** Advances the clock without firing timers, as if this process had been busy. */
  jump(ms: number): void {
    this.#now += ms;
  }

  /**
   * Fires the next timer that is due by `end`. Moves the clock to its due time, unless that is
   * past. Without such a timer, moves the clock to `end` and returns false.
   */
  fire(end: number): boolean {
    const next = this.#armed.toSorted((a, b) => a.due - b.due)[0];
    if (next === undefined || next.due > end) {
      this.#now = Math.max(this.#now, end);
      return false;
    }
    this.#now = Math.max(this.#now, next.due);
    if (next.everyMs === undefined) next.cancel();
    else next.due += next.everyMs;
    next.task();
    return true;
  }

  #arm(ms: number, task: () => void, everyMs: number | undefined): Timer {
    const cancel = (): void => {
      this.#armed = this.#armed.filter((other) => other !== timer);
    };
    const timer: Armed = { due: this.#now + ms, task, everyMs, cancel };
    this.#armed.push(timer);
    return timer;
  }
}

/** The host of a {@linkcode ManualSystem}. The test decides when I/O runs. */
export class ManualHost implements SystemHost {
  readonly random: Random = new SeededRandom(1);
  readonly clock: ManualClock;
  readonly yielded: (() => void)[] = [];

  constructor(now?: number) {
    this.clock = new ManualClock(now);
  }

  yieldToIo(task: () => void): void {
    this.yielded.push(task);
  }
}

/** The node incarnation of all manual systems. */
export const HOME: Home = { node: "kit@127.0.0.1:1", creation: 7, local: true };

/** An actor that the test controls: `self` is exposed, and its handled messages are stored. */
export interface Puppet {
  readonly pid: Pid<unknown>;
  readonly self: Actor;
  readonly got: unknown[];
}

/** A system whose clock the test controls. */
export class ManualSystem extends System {
  readonly clock: ManualClock;
  readonly host: ManualHost;

  constructor(now?: number) {
    const host = new ManualHost(now);
    super(HOME, host);
    this.host = host;
    this.clock = host.clock;
  }

  /** Number of I/O turns so far. */
  yields = 0;

  /** Spawns an actor without a parent. */
  start<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M> {
    return this.spawn(undefined, undefined, body, args);
  }

  /** Spawns an actor without a parent, with options. */
  startWith<M, A extends unknown[]>(
    options: SpawnOptions,
    body: ActorFunction<M, A>,
    ...args: A
  ): Pid<M> {
    return this.spawn(undefined, options, body, args);
  }

  /** Spawns an actor that only records its messages, and is controlled by the test. */
  puppet(options: SpawnOptions & { readonly trap?: boolean } = {}): Puppet {
    const got: unknown[] = [];
    const pid = this.spawn<unknown, []>(
      undefined,
      options,
      () => (message: unknown) => void got.push(message),
      [],
    );
    const self = this.find(pid.id) as Actor;
    if (options.trap) self.trapExit = true;
    return { pid, self, got };
  }

  /** Runs everything that can run at the current time. */
  async settle(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      // An immediate runs after all microtasks, in which actors have their turns.
      await new Promise<void>((done) => void setImmediate(done));
      const task = this.host.yielded.shift();
      if (task === undefined) return;
      this.yields++;
      task();
    }
    throw new Error("the system does not become idle");
  }

  /** Advances the time, and runs everything at the time when it is due. */
  async advance(ms: number): Promise<void> {
    await this.settle();
    const end = this.clock.now() + ms;
    while (this.clock.fire(end)) await this.settle();
  }
}

/** Runs `body` with a system on the machine's clock, and stops the system. */
export async function withSystem(body: (system: System) => Promise<void>): Promise<void> {
  const system = new System(HOME, makeHost());
  try {
    await body(system);
  } finally {
    system.stop();
  }
}
