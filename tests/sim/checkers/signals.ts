/**
 * Checks: each link and each monitor gives exactly one signal, when its actor ends or cannot be reached any
 * more, and none twice.
 */
import { type Checker, type Fact, livingOf, type View, type Ways } from "./checker.ts";

interface Bond {
  readonly target: string;
  /** Where the watcher lives. */
  readonly life: string;
  readonly ways: Ways;
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
      const { target, ways } = fact;
      this.#bonds.set(fact.bond, { target, ways, life, exits: 0, downs: 0, end: undefined });
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
    for (const { target, ways, life, exits, downs, end } of this.#bonds.values()) {
      const heard = `${life} (${ways}) heard ${exits} exits and ${downs} downs of ${target}`;
      const mostExits = ways === "monitor" ? 0 : 1;
      const mostDowns = ways === "link" ? 0 : 1;
      // A session that was lost meanwhile tells as well, of one that lives on.
      if (exits > mostExits || downs > mostDowns) throw new Error(heard);
      // What watched there is gone with it, perhaps before it heard.
      if (this.#gone.has(life)) continue;
      if (living.has(target) && end !== undefined) {
        throw new Error(`${target} lives: ${life} heard that it has ended by ${end}`);
      }
      if (!living.has(target) && (exits !== mostExits || downs !== mostDowns)) {
        throw new Error(`${heard}, which is gone`);
      }
      if (ways === "both" && exits !== downs) throw new Error(heard);
    }
  }
}
