/**
 * Events of a node on `node:diagnostics_channel`: channel `firn:crash` for the event "crash", and
 * so on. A message is `{ node, event }`. Frequent events are published only if they have a
 * subscriber, beginning at most a second after the first one has subscribed.
 *
 * @module
 */
import { type Channel, channel } from "node:diagnostics_channel";
import type { Emitter } from "../base/emitter.ts";

/** Events that occur often. They are emitted only if they have a listener. */
const FREQUENT = ["spawn", "exit", "deadletter", "dial", "name"];

/** Publishes the events of one node. */
export class Diagnostics {
  readonly #node: string;
  readonly #events: Emitter<Record<string, object>>;
  readonly #waiting: Map<string, Channel>;

  constructor(node: string, events: Emitter<Record<string, object>>, names: readonly string[]) {
    this.#node = node;
    this.#events = events;
    const all = names.map((name) => [name, channel(`firn:${name}`)] as const);
    this.#waiting = new Map(all.filter(([name]) => FREQUENT.includes(name)));
    for (const [name, channel] of all) {
      if (!FREQUENT.includes(name)) this.#publish(name, channel);
    }
  }

  /** Called once a second: starts to publish each frequent event that has subscribers. */
  tick(): void {
    for (const [name, channel] of this.#waiting) {
      if (!channel.hasSubscribers) continue;
      this.#waiting.delete(name);
      this.#publish(name, channel);
    }
  }

  #publish(name: string, channel: Channel): void {
    this.#events.on(name, (event) => {
      if (channel.hasSubscribers) channel.publish({ node: this.#node, event });
    });
  }
}
