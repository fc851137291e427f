/**
 * The permissions of tokens. A route requires one scope. A token without scopes has all permissions
 * of its user.
 *
 * @module
 */

/** The scopes that a token can have. */
export const TOKEN_SCOPES = [
  /** Allows all reads. */
  "read",
  /** Allows changes of issues and alerts. */
  "issues",
  /** Allows changes of releases, and uploads of source maps. */
  "releases",
  /** Allows changes of projects, keys, members and rules. */
  "manage",
] as const;
/** A scope of a token. */
export type TokenScope = typeof TOKEN_SCOPES[number];

/**
 * The scope that a route requires. "account": the password, the sessions and the tokens of the
 * user, for which no scope is sufficient.
 */
export type NeededScope = TokenScope | "account";

/** Parses scopes that are separated by spaces or commas. Ignores unknown scopes. */
export function scopesFrom(text: string): TokenScope[] {
  const given = text.split(/[\s,]+/);
  return TOKEN_SCOPES.filter((scope) => given.includes(scope));
}

/** Returns whether a token with these scopes may use a route. */
export function allows(scopes: readonly TokenScope[] | null, needed: NeededScope): boolean {
  return scopes === null || scopes.some((scope) => scope === needed);
}
