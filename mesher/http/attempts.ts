/**
 * Limits how often a password may be tried, on each node, in ten minutes:
 *
 *     a browser that has logged in before    10 times, and nothing else counts for it
 *     one client at one account              10 times
 *     one client, whatever the accounts      50 failures
 *     one account, whatever the clients      1,000 failures
 *
 * So a third party that fails does not lock the owner out: the owner's browser has a count of its own
 * (`domain/browser.ts`), and so has each other client. The last limit holds against guesses from many
 * addresses; past it only browsers that are known get in.
 *
 * @module
 */
import type { RateLimit } from "../domain/rate.ts";
import { Allowance } from "./allowance.ts";

/** Attempts of one client at one account, and of one known browser. */
export const ATTEMPTS: RateLimit = { limit: 10, windowMs: 600_000 };
/** The limit of failures of one address, above the errors of an office; then all clients of the address wait. */
export const CLIENT_FAILURES: RateLimit = { limit: 50, windowMs: 600_000 };
/** Failures at one account, of browsers that are not known. */
export const ACCOUNT_FAILURES: RateLimit = { limit: 1_000, windowMs: 600_000 };

/** An attempt to use a password. */
export interface Attempt {
  /** The account's address, however it is written. */
  readonly email: string;
  /** As `clientOf` returns it. */
  readonly client: string;
  /** As `browserOf` returns it: a browser from which this account was logged in. */
  readonly browser?: string | undefined;
}

/** The attempts of a node. */
export class Attempts {
  readonly #pairs: Allowance;
  readonly #clients: Allowance;
  readonly #accounts: Allowance;

  constructor(watchedMax?: number) {
    this.#pairs = new Allowance(ATTEMPTS, watchedMax);
    this.#clients = new Allowance(CLIENT_FAILURES, watchedMax);
    this.#accounts = new Allowance(ACCOUNT_FAILURES, watchedMax);
  }

  /** How many pairs of client and account, and browsers, are watched. */
  get watched(): number {
    return this.#pairs.watched;
  }

  /**
   * Begins an attempt. Returns the milliseconds to wait, or 0 if it may be made. One that has to wait counts
   * nowhere; another counts as a failure until its result is known, so that many at once are not too many.
   */
  try(attempt: Attempt, now: number): number {
    const taken: [Allowance, string][] = [];
    for (const [allowance, key] of this.#countsOf(attempt)) {
      const waitMs = allowance.take(key, now);
      if (waitMs === 0) {
        taken.push([allowance, key]);
        continue;
      }
      for (const [other, otherKey] of taken) other.giveBack(otherKey);
      return waitMs;
    }
    return 0;
  }

  /**
   * The password was right. Earlier attempts of this client at this account do not count any more; the
   * client's other failures do, or the owner of one account could guess at the others without end.
   */
  succeed(attempt: Attempt): void {
    for (const [allowance, key] of this.#countsOf(attempt)) {
      if (allowance === this.#pairs) allowance.forget(key);
      else allowance.giveBack(key);
    }
  }

  /** The password was not compared. */
  takeBack(attempt: Attempt): void {
    for (const [allowance, key] of this.#countsOf(attempt)) allowance.giveBack(key);
  }

  /** Whether this client has to wait, at whatever account. */
  isClientSpent(client: string, now: number): boolean {
    return this.#clients.isSpent(client, now);
  }

  #countsOf({ email, client, browser }: Attempt): [Allowance, string][] {
    if (browser !== undefined) return [[this.#pairs, `browser ${browser}`]];
    const account = email.trim().toLowerCase();
    return [
      [this.#clients, client],
      [this.#pairs, `${client} ${account}`],
      [this.#accounts, account],
    ];
  }
}
