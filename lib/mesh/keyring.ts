/**
 * The cookies of a node: the first is used, all are accepted. While nodes change from one to the next, some
 * use the old one and some the new one, and all accept both.
 *
 * @module
 */
import { checkCookie, CookieError } from "./cookie.ts";
import { type ClusterKeys, deriveKeys } from "./identity.ts";

/** How many cookies a node may accept at once. Each takes some tenths of a second at start. */
export const COOKIES_MAX = 4;

/** The keys of the cookie that is used, and those of the others that are accepted. */
export interface KeySet {
  readonly use: ClusterKeys;
  readonly accepted: readonly ClusterKeys[];
}

/** Derives keys, and keeps those of the current cookies. */
export class Keyring {
  readonly #loopback: boolean;
  readonly #derive: (cookie: string) => Promise<ClusterKeys>;
  #derived: ReadonlyMap<string, Promise<ClusterKeys>> = new Map();

  /**
   * `loopback`: only this machine can reach the node, so that weak cookies are accepted. `derive` takes the place
   * of {@linkcode deriveKeys} in simulations and tests.
   */
  constructor(
    loopback: boolean,
    derive: (cookie: string) => Promise<ClusterKeys> = deriveKeys,
  ) {
    this.#loopback = loopback;
    this.#derive = derive;
  }

  /**
   * Returns the keys of one or several cookies. Rejects with {@linkcode CookieError} if one is unusable, or
   * if there are none, or more than {@linkcode COOKIES_MAX}.
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
    // One after the other: each takes 64 MiB for as long as it runs.
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
