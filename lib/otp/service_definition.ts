/**
 * The types of a service: its protocol, which callers and handlers share, and its definition, which
 * contains the handlers.
 *
 * @module
 */
import type { Call } from "../actor/call.ts";
import type { Self } from "../actor/self.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { PersistOptions } from "./store.ts";

/**
 * The state of a service and the messages it accepts. Write it once, as a type: the compiler checks
 * the handlers, the callers and the pids against it.
 *
 * @example
 * ```ts
 * import { Node, type Service, service } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * interface Counter {
 *   state: number;
 *   start: [first: number];
 *   call: { add(by: number): number };
 *   cast: { reset(): void };
 * }
 *
 * const counter: Service<Counter> = service({
 *   init: (first) => first,
 *   call: { add: (sum, by) => [sum + by, sum + by] },
 *   cast: { reset: () => 0 },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = await counter.start(node, 40);
 * assertEquals(await counter.call(pid).add(2), 42);
 * ```
 */
export interface ServiceProtocol {
  /** The state that handlers receive and return. */
  readonly state: unknown;
  /** The arguments of `start` and `init`. Default: none. */
  readonly start?: readonly unknown[];
  /** The calls, as functions from their arguments to the reply. */
  readonly call?: object;
  /** The casts, as functions of their arguments; their return values are ignored. */
  readonly cast?: object;
  /** The plain messages that `info` handles. Default: any message. */
  readonly info?: unknown;
}

/** The arguments of `start` and `init`. */
export type StartArgs<P extends ServiceProtocol> = P extends
  { readonly start: infer A extends readonly unknown[] } ? [...A] : [];

/** The messages that `info` handles. */
export type InfoMessage<P extends ServiceProtocol> = P extends { readonly info: infer M } ? M
  : unknown;

/** The arguments of a handler after the state. */
export type HandlerArgs<F> = F extends (...args: infer A) => unknown ? A : never;

/** The type of the value with which a call resolves. */
export type Reply<F> = F extends (...args: never) => infer R ? Awaited<R> : never;

/** The functions that call a service. Each resolves with the reply. */
export type CallApi<P extends ServiceProtocol> = P extends { readonly call: infer C extends object }
  ? { [K in keyof C]: (...args: HandlerArgs<C[K]>) => Promise<Reply<C[K]>> }
  : Record<never, never>;

/** The functions that cast to a service. They return nothing. */
export type CastApi<P extends ServiceProtocol> = P extends { readonly cast: infer C extends object }
  ? { [K in keyof C]: (...args: HandlerArgs<C[K]>) => void }
  : Record<never, never>;

/** The type of a service, as a part of the type of its pid. It exists only for the compiler. */
export interface Serves<P extends ServiceProtocol> {
  /** The calls of the service. */
  readonly call: CallApi<P>;
  /** The casts of the service. */
  readonly cast: CastApi<P>;
  /** The state of the service. */
  readonly state: P["state"];
}

/** The pid of a service. The functions of other kinds of services do not accept it. */
export interface ServicePid<P extends ServiceProtocol = ServiceProtocol>
  extends Pid<InfoMessage<P>> {
  /** Never present. Makes pids of different kinds of services different types. */
  readonly serves: Serves<P> | undefined;
}

/**
 * The pid of an actor whose message type is unknown, for example of a child returned by
 * `whichChildren`. It can be used as the pid of any actor or service.
 */
// deno-lint-ignore no-explicit-any -- that is the point
export interface AnyPid extends Pid<any> {
  /** Never present. Makes the type assignable to every pid. */
  // deno-lint-ignore no-explicit-any -- as above
  readonly serves: any;
}

/** What a handler does in addition to setting the state. */
export interface Effects {
  /** Stops the service for this reason. Default: the service continues. */
  readonly stop?: { readonly reason: ExitReason };
  /** Runs `continue` with this value before the next message. Default: `continue` does not run. */
  readonly continueWith?: { readonly value: unknown };
}

/**
 * A new state with an additional effect. A handler returns it instead of a state. Created by
 * {@linkcode noReply}, {@linkcode stopService} and {@linkcode continueWith}.
 *
 * @example
 * ```ts
 * import { stopService } from "@firn/firn";
 * import { Outcome } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * // A test of a handler by itself.
 * const done = (left: number) => left > 1 ? left - 1 : stopService("normal", 0);
 * const last = done(1);
 * assertEquals(last instanceof Outcome && last.effects.stop, { reason: "normal" });
 * ```
 */
