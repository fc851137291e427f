/**
 * Reserves the names that a lost node has held by quorum. The lost node may still run, because it
 * may not have detected yet that it is isolated. Other nodes are granted these names only after the
 * lost node must have detected this and stopped using them.
 *
 * @module
 */
import type { System } from "../actor/system.ts";
import { Deadline } from "../actor/timer.ts";
import type { NameEntry } from "./winner.ts";

/** The reserved names of one lost node. */
interface Reserved {
  readonly owner: string;
  readonly entries: ReadonlyMap<string, NameEntry>;
  readonly deadline: Deadline;
}

/**
 * Stores the entries of lost nodes whose names are reserved. Each lost node has one object, so that
 * reserving 100,000 names takes no longer than reserving one.
 */
export class Lingering {
  readonly #system: System;
  readonly #freed: () => void;
  /** The reserved names of each lost node, beginning with the node that was lost last. */
  #lost: readonly Reserved[] = [];

  /** `freed` is called when names are no longer reserved. */
  constructor(system: System, freed: () => void) {
    this.#system = system;
    this.#freed = freed;
  }

  /** Returns the entry that reserves a name, if the name is reserved. */
  of(name: string): NameEntry | undefined {
    for (const { entries } of this.#lost) {
      const entry = entries.get(name);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** Reserves the names of a lost node for `ms` milliseconds. */
  keep(owner: string, entries: ReadonlyMap<string, NameEntry>, ms: number): void {
    const deadline = new Deadline(() => this.#drop((reserved) => reserved.deadline === deadline));
    this.#lost = [{ owner, entries, deadline }, ...this.#lost];
    this.#system.setTimer(deadline, ms);
  }

  /**
   * Frees the reserved names of a node that has reconnected and announced its names, or that has
   * stopped.
   */
  release(owner: string): void {
    this.#drop((reserved) => reserved.owner === owner);
  }

  #drop(isOver: (reserved: Reserved) => boolean): void {
    const over = this.#lost.filter(isOver);
    if (over.length === 0) return;
    this.#lost = this.#lost.filter((reserved) => !isOver(reserved));
    for (const { deadline } of over) this.#system.wheel.remove(deadline);
    this.#freed();
  }
}
