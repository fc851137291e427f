/**
 * What names, signals, timers and calls keep on an actor, and what they may do to it. An `Actor` is a
 * cell with a body.
 *
 * Most actors have no links, names or timers, and there may be millions: all of it is kept apart, in
 * one object that is made when it is needed, and nothing in it before that.
 *
 * @module
 */
import type { Pid, Ref } from "../term/pid.ts";
import type { ExitReason } from "../term/exit.ts";
import { Mailbox, type MailboxPolicy } from "./mailbox.ts";

/** One actor watches another. */
export interface Monitor {
  readonly ref: Ref;
  readonly watcher: ActorRef;
  readonly target: ActorRef;
}

/** Something that hangs on an actor, in a chain whose first the actor holds. */
export interface Chained {
  following: Chained | undefined;
  preceding: Chained | undefined;
  /** The actor has ended, for this reason. */
  drop(reason: ExitReason): void;
}

/** How a mailbox is bounded. */
export interface MailboxBound {
  readonly max: number;
  readonly policy: MailboxPolicy;
}

/** What few actors have. */
class Extras {
  names: string | readonly string[] | undefined = undefined;
  bound: MailboxBound | undefined = undefined;
  trapping = false;
  links: Set<Pid> | undefined = undefined;
  monitors: Map<number, Monitor> | undefined = undefined;
  watchers: Set<Monitor> | undefined = undefined;
  chain: Chained | undefined = undefined;
  lineage: readonly Pid[] | undefined = undefined;
  abort: AbortController | undefined = undefined;
}

/** An actor, as far as those who serve it are concerned: one of this node, or of another. */
export abstract class ActorRef extends Mailbox {
  abstract readonly pid: Pid<unknown>;
  /** What few have. One that has a name, and nothing else, has just that here. */
  #extras: Extras | string | undefined = undefined;

  // Static, for a class with private methods has a word in each of its objects that says so.
  static #of(cell: ActorRef): Extras | undefined {
    const extras = cell.#extras;
    return typeof extras === "object" ? extras : undefined;
  }

  static #make(cell: ActorRef): Extras {
    const extras = cell.#extras;
    if (typeof extras === "object") return extras;
    const made = new Extras();
    made.names = extras;
    return cell.#extras = made;
  }

  /** The names that it is registered under: mostly none, or one. */
  get names(): string | readonly string[] | undefined {
    const extras = this.#extras;
    return typeof extras === "object" ? extras.names : extras;
  }

  set names(names: string | readonly string[] | undefined) {
    const extras = this.#extras;
    if (typeof extras === "object") extras.names = names;
    else if (typeof names === "object") ActorRef.#make(this).names = names;
    else this.#extras = names;
  }

  /** How its mailbox is bounded, if it is. */
  get bound(): MailboxBound | undefined {
    return ActorRef.#of(this)?.bound;
  }

  set bound(bound: MailboxBound | undefined) {
    ActorRef.#make(this).bound = bound;
  }

  /** Exit signals come as messages. */
  get trapping(): boolean {
    return ActorRef.#of(this)?.trapping === true;
  }

  set trapping(trapping: boolean) {
    ActorRef.#make(this).trapping = trapping;
  }

  /** Linked actors. */
  get links(): Set<Pid> | undefined {
    return ActorRef.#of(this)?.links;
  }

  set links(links: Set<Pid> | undefined) {
    ActorRef.#make(this).links = links;
  }

  /** What this actor monitors, by the number of the reference. */
  get monitors(): Map<number, Monitor> | undefined {
    return ActorRef.#of(this)?.monitors;
  }

  set monitors(monitors: Map<number, Monitor> | undefined) {
    ActorRef.#make(this).monitors = monitors;
  }

  /** Who monitors this actor. */
  get watchers(): Set<Monitor> | undefined {
    return ActorRef.#of(this)?.watchers;
  }

  set watchers(watchers: Set<Monitor> | undefined) {
    ActorRef.#make(this).watchers = watchers;
  }

  /** The first of the timers and calls that hang on it. */
  get chain(): Chained | undefined {
    return ActorRef.#of(this)?.chain;
  }

  set chain(chain: Chained | undefined) {
    ActorRef.#make(this).chain = chain;
  }

  /** What the ancestors of its children are; made with the first child. */
  get lineage(): readonly Pid[] | undefined {
    return ActorRef.#of(this)?.lineage;
  }

  set lineage(lineage: readonly Pid[] | undefined) {
    ActorRef.#make(this).lineage = lineage;
  }

  /** Behind its `signal`. */
  get abort(): AbortController | undefined {
    return ActorRef.#of(this)?.abort;
  }

  set abort(abort: AbortController | undefined) {
    ActorRef.#make(this).abort = abort;
  }

  /** How the message of an error names it: by its pid and its names, `<0.4> counter`. */
  get label(): string {
    const { names } = this;
    if (names === undefined) return this.pid.toString();
    return `${this.pid} ${typeof names === "string" ? names : names.join(" ")}`;
  }

  /** True until it has ended. */
  abstract get isAlive(): boolean;
  /** Takes a message. */
  abstract deliver(message: unknown): void;
  /** An actor that it is linked with has ended. */
  abstract linkBroke(from: Pid, reason: ExitReason): void;
  /** Somebody has called `exit(pid, reason)`. */
  abstract exitSignal(from: Pid, reason: ExitReason): void;
  /** An actor that it monitors has ended. */
  abstract down(ref: Ref, pid: Pid, reason: ExitReason): void;
  /** Ends it; once. */
  abstract end(reason: ExitReason): void;

  // What follows concerns those of other nodes, which are to be told.

  /** An actor has linked itself with it. */
  linked(_actor: ActorRef): void {}
  /** An actor has taken that back. */
  unlinked(_actor: ActorRef): void {}
  /** An actor monitors it. */
  watched(_monitor: Monitor): void {}
  /** An actor has taken that back, or has ended. */
  unwatched(_monitor: Monitor): void {}
  /** Something that was kept on it has gone. */
  released(): void {}
}

/** The cell behind a pid, while the actor lives on this node. */
export function actorRefOf(pid: Pid<never>): ActorRef | undefined {
  return pid.target as ActorRef | undefined;
}

/** Hangs something on an actor. */
export function attach(link: Chained, cell: ActorRef): void {
  const first = cell.chain;
  link.following = first;
  if (first !== undefined) first.preceding = link;
  cell.chain = link;
}

/** Takes it off. */
export function detach(link: Chained, cell: ActorRef): void {
  const { following, preceding } = link;
  if (following !== undefined) following.preceding = preceding;
  if (preceding !== undefined) preceding.following = following;
  else if (cell.chain === link) cell.chain = following;
  link.following = undefined;
  link.preceding = undefined;
  if (cell.chain === undefined) cell.released();
}

/** Drops all that hangs on an actor that has ended. */
export function dropChain(cell: ActorRef, reason: ExitReason): void {
  for (let link = cell.chain; link !== undefined; link = cell.chain) {
    detach(link, cell);
    link.drop(reason);
  }
}
