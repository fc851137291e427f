/**
 * How many connections each client has. Quiet.
 *
 * @module
 */
import { clientKey } from "../host/client_key.ts";
import type { Address } from "../host/stream.ts";

/** Counts by {@linkcode clientKey}. */
export class ClientCounts {
  readonly #counts = new Map<string, number>();

  /** How many connections this client has. */
  of(client: Address): number {
    return this.#counts.get(clientKey(client.hostname)) ?? 0;
  }

  /** It has one more. */
  enter(client: Address): void {
    const key = clientKey(client.hostname);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** It has one less. */
  leave(client: Address): void {
    const key = clientKey(client.hostname);
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
