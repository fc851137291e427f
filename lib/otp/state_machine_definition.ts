/**
 * The types of a state machine: its protocol, and its table of states, events and timeouts.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { HandlerArgs, Later, Reply, ServiceContext, StartArgs } from "./service_definition.ts";
import type { CallContext } from "./service_definition.ts";
import type { PersistOptions } from "./store.ts";

/** The protocol of a state machine: its states, data and events. */
export interface MachineProtocol {
  /** The names of the states, as a union of string literals. */
  readonly states: string;
  /** The data of the machine. */
  readonly data: unknown;
  /** The arguments of `start` and `data`. Default: none. */
  readonly start?: readonly unknown[];
  /** Events with a reply, as functions from their arguments to the reply. */
  readonly call?: object;
  /** Events without a reply, as functions of their arguments. */
  readonly cast?: object;
}

/** The state of a machine, as stored and as returned by `service.state`. */
export interface MachineState<P extends MachineProtocol = MachineProtocol> {
  /** The current state. */
  readonly state: P["states"];
  /** The data of the machine. */
  readonly data: P["data"];
  /**
   * Times at which the active timeouts fire, in milliseconds since 1970, by the key of the timeout.
   * Undefined before the first state is entered.
   */
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

/** What a handler changes: the data, the state or timeouts. All members are optional. */
export interface MachineEffects<P extends MachineProtocol> {
  /** The new data of the machine. Default: unchanged. */
  readonly data?: P["data"] | undefined;
  /**
   * The next state, one of the rule's `to`. If it is the current state, the state is neither left
   * nor entered again. Default: the same state.
   */
  readonly to?: P["states"] | undefined;
  /**
   * An internal event that is handled before all messages: a cast of the protocol and its
   * arguments. Default: none.
   */
  readonly next?: readonly [event: keyof MachineCasts<P> & string, ...args: unknown[]] | undefined;
  /**
   * Sets named timeouts in milliseconds, or cancels them with `undefined`. A change of the state
   * does not cancel them. Default: all named timeouts stay.
   */
  readonly timeouts?: Readonly<Record<string, number | undefined>> | undefined;
  /** Ends the machine with this exit reason. Default: the machine continues. */
  readonly stop?: ExitReason | undefined;
}

/**
 * The result of the handler of a call: a reply, or nothing if the machine replies later with a
 * stored `this.call`.
 */
export type MachineAnswer<P extends MachineProtocol, R> =
  & MachineEffects<P>
  & ({ readonly reply: R } | { readonly noReply: true });

/**
 * The possible next states of a rule. If there are several, the handler chooses one with `to` in
 * its effects.
 */
export type MachineTargets<P extends MachineProtocol> = P["states"] | readonly P["states"][];

/** A rule that keeps an event until the state changes, and then handles it again. */
export interface Postponed {
  /** Always true. Marks the rule. */
  readonly postpone: true;
}

/** A rule that postpones an event, or calls a handler. Without `to`, the state does not change. */
export type MachineRule<P extends MachineProtocol, Args extends unknown[], Result, Context> =
  | Postponed
  | ((this: Context, data: P["data"], ...args: Args) => Later<Result>)
  | {
    readonly to: MachineTargets<P>;
    readonly run: (this: Context, data: P["data"], ...args: Args) => Later<Result>;
  };

/** A rule of an event without a reply. */
export type MachineCastRule<P extends MachineProtocol, Args extends unknown[]> =
  | P["states"]
  | MachineRule<P, Args, MachineEffects<P> | void, ServiceContext>;

/** A rule of an event with a reply. */
export type MachineCallRule<P extends MachineProtocol, F> =
  | (Reply<F> extends void ? P["states"] : never)
  | MachineRule<P, HandlerArgs<F>, MachineAnswer<P, Reply<F>>, CallContext>;

/** A timeout of a state. */
export interface MachineTimeout<P extends MachineProtocol> {
  /** Milliseconds after which the timeout fires. */
  readonly ms: number;
  /** The next state after the timeout, or several states of which `run` chooses one. */
  readonly to: MachineTargets<P>;
  /** Called when the timeout fires. */
  readonly run?:
    | ((this: ServiceContext, data: P["data"]) => Later<MachineEffects<P> | void>)
    | undefined;
}

/**
 * The rules of a state. A call without a rule is rejected; other events without a rule are ignored.
 */
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

/** The rules of one state. */
export interface MachineStateRules<P extends MachineProtocol> extends MachineEvents<P> {
  /**
   * Fires after this time in the state. Corresponds to OTP's state timeout. Default: no timeout.
   */
  readonly after?: MachineTimeout<P> | undefined;
  /**
   * Fires after this time without a handled event; ignored and postponed events do not restart it.
   * Corresponds to OTP's event timeout. Default: no timeout.
   */
  readonly idle?: MachineTimeout<P> | undefined;
  /** Called when the state is entered. It cannot change the state. Default: nothing is called. */
  readonly enter?:
    | ((this: ServiceContext, data: P["data"]) => Omit<MachineEffects<P>, "to" | "stop"> | void)
    | undefined;
  /**
   * Called when the state is left. Returns the new data, or undefined to keep the data. Default:
   * nothing is called.
   */
  readonly exit?: ((this: ServiceContext, data: P["data"]) => P["data"] | void) | undefined;
}

/** The definition of a state machine. */
export interface MachineDefinition<P extends MachineProtocol> {
  /**
   * The name in reports, and the name under which `node.expose` exposes the machine. Default
   * "machine".
   */
  readonly name?: string | undefined;
  /** The initial state. */
  readonly initial: P["states"];
  /** Returns the initial data, from the arguments of `start`. */
  readonly data: (this: ServiceContext, ...args: StartArgs<MachineService<P>>) => Later<P["data"]>;
  /** The rules of each state, by the name of the state. */
  readonly states: { readonly [S in P["states"]]: MachineStateRules<P> };
  /** Rules for events in states without a rule for the event. Default: no rules. */
  readonly any?: MachineEvents<P> | undefined;
  /** Stores state, data and timeouts, as for services. Default: they are not stored. */
  readonly persist?:
    | PersistOptions & {
      readonly key: string | ((...args: StartArgs<MachineService<P>>) => string);
    }
    | undefined;
}
