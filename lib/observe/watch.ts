/**
 * Watches a node: delay of its event loop, blocking handlers, long pending calls, deadlocks,
 * memory. Uses one timer, four times per second; once per second it scans up to {@linkcode
 * SCANNED_MAX} actors.
 *
 * A blocking handler is detected by the delay of that timer. Turns of handlers are then measured
 * for a while, which identifies the actor if it blocks again. They are not measured all the time,
 * because a measurement costs two clock reads per turn of up to 64 messages.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import type { PendingCall } from "../actor/call.ts";
import type { System } from "../actor/system.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { MemoryUse } from "../host/host.ts";
import { NamedRemoteActor } from "../mesh/remote_actor.ts";
import type { Pid } from "../term/pid.ts";
import { type ActorInfo, attachedTo } from "./actor_info.ts";
import type { BusyActors } from "./busy.ts";
import { LoopDelays, TICK_MS } from "./loop_delay.ts";
import { messageType } from "./message_type.ts";
import { cycleText, findCycle } from "./waits.ts";
import {
  activityText,
  seconds,
  type Warning,
  WARNING_LIMITS,
  type WarningLimits,
} from "./warning.ts";

/** Maximum number of actors that are scanned per second. */
const SCANNED_MAX = 10_000;

/**
 * Time in milliseconds for which the turns of handlers are measured after the event loop was
 * blocked.
 */
const MEASURED_MS = 30_000;

/** Minimum time in milliseconds between two warnings about memory, or about the same deadlock. */
const REPEAT_MS = 60_000;

/** Maximum number of warnings about long calls per scan. */
const CALLS_MAX = 10;

/** The parts of a node that `NodeWatch` uses. */
export interface Watched {
  readonly system: System;
  readonly clock: Clock;
  readonly busy: BusyActors;
  memory(): MemoryUse | undefined;
  /** Describes an actor of this node or another. Resolves with undefined on failure. */
  infoOf(pid: Pid, name?: string): Promise<ActorInfo | undefined>;
  warn(warning: Warning): void;
  everySecond(): void;
}

/** Watches one node, and emits its warnings. */
export class NodeWatch {
  readonly #watched: Watched;
  readonly #limits: { readonly [Name in keyof WarningLimits]-?: number };
  readonly #delays: LoopDelays;
  readonly #timer: Timer;
  #ticks = 0;
  #actors: Iterator<Actor> | undefined;
  #measureUntil = 0;
  readonly #warned = new WeakSet<PendingCall>();
  readonly #repeats = new Map<string, number>();

  constructor(watched: Watched, limits: { readonly [Name in keyof WarningLimits]-?: number }) {
    this.#watched = watched;
    this.#limits = limits;
    const { clock } = watched;
    this.#delays = new LoopDelays(clock.now());
    if (limits.slowTurn !== WARNING_LIMITS.slowTurn) this.#measure(Infinity);
    this.#timer = clock.every(TICK_MS, () => this.#tick());
  }

  /** The measured delay of the event loop. */
  get delay(): ReturnType<() => LoopDelays["delay"]> {
    return this.#delays.delay;
  }

  /** Stops the watch and its timer. */
  stop(): void {
    this.#timer.cancel();
    this.#watched.system.scheduler.turnTimer = undefined;
  }

