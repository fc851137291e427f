/**
 * State machines: OTP's `gen_statem` as a typed table. A machine is a service, and can be used as
 * one.
 *
 *     event ─▶ rule of its state, or of `any` ─▶ effects: data, reply, timeouts
 *                   │ postponed                    │ another state
 *                   └──────────◀──── handled again ◀── exit ─▶ enter ─▶ its timeouts
 *
 * When a timer fires, it is compared with the current one: a timer of a previous state, or one that
 * was set again, has no effect, even if its message is already in the mailbox. Due times are part
 * of the state, so that a stored or moved machine continues with its timeouts.
 *
 * Longer than 400 lines: events, postponed events and timeouts change the same state. The table of
 * rules is in `state_machine_rules.ts`.
 *
 * @module
 */
import type { Call } from "../actor/call.ts";
import { describe } from "../actor/describe.ts";
import { ArgumentError, BadReturnError, MailboxFullError } from "../actor/errors.ts";
import { timerMs, type TimerRef } from "../actor/timer.ts";
import { refuse } from "./remote_errors.ts";
import { defineService, type Service } from "./service.ts";
import type { AnyDefinition, ServiceActor } from "./service_actor.ts";
import { continueWith, type Later, noReply, Outcome, stopService } from "./service_definition.ts";
import type {
  MachineDefinition,
  MachineProtocol,
  MachineService,
  MachineState,
} from "./state_machine_definition.ts";
import {
  checkDefinition,
  defaultTarget,
  type Definition,
  diagramOf,
  EFFECTS,
  type Effects,
  type Rule,
  ruleOf,
  targetsOf,
} from "./state_machine_rules.ts";
import { UnknownCallError } from "./unknown_call.ts";

/**
 * Maximum number of postponed events. Further calls are rejected, and further casts are dropped.
 */
export const POSTPONED_MAX = 10_000;

/**
 * Maximum number of internal and postponed events that one message may cause. When it is exceeded,
 * the machine crashes.
 */
const CHAIN_MAX = 20_000;

/**
 * The keys under which `due` stores the two timeouts of a state. Keys of named timeouts begin with
 * another prefix.
 */
const AFTER = "state:after";
const IDLE = "state:idle";
const NAMED = "named:";

/** A kind of state machine: a service with a diagram. */
export interface StateMachine<P extends MachineProtocol> extends Service<MachineService<P>> {
  /** Returns the states and events as a Mermaid state diagram. */
  diagram(): string;
}

/** A call, a cast or a timeout that a machine handles. */
interface Event {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly rule: "on" | "timeouts" | "after" | "idle";
  readonly call: Call | undefined;
}

/** The message that a timer sends to the machine when a timeout fires. */
class Fired {
  readonly key: string;
  timer: TimerRef | undefined = undefined;
  constructor(key: string) {
    this.key = key;
  }
}

/** The part of a machine's state that is not stored. */
class Transient {
  readonly timers: Map<string, Fired> = new Map();
  postponed: Event[] = [];
  /** Replies to calls that were postponed. They are sent after the state was stored. */
  replies: [call: Call, reply: unknown][] = [];
}

type State = MachineState;

/** The message after which a machine enters its first state, or continues in the stored one. */
const BEGIN = Symbol("begin");

/**
 * Defines a kind of state machine: its protocol as a type, and a table of its states. It is
 * started, called, supervised, stored and sharded like a service.
 *
 * - An event is a call or a cast of the protocol. Its rule is one of these: the next state; a
 *   handler, which does not change the state; or `{ to, run }`, where `to` lists the possible next
 *   states, and `run` may choose one.
 * - A call without a rule in the current state is rejected with `UnknownCallError`; a cast is
 *   ignored.
 * - `{ postpone: true }` keeps an event until the state changes.
 * - `after` is the timeout of a state, `idle` the timeout without events, and `timeouts` are named
 *   timeouts. A timeout that was cancelled, or that belongs to a state that was left, never fires.
 *
 * @throws {ArgumentError} `code` "badarg": a state or option is unknown, or a rule, a function or a
 * time is invalid. `start` rejects with it if the stored state is not in the definition.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { stateMachine } from "@firn/firn/otp";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const door = stateMachine<{
 *   states: "open" | "closed" | "locked";
 *   data: { code: string };
 *   start: [code: string];
 *   call: { unlock(code: string): boolean };
 *   cast: { close(): void; open(): void; lock(): void };
 * }>({
 *   initial: "open",
 *   data: (code) => ({ code }),
 *   states: {
 *     open: { on: { close: "closed" } },
 *     closed: { on: { open: "open", lock: "locked" }, after: { ms: 60_000, to: "locked" } },
 *     locked: {
 *       on: {
 *         unlock: {
 *           to: "closed",
 *           run: (data, code) =>
 *             code === data.code ? { reply: true, to: "closed" } : { reply: false, to: "locked" },
 *         },
 *         open: { postpone: true },
 *       },
 *     },
 *   },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = await door.start(node, "0000");
 * door.cast(pid).close();
 * door.cast(pid).lock();
 * door.cast(pid).open();
 * assertEquals(await door.call(pid).unlock("1234"), false);
 * assertEquals(await door.call(pid).unlock("0000"), true);
 * assertEquals((await door.state(pid)).state, "open");
 * await assertRejects(() => door.call(pid).unlock("0000"), Error, "open");
 * assertEquals(door.diagram().split("\n")[1], "  [*] --> open");
 * ```
 */
