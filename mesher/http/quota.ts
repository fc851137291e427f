/**
 * Quotas: the maximum numbers of organisations, projects, keys and so on. Items are counted before
 * one more is created, so concurrent requests may exceed a quota slightly: quotas prevent unlimited
 * growth, and are not for billing.
 *
 * @module
 */
import type { RateLimit } from "../domain/rate.ts";
import { HttpError } from "./http_error.ts";

/** The quotas per organisation and per user. */
export const QUOTAS = {
  "organizations of one user": 100,
  "members of one organization": 1_000,
  "invitations to one organization": 200,
  "projects of one organization": 500,
  "keys of one project": 100,
  "alert rules of one project": 100,
  "tokens of one user": 100,
} as const;

/**
 * Limits the password resets that one client may request, and those that are sent to one account.
 */
export const RESETS: RateLimit = { limit: 5, windowMs: 600_000 };

/** Limits how often a user may look up whether an address has an account. */
export const LOOKUPS: RateLimit = { limit: 20, windowMs: 600_000 };

/** Throws 429 with `Retry-After` if the time to wait is not 0. */
export function mustWait(waitMs: number): void {
  if (waitMs <= 0) return;
  const seconds = String(Math.ceil(waitMs / 1000));
  throw new HttpError(429, "too many attempts", { "retry-after": seconds });
}

/** Throws 409 if the quota is reached. */
export function mustFit(what: keyof typeof QUOTAS, count: number): void {
  if (count < QUOTAS[what]) return;
  throw new HttpError(409, `there are ${count} ${what} already: remove one first`);
}
