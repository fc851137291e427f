/**
 * Limits unauthenticated connections in total and per client, so that idle ones of one address do
 * not take the places of others. Deterministic.
 *
 * @module
 */
import { clientKey } from "./client_key.ts";

/**
 * Maximum number of unauthenticated connections of one listener, in each stage: TLS, and the
 * handshake of nodes. One client may have half of them.
 */
export const UNPROVEN_MAX = 512;

/**
 * Counts and limits the unauthenticated connections of one listener. `T` is the listener's object
 * for a connection.
 */
export class Unproven<T> {
  readonly #max: number;
  readonly #perClientMax: number;
  readonly #clientOf = new Map<T, string>();
  /** The connections of each client, oldest first. */
  readonly #ofClient = new Map<string, Set<T>>();

  /**
   * `max` limits the connections in total. One client, an IPv4 address or an IPv6 /64, may have
   * half.
   */
  constructor(max: number = UNPROVEN_MAX) {
    this.#max = max;
    this.#perClientMax = max / 2;
  }

  /** Number of unauthenticated connections. */
  get size(): number {
    return this.#clientOf.size;
  }

  /** Iterates over all connections, grouped by client. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#clientOf.keys();
  }

  /**
   * Adds a connection from an address. Returns the connection that the caller must end to make
   * room: the client's oldest above the client's limit, or, above the total limit, the oldest of
   * the client that has the most. An honest peer authenticates within milliseconds, so the oldest
   * connection is not from an honest peer.
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

  /** Removes a connection that was authenticated or has ended. */
  delete(connection: T): void {
    const client = this.#clientOf.get(connection);
    if (client === undefined) return;
    this.#clientOf.delete(connection);
    const others = this.#ofClient.get(client)!;
    others.delete(connection);
    if (others.size === 0) this.#ofClient.delete(client);
  }
}