export function stateMachine<P extends MachineProtocol>(
  definition: MachineDefinition<P>,
): StateMachine<P> {
  const table = definition as unknown as Definition;
  const machine = new Machine(table);
  const defined = defineService(
    machine.service(),
    (state) => machine.restored(state as State),
  );
  return { ...defined, diagram: () => diagramOf(table) } as unknown as StateMachine<P>;
}

/** Runs the state machines of one definition. */
class Machine {
  readonly #definition: Definition;
  readonly #transients = new WeakMap<ServiceActor, Transient>();

  constructor(definition: Definition) {
    this.#definition = definition;
    checkDefinition(definition);
  }

  /** Returns the definition of the service that runs the machine. */
  service(): AnyDefinition {
    // deno-lint-ignore no-this-alias -- `this` is the service's in its handlers
    const machine = this;
    const { name = "machine", persist, initial, data, states, any } = this.#definition;
    const names = new Set(
      [...Object.values(states), any ?? {}].flatMap(({ on }) => Object.keys(on ?? {})),
    );
    const event = (name: string) =>
      function (this: ServiceActor, state: unknown, ...args: unknown[]): unknown {
        return machine.#event(this, state as State, { name, args, rule: "on", call: this.call });
      };
    const handlers = Object.fromEntries([...names].map((name) => [name, event(name)]));
    return {
      name,
      ...persist && { persist },
      init(...args) {
        machine.#transients.set(this, new Transient());
        const first = data.apply(this, args);
        const begin = (data: unknown): Outcome<State> =>
          continueWith({ state: initial, data, due: undefined }, BEGIN);
        return first instanceof Promise ? first.then(begin) : begin(first);
      },
      // A machine handles calls and casts with the same functions. For callers, the protocol
      // determines which events are calls.
      call: handlers,
      cast: handlers,
      info(state, message) {
        return machine.#info(this, state as State, message);
      },
      continue(state, value) {
        if (value === BEGIN) return machine.#begin(this, state as State);
        for (const [call, reply] of value as Transient["replies"]) call.reply(reply);
        return state;
      },
    };
  }

  /** Throws unless the definition contains the state of a machine that was stored or moved. */
  restored({ state }: State): void {
    if (Object.hasOwn(this.#definition.states, state)) return;
    throw new ArgumentError(
      `${this.#name}: the stored state is ${JSON.stringify(state)}, which is not a state of the ` +
        "definition: add it, or change or remove the stored value",
    );
  }

  #begin(actor: ServiceActor, state: State): unknown {
    if (state.due === undefined) {
      const queue: Event[] = [];
      const entered = this.#enter(actor, { ...state, due: {} }, queue);
      return this.#finish(actor, this.#run(actor, entered, queue), undefined);
    }
    for (const [key, at] of Object.entries(state.due)) this.#arm(actor, key, at);
    return state;
  }

  #info(actor: ServiceActor, state: State, message: unknown): unknown {
    if (!(message instanceof Fired)) return state;
    const { timers } = this.#of(actor);
    const { key } = message;
    // The timer was cancelled or set again after it had sent its message.
    if (timers.get(key) !== message) return state;
    timers.delete(key);
    const due = { ...state.due };
    delete due[key];
    const rule = key === AFTER ? "after" : key === IDLE ? "idle" : "timeouts";
    const name = key.startsWith(NAMED) ? key.slice(NAMED.length) : rule;
    return this.#event(actor, { ...state, due }, { name, args: [], rule, call: undefined });
  }

