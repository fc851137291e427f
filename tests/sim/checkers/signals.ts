/**
 * Checks: each link and each monitor gives exactly one signal, when its actor ends or cannot be reached any
 * more, and none twice.
 */
import { type Checker, type Fact, livingOf, type View } from "./checker.ts";

interface Bond {
  readonly target: string;
  /** Where the watcher lives. */
  readonly life: string;
  exits: number;
  downs: number;
  /** Why, if it was told that its actor has ended rather than that it cannot be reached. */
  end: string | undefined;
}

/** Judges links and monitors. */
export class SignalChecker implements Checker {
  /** Signals that were got. */
  count = 0;
  readonly #bonds = new Map<string, Bond>();
  readonly #gone = new Set<string>();

  take(life: string, fact: Fact): void {
    if (fact.kind === "bond") {
      this.#bonds.set(fact.bond, { target: fact.target, life, exits: 0, downs: 0, end: undefined });
    } else if (fact.kind === "exit" || fact.kind === "down") {
      this.count++;
      const bond = this.#bonds.get(fact.bond)!;
      if (fact.kind === "exit") bond.exits++;
      else bond.downs++;
      // "noproc" of one that lives: the watcher's node still took its node for an earlier life.
      if (fact.reason !== "noconnection" && fact.reason !== "noproc") bond.end = fact.reason;
    }
  }

  gone(life: string): void {
    this.#gone.add(life);
  }

  check(views: readonly View[]): void {
    const living = livingOf(views);
    for (const { target, life, exits, downs, end } of this.#bonds.values()) {
      // A session that was lost meanwhile tells as well, of one that lives on.
      if (exits > 1 || downs > 1) {
        throw new Error(`${life} heard ${exits} exits and ${downs} downs of ${target}`);
      }
      // What watched there is gone with it, perhaps before it heard.
      if (this.#gone.has(life)) continue;
      if (living.has(target) && end !== undefined) {
        throw new Error(`${target} lives: ${life} heard that it has ended by ${end}`);
      }
      if (!living.has(target) && (exits !== 1 || downs !== 1)) {
        throw new Error(`${target} is gone: ${life} heard ${exits} exits, ${downs} downs`);
      }
      if (exits !== downs) {
        throw new Error(`${life} heard ${exits} exits, but ${downs} downs of ${target}`);
      }
    }
  }
}