  #tick(): void {
    const { system, clock } = this.#watched;
    if (system.isStopped) return this.stop();
    const now = clock.now();
    const delay = this.#delays.tick(now);
    if (delay >= this.#limits.eventLoopDelay) this.#delayed(delay, now);
    // Compares with half of the limit, because a block that begins between two ticks delays the
    // next tick by less than its own duration.
    if (delay >= this.#limits.slowTurn / 2) this.#measure(now + MEASURED_MS);
    else if (now >= this.#measureUntil) system.scheduler.turnTimer = undefined;
    if (this.#ticks++ % 4 !== 0) return;
    this.#scan(now);
    this.#watched.everySecond();
    if (this.#ticks % 20 === 1) this.#checkMemory(now);
  }

  #delayed(ms: number, now: number): void {
    if (this.#isRepeated("eventLoopDelay", now, 5_000)) return;
    const message = `the event loop was blocked for ${seconds(ms)}: timers and sockets waited`;
    this.#warn({ kind: "eventLoopDelay", message, ms: Math.round(ms) });
  }

  /** Measures the turns of handlers until the clock reaches `until`. */
  #measure(until: number): void {
    this.#measureUntil = Math.max(this.#measureUntil, until);
    const { system: { scheduler }, clock } = this.#watched;
    scheduler.turnTimer ??= {
      now: () => clock.now(),
      turn: (actor, count, last, ms) => {
        if (ms >= this.#limits.slowTurn) this.#slow(actor as Actor, count, last, ms);
      },
    };
  }

  #slow(actor: Actor, count: number, last: unknown, ms: number): void {
    if (this.#isRepeated(`slow ${actor.pid.id}`, this.#watched.clock.now(), 5_000)) return;
    const type = messageType(last);
    const what = count > 1 ? `${count} messages, the last of them ${type}` : type;
    const words = `${actor.label} blocked the event loop for ${seconds(ms)} while it handled`;
    const message = `${words} ${what}`;
    this.#warn({ kind: "slowTurn", message, pids: [actor.pid as Pid], ms: Math.round(ms) });
  }

  #checkMemory(now: number): void {
    const memory = this.#watched.memory();
    if (memory === undefined || memory.heapLimit === 0) return;
    const { heapUsed, heapLimit } = memory;
    if (heapUsed < heapLimit * this.#limits.memory || this.#isRepeated("memory", now)) return;
    const used = Math.round(heapUsed / 2 ** 20);
    const message = `the heap uses ${used} MiB of at most ${Math.round(heapLimit / 2 ** 20)} MiB`;
    this.#warn({ kind: "memory", message, size: heapUsed });
  }

  /** Searches some of the actors for calls that have been pending for too long. */
  #scan(now: number): void {
    const { system, busy } = this.#watched;
    this.#actors ??= system.actors();
    let left = CALLS_MAX;
    for (let count = 0; count < SCANNED_MAX; count++) {
      const { value: actor, done } = this.#actors.next();
      if (done) return void (this.#actors = undefined);
      if (!actor.isAlive || busy.ms(actor, now) === undefined || actor.chain === undefined) {
        continue;
      }
      for (const call of attachedTo(actor).calls) {
        const age = call.age(now) ?? busy.ms(actor, now) ?? 0;
        if (age < this.#limits.longCall || this.#warned.has(call) || left-- <= 0) continue;
        this.#warned.add(call);
        void this.#longCall(actor, call, age);
      }
    }
  }

  async #longCall(caller: Actor, call: PendingCall, ms: number): Promise<void> {
    const { infoOf } = this.#watched;
    const { callee } = call;
    const name = callee instanceof NamedRemoteActor ? callee.name : undefined;
    const activity = await infoOf(callee.pid as Pid, name);
    if (!call.isOpen) return;
    const pids = [caller.pid as Pid, activity?.pid ?? callee.pid as Pid];
    const does = activity === undefined ? "it cannot be observed" : activityText(activity);
    const message = `${caller.label} has waited ${seconds(ms)} for ${messageType(call)} of ` +
      `${callee.label}: ${does}`;
    this.#warn({ kind: "longCall", message, pids, ms: Math.round(ms), activity });
    await this.#deadlock(caller);
  }

  async #deadlock(caller: Actor): Promise<void> {
    const { infoOf, clock } = this.#watched;
    const start = await infoOf(caller.pid as Pid);
    if (start === undefined) return;
    const cycle = await findCycle(start, (pid, name) => infoOf(pid, name));
    if (cycle === undefined) return;
    const key = `deadlock ${cycle.map(({ pid }) => `${pid}`).sort().join(" ")}`;
    if (this.#isRepeated(key, clock.now())) return;
    this.#warn({ kind: "deadlock", message: cycleText(cycle), pids: cycle.map(({ pid }) => pid) });
  }

  #warn(warning: Pick<Warning, "kind" | "message"> & Partial<Warning>): void {
    this.#watched.warn({
      pids: [],
      ms: undefined,
      size: undefined,
      activity: undefined,
      ...warning,
    });
  }

  #isRepeated(key: string, now: number, ms: number = REPEAT_MS): boolean {
    const last = this.#repeats.get(key);
    if (last !== undefined && now - last < ms) return true;
    if (this.#repeats.size >= 1_000) this.#repeats.clear();
    this.#repeats.set(key, now);
    return false;
  }
}
