/**
 * Checks that when the network is idle, exactly the specified children of supervisors are alive,
 * each once, whatever crashed before.
 */
import type { Checker, Fact, View } from "./checker.ts";

/** Checks the children of supervisors. */
export class ChildChecker implements Checker {
  /** The number of started children. */
  started = 0;
  /** The incarnations on which a child's actors run, by child and pid. */
  readonly #running = new Map<string, Map<string, string>>();
  /** The incarnations of the supervisors that are up. */
  readonly #trees = new Map<string, string>();
  readonly #gone = new Set<string>();

  take(incarnation: string, fact: Fact): void {
    if (this.#gone.has(incarnation)) return;
    if (fact.kind === "tree") this.#trees.set(fact.tree, incarnation);
    else if (fact.kind === "runs") {
      this.started++;
      const pids = this.#running.get(fact.child) ?? new Map<string, string>();
      this.#running.set(fact.child, pids);
      pids.set(fact.pid, incarnation);
    } else if (fact.kind === "ended") this.#running.get(fact.child)?.delete(fact.pid);
  }

  gone(incarnation: string): void {
    this.#gone.add(incarnation);
    for (const [tree, home] of this.#trees) if (home === incarnation) this.#trees.delete(tree);
    // The machine crashed, so the actors on it recorded no exit.
    for (const pids of this.#running.values()) {
      for (const [pid, home] of pids) if (home === incarnation) pids.delete(pid);
    }
  }

  check(_views: readonly View[]): void {
    const wanted = new Set([...this.#trees.keys()].flatMap((id) => [`${id} home`, `${id} far`]));
    for (const child of wanted) {
      const count = this.#running.get(child)?.size ?? 0;
      if (count !== 1) throw new Error(`${count} of the child ${child} are alive`);
    }
    for (const [child, pids] of this.#running) {
      if (!wanted.has(child) && pids.size > 0) {
        throw new Error(`${[...pids.keys()].join(" ")}: ${child} is alive without a supervisor`);
      }
    }
  }
}
