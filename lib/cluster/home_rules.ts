/**
 * What a {@linkcode HomeActor} is given: how its kind is run, and its ports to groups, names and events.
 *
 * @module
 */
import type { Self } from "../actor/self.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { GroupChange, NameChange } from "./changes.ts";
import type { Incarnation } from "./singleton.ts";

/** How a kind is run. */
export interface HomeRules {
  /** 0: this node calls only. */
  readonly weight: number;
  /** Starts the actor of a key, linked with `self`. */
  start(
    self: Self,
    key: string,
    incarnation: Omit<Incarnation, "handover">,
  ): Pid<never> | Promise<Pid<never>>;
  /** Returns the state that the next actor gets, when a key moves. Default: none. The actor is stopped after it. */
  handover?(pid: Pid<never>, key: string): unknown;
  /** Asks an actor to end, after the messages that it has got. Default: the exit signal "shutdown". */
  stop?(pid: Pid<never>, key: string): void;
  /** Keys per second that are moved to a node that has joined, beside those that are called there. */
  readonly movesPerSecond: number;
  /** An actor without calls for this long is stopped. Milliseconds; `Infinity`: never. */
  readonly passivateAfter: number;
  /** Whether a crashed actor is started again at once, or by the next message. */
  readonly restart: boolean;
  readonly intensity: number;
  readonly period: number;
}

/** What the actor needs of groups, names and events. */
export interface HomePorts {
  readonly kind: string;
  /** Joins the group of the nodes that offer the kind; returns what leaves it. */
  join(pid: Pid): () => void;
  /** Sends a `GroupChange` now, and whenever a node joins or leaves. */
  monitor(pid: Pid<GroupChange>): void;
  /** Obtains the lock of a key, with a quorum; undefined: the kind needs none. */
  readonly lock:
    | {
      /** The key that a lock is of, by its name. */
      keyOf(name: string): string;
      acquire(key: string, pid: Pid): Promise<boolean>;
      /** The fencing token of a key that is held. */
      token(key: string): number | undefined;
      release(key: string): void;
      /** Sends a `NameChange` whenever it moves. */
      watch(key: string, pid: Pid<NameChange>): () => void;
    }
    | undefined;
  /** A key has been handed over. */
  moved(key: string, to: string): void;
  /** The actor of a key has crashed too often. */
  givenUp(key: string, reason: ExitReason): void;
  /** A state could not be sent. */
  warn(words: string): void;
}