  #event(actor: ServiceActor, state: State, event: Event): unknown {
    return this.#finish(actor, this.#run(actor, state, [event]), event.call);
  }

  /** Converts the result of a rule to the return value of a service handler. */
  #finish(
    actor: ServiceActor,
    ran: Later<State | Outcome<State>>,
    call: Call | undefined,
  ): unknown {
    if (ran instanceof Promise) return ran.then((state) => this.#finish(actor, state, call));
    const transient = this.#of(actor);
    const { replies } = transient;
    const at = replies.findIndex(([one]) => one === call);
    const own = at < 0 ? undefined : replies.splice(at, 1)[0];
    transient.replies = [];
    // If the machine stops, it replies to postponed calls now, because `continue` does not run.
    if (ran instanceof Outcome) {
      for (const [one, reply] of replies) one.reply(reply);
    }
    const next = ran instanceof Outcome || replies.length === 0 ? ran : continueWith(ran, replies);
    if (own !== undefined) {
      // Sets the call that is rejected if the state cannot be stored.
      actor.call = call;
      return [own[1], next];
    }
    return call !== undefined && !(next instanceof Outcome) ? noReply(next) : next;
  }

  /** Handles events until the queue is empty. */
  #run(
    actor: ServiceActor,
    state: State,
    queue: Event[],
    count = 0,
  ): Later<State | Outcome<State>> {
    while (queue.length > 0) {
      if (++count > CHAIN_MAX) {
        throw new BadReturnError(
          `${this.#name}: more than ${CHAIN_MAX} events follow one another in state ${state.state}`,
        );
      }
      const next = this.#step(actor, state, queue);
      if (next instanceof Promise) {
        return next.then((state) =>
          state instanceof Outcome ? state : this.#run(actor, state, queue, count)
        );
      }
      if (next instanceof Outcome) return next;
      state = next;
    }
    return state;
  }

  #step(actor: ServiceActor, state: State, queue: Event[]): Later<State | Outcome<State>> {
    const event = queue.shift()!;
    const { states, any } = this.#definition;
    const own = states[state.state]!;
    const rule: Rule | undefined = event.rule === "after" || event.rule === "idle"
      ? own[event.rule]
      : ruleOf(own[event.rule], event.name) ?? ruleOf(any?.[event.rule], event.name);
    if (rule === undefined) {
      if (event.call !== undefined) {
        refuse(
          event.call,
          new UnknownCallError(
            `${this.#name} has no rule for ${event.name} in state ${state.state}`,
          ),
        );
      }
      return state;
    }
    if (typeof rule === "object" && "postpone" in rule) {
      this.#postpone(actor, event);
      return state;
    }
    // Sets the call that is rejected if the handler throws.
    actor.call = event.call;
    const run = typeof rule === "string" ? undefined : typeof rule === "function" ? rule : rule.run;
    const effects = run?.call(actor, state.data, ...event.args);
    if (effects instanceof Promise) {
      return effects.then((effects) => this.#apply(actor, state, event, rule, effects, queue));
    }
    return this.#apply(actor, state, event, rule, effects, queue);
  }

  #postpone(actor: ServiceActor, event: Event): void {
    const { postponed } = this.#of(actor);
    if (postponed.length < POSTPONED_MAX) postponed.push(event);
    else {event.call?.refuse(
        new MailboxFullError(`${this.#name}: ${POSTPONED_MAX} events are postponed`),
      );}
  }

  #apply(
    actor: ServiceActor,
    state: State,
    event: Event,
    rule: Rule,
    effects: Effects | void,
    queue: Event[],
  ): State | Outcome<State> {
    this.#check(`the handler of ${event.name}`, effects);
    const { data = state.data, to, timeouts, next, stop } = effects ?? {};
    const transient = this.#of(actor);
    actor.call = undefined;
    if (event.call !== undefined && !effects?.noReply) {
      if (effects !== undefined && typeof rule !== "string" && !("reply" in effects)) {
        throw new BadReturnError(
          `${this.#name}: the handler of ${event.name} returned no reply: return { reply: … } or { noReply: true }`,
        );
      }
      transient.replies.push([event.call, effects?.reply]);
    }
    const target = to ?? defaultTarget(rule);
    if (target !== undefined && target !== state.state && !targetsOf(rule).includes(target)) {
      throw new BadReturnError(
        `${this.#name}: the handler of ${event.name} goes to ${target}, which its rule does not have in \`to\``,
      );
    }
    let after: State = this.#setTimeouts(actor, { ...state, data }, timeouts);
    if (next !== undefined) queue.unshift(internal(next));
    if (target !== undefined && target !== state.state) {
      const left = this.#definition.states[state.state]!.exit?.call(actor, after.data);
      if (left instanceof Promise) this.#badReturn(`exit of state ${state.state}`, left);
      after = { ...after, state: target, data: left === undefined ? after.data : left };
      for (const key of [AFTER, IDLE]) after = this.#cancel(actor, after, key);
      const inner = next === undefined ? [] : queue.splice(0, 1);
      queue.unshift(...transient.postponed);
      transient.postponed = [];
      queue.unshift(...inner);
      after = this.#enter(actor, after, queue);
    } else {
      const { idle } = this.#definition.states[state.state]!;
      if (idle !== undefined) after = this.#set(actor, after, IDLE, idle.ms);
    }
    return stop === undefined ? after : stopService(stop, after);
  }

  #enter(actor: ServiceActor, state: State, queue: Event[]): State {
    const { enter, after, idle } = this.#definition.states[state.state]!;
    const effects = enter?.call(actor, state.data);
    this.#check(`enter of state ${state.state}`, effects);
    const { data = state.data, timeouts, next } = effects ?? {};
    let entered = this.#setTimeouts(actor, { ...state, data }, timeouts);
    if (next !== undefined) queue.unshift(internal(next));
    if (after !== undefined) entered = this.#set(actor, entered, AFTER, after.ms);
    if (idle !== undefined) entered = this.#set(actor, entered, IDLE, idle.ms);
    return entered;
  }

  /** Throws unless a handler has returned effects or nothing. */
  #check(handler: string, effects: unknown): void {
    if (effects === undefined) return;
    const isObject = typeof effects === "object" && effects !== null && !Array.isArray(effects) &&
      !(effects instanceof Promise);
    if (!isObject) this.#badReturn(handler, effects);
    for (const name in effects) {
      if (!Object.hasOwn(EFFECTS, name)) this.#badReturn(handler, effects);
    }
    const { data, next } = effects as Effects;
    const isValid = !(data instanceof Promise) && (next === undefined || Array.isArray(next));
    if (!isValid) this.#badReturn(handler, effects);
    if (next !== undefined) this.#checkKnown(handler, "on", next[0]);
    for (const name in (effects as Effects).timeouts) this.#checkKnown(handler, "timeouts", name);
  }

  /** Throws unless at least one state has a rule for an internal event or a named timeout. */
  #checkKnown(handler: string, kind: "on" | "timeouts", name: string): void {
    const { states, any } = this.#definition;
    if (ruleOf(any?.[kind], name) !== undefined) return;
    for (const state in states) if (ruleOf(states[state]![kind], name) !== undefined) return;
    throw new BadReturnError(
      `${this.#name}: ${handler} returned the ${kind === "on" ? "event" : "timeout"} ${
        describe(name)
      }, for which no state has a rule: add one to \`${kind}\` of a state, or of \`any\``,
    );
  }

  #badReturn(handler: string, returned: unknown): never {
    throw new BadReturnError(
      `${this.#name}: ${handler} returned ${
        describe(returned)
      }: return nothing, or an object with some of ` +
        `${Object.keys(EFFECTS).join(", ")}; next must be a list, and no member may be a promise`,
    );
  }

  #setTimeouts(actor: ServiceActor, state: State, timeouts: Effects["timeouts"]): State {
    for (const [name, ms] of Object.entries(timeouts ?? {})) {
      state = ms === undefined
        ? this.#cancel(actor, state, NAMED + name)
        : this.#set(actor, state, NAMED + name, ms);
    }
    return state;
  }

  #set(actor: ServiceActor, state: State, key: string, ms: number): State {
    const at = actor.self.now() + timerMs(ms);
    this.#arm(actor, key, at);
    return { ...state, due: { ...state.due, [key]: at } };
  }

  #cancel(actor: ServiceActor, state: State, key: string): State {
    const { timers } = this.#of(actor);
    const fired = timers.get(key);
    if (fired === undefined) return state;
    timers.delete(key);
    if (fired.timer !== undefined) actor.self.cancelTimer(fired.timer);
    const due = { ...state.due };
    delete due[key];
    return { ...state, due };
  }

  #arm(actor: ServiceActor, key: string, at: number): void {
    const { timers } = this.#of(actor);
    const before = timers.get(key);
    if (before?.timer !== undefined) actor.self.cancelTimer(before.timer);
    const fired = new Fired(key);
    timers.set(key, fired);
    fired.timer = actor.self.sendAfter(actor.self.pid, fired, Math.max(0, at - actor.self.now()));
  }

  #of(actor: ServiceActor): Transient {
    return this.#transients.get(actor)!;
  }

  get #name(): string {
    return `state machine ${JSON.stringify(this.#definition.name ?? "machine")}`;
  }
}

function internal([name, ...args]: readonly [string, ...unknown[]]): Event {
  return { name, args, rule: "on", call: undefined };
}
