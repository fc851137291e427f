/**
 * Connections whose peer has not proved itself yet, limited in all and for each client, so that idle ones of
 * one address do not take the places of others. Quiet.
 *
 * @module
 */
import { clientKey } from "./client_key.ts";

/** At most this many at one listener in each stage, TLS and the handshake of nodes; half of it of one client. */
export const UNPROVEN_MAX = 512;

/** Those of one listener. `T` is its handle of a connection. */
export class Unproven<T> {
  readonly #max: number;
  readonly #perClientMax: number;
  readonly #clientOf = new Map<T, string>();
  /** The connections of each client, the oldest first. */
  readonly #ofClient = new Map<string, Set<T>>();

  /** At most `max` in all, and half of that of one client: an IPv4 address or an IPv6 /64. */
  constructor(max: number = UNPROVEN_MAX) {
    this.#max = max;
    this.#perClientMax = max / 2;
  }

  /** How many there are. */
  get size(): number {
    return this.#clientOf.size;
  }

  /** All of them, those of each client together. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#clientOf.keys();
  }

  /**
   * Adds a connection from an address. Returns the one that the caller must end for it: above the client's
   * limit its oldest, above the limit of all the oldest of the client that has the most. An honest peer
   * proves itself in milliseconds, so the oldest is not an honest one.
   */
  add(connection: T, hostname: string): T | undefined {
    const client = clientKey(hostname);
    this.#clientOf.set(connection, client);
    let most = this.#ofClient.get(client);
    if (most === undefined) this.#ofClient.set(client, most = new Set());
    most.add(connection);
    if (most.size <= this.#perClientMax) {
      if (this.#clientOf.size <= this.#max) return undefined;
      for (const others of this.#ofClient.values()) if (others.size > most.size) most = others;
    }
    for (const oldest of most) return oldest;
    return undefined;
  }

  /** It has proved itself, or is over. */
  delete(connection: T): void {
    const client = this.#clientOf.get(connection);
    if (client === undefined) return;
    this.#clientOf.delete(connection);
    const others = this.#ofClient.get(client)!;
    others.delete(connection);
    if (others.size === 0) this.#ofClient.delete(client);
  }
}
