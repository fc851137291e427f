/**
 * What names, signals, timers and calls keep on an actor, and what they may do to it. An `Actor` is a
 * cell with a body.
 *
 * Most actors have no links, names or timers, and there may be millions: what is not there is
 * `undefined`, and nothing is made before it is needed.
 *
 * @module
 */
import type { Pid, Ref } from "../term/pid.ts";
import type { ExitReason } from "../term/exit.ts";
import { Mailbox } from "./mailbox.ts";

/** One actor watches another. */
export interface Monitor {
  readonly ref: Ref;
  readonly watcher: Cell;
  readonly target: Pid;
}

/** Something that hangs on an actor, in a chain whose first the actor holds. */
export interface Chained {
  following: Chained | undefined;
  preceding: Chained | undefined;
  /** The actor has ended, for this reason. */
  drop(reason: ExitReason): void;
}

/** An actor, as far as those who serve it are concerned. */
export abstract class Cell extends Mailbox {
  abstract readonly pid: Pid<unknown>;
  /** Exit signals come as messages. */
  trapping = false;
  /** Linked actors. */
  links: Set<Pid> | undefined = undefined;
  /** What this actor monitors, by the number of the reference. */
  monitors: Map<number, Monitor> | undefined = undefined;
  /** Who monitors this actor. */
  watchers: Set<Monitor> | undefined = undefined;
  /** The names that it is registered under. */
  names: string[] | undefined = undefined;
  /** The first of the timers and calls that hang on it. */
  chain: Chained | undefined = undefined;

  /** True until it has ended. */
  abstract get isAlive(): boolean;
  /** Takes a message. */
  abstract deliver(message: unknown): void;
  /** Ends it; once. */
  abstract end(reason: ExitReason): void;
}

/** The cell behind a pid, while the actor lives on this node. */
export function cellOf(pid: Pid<never>): Cell | undefined {
  return pid.target as Cell | undefined;
}

/** Hangs something on an actor. */
export function hang(link: Chained, cell: Cell): void {
  const first = cell.chain;
  link.following = first;
  if (first !== undefined) first.preceding = link;
  cell.chain = link;
}

/** Takes it off. */
export function unhang(link: Chained, cell: Cell): void {
  const { following, preceding } = link;
  if (following !== undefined) following.preceding = preceding;
  if (preceding !== undefined) preceding.following = following;
  else if (cell.chain === link) cell.chain = following;
  link.following = undefined;
  link.preceding = undefined;
}

/** Drops all that hangs on an actor that has ended. */
export function dropChain(cell: Cell, reason: ExitReason): void {
  for (let link = cell.chain; link !== undefined; link = cell.chain) {
    unhang(link, cell);
    link.drop(reason);
  }
}
