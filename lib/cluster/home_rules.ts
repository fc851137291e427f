/**
 * Defines the parameters of a {@linkcode HomeActor}: the options of its kind, and its interfaces to
 * groups, names and events.
 *
 * @module
 */
import type { Self } from "../actor/self.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { GroupChange, NameChange } from "./changes.ts";
import type { Incarnation } from "./singleton_definition.ts";

/** Options of a kind, with defaults. */
export interface HomeRules {
  /** Relative share of keys. 0: this node only makes calls. */
  readonly weight: number;
  /** Starts the actor of a key, linked with `self`. */
  start(
    self: Self,
    key: string,
    incarnation: Omit<Incarnation, "handover">,
  ): Pid<never> | Promise<Pid<never>>;
  /**
   * Returns the state that is handed over when a key moves. The actor is stopped afterwards.
   * Default: no state is handed over.
   */
  handover?(pid: Pid<never>, key: string): unknown;
  /**
   * Makes an actor exit after it has handled the messages in its mailbox. Default: sends the exit
   * signal "shutdown".
   */
  stop?(pid: Pid<never>, key: string): void;
  /**
   * Number of keys per second that are moved to a joining node. In addition, keys that are called
   * on that node move at once.
   */
  readonly movesPerSecond: number;
  /**
   * Time without messages after which an actor is stopped, in milliseconds. `Infinity`: actors are
   * not stopped.
   */
  readonly passivateAfter: number;
  /** Whether a crashed actor is restarted at once, instead of by the next message. */
  readonly restart: boolean;
  readonly intensity: number;
  readonly period: number;
}

/** The interface from the actor to groups, names and events. */
export interface HomePorts {
  readonly kind: string;
  /** Joins the group of nodes that offer the kind. Returns a function that leaves it. */
  join(pid: Pid): () => void;
  /** Sends an actor a `GroupChange` now, and whenever a node joins or leaves the group. */
  monitor(pid: Pid<GroupChange>): void;
  /** Returns the connected nodes. */
  peers(): string[];
  /** Resolves when a node has sent its groups, or its session has ended. */
  synced(node: string): Promise<void>;
  /** The locks that protect keys with a quorum. Undefined if the kind has no quorum. */
  readonly lock:
    | {
      /** Returns the key that a lock protects, by the lock's name. */
      keyOf(name: string): string;
      acquire(key: string, pid: Pid): Promise<boolean>;
      /** Returns the fencing token of a lock that this node has acquired. */
      token(key: string): number | undefined;
      release(key: string): void;
      /**
       * Sends an actor a `NameChange` whenever the lock moves. Returns a function that stops these
       * messages.
       */
      watch(key: string, pid: Pid<NameChange>): () => void;
    }
    | undefined;
  /** Emits the event "moved": this node has handed a key over to the node `to`. */
  moved(key: string, to: string): void;
  /** Emits the event "keygivenup": the actor of a key has crashed too often. */
  givenUp(key: string, reason: ExitReason): void;
  /** Logs a warning, for example that the state of a key cannot be sent. */
  warn(words: string): void;
}
