/**
 * Limits how often a password may be tried on each node, in ten minutes:
 *
 *     a browser that has logged in before    10 times, whatever others have tried
 *     one client at one account              10 times
 *     one client, whatever the accounts      50 failures
 *     one account, whatever the clients      1,000 failures
 *
 * Failures of a third party therefore do not lock the owner out: the owner's browser has its own
 * count (`domain/browser.ts`), and so has each other client. The last limit prevents guesses from
 * many addresses; above it, only known browsers may log in.
 *
 * @module
 */
import type { RateLimit } from "../domain/rate.ts";
import { Allowance } from "./allowance.ts";

/**
 * The limit of attempts that one client makes for one account. It also applies to one known
 * browser.
 */
export const ATTEMPTS: RateLimit = { limit: 10, windowMs: 600_000 };
/**
 * The limit of failures of one client address. It is high enough for the mistakes of an office.
 * Above it, all clients of the address must wait.
 */
export const CLIENT_FAILURES: RateLimit = { limit: 50, windowMs: 600_000 };
/** The limit of failures at one account, from unknown browsers. */
export const ACCOUNT_FAILURES: RateLimit = { limit: 1_000, windowMs: 600_000 };

/** An attempt to use a password. */
export interface Attempt {
  /** The account's address in any spelling: case and surrounding spaces are ignored. */
  readonly email: string;
  /** The key of the client, as `clientOf` returns it. */
  readonly client: string;
  /**
   * The key of the browser, as `browserOf` returns it. Undefined if this account has not logged in
   * from it before.
   */
  readonly browser?: string | undefined;
}

/** Counts and limits the password attempts on one node. */
export class Attempts {
  readonly #pairs: Allowance;
  readonly #clients: Allowance;
  readonly #accounts: Allowance;

  constructor(watchedMax?: number) {
    this.#pairs = new Allowance(ATTEMPTS, watchedMax);
    this.#clients = new Allowance(CLIENT_FAILURES, watchedMax);
    this.#accounts = new Allowance(ACCOUNT_FAILURES, watchedMax);
  }

  /** Number of tracked pairs of client and account, and of tracked browsers. */
  get watched(): number {
    return this.#pairs.watched;
  }

  /**
   * Starts an attempt. Returns the milliseconds to wait, or 0 if it is allowed. An attempt that
   * must wait does not count; any other counts as a failure until its result is known, so that
   * concurrent attempts are limited too.
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
   * Records that the password was correct. Earlier attempts of this client at this account no
   * longer count. The client's other failures still count: otherwise, the owner of one account
   * could guess the passwords of others without a limit.
   */
  succeed(attempt: Attempt): void {
    for (const [allowance, key] of this.#countsOf(attempt)) {
      if (allowance === this.#pairs) allowance.forget(key);
      else allowance.giveBack(key);
    }
  }

  /** Undoes an attempt whose password was not compared. */
  takeBack(attempt: Attempt): void {
    for (const [allowance, key] of this.#countsOf(attempt)) allowance.giveBack(key);
  }

  /** Returns whether a client must wait, whichever account it tries. */
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
