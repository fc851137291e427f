/**
 * How often somebody may try a password, on each node: ten times in ten minutes at one account, whoever
 * tries, and wrongly fifty times in ten minutes from one client, whatever the accounts.
 *
 * The first keeps a password from many clients, the second keeps many accounts from one client, who also
 * cannot keep more than five of them from their owners.
 *
 * @module
 */
import type { RateLimit } from "../domain/rate.ts";
import { Allowance } from "./allowance.ts";

/** How many attempts at one account; past it everybody waits, its owner too. */
export const ATTEMPTS: RateLimit = { limit: 10, windowMs: 600_000 };
/** How many wrong ones from one client; past it all who share its address wait: an office has typos. */
export const CLIENT_FAILURES: RateLimit = { limit: 50, windowMs: 600_000 };

/** Somebody tries a password. */
export interface Attempt {
  /** The account's address, however it is written. */
  readonly email: string;
  /** As `clientOf` has it. */
  readonly client: string;
}

/** The attempts of a node. */
export class Attempts {
  readonly #accounts: Allowance;
  readonly #clients: Allowance;

  constructor(watchedMax?: number) {
    this.#accounts = new Allowance(ATTEMPTS, watchedMax);
    this.#clients = new Allowance(CLIENT_FAILURES, watchedMax);
  }

  /** How many accounts are watched. */
  get watched(): number {
    return this.#accounts.watched;
  }

  /** Begins an attempt: milliseconds to wait, or 0 if it may be made. One that waits counts nowhere. */
  try({ email, client }: Attempt, now: number): number {
    // It is a failure until it is known to be none, so that many at once are not too many.
    const clientMs = this.#clients.take(client, now);
    if (clientMs > 0) return clientMs;
    const accountMs = this.#accounts.take(folded(email), now);
    if (accountMs > 0) this.#clients.giveBack(client);
    return accountMs;
  }

  /**
   * The password was right: earlier attempts at this account do not count. The client's earlier failures do,
   * or whoever has an account could guess at the others for ever.
   */
  succeed({ email, client }: Attempt): void {
    this.#accounts.forget(folded(email));
    this.#clients.giveBack(client);
  }

  /** Nobody has looked whether the password was right. */
  takeBack({ email, client }: Attempt): void {
    this.#accounts.giveBack(folded(email));
    this.#clients.giveBack(client);
  }

  /** Whether this client has to wait, at whatever account. */
  isClientSpent(client: string, now: number): boolean {
    return this.#clients.isSpent(client, now);
  }
}

/** As storage has it: two addresses that differ in case or in blanks around them are one. */
function folded(email: string): string {
  return email.trim().toLowerCase();
}
