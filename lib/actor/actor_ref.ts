/**
 * The state of one actor that names, signals, timers and calls use. `Actor` extends `ActorRef` with
 * a body.
 *
 * Most actors have no links, names or timers, and there may be millions. This state is therefore
 * kept in a separate object that is allocated on first use.
 *
 * @module
 */
import type { Pid, Ref } from "../term/pid.ts";
import type { ExitReason } from "../term/exit.ts";
import { Mailbox, type MailboxPolicy } from "./mailbox.ts";

/** A monitor of one actor on another. */
export interface Monitor {
  readonly ref: Ref;
  readonly watcher: ActorRef;
  readonly target: ActorRef;
}

/** An element of the linked list of objects that are attached to an actor. */
export interface Chained {
  following: Chained | undefined;
  preceding: Chained | undefined;
  /**
   * Called when the actor exits. Returns true if more work is left, so that it must be called
   * again.
   */
  drop(reason: ExitReason): void | boolean;
}

/** The maximum length of a mailbox, and what happens to further messages. */
export interface MailboxBound {
  readonly max: number;
  readonly policy: MailboxPolicy;
}

/** The rarely used state of an actor, allocated on first use. */
class Extras {
  names: string | Set<string> | undefined = undefined;
  bound: MailboxBound | undefined = undefined;
  trapping = false;
  links: Set<Pid> | undefined = undefined;
  monitors: Map<number, Monitor> | undefined = undefined;
  watchers: Monitor | Set<Monitor> | undefined = undefined;
  chain: Chained | undefined = undefined;
  lineage: readonly Pid[] | undefined = undefined;
  abort: AbortController | undefined = undefined;
  suspendedAs: number | undefined = undefined;
}

/** A reference to an actor, on this node or on another. */
export abstract class ActorRef extends Mailbox {
  abstract readonly pid: Pid<unknown>;
  /**
   * The rarely used state of the actor. If the actor has one name and no other such state, only
   * that name is stored.
   */
  #extras: Extras | string | undefined = undefined;

