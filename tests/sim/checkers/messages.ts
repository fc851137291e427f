/**
 * Checks that messages between two actors arrive in order and at most once, that each of them was
 * sent, that none of an old incarnation arrives in a new one, and that all arrive while there are
 * no faults.
 */
import { type Checker, type Fact, throwBroken, type View } from "./checker.ts";

/** Checks the messages between actors. */
export class MessageChecker implements Checker {
  sent = 0;
  arrived = 0;
  readonly #broken: string[] = [];
  /** The highest number sent, by incarnation and node. */
  readonly #sent = new Map<string, number>();
  /** The last number that arrived, by sink and incarnation. */
  readonly #last = new Map<string, number>();
  /** The highest number that arrived on a node, by sending incarnation and receiving node. */
  readonly #most = new Map<string, number>();
  /** The messages of the last round, which must arrive. */
  #owed: { from: string; to: string; number: number }[] = [];
  #round = 0;
  readonly #got = new Set<string>();

  take(incarnation: string, fact: Fact): void {
    if (fact.kind === "sent") this.#sends(incarnation, fact.to, fact.number, fact.round);
    else if (fact.kind === "got") this.#gets(fact);
  }

  gone(): void {}

  check(views: readonly View[]): void {
    throwBroken(this.#broken);
    for (const [pair, number] of this.#most) {
      const most = this.#sent.get(pair) ?? -1;
      if (number > most) throw new Error(`${pair}: ${number} arrived, and only ${most} was sent`);
    }
    for (const { from, to, number } of this.#owed) {
      if (!this.#got.has(`${from}>${to} ${number}`)) {
        throw new Error(`${from}>${to}: ${number} was sent without faults, and is lost`);
      }
    }
    // If a hundred messages were sent, at least one should have arrived, even if nodes are down
    // most of the time.
    if (views.length > 1 && this.arrived === 0 && this.sent > 100) {
      throw new Error(`none of ${this.sent} messages has arrived`);
    }
  }

  #sends(from: string, to: string, number: number, round: number | undefined): void {
    this.sent++;
    const pair = `${from}>${to}`;
    this.#sent.set(pair, Math.max(number, this.#sent.get(pair) ?? -1));
    if (round === undefined) return;
    if (round > this.#round) this.#owed = [];
    this.#round = Math.max(round, this.#round);
    if (round === this.#round) this.#owed.push({ from, to, number });
  }

  #gets(fact: Fact & { kind: "got" }): void {
    this.arrived++;
    const { sink, at, from, number, to } = fact;
    const way = `${sink}<${from}`;
    const last = this.#last.get(way) ?? -1;
    if (number <= last) this.#broken.push(`${sink}: ${number} of ${from} arrived after ${last}`);
    this.#last.set(way, number);
    if (to !== undefined && to !== sink) this.#broken.push(`${sink} received a message to ${to}`);
    const pair = `${from}>${at}`;
    this.#most.set(pair, Math.max(number, this.#most.get(pair) ?? -1));
    this.#got.add(`${pair} ${number}`);
  }
}