export class Outcome<State> {
  /** The new state of the service. */
  readonly state: State;
  /** What the handler does in addition to setting the state. */
  readonly effects: Effects;

  /** Internal: used by the runtime. */
  constructor(state: State, effects: Effects) {
    this.state = state;
    this.effects = effects;
  }
}

/**
 * Returns an outcome without a reply, for a call handler that stores `this.call` and replies later.
 * Corresponds to `noreply` of OTP.
 *
 * @example
 * ```ts
 * import { type Call, Node, noReply, service } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const gate = service<{
 *   state: readonly Call<unknown, string>[];
 *   call: { enter(): string };
 *   cast: { open(): void };
 * }>({
 *   init: () => [],
 *   call: {
 *     enter(waiting) {
 *       return noReply([...waiting, this.call]);
 *     },
 *   },
 *   cast: {
 *     open(waiting) {
 *       for (const call of waiting) call.reply("welcome");
 *       return [];
 *     },
 *   },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = await gate.start(node);
 * const entered = gate.call(pid).enter();
 * gate.cast(pid).open();
 * assertEquals(await entered, "welcome");
 * ```
 */
export function noReply<State>(state: State): Outcome<State> {
  return new Outcome(state, {});
}

/**
 * Stops the service after this handler, for `reason`. A call handler returns `[reply,
 * stopService(…)]` to reply first. Without a reply, the caller's promise rejects with
 * `CallExitError`.
 *
 * @example
 * ```ts
 * import { Node, service, stopService } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const once = service<{ state: string; call: { take(): string } }>({
 *   init: () => "the only one",
 *   call: { take: (value) => [value, stopService("normal", value)] },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = await once.start(node);
 * assertEquals(await once.call(pid).take(), "the only one");
 * assertEquals(node.isAlive(pid), false);
 * ```
 */
export function stopService<State>(reason: ExitReason, state: State): Outcome<State> {
  return new Outcome(state, { stop: { reason } });
}

/**
 * Runs `continue` with `value` before the next message is handled. Other actors run in between. Any
 * handler may return it; a call handler returns `[reply, continueWith(…)]` to reply first.
 * Corresponds to `{continue, Value}` of OTP.
 *
 * @example
 * ```ts
 * import { continueWith, Node, service } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const sum = service<{ state: number; call: { get(): number } }>({
 *   init: () => continueWith(0, 3),
 *   continue(state, left) {
 *     const next = state + (left as number);
 *     return left === 1 ? next : continueWith(next, (left as number) - 1);
 *   },
 *   call: { get: (state) => [state, state] },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = await sum.start(node);
 * assertEquals(await sum.call(pid).get(), 6);
 * ```
 */
export function continueWith<State>(state: State, value?: unknown): Outcome<State> {
  return new Outcome(state, { continueWith: { value } });
}

/** The `self` of a service, in its handlers. */
export interface ServiceSelf<P extends ServiceProtocol> extends Self<InfoMessage<P>> {
  /** The pid of the service. */
  readonly pid: ServicePid<P>;
}

/**
 * The value of `this` in a handler. An arrow function does not have it: write
 * `info(state, message) { … }`.
 */
export interface ServiceContext<P extends ServiceProtocol = ServiceProtocol> {
  /**
   * The service as an actor, for example to monitor other actors, to set timers, or to register a
   * name in `init`.
   */
  readonly self: ServiceSelf<P>;
}

/** The value of `this` in the handler of a call. */
export interface CallContext<P extends ServiceProtocol = ServiceProtocol, R = unknown>
  extends ServiceContext<P> {
  /** The call. Store it to `reply` later, and return {@linkcode noReply}. */
  readonly call: Call<unknown, R>;
}

/** A value, or a promise that resolves with it. */
export type Later<T> = T | Promise<T>;

/** The result of a handler: the new state, or an {@linkcode Outcome}. */
export type Next<State> = Later<State | Outcome<State>>;

