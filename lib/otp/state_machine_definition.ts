/**
 * The types of a state machine: its protocol, and its table of states, events and timeouts.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { HandlerArgs, Later, Reply, ServiceContext, StartArgs } from "./service_definition.ts";
import type { CallContext } from "./service_definition.ts";
import type { PersistOptions } from "./store.ts";

/** What a state machine is in, what it keeps, and what it can be sent. */
export interface MachineProtocol {
  /** The names of its states, as a union of texts. */
  readonly states: string;
  /** What it keeps beside its state. */
  readonly data: unknown;
  /** The arguments of `start` and `data`. Default: none. */
  readonly start?: readonly unknown[];
  /** Events that are answered, as functions from their arguments to the reply. */
  readonly call?: object;
  /** Events that are not answered, as functions of their arguments. */
  readonly cast?: object;
}

/** The state of a machine as `service.state` returns it, and as it is stored. */
export interface MachineState<P extends MachineProtocol = MachineProtocol> {
  /** The state that it is in. */
  readonly state: P["states"];
  /** Its data. */
  readonly data: P["data"];
  /** When the timeouts are due that are set: milliseconds since 1970. Undefined: it has not entered its first state. */
  readonly due: Readonly<Record<string, number>> | undefined;
}

/** A state machine as a service, for callers. */
export type MachineService<P extends MachineProtocol> =
  & { readonly state: MachineState<P> }
  & (P extends { readonly start: infer A extends readonly unknown[] } ? { readonly start: A }
    : unknown)
  & (P extends { readonly call: infer C extends object } ? { readonly call: C } : unknown)
  & (P extends { readonly cast: infer C extends object } ? { readonly cast: C } : unknown);

/** The functions of the calls of a protocol. */
export type MachineCalls<P> = P extends { readonly call: infer C extends object } ? C
  : Record<never, never>;

/** The functions of the casts of a protocol. */
export type MachineCasts<P> = P extends { readonly cast: infer C extends object } ? C
  : Record<never, never>;

/** What a handler has decided. All parts are optional. */
export interface MachineEffects<P extends MachineProtocol> {
  /** The new data. Default: the same. */
  readonly data?: P["data"] | undefined;
  /** The next state: one of those that the rule names in `to`. The same state: it is not left. */
  readonly to?: P["states"] | undefined;
  /** A cast of the protocol that is handled next, before all messages: an internal event. */
  readonly next?: readonly [event: keyof MachineCasts<P> & string, ...args: unknown[]] | undefined;
  /** Named timeouts: sets one, in milliseconds, or cancels it with `undefined`. They outlive changes of the state. */
  readonly timeouts?: Readonly<Record<string, number | undefined>> | undefined;
  /** Ends the machine for this reason. */
  readonly stop?: ExitReason | undefined;
}

/** What the handler of a call returns: it replies, now or later by the `this.call` that it keeps. */
export type MachineAnswer<P extends MachineProtocol, R> =
  & MachineEffects<P>
  & ({ readonly reply: R } | { readonly noReply: true });

/** The states that a rule leads to. A handler that has several chooses by `to` of its effects. */
export type MachineTargets<P extends MachineProtocol> = P["states"] | readonly P["states"][];

/** An event that waits until the state changes, and is then handled as if it had just come. */
export interface Postponed {
  /** Always true. */
  readonly postpone: true;
}

/** What happens at an event: a state to go to, or a handler; one without `to` stays in the state. */
export type MachineRule<P extends MachineProtocol, Args extends unknown[], Result, Context> =
  | Postponed
  | ((this: Context, data: P["data"], ...args: Args) => Later<Result>)
  | {
    readonly to: MachineTargets<P>;
    readonly run: (this: Context, data: P["data"], ...args: Args) => Later<Result>;
  };

/** A rule of an event that needs no answer. */
export type MachineCastRule<P extends MachineProtocol, Args extends unknown[]> =
  | P["states"]
  | MachineRule<P, Args, MachineEffects<P> | void, ServiceContext>;

/** A rule of a call. */
export type MachineCallRule<P extends MachineProtocol, F> =
  | (Reply<F> extends void ? P["states"] : never)
  | MachineRule<P, HandlerArgs<F>, MachineAnswer<P, Reply<F>>, CallContext>;

/** A timeout of a state. */
export interface MachineTimeout<P extends MachineProtocol> {
  /** Milliseconds. */
  readonly ms: number;
  /** Where it leads. */
  readonly to: MachineTargets<P>;
  /** Runs when it fires. */
  readonly run?:
    | ((this: ServiceContext, data: P["data"]) => Later<MachineEffects<P> | void>)
    | undefined;
}

/** The events of a state. One that has no rule is rejected if it is a call, and ignored otherwise. */
export interface MachineEvents<P extends MachineProtocol> {
  /** The rules, by the names of calls and casts. */
  readonly on?:
    | (
      & { readonly [E in keyof MachineCalls<P>]?: MachineCallRule<P, MachineCalls<P>[E]> }
      & {
        readonly [E in keyof MachineCasts<P>]?: MachineCastRule<P, HandlerArgs<MachineCasts<P>[E]>>;
      }
    )
    | undefined;
  /** The rules of named timeouts. */
  readonly timeouts?: Readonly<Record<string, MachineCastRule<P, []>>> | undefined;
}

/** A state. */
export interface MachineStateRules<P extends MachineProtocol> extends MachineEvents<P> {
  /** Fires so long after the state was entered, if it was not left before. OTP's state timeout. */
  readonly after?: MachineTimeout<P> | undefined;
  /** Fires when no event was handled for so long. OTP's event timeout. */
  readonly idle?: MachineTimeout<P> | undefined;
  /** Runs when the state is entered. It cannot change the state. */
  readonly enter?:
    | ((this: ServiceContext, data: P["data"]) => Omit<MachineEffects<P>, "to" | "stop"> | void)
    | undefined;
  /** Runs when the state is left. Returns the new data, or nothing. */
  readonly exit?: ((this: ServiceContext, data: P["data"]) => P["data"] | void) | undefined;
}

/** A state machine. */
export interface MachineDefinition<P extends MachineProtocol> {
  /** The name that reports use, and under which `node.expose` exposes it. Default "machine". */
  readonly name?: string | undefined;
  /** The first state. */
  readonly initial: P["states"];
  /** The first data, from the arguments of `start`. */
  readonly data: (this: ServiceContext, ...args: StartArgs<MachineService<P>>) => Later<P["data"]>;
  /** The states. */
  readonly states: { readonly [S in P["states"]]: MachineStateRules<P> };
  /** Events of all states that have no rule of their own for them. */
  readonly any?: MachineEvents<P> | undefined;
  /** Stores state, data and timeouts, as of services. */
  readonly persist?:
    | PersistOptions & {
      readonly key: string | ((...args: StartArgs<MachineService<P>>) => string);
    }
    | undefined;
}
