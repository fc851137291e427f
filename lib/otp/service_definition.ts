/**
 * What a service is described by: its handlers, and what they may give.
 *
 * @module
 */
import type { Call } from "../actor/call.ts";
import type { Self } from "../actor/self.ts";
import type { ExitReason } from "../term/exit.ts";

/** What is to happen besides the new state. Each is there, or is not. */
export interface Effects {
  /** The call is answered with this. */
  readonly reply?: { readonly value: unknown };
  /** The service ends for this reason. */
  readonly stop?: { readonly reason: ExitReason };
  /** `continue` is called with this. */
  readonly continueWith?: { readonly value: unknown };
}

/** What a handler may give in place of a new state: see {@linkcode noReply}, {@linkcode stop}. */
export class Outcome<State> {
  /** The new state. */
  readonly state: State;
  /** What else is to happen. */
  readonly besides: Effects;

  /** For `noReply`, `stop` and `continueWith`. */
  constructor(state: State, besides: Effects) {
    this.state = state;
    this.besides = besides;
  }
}

/** From a call handler: it will answer later, through the `this.call` that it kept. */
export function noReply<State>(state: State): Outcome<State> {
  return new Outcome(state, {});
}

/** From any handler: the service ends after this, for this reason. A call may still be answered. */
export function stop<State>(
  reason: ExitReason,
  state: State,
  ...reply: readonly [] | readonly [unknown]
): Outcome<State> {
  const stopping = { stop: { reason } };
  return new Outcome(
    state,
    reply.length === 0 ? stopping : { ...stopping, reply: { value: reply[0] } },
  );
}

/** From `init`: `continue` is called with `value` before any message is looked at. */
export function continueWith<State>(state: State, value?: unknown): Outcome<State> {
  return new Outcome(state, { continueWith: { value } });
}

/** What a handler finds in `this`. */
export interface ServiceContext {
  /** The service as an actor: to monitor others, to set timers, to register a name in `init`. */
  readonly self: Self;
  /** In a call handler: the call, to answer later with its `reply`, or to `refuse`. */
  readonly call: Call | undefined;
}

/** Arguments, of whatever types the definition gives them. */
// deno-lint-ignore no-explicit-any -- that is what they are
export type Args = any[];
/** A value, or a promise of it. */
export type Later<T> = T | Promise<T>;
/** Answers a call: gives the reply and the new state. */
// deno-lint-ignore no-explicit-any -- the state is the definition's
export type CallHandler<State = any> = (
  this: ServiceContext,
  state: State,
  ...args: Args
) => Later<[unknown, State] | Outcome<State>>;
/** Takes a cast: gives the new state. */
// deno-lint-ignore no-explicit-any -- as above
export type CastHandler<State = any> = (
  this: ServiceContext,
  state: State,
  ...args: Args
) => Later<State | Outcome<State>>;

/** A service, as the user describes it. */
export interface ServiceDefinition<
  State,
  Init extends Args,
  Calls extends Record<string, CallHandler>,
  Casts extends Record<string, CastHandler>,
> {
  /** The first state, from the arguments of `start`, which waits for it and fails if it throws. */
  init(this: ServiceContext, ...args: Init): Later<State | Outcome<State>>;
  /** What can be asked: each gives `[reply, state]`. */
  readonly call?: Calls | undefined;
  /** What can be told: each gives the new state. */
  readonly cast?: Casts | undefined;
  /** Any other message. Default: it is ignored. */
  info?(this: ServiceContext, state: State, message: unknown): Later<State | Outcome<State>>;
  /** After an `init` that went on with {@linkcode continueWith}. */
  continue?(this: ServiceContext, state: State, value: unknown): Later<State | Outcome<State>>;
  /** No message was handled for `idleMs`; and again after as long. */
  idle?(this: ServiceContext, state: State): Later<State | Outcome<State>>;
  /** How long nothing must come until `idle` is called. Milliseconds. */
  readonly idleMs?: number | undefined;
  /**
   * True: exit signals of linked actors come to `info`, as `Exit`s. That of its parent, or of the node,
   * ends it all the same.
   */
  readonly trapExit?: boolean | undefined;
  /**
   * It is about to end: by `stop`, by the end of its parent or of a linked actor, or because a handler
   * threw. Not when it is killed, nor when `init` failed.
   */
  terminate?(this: ServiceContext, state: State, reason: ExitReason): Later<void>;
}
