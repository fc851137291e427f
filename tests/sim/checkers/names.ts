/**
 * Checks: once the network has settled, all nodes find the same actor under a global name, it lives, and of
 * those who hold a name by a true answer one is found.
 */
import { type Checker, type Fact, livingOf, type View } from "./checker.ts";

/** The names that the work is about: few, so that there are conflicts. */
export const NAMES: readonly string[] = ["cart", "till", "shelf"];

/** Judges global names. */
export class NameChecker implements Checker {
  /** Who was told that it holds a name, and has not given it back. */
  #holders: { readonly life: string; readonly name: string; readonly pid: string }[] = [];
  readonly #gone = new Set<string>();

  take(life: string, fact: Fact): void {
    if (this.#gone.has(life)) return;
    if (fact.kind === "holds") {
      this.#holders.push({ life, name: fact.name, pid: fact.pid });
    } else if (fact.kind === "released") {
      // Whoever of this node held it; those that have ended are no concern.
      this.#holders = this.#holders.filter((held) => held.life !== life || held.name !== fact.name);
    }
  }

  gone(life: string): void {
    this.#gone.add(life);
    this.#holders = this.#holders.filter((held) => held.life !== life);
  }

  check(views: readonly View[]): void {
    const living = livingOf(views);
    for (const name of NAMES) {
      const found = new Set(views.map(({ names }) => names[name]));
      if (found.size > 1) throw new Error(`${name} is ${[...found].join(" and ")}`);
      const [key] = found;
      const alive = this.#holders.filter((held) => held.name === name && living.has(held.pid));
      if (key === undefined && alive.length > 0) {
        throw new Error(`nobody is ${name}, though ${alive[0]!.pid} holds it and lives`);
      }
      if (key !== undefined && !living.has(key)) {
        throw new Error(`${name} is ${key}, who is dead`);
      }
      if (alive.length > 1) {
        throw new Error(`${alive.map(({ pid }) => pid).join(" and ")} hold ${name}`);
      }
    }
  }
}
