/**
 * Checks the history of channels: a client that was notified of a successful recovery has received
 * each message exactly once and in order, and all clients have the same message at the same offset.
 */
import { throwBroken } from "./checker.ts";

/** A position in a history, and the message there. */
export interface Placed {
  readonly epoch: string;
  readonly offset: number;
  readonly message: number;
}

/** The messages that a client has received since it last missed one. */
class Received {
  epoch = "";
  last: number | undefined;
  readonly byOffset = new Map<number, number>();
}

/** Checks the history of one topic. */
export class ChannelChecker {
  readonly broken: string[] = [];
  readonly #places = new Map<string, number>();
  readonly #clients = new Map<string, Received>();
  /** The number of received messages. */
  count = 0;

  /** Records that a client has received a message. */
  received(client: string, placed: Placed): void {
    this.count++;
    const known = this.#of(client);
    const { epoch, offset, message } = placed;
    if (known.last !== undefined && offset !== known.last + 1) {
      this.broken.push(`${client} has ${offset} of ${epoch} after ${known.last} of ${known.epoch}`);
    }
    known.byOffset.set(offset, message);
    known.last = offset;
    this.#moves(client, known, epoch);
    this.placed(client, placed);
  }

  /** Records that a client has rejoined and has missed nothing up to a position. */
  recovered(client: string, epoch: string): void {
    this.#moves(client, this.#of(client), epoch);
  }

  /**
   * Records that a client was notified that it missed messages, or that it starts at a position.
   */
  lost(client: string): void {
    this.#clients.delete(client);
  }

  /** Records the position of a message as reported by `source`. */
  placed(source: string, { epoch, offset, message }: Placed): void {
    const place = `${epoch} ${offset}`;
    const known = this.#places.get(place);
    if (known === undefined) this.#places.set(place, message);
    else if (known !== message) {
      this.broken.push(`${source} has ${message} at ${place}, where other nodes have ${known}`);
    }
  }

  /**
   * Checks the idle cluster. `owed` contains the messages that each of these clients must have
   * received.
   */
  check(clients: readonly string[], owed: readonly number[]): void {
    throwBroken(this.broken);
    for (const client of clients) {
      const has = new Set(this.#of(client).byOffset.values());
      const missing = owed.filter((message) => !has.has(message));
      if (missing.length > 0) throw new Error(`${client} has not received ${missing.join(", ")}`);
    }
  }

  /** Assigns a client's messages to the history of another epoch from now on. */
  #moves(client: string, known: Received, epoch: string): void {
    if (known.epoch === epoch) return;
    known.epoch = epoch;
    for (const [offset, message] of known.byOffset) this.placed(client, { epoch, offset, message });
  }

  #of(client: string): Received {
    let known = this.#clients.get(client);
    if (known === undefined) this.#clients.set(client, known = new Received());
    return known;
  }
}
