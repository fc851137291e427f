/**
 * Caches the projects of keys for a short time, so that the requests of a busy client cause few
 * queries. A revoked key is rejected at once on the node where it was revoked, and after `KEY_MS`
 * on the others.
 *
 * @module
 */
import { hashSecret, isSecret } from "../domain/secret.ts";
import type { ApiKeys } from "../storage/api_keys.ts";
import type { Project } from "../storage/projects.ts";

/** Time for which the project of a key is cached, in milliseconds. */
export const KEY_MS = 2_000;
/**
 * Age at which a cached answer is refreshed, in milliseconds. The old answer is used until the new
 * one has arrived, so that a busy client never waits.
 */
const REFRESH_MS = 1_000;
/** Maximum number of cached answers. When it is exceeded, the cache is cleared. */
const KEYS_MAX = 10_000;

/** Looks up the projects of keys, with a cache. */
export class Keys {
  readonly #apiKeys: Pick<ApiKeys, "projectByKey">;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  /** The hashes of keys, so that a busy client costs no hash per request. At most `KEYS_MAX`. */
  readonly #hashes = new Map<string, string>();

  constructor(apiKeys: Pick<ApiKeys, "projectByKey">, now: () => number) {
    this.#apiKeys = apiKeys;
    this.#now = now;
  }

  /** Returns the project of a key, or null. */
  project(key: string): Answer {
    const hash = this.#hashOf(key);
    if (hash === undefined) return Promise.resolve(null);
    const known = this.#known.get(hash);
    const now = this.#now();
    if (known === undefined || known.askedAt + KEY_MS <= now) return this.#ask(hash, now);
    if (!known.isAsked && known.askedAt + REFRESH_MS <= now) {
      known.isAsked = true;
      this.#refresh(hash, known, now);
    }
    return known.answer;
  }

  /** Returns the hash of a key, or undefined for a text that is no key. */
  #hashOf(key: string): string | undefined {
    const cached = this.#hashes.get(key);
    if (cached !== undefined || !isSecret("key", key)) return cached;
    if (this.#hashes.size >= KEYS_MAX) this.#hashes.clear();
    const hash = hashSecret(key);
    this.#hashes.set(key, hash);
    return hash;
  }

  #ask(hash: string, now: number): Answer {
    if (this.#known.size >= KEYS_MAX) this.#known.clear();
    const answer = this.#find(hash);
    this.#known.set(hash, { askedAt: now, answer, isAsked: false });
    // If the lookup fails, the answer is removed, so that the next request tries again.
    answer.catch(() => this.#known.delete(hash));
    return answer;
  }

  async #refresh(hash: string, known: Known, now: number): Promise<void> {
    try {
      const answer = Promise.resolve(await this.#find(hash));
      // The cache may have been cleared in the meantime.
      if (this.#known.get(hash) !== known) return;
      this.#known.set(hash, { askedAt: now, answer, isAsked: false });
    } catch {
      // If the refresh fails, the cached answer stays in use until it is outdated, and is then
      // requested again.
    }
  }

  async #find(hash: string): Answer {
    return (await this.#apiKeys.projectByKey(hash))?.project ?? null;
  }

  /** Clears the cache, because a key was revoked or a project has changed. */
  forget(): void {
    this.#known.clear();
  }
}

type Answer = Promise<Project | null>;

interface Known {
  readonly askedAt: number;
  readonly answer: Answer;
  /** Whether the answer is being refreshed. */
  isAsked: boolean;
}
