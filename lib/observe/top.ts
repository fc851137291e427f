/**
 * The actors with the highest values: mailbox length, handler time, message rate or timers.
 *
 * @module
 */
import type { Actor, ActorStatus } from "../actor/actor.ts";
import { listOf } from "../actor/names.ts";
import type { System } from "../actor/system.ts";
import type { Clock } from "../base/clock.ts";
import type { Pid } from "../term/pid.ts";
import { attachedTo, bodyOf } from "./actor_info.ts";
import { ObserveError } from "./error.ts";
import { inPortions, pause, type PauseFactor } from "./portions.ts";
import type { Profile } from "./profile.ts";

/**
 * The values by which actors are ordered.
 *
 * @example
 * ```ts
 * import { TOP_ORDERS } from "@firn/firn/observe";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(TOP_ORDERS.map((by) => `top ${by}`)[0], "top mailbox");
 * ```
 */
export const TOP_ORDERS = ["mailbox", "time", "rate", "timers"] as const;

/** One of {@linkcode TOP_ORDERS}. */
export type TopOrder = (typeof TOP_ORDERS)[number];

/** Options of `node.top`. */
export interface TopOptions {
  /**
   * "mailbox": messages in the mailbox; "time": milliseconds in handlers during `window`; "rate":
   * messages taken during `window`; "timers": timers that will send to the actor. Default
   * "mailbox".
   */
  readonly by?: "mailbox" | "time" | "rate" | "timers" | undefined;
  /** The node whose actors are compared. Default: this node. */
  readonly node?: string | undefined;
  /** Number of actors to return, 1 to 1000. Default 10. */
  readonly count?: number | undefined;
  /** Duration of the measurement of "time" and "rate", 10 to 60000 milliseconds. Default 1000. */
  readonly window?: number | undefined;
}

/** An actor, as `node.top` returns it. */
export interface TopActor {
  /** The pid of the actor. */
  readonly pid: Pid;
  /** The registered names of the actor. */
  readonly names: readonly string[];
  /** The function that the actor was spawned with. */
  readonly body: string;
  /** The id of the actor among its supervisor's children. */
  readonly child: string | undefined;
  /** The status of the actor. */
  readonly status: ActorStatus;
  /** Number of messages in the actor's mailbox. */
  readonly mailbox: number;
  /** Number of messages that the actor has taken. */
  readonly handled: number;
  /** The value by which the actors are ordered. */
  readonly value: number;
}

/**
 * Fills in the defaults. Throws {@linkcode ObserveError} with `code` "badarg" if an option is
 * invalid.
 */
export function checkTop(
  options: TopOptions,
): { readonly by: TopOrder; readonly count: number; readonly window: number } {
  const { by = "mailbox", count = 10, window = 1_000 } = options;
  if (!TOP_ORDERS.includes(by)) {
    throw new ObserveError("badarg", `top: by must be one of ${TOP_ORDERS.join(", ")}`);
  }
  if (!(count >= 1 && count <= 1_000)) {
    throw new ObserveError("badarg", `top: count is ${count}: use 1 to 1000`);
  }
  if (!(window >= 10 && window <= 60_000)) {
    throw new ObserveError("badarg", `top: window is ${window}: use 10 to 60000 milliseconds`);
  }
  return { by, count, window };
}

/**
 * Returns the actors with the highest values, in descending order. Omits actors whose value is 0.
 */
export async function top(
  system: System,
  clock: Clock,
  profile: Profile,
  options: TopOptions,
  factor: PauseFactor,
): Promise<TopActor[]> {
  const { by, count, window } = checkTop(options);
  const best = new Best(count);
  switch (by) {
    case "mailbox":
      await inPortions(clock, system.actors(), (actor) => best.offer(actor, actor.length), factor);
      break;
    case "timers":
      await inPortions(clock, system.actors(), (actor) => {
        if (actor.chain !== undefined) best.offer(actor, attachedTo(actor).timers);
      }, factor);
      break;
    case "time":
    case "rate": {
      const release = profile.use();
      const before = profile.copy();
      await pause(clock, window);
      await inPortions(clock, profile.copy(), ([actor, { messages, ms }]) => {
        const last = before.get(actor);
        const value = by === "time" ? ms - (last?.ms ?? 0) : messages - (last?.messages ?? 0);
        if (actor.isAlive) best.offer(actor, value);
      }, factor);
      release();
    }
  }
  return best.all().map(([actor, value]) => topActor(system, actor, value));
}

function topActor(system: System, actor: Actor, value: number): TopActor {
  return {
    pid: actor.pid as Pid,
    names: listOf(actor.names),
    body: bodyOf(system, actor),
    child: system.supervisors.of(actor)?.child,
    status: actor.status,
    mailbox: actor.length,
    handled: actor.handled,
    value: Math.round(value * 1000) / 1000,
  };
}

/** Collects the actors with the highest values. */
class Best {
  readonly #count: number;
  #list: (readonly [actor: Actor, value: number])[] = [];
  /** The number that a value must exceed to be among the highest ones. */
  #least = 0;

  constructor(count: number) {
    this.#count = count;
  }

  offer(actor: Actor, value: number): void {
    if (value <= this.#least) return;
    this.#list.push([actor, value]);
    if (this.#list.length < 2 * this.#count + 16) return;
    this.#list = this.all();
    this.#least = this.#list.at(-1)![1];
  }

  all(): (readonly [Actor, number])[] {
    return this.#list.toSorted((a, b) => b[1] - a[1]).slice(0, this.#count);
  }
}
