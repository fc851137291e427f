/**
 * Checks that each link and each monitor causes exactly one signal, when its actor exits or becomes
 * unreachable.
 */
import { type Checker, type Fact, livingOf, type View, type Ways } from "./checker.ts";

interface Bond {
  readonly target: string;
  /** The incarnation of the node on which the watcher runs, such as "a2". */
  readonly incarnation: string;
  readonly ways: Ways;
  exits: number;
  downs: number;
  /** The reason, if the signal reported an exit and not a lost connection. */
  end: string | undefined;
}

/** Checks links and monitors. */
export class SignalChecker implements Checker {
  /** The number of received signals. */
  count = 0;
  readonly #relations = new Map<string, Bond>();
  readonly #gone = new Set<string>();

  take(incarnation: string, fact: Fact): void {
    if (fact.kind === "bond") {
      const { target, ways } = fact;
      this.#relations.set(fact.bond, {
        target,
        ways,
        incarnation,
        exits: 0,
        downs: 0,
        end: undefined,
      });
    } else if (fact.kind === "exit" || fact.kind === "down") {
      this.count++;
      const bond = this.#relations.get(fact.bond)!;
      if (fact.kind === "exit") bond.exits++;
      else bond.downs++;
      // An actor that is alive may cause "noproc" if the watcher's node still knows the former
      // incarnation of the actor's node.
      if (fact.reason !== "noconnection" && fact.reason !== "noproc") bond.end = fact.reason;
    }
  }

  gone(incarnation: string): void {
    this.#gone.add(incarnation);
  }

  check(views: readonly View[]): void {
    const living = livingOf(views);
    for (const { target, ways, incarnation, exits, downs, end } of this.#relations.values()) {
      const observed =
        `${incarnation} (${ways}) received ${exits} exits and ${downs} downs of ${target}`;
      const mostExits = ways === "monitor" ? 0 : 1;
      const mostDowns = ways === "link" ? 0 : 1;
      // A lost session also causes a signal, so the limit of one signal holds for actors that are
      // alive, too.
      if (exits > mostExits || downs > mostDowns) throw new Error(observed);
      // The watchers on `incarnation` crashed with it, perhaps before they received the signal.
      if (this.#gone.has(incarnation)) continue;
      if (living.has(target) && end !== undefined) {
        throw new Error(`${target} is alive, but ${incarnation} received its exit with ${end}`);
      }
      if (!living.has(target) && (exits !== mostExits || downs !== mostDowns)) {
        throw new Error(`${observed}, which has exited`);
      }
      if (ways === "both" && exits !== downs) throw new Error(observed);
    }
  }
}
