/**
 * Maximum number of of each thing there that may be. It is counted before one more is made, so of two
 * that are made at the same moment one may be too many: these are bounds against growth without end, not
 * a price list.
 *
 * @module
 */
import type { RateLimit } from "../domain/rate.ts";
import { HttpError } from "./http_error.ts";

/** The limits per organisation and user. */
export const QUOTAS = {
  "organizations of one user": 100,
  "members of one organization": 1_000,
  "projects of one organization": 500,
  "keys of one project": 100,
  "alert rules of one project": 100,
  "tokens of one user": 100,
} as const;

/** How often a user may learn whether an address has an account. */
export const TELLINGS: RateLimit = { limit: 20, windowMs: 600_000 };

/** Throws 429 when there is a time to wait. */
export function mustWait(waitMs: number): void {
  if (waitMs <= 0) return;
  const seconds = String(Math.ceil(waitMs / 1000));
  throw new HttpError(429, "too many attempts", { "retry-after": seconds });
}

/** Throws 409 when there are as many as there may be. */
export function mustFit(what: keyof typeof QUOTAS, count: number): void {
  if (count < QUOTAS[what]) return;
  throw new HttpError(409, `there are ${count} ${what} already: remove one first`);
}
