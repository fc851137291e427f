/**
 * Derives the keys of a node's cookies. The node uses the first cookie, and accepts all. While a
 * cluster changes its cookie, some nodes use the old one and some the new one, and all accept both.
 *
 * @module
 */
import { checkCookie, CookieError } from "./cookie.ts";
import { type ClusterKeys, deriveKeys } from "./identity.ts";

/**
 * Maximum number of cookies that a node may accept at once. Each cookie delays the start by some
 * tenths of a second.
 */
export const COOKIES_MAX = 4;

/** The keys of the cookie in use, and those of the other accepted cookies. */
export interface KeySet {
  readonly use: ClusterKeys;
  readonly accepted: readonly ClusterKeys[];
}

/** Derives keys, and caches those of the current cookies. */
export class Keyring {
  readonly #loopback: boolean;
  readonly #derive: (cookie: string) => Promise<ClusterKeys>;
  #derived: ReadonlyMap<string, Promise<ClusterKeys>> = new Map();

  /**
   * `loopback`: whether only this machine can reach the node, so that weak cookies are accepted.
   * `derive` replaces {@linkcode deriveKeys} in simulations and tests.
   */
  constructor(
    loopback: boolean,
    derive: (cookie: string) => Promise<ClusterKeys> = deriveKeys,
  ) {
    this.#loopback = loopback;
    this.#derive = derive;
  }

  /**
   * Returns the keys of one or several cookies. Rejects with {@linkcode CookieError} if a cookie is
   * unusable, or if there are no cookies or more than {@linkcode COOKIES_MAX}.
   */
  async derive(cookies: string | readonly string[]): Promise<KeySet> {
    const list = [...new Set(Array.isArray(cookies) ? cookies as string[] : [cookies as string])];
    if (list.length === 0 || list.length > COOKIES_MAX) {
      const words =
        `there are ${list.length} cookies; use 1 to ${COOKIES_MAX}, the one to use first`;
      throw new CookieError(words);
    }
    for (const cookie of list) checkCookie(cookie, this.#loopback);
    const known = this.#derived;
    // The derivations run one after another, because each uses 64 MiB of memory.
    let last: Promise<unknown> = Promise.resolve();
    const derived = new Map(list.map((cookie) => {
      const keys = known.get(cookie) ?? last.then(() => this.#derive(cookie));
      last = keys;
      return [cookie, keys];
    }));
    this.#derived = derived;
    const [use, ...accepted] = await Promise.all(derived.values());
    return { use: use!, accepted };
  }
}