/** The result of a call handler: `[reply, state]`, or an {@linkcode Outcome}. */
export type Answer<R, State> = Later<
  readonly [reply: R, state: State | Outcome<State>] | Outcome<State>
>;

/** The handlers of a protocol's calls. */
export type CallHandlers<P extends ServiceProtocol, C> = {
  readonly [K in keyof C]: (
    this: CallContext<P, Reply<C[K]>>,
    state: P["state"],
    ...args: HandlerArgs<C[K]>
  ) => Answer<Reply<C[K]>, P["state"]>;
};

/** The handlers of a protocol's casts. */
export type CastHandlers<P extends ServiceProtocol, C> = {
  readonly [K in keyof C]: (
    this: ServiceContext<P>,
    state: P["state"],
    ...args: HandlerArgs<C[K]>
  ) => Next<P["state"]>;
};

/** The parts of a service definition other than the handlers of calls and casts. */
export interface ServiceHandlers<P extends ServiceProtocol> {
  /**
   * The name in reports, and the name under which `node.expose` exposes the service. Default
   * "service".
   */
  readonly name?: string | undefined;
  /**
   * Returns the first state, from the arguments of `start`. `start` waits for `init`, and rejects
   * if `init` throws.
   */
  init(this: ServiceContext<P>, ...args: StartArgs<P>): Next<P["state"]>;
  /**
   * Handles a message that is neither a call nor a cast, including the runtime's: `Down`, `Exit`, …
   * Default: such messages are ignored.
   */
  info?(this: ServiceContext<P>, state: P["state"], message: InfoMessage<P>): Next<P["state"]>;
  /** Runs after a handler that returned {@linkcode continueWith}. */
  continue?(this: ServiceContext<P>, state: P["state"], value: unknown): Next<P["state"]>;
  /**
   * Runs after `idleMs` without a message, and again after each further `idleMs` without a message.
   */
  idle?(this: ServiceContext<P>, state: P["state"]): Next<P["state"]>;
  /**
   * Stores the state under a key, so that a restarted actor continues with the stored state instead
   * of the one that `init` returns. `init` runs in any case. `key` is a string, or a function of
   * the arguments of `start`. The state is stored before a call is answered, unless `within` is
   * set. The state must be a term: it is encoded as `encodeTerm` does. Default: the state is not
   * stored.
   */
  readonly persist?:
    | PersistOptions & { readonly key: string | ((...args: StartArgs<P>) => string) }
    | undefined;
  /**
   * The time without messages after which `idle` runs, in milliseconds. Default: `idle` never runs.
   */
  readonly idleMs?: number | undefined;
  /**
   * Delivers exit signals of linked actors to `info`, as `Exit` messages. Exit signals of the
   * parent and of the node still end the service. Default false.
   */
  readonly trapExit?: boolean | undefined;
  /**
   * Runs before the service ends: because of `stop`, because its parent or a linked actor has
   * exited, or because a handler threw. Does not run when the service is killed, when a handler
   * calls `self.exit`, or when `init` failed.
   */
  terminate?(this: ServiceContext<P>, state: P["state"], reason: ExitReason): Later<void>;
}

/** The handlers of a service: one for each call and cast of the protocol, and `init`. */
export type ServiceDefinition<P extends ServiceProtocol> =
  & ServiceHandlers<P>
  & (P extends { readonly call: infer C extends object } ? { readonly call: CallHandlers<P, C> }
    : { readonly call?: undefined })
  & (P extends { readonly cast: infer C extends object } ? { readonly cast: CastHandlers<P, C> }
    : { readonly cast?: undefined })
  & UnknownMembers<P>;

/**
 * A type that forbids unknown members of a protocol. The compiler's error message contains their
 * names.
 */
export type UnknownMembers<P> = {
  readonly [
    K in
      & Exclude<keyof P, keyof ServiceProtocol>
      & string as `${K} is not part of a protocol: use state, start, call, cast, info`
  ]: never;
};

/**
 * The protocol of a `service(…)` call without a type argument. The name of its member is the
 * compiler's error message.
 */
export interface NoProtocol extends ServiceProtocol {
  /** Allows any other member. */
  readonly [member: string]: unknown;
  /** Never present. Its name is the compiler's error message. */
  readonly "write the protocol: service<{ state: …; call: { … } }>({ … })": never;
}
