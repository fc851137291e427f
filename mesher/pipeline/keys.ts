/**
 * Caches the projects of keys for a moment, so that a busy client costs no query per request. A revoked key is
 * rejected at once on the node where it was revoked, and after `KEY_MS` on the others.
 *
 * @module
 */
import { hashSecret, isSecret } from "../domain/secret.ts";
import type { ApiKeys } from "../storage/api_keys.ts";
import type { Project } from "../storage/projects.ts";

/** How long an answer is believed. Milliseconds. */
export const KEY_MS = 2_000;
/** At most this many are remembered; then all are forgotten. */
const KEYS_MAX = 10_000;

/** Looks keys up. */
export class Keys {
  readonly #apiKeys: Pick<ApiKeys, "projectByKey">;
  readonly #now: () => number;
  readonly #known = new Map<string, { readonly until: number; readonly answer: Answer }>();

  constructor(apiKeys: Pick<ApiKeys, "projectByKey">, now: () => number) {
    this.#apiKeys = apiKeys;
    this.#now = now;
  }

  /** The project that a key is for, or null. */
  project(key: string): Answer {
    if (!isSecret("key", key)) return Promise.resolve(null);
    const hash = hashSecret(key);
    const known = this.#known.get(hash);
    const now = this.#now();
    if (known !== undefined && known.until > now) return known.answer;
    if (this.#known.size >= KEYS_MAX) this.#known.clear();
    const answer = this.#apiKeys.projectByKey(hash).then((found) => found?.project ?? null);
    this.#known.set(hash, { until: now + KEY_MS, answer });
    // A database that is away is asked again by the next one.
    answer.catch(() => this.#known.delete(hash));
    return answer;
  }

  /** Forgets all: a key was revoked, or a project changed. */
  forget(): void {
    this.#known.clear();
  }
}

type Answer = Promise<Project | null>;
