/**
 * Checks that when the network is idle, all nodes find the same live actor under a global name, one
 * whose registration resolved to `true`.
 */
import { type Checker, type Fact, livingOf, type View } from "./checker.ts";

/** The names that the workload uses, few enough for conflicts. */
export const NAMES: readonly string[] = ["cart", "till", "shelf"];

/** Checks global names. */
export class NameChecker implements Checker {
  /** The actors whose registration resolved to `true`, and that have not unregistered. */
  #holders: { readonly incarnation: string; readonly name: string; readonly pid: string }[] = [];
  readonly #gone = new Set<string>();

  take(incarnation: string, fact: Fact): void {
    if (this.#gone.has(incarnation)) return;
    if (fact.kind === "holds") {
      this.#holders.push({ incarnation, name: fact.name, pid: fact.pid });
    } else if (fact.kind === "released") {
      // Removes every holder of the name on this incarnation, including holders that have exited.
      this.#holders = this.#holders.filter((held) =>
        held.incarnation !== incarnation || held.name !== fact.name
      );
    }
  }

  gone(incarnation: string): void {
    this.#gone.add(incarnation);
    this.#holders = this.#holders.filter((held) => held.incarnation !== incarnation);
  }

  check(views: readonly View[]): void {
    const living = livingOf(views);
    for (const name of NAMES) {
      const found = new Set(views.map(({ names }) => names[name]));
      if (found.size > 1) throw new Error(`${name} is ${[...found].join(" and ")}`);
      const [key] = found;
      const alive = this.#holders.filter((held) => held.name === name && living.has(held.pid));
      if (key === undefined && alive.length > 0) {
        throw new Error(`${name} is not found, but ${alive[0]!.pid} holds it and is alive`);
      }
      if (key !== undefined && !living.has(key)) {
        throw new Error(`${name} is ${key}, which has exited`);
      }
      if (alive.length > 1) {
        throw new Error(`${alive.map(({ pid }) => pid).join(" and ")} hold ${name}`);
      }
    }
  }
}
