/**
 * Stores the state of another node that takes part in a kind: its weight, and the keys that it
 * still runs.
 *
 * @module
 */
import type { Pid, Ref } from "../term/pid.ts";

/** Messages between the actors of a kind. */
export type HomeMessage =
  /** Contains the weight of the sender. 0: the sender is not the home of any key. */
  | { readonly $home: "hello"; readonly from: Pid; readonly weight: number }
  /**
   * Lists keys that the sender still has, but must give up because the receiver ranks higher for
   * them. `last` ends the list.
   */
  | {
    readonly $home: "keys";
    readonly from: Pid;
    readonly keys: readonly string[];
    readonly last: boolean;
  }
  /** Requests that the receiver hand over a key now. */
  | { readonly $home: "pull"; readonly from: Pid; readonly key: string }
  /** Reports that the sender no longer runs a key and has no state of it. */
  | { readonly $home: "gone"; readonly from: Pid; readonly key: string };

/**
 * The request that hands over a key with its state. The reply confirms that the receiver has taken
 * it over.
 */
export interface HandOver {
  readonly $home: "moved";
  readonly from: Pid;
  readonly key: string;
  readonly state: unknown;
}

/**
 * The request of a leaving node. The reply confirms that the receiver will send the leaving node no
 * further messages for keys.
 */
export interface Leaving {
  readonly $home: "leaving";
  readonly from: Pid;
}

/** A request or message for a key, sent to the actor of its kind. */
export interface Keyed {
  readonly $key: string;
  readonly body: unknown;
}

/** Another node that takes part in a kind. */
export class HomeMember {
  readonly pid: Pid;
  readonly monitor: Ref;
  /**
   * The member's weight. Undefined until it is known; 0 if the member only makes calls, or is
   * leaving.
   */
  weight: number | undefined = undefined;
  /** Whether the member offers the kind, or has offered it and may therefore still run keys. */
  offers = false;
  /** Whether the member has sent the list of the keys that it still has. */
  hasListed = false;
  /**
   * Keys that the member has listed and must still hand over to this node, which ranks higher than
   * the member for them.
   */
  readonly expected: Set<string> = new Set();
  /** Keys that this node has listed to the member, and must still hand over to it. */
  readonly promised: Set<string> = new Set();
  /** The list that is being sent to the member, in portions. A later list replaces it. */
  listing: object | undefined = undefined;

  constructor(pid: Pid, monitor: Ref) {
    this.pid = pid;
    this.monitor = monitor;
  }
}

/** Returns whether a message is a {@linkcode HomeMessage}. */
export function isHomeMessage(message: unknown): message is HomeMessage {
  return typeof (message as { $home?: unknown } | null)?.$home === "string";
}

/** Returns whether a message or a request is for a key. */
export function isKeyed(message: unknown): message is Keyed {
  return typeof (message as { $key?: unknown } | null)?.$key === "string";
}

/** Returns whether a request is a {@linkcode Leaving}. */
export function isLeaving(request: unknown): request is Leaving {
  return (request as { $home?: unknown } | null)?.$home === "leaving";
}

/** Returns whether a request is a {@linkcode HandOver}. */
export function isHandOver(request: unknown): request is HandOver {
  return (request as { $home?: unknown } | null)?.$home === "moved";
}
