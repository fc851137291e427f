/**
 * Checks that a line sent to a room arrives at each member at most once and in the order of its
 * sender, and exactly once while there are no faults.
 */
import { type Checker, type Fact, throwBroken, type View } from "./checker.ts";

/** Checks the lines that are sent to rooms. */
export class RoomChecker implements Checker {
  observed = 0;
  readonly #broken: string[] = [];
  /** The number of the last line of each sender, by receiver. */
  readonly #last = new Map<string, number>();
  /** The number of times each line was received, by receiver. */
  readonly #logs = new Map<string, Map<string, number>>();
  /** The lines of the last round, which every member must receive. */
  #owed: string[] = [];
  #round = 0;

  take(incarnation: string, fact: Fact): void {
    if (fact.kind === "said") {
      if (fact.round > this.#round) this.#owed = [];
      this.#round = Math.max(fact.round, this.#round);
      if (fact.round === this.#round) this.#owed.push(fact.line);
    } else if (fact.kind === "receivedLine") this.#received(incarnation, fact.from, fact.number);
  }

  gone(): void {}

  check(views: readonly View[]): void {
    throwBroken(this.#broken);
    for (const { incarnation } of views) {
      for (const line of this.#owed) {
        const times = this.#logs.get(incarnation)?.get(line) ?? 0;
        if (times !== 1) throw new Error(`${incarnation} received "${line}" ${times} times`);
      }
    }
  }

  #received(who: string, from: string, number: number): void {
    this.observed++;
    const way = `${who}<${from}`;
    const last = this.#last.get(way) ?? -1;
    if (number <= last) this.#broken.push(`${who} received ${number} of ${from} after ${last}`);
    this.#last.set(way, number);
    const log = this.#logs.get(who) ?? new Map<string, number>();
    this.#logs.set(who, log);
    const line = `${from} ${number}`;
    log.set(line, (log.get(line) ?? 0) + 1);
  }
}
