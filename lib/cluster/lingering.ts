/**
 * Reserves the names that lost nodes held by quorum. A lost node may still run and not know yet
 * that it is isolated. Its names are therefore not granted to other nodes until it must have
 * detected this.
 *
 * @module
 */
import type { System } from "../actor/system.ts";
import { Deadline } from "../actor/timer.ts";
import type { NameEntry } from "./winner.ts";

/** Stores the entries of lost nodes whose names are reserved. */
export class Lingering {
  readonly #system: System;
  readonly #free: (name: string) => void;
  readonly #byName = new Map<string, { entry: NameEntry; deadline: Deadline }>();

  /** `free` is called when a name is no longer reserved. */
  constructor(system: System, free: (name: string) => void) {
    this.#system = system;
    this.#free = free;
  }

  /** Returns the entry that reserves a name, if any. */
  of(name: string): NameEntry | undefined {
    return this.#byName.size === 0 ? undefined : this.#byName.get(name)?.entry;
  }

  /** Reserves the name of an entry for `ms` milliseconds. */
  keep(entry: NameEntry, ms: number): void {
    const { name } = entry;
    this.#cancel(name);
    const deadline = new Deadline(() => {
      this.#byName.delete(name);
      this.#free(name);
    });
    this.#byName.set(name, { entry, deadline });
    this.#system.setTimer(deadline, ms);
  }

  /**
   * Frees the reserved names of a node that has reconnected and announced its names, or that is
   * known to have stopped.
   */
  release(owner: string): void {
    for (const [name, { entry }] of [...this.#byName]) {
      if (entry.owner !== owner) continue;
      this.#cancel(name);
      this.#free(name);
    }
  }

  #cancel(name: string): void {
    const kept = this.#byName.get(name);
    if (kept === undefined) return;
    this.#system.wheel.remove(kept.deadline);
    this.#byName.delete(name);
  }
}
