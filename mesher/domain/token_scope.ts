/**
 * The permissions of tokens. A route requires one scope; a token without scopes may do everything that
 * its user may.
 *
 * @module
 */

/** The scopes. */
export const TOKEN_SCOPES = [
  /** All reads. */
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

/**
 * The scope that a route requires. `account`: the password, sessions and tokens, for which no scope
 * is sufficient.
 */
export type NeededScope = TokenScope | "account";

/** Parses scopes separated by spaces or commas; unknown ones are omitted. */
export function scopesFrom(text: string): TokenScope[] {
  const given = text.split(/[\s,]+/);
  return TOKEN_SCOPES.filter((scope) => given.includes(scope));
}

/** Returns whether a token with these scopes may use a route. */
export function allows(scopes: readonly TokenScope[] | null, needed: NeededScope): boolean {
  return scopes === null || scopes.some((scope) => scope === needed);
}
