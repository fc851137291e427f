/**
 * Defines the types of a singleton: its child, its options, and the global names that it uses.
 *
 * @module
 */
import type { Self } from "../actor/self.ts";
import type { LocalChildSpec, Started } from "../otp/child.ts";
import type { Pid } from "../term/pid.ts";
import type { Lease } from "./lease.ts";
import type { Quorum } from "./quorum.ts";

/** The data with which a child is started. */
export interface Incarnation {
  /**
   * Fencing token, with `quorum` or `lease`: an integer that is higher than that of every earlier
   * incarnation. A store that receives it with each write can reject late writes of earlier
   * incarnations. Otherwise `undefined`.
   */
  readonly token: number | undefined;
  /**
   * The last argument of `handover` on the previous node, after a planned move. Otherwise
   * `undefined`.
   */
  readonly state: unknown;
  /**
   * Sets the `state` that the next child receives if this child is stopped by a planned move:
   * `Singleton.stop` or `Node.leave`. Only the last call has an effect. A child that calls it last
   * when it stops, in a service's `terminate`, loses nothing that it has acknowledged. The state
   * must be a term, because it is sent to another node.
   */
  readonly handover: (state: unknown) => void;
}

/** The child of a singleton. */
export interface SingletonChild extends Omit<LocalChildSpec, "start"> {
  /**
   * Starts the child, as in {@linkcode LocalChildSpec}. `incarnation` contains the fencing token
   * and the state that was handed over.
   */
  readonly start: (self: Self, incarnation: Incarnation) => Started | Promise<Started>;
}

/** Options of a singleton: supervision, and what happens in a network partition. */
export interface SingletonOptions {
  /**
   * Maximum number of restarts within `period`. When it is exceeded, another node takes over.
   * Default 3.
   */
  readonly intensity?: number | undefined;
  /** Time window of `intensity`, in milliseconds. Default 5000. */
  readonly period?: number | undefined;
  /** Time limit of `singleton`, in milliseconds, or `Infinity`. Default 30,000. */
  readonly timeout?: number | undefined;
  /**
   * The number of nodes that must grant the singleton, or `"majority"`. A side of a partition with
   * fewer nodes runs no child. It must be the same on all nodes. Default: each side of a partition
   * runs a child until they connect again.
   */
  readonly quorum?: Quorum | undefined;
  /** An authority outside of the cluster that decides, instead of `quorum`. Default: none. */
  readonly lease?: Lease | undefined;
}

/** Options with which a manager tries to acquire the lock. */
export interface LockTerms {
  readonly quorum: Quorum | undefined;
  readonly token: number | undefined;
  readonly replace: boolean;
  refused(owner: string): void;
}

/** The part of global names that a singleton uses. */
export interface SingletonNames {
  readonly name: string;
  /** Returns the manager that has the lock. */
  holder(): Pid<never> | undefined;
  lock(pid: Pid<never>, terms: LockTerms): Promise<boolean>;
  unlock(): void;
  /** Returns the token of this node's lock. */
  token(): number | undefined;
  /** Sends an actor a message whenever the lock or the child's name has changed. */
  monitor(pid: Pid<unknown>): void;
  /** Registers the child's name. */
  register(pid: Pid<never>): Promise<boolean>;
  /** Returns the registered child, if there is one. */
  whereis(): Pid<never> | undefined;
  /** Announces this manager to the managers of other nodes. */
  join(pid: Pid<never>): void;
  /** Returns the managers of other nodes. */
  others(): Pid<never>[];
}
