/**
 * Counts the connections of each client. Deterministic.
 *
 * @module
 */
import { clientKey } from "../host/client_key.ts";
import type { Address } from "../host/stream.ts";

/** Counts connections by client. Addresses with the same {@linkcode clientKey} are one client. */
export class ClientCounts {
  readonly #counts = new Map<string, number>();

  /** Returns the number of connections of a client. */
  of(client: Address): number {
    return this.#counts.get(clientKey(client.hostname)) ?? 0;
  }

  /** Adds one connection of a client. */
  enter(client: Address): void {
    const key = clientKey(client.hostname);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Subtracts one connection of a client. */
  leave(client: Address): void {
    const key = clientKey(client.hostname);
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