  // Static, because a class with private methods stores an extra word in each instance.
  static #of(actorRef: ActorRef): Extras | undefined {
    const extras = actorRef.#extras;
    return typeof extras === "object" ? extras : undefined;
  }

  static #make(actorRef: ActorRef): Extras {
    const extras = actorRef.#extras;
    if (typeof extras === "object") return extras;
    const made = new Extras();
    made.names = extras;
    return actorRef.#extras = made;
  }

  /** The registered names of the actor: usually none or one. */
  get names(): string | Set<string> | undefined {
    const extras = this.#extras;
    return typeof extras === "object" ? extras.names : extras;
  }

  set names(names: string | Set<string> | undefined) {
    const extras = this.#extras;
    if (typeof extras === "object") extras.names = names;
    else if (typeof names === "object") ActorRef.#make(this).names = names;
    else this.#extras = names;
  }

  /** The bound of the actor's mailbox, if it has one. */
  get bound(): MailboxBound | undefined {
    return ActorRef.#of(this)?.bound;
  }

  set bound(bound: MailboxBound | undefined) {
    ActorRef.#make(this).bound = bound;
  }

  /** Whether exit signals are converted to messages. */
  get trapping(): boolean {
    return ActorRef.#of(this)?.trapping === true;
  }

  set trapping(trapping: boolean) {
    ActorRef.#make(this).trapping = trapping;
  }

  /** The pids of linked actors. */
  get links(): Set<Pid> | undefined {
    return ActorRef.#of(this)?.links;
  }

  set links(links: Set<Pid> | undefined) {
    ActorRef.#make(this).links = links;
  }

  /** The monitors that this actor has set on other actors, by the number of their reference. */
  get monitors(): Map<number, Monitor> | undefined {
    return ActorRef.#of(this)?.monitors;
  }

  set monitors(monitors: Map<number, Monitor> | undefined) {
    ActorRef.#make(this).monitors = monitors;
  }

  /**
   * The monitors that other actors have set on this actor, in order. A single monitor is stored
   * without a set, because most actors have at most one.
   */
  get watchers(): Monitor | Set<Monitor> | undefined {
    return ActorRef.#of(this)?.watchers;
  }

  /** Adds a monitor that another actor has set on this actor. */
  addWatcher(monitor: Monitor): void {
    const extras = ActorRef.#make(this);
    const { watchers } = extras;
    if (watchers === undefined) extras.watchers = monitor;
    else if (watchers instanceof Set) watchers.add(monitor);
    else extras.watchers = new Set([watchers, monitor]);
  }

  /** Removes a monitor that another actor has set on this actor. */
  removeWatcher(monitor: Monitor): void {
    const watchers = ActorRef.#of(this)?.watchers;
    if (watchers === monitor) this.clearWatchers();
    else if (watchers instanceof Set && watchers.delete(monitor) && watchers.size === 0) {
      this.clearWatchers();
    }
  }

  /** Removes all monitors that other actors have set on this actor. */
  clearWatchers(): void {
    const extras = ActorRef.#of(this);
    if (extras !== undefined) extras.watchers = undefined;
  }

  /** The head of the list of timers and calls that are attached to the actor. */
  get chain(): Chained | undefined {
    return ActorRef.#of(this)?.chain;
  }

  set chain(chain: Chained | undefined) {
    ActorRef.#make(this).chain = chain;
  }

  /**
   * The pids of this actor and its ancestors, nearest first, for its children. Created when the
   * first child is spawned.
   */
  get lineage(): readonly Pid[] | undefined {
    return ActorRef.#of(this)?.lineage;
  }

  set lineage(lineage: readonly Pid[] | undefined) {
    ActorRef.#make(this).lineage = lineage;
  }

  /** The abort controller of `self.signal`. */
  get abort(): AbortController | undefined {
    return ActorRef.#of(this)?.abort;
  }

  set abort(abort: AbortController | undefined) {
    ActorRef.#make(this).abort = abort;
  }

  /** While the actor is suspended: its state before the suspension. */
  get suspendedAs(): number | undefined {
    return ActorRef.#of(this)?.suspendedAs;
  }

  set suspendedAs(state: number | undefined) {
    ActorRef.#make(this).suspendedAs = state;
  }

  /** The actor's description in error messages: its pid and names, such as `<0.4> counter`. */
  get label(): string {
    const { names } = this;
    if (names === undefined) return this.pid.toString();
    return `${this.pid} ${typeof names === "string" ? names : [...names].join(" ")}`;
  }

  /** Whether the actor is alive. */
  abstract get isAlive(): boolean;
  /** Delivers a message to the actor. */
  abstract deliver(message: unknown): void;
  /** Handles the exit of a linked actor. */
  abstract linkBroke(from: Pid, reason: ExitReason): void;
  /** Handles an exit signal from `exit(pid, reason)`. */
  abstract exitSignal(from: Pid, reason: ExitReason): void;
  /** Handles the exit of a monitored actor. */
  abstract down(ref: Ref, pid: Pid, reason: ExitReason): void;
  /** Ends the actor. Later calls have no effect. */
  abstract end(reason: ExitReason): void;

  // Remote actors override the following methods, in order to notify the other node.

  /** Called when another actor has linked to this actor. */
  linked(_actor: ActorRef): void {}
  /** Called when another actor has unlinked from this actor. */
  unlinked(_actor: ActorRef): void {}
  /** Called when another actor has set a monitor on this actor. */
  watched(_monitor: Monitor): void {}
  /** Called when an actor that monitors this actor has removed its monitor, or has exited. */
  unwatched(_monitor: Monitor): void {}
  /** Called when the actor may have lost its last link, monitor or attached object. */
  released(): void {}
}

/** Returns the actor of a pid if it is alive on this node, and otherwise undefined. */
export function actorRefOf(pid: Pid<never>): ActorRef | undefined {
  return pid.target as ActorRef | undefined;
}

/** Attaches an object to an actor. */
export function attach(link: Chained, actorRef: ActorRef): void {
  const first = actorRef.chain;
  link.following = first;
  if (first !== undefined) first.preceding = link;
  actorRef.chain = link;
}

/** Detaches an object from an actor. */
export function detach(link: Chained, actorRef: ActorRef): void {
  const { following, preceding } = link;
  if (following !== undefined) following.preceding = preceding;
  if (preceding !== undefined) preceding.following = following;
  else if (actorRef.chain === link) actorRef.chain = following;
  link.following = undefined;
  link.preceding = undefined;
  if (actorRef.chain === undefined) actorRef.released();
}

/**
 * Drops at most `most` of the objects that are attached to an exited actor. Returns the number of
 * dropped objects, or `most` if the last object has more work left and was attached again.
 */
export function dropChain(actorRef: ActorRef, reason: ExitReason, most: number): number {
  let count = 0;
  for (let link = actorRef.chain; link !== undefined && count < most; link = actorRef.chain) {
    detach(link, actorRef);
    count++;
    if (link.drop(reason) !== true) continue;
    attach(link, actorRef);
    return most;
  }
  return count;
}

/** Iterates over the monitors that other actors have set on an actor, in order. */
export function watchersOf({ watchers }: ActorRef): Iterable<Monitor> {
  if (watchers === undefined) return [];
  return watchers instanceof Set ? watchers : [watchers];
}
