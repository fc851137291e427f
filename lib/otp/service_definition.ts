/**
 * The types of a service: its protocol, which callers and handlers share, and its definition, the handlers.
 *
 * @module
 */
import type { Call } from "../actor/call.ts";
import type { Self } from "../actor/self.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { PersistOptions } from "./store.ts";

/**
 * What a service holds and what it can be sent. Written once, as a type: the handlers, the callers and the
 * pids are checked against it, so none of them repeats it.
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
  /** The state that handlers get and return. */
  readonly state: unknown;
  /** The arguments of `start` and `init`. Default: none. */
  readonly start?: readonly unknown[];
  /** The calls, as functions from their arguments to the reply. */
  readonly call?: object;
  /** The casts, as functions of their arguments; what they return is ignored. */
  readonly cast?: object;
  /** The plain messages that `info` handles. Default: any. */
  readonly info?: unknown;
}

/** The arguments of `start` and `init`. */
export type StartArgs<P extends ServiceProtocol> = P extends
  { readonly start: infer A extends readonly unknown[] } ? [...A] : [];

/** The messages that `info` handles. */
export type InfoMessage<P extends ServiceProtocol> = P extends { readonly info: infer M } ? M
  : unknown;

/** The arguments that a handler gets after the state. */
export type HandlerArgs<F> = F extends (...args: infer A) => unknown ? A : never;

/** What a call resolves with. */
export type Reply<F> = F extends (...args: never) => infer R ? Awaited<R> : never;

/** The functions that call a service; each resolves with the reply. */
export type CallApi<P extends ServiceProtocol> = P extends { readonly call: infer C extends object }
  ? { [K in keyof C]: (...args: HandlerArgs<C[K]>) => Promise<Reply<C[K]>> }
  : Record<never, never>;

/** The functions that cast to a service; nothing is returned. */
export type CastApi<P extends ServiceProtocol> = P extends { readonly cast: infer C extends object }
  ? { [K in keyof C]: (...args: HandlerArgs<C[K]>) => void }
  : Record<never, never>;

/** What a pid promises of its service: compared by the compiler, never present. */
export interface Serves<P extends ServiceProtocol> {
  /** Its calls. */
  readonly call: CallApi<P>;
  /** Its casts. */
  readonly cast: CastApi<P>;
  /** Its state. */
  readonly state: P["state"];
}

/** The pid of a service. Functions of another kind of service do not take it. */
export interface ServicePid<P extends ServiceProtocol = ServiceProtocol>
  extends Pid<InfoMessage<P>> {
  /** Never present: keeps the pids of different kinds of services apart. */
  readonly serves: Serves<P> | undefined;
}

/**
 * The pid of an actor of which the compiler does not know what it takes: a child as `whichChildren` returns
 * it. It can be used as the pid of any actor or service.
 */
// deno-lint-ignore no-explicit-any -- that is the point
export interface AnyPid extends Pid<any> {
  /** Never present. */
  // deno-lint-ignore no-explicit-any -- as above
  readonly serves: any;
}

/** What else happens after a handler. */
export interface Effects {
  /** The service stops for this reason. */
  readonly stop?: { readonly reason: ExitReason };
  /** `continue` runs with this value before the next message. */
  readonly continueWith?: { readonly value: unknown };
}

/**
 * A new state and what else happens: returned by a handler in place of a state. Made by
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
  /** The new state. */
  readonly state: State;
  /** What else happens. */
  readonly effects: Effects;

  /** For the runtime. */
  constructor(state: State, effects: Effects) {
    this.state = state;
    this.effects = effects;
  }
}

/**
 * Returned by a call handler that replies later, with the `this.call` that it has kept. OTP's `noreply`.
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
 * Stops the service after this handler, for `reason`. A call handler returns `[reply, stopService(…)]` to
 * reply first; without a reply the caller's promise rejects with `CallExitError`.
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
 * Has `continue` run with `value` before the next message is handled; other actors run in between. From any
 * handler; a call handler returns `[reply, continueWith(…)]` to reply first. OTP's `{continue, Value}`.
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

/** A service as an actor. */
export interface ServiceSelf<P extends ServiceProtocol> extends Self<InfoMessage<P>> {
  /** Its pid. */
  readonly pid: ServicePid<P>;
}

/** `this` in a handler. An arrow function has none: write `info(state, message) { … }`. */
export interface ServiceContext<P extends ServiceProtocol = ServiceProtocol> {
  /** The service as an actor: to monitor others, to set timers, to register a name in `init`. */
  readonly self: ServiceSelf<P>;
}

/** `this` in the handler of a call. */
export interface CallContext<P extends ServiceProtocol = ServiceProtocol, R = unknown>
  extends ServiceContext<P> {
  /** The call: keep it to `reply` later, and return {@linkcode noReply}. */
  readonly call: Call<unknown, R>;
}

/** A value, or a promise of it. */
export type Later<T> = T | Promise<T>;

/** The new state, or an {@linkcode Outcome}. */
export type Next<State> = Later<State | Outcome<State>>;

/** `[reply, state]`, or an {@linkcode Outcome}. */
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

/** The parts of a definition that no protocol requires. */
export interface ServiceHandlers<P extends ServiceProtocol> {
  /** The name that reports use, and under which `node.expose` exposes it. Default "service". */
  readonly name?: string | undefined;
  /** The first state, from the arguments of `start`, which waits for it and rejects if it throws. */
  init(this: ServiceContext<P>, ...args: StartArgs<P>): Next<P["state"]>;
  /** Any other message, also the runtime's: `Down`, `Exit`, … Default: ignored. */
  info?(this: ServiceContext<P>, state: P["state"], message: InfoMessage<P>): Next<P["state"]>;
  /** Runs after a handler that returned {@linkcode continueWith}. */
  continue?(this: ServiceContext<P>, state: P["state"], value: unknown): Next<P["state"]>;
  /** Runs when no message was handled for `idleMs`, and again after the same time. */
  idle?(this: ServiceContext<P>, state: P["state"]): Next<P["state"]>;
  /**
   * Stores the state under a key, so that it outlives the actor: one that is started again has what was stored last
   * in place of what `init` returns. `key` is a text, or a function of the arguments of `start`. A call that was
   * answered is stored before. A state is stored as `encodeTerm` encodes it.
   */
  readonly persist?:
    | PersistOptions & { readonly key: string | ((...args: StartArgs<P>) => string) }
    | undefined;
  /** The time without messages until `idle` runs. Milliseconds. Default: never. */
  readonly idleMs?: number | undefined;
  /**
   * Delivers exit signals of linked actors to `info`, as `Exit` messages. Those of its parent and of the
   * node still end it. Default false.
   */
  readonly trapExit?: boolean | undefined;
  /**
   * Runs before it ends: by `stop`, by the end of its parent or of a linked actor, or because a handler
   * threw. Not when it is killed, nor when `init` failed.
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

/** Members of a protocol that have no meaning. Their names are the compiler's message. */
export type UnknownMembers<P> = {
  readonly [
    K in
      & Exclude<keyof P, keyof ServiceProtocol>
      & string as `${K} is not part of a protocol: use state, start, call, cast, info`
  ]: never;
};

/** The protocol of a `service(…)` without one. The name of its member is the compiler's message. */
export interface NoProtocol extends ServiceProtocol {
  /** Anything else. */
  readonly [member: string]: unknown;
  /** Never present. */
  readonly "write the protocol: service<{ state: …; call: { … } }>({ … })": never;
}
