/**
 * What a token may do. A route needs one scope; a token without any list may do all that its user may.
 *
 * @module
 */

/** The scopes. */
export const TOKEN_SCOPES = [
  /** Everything that is only read. */
  "read",
  /** Changes of issues and alerts. */
  "issues",
  /** Releases, and uploads of source maps. */
  "releases",
  /** Projects, keys, members, rules. */
  "manage",
] as const;
/** A scope of a token. */
export type TokenScope = typeof TOKEN_SCOPES[number];

/** What a route needs. `account`: the password, sessions and tokens, for which no scope is enough. */
export type NeededScope = TokenScope | "account";

/** Reads scopes with blanks or commas between; those that are not known are left out. */
export function scopesFrom(text: string): TokenScope[] {
  const given = text.split(/[\s,]+/);
  return TOKEN_SCOPES.filter((scope) => given.includes(scope));
}

/** Whether a token with these scopes may do what needs one. */
export function allows(scopes: readonly TokenScope[] | null, needed: NeededScope): boolean {
  return scopes === null || scopes.some((scope) => scope === needed);
}
