/**
 * What one node knows of the other nodes that take part in a kind: their weights, whether they have listed
 * the keys that they still have, and these keys.
 *
 * @module
 */
import type { Pid, Ref } from "../term/pid.ts";

/** What the actors of a kind send each other. */
export type HomeMessage =
  /** The weight of the sender; 0: it is no home of any key, now or any more. */
  | { readonly $home: "hello"; readonly from: Pid; readonly weight: number }
  /** Keys that the sender still has, and that are the receiver's. `last`: there are no more. */
  | {
    readonly $home: "keys";
    readonly from: Pid;
    readonly keys: readonly string[];
    readonly last: boolean;
  }
  /** Asks to hand over a key now. */
  | { readonly $home: "pull"; readonly from: Pid; readonly key: string }
  /** The sender has a key no more, and there is no state of it. */
  | { readonly $home: "gone"; readonly from: Pid; readonly key: string };

/** Hands over a key with its state: a call, answered when the receiver is responsible for it. */
export interface HandOver {
  readonly $home: "moved";
  readonly from: Pid;
  readonly key: string;
  readonly state: unknown;
}

/** Tells that the sender leaves: a call, answered when the receiver sends it no more messages for keys. */
export interface Leaving {
  readonly $home: "leaving";
  readonly from: Pid;
}

/** What callers send to the actor of a kind: a call with this request, or this as a message. */
export interface Keyed {
  readonly $key: string;
  readonly body: unknown;
}

/** The other end of a pair of nodes that take part in a kind. */
export class HomeMember {
  readonly pid: Pid;
  readonly monitor: Ref;
  /** Undefined until it has told; 0: it takes part as a caller only, or leaves. */
  weight: number | undefined = undefined;
  /** Whether it offers the kind, or did so: then it may have keys. */
  offers = false;
  /** Whether it has listed all keys that it still has, and that are ours. */
  hasListed = false;
  /** Keys that it still has, and that are ours. */
  readonly expected: Set<string> = new Set();
  /** Keys that we still have, and that it expects from us. */
  readonly promised: Set<string> = new Set();

  constructor(pid: Pid, monitor: Ref) {
    this.pid = pid;
    this.monitor = monitor;
  }
}

/** Whether a message is of the given form. */
export function isHomeMessage(message: unknown): message is HomeMessage {
  return typeof (message as { $home?: unknown } | null)?.$home === "string";
}

/** Whether a message or a request is for a key. */
export function isKeyed(message: unknown): message is Keyed {
  return typeof (message as { $key?: unknown } | null)?.$key === "string";
}

/** Whether a request tells that a node leaves. */
export function isLeaving(request: unknown): request is Leaving {
  return (request as { $home?: unknown } | null)?.$home === "leaving";
}

/** Whether a request hands over a key. */
export function isHandOver(request: unknown): request is HandOver {
  return (request as { $home?: unknown } | null)?.$home === "moved";
}
