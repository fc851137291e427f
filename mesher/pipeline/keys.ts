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
/** After this an answer is asked for again, and the old one is used meanwhile, so that a busy client never waits. */
const REFRESH_MS = 1_000;
/** At most this many are remembered; then all are forgotten. */
const KEYS_MAX = 10_000;

/** Looks keys up. */
export class Keys {
  readonly #apiKeys: Pick<ApiKeys, "projectByKey">;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();

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
    if (known === undefined || known.askedAt + KEY_MS <= now) return this.#ask(hash, now);
    if (!known.isAsked && known.askedAt + REFRESH_MS <= now) {
      known.isAsked = true;
      this.#refresh(hash, known, now);
    }
    return known.answer;
  }

  #ask(hash: string, now: number): Answer {
    if (this.#known.size >= KEYS_MAX) this.#known.clear();
    const answer = this.#find(hash);
    this.#known.set(hash, { askedAt: now, answer, isAsked: false });
    // A database that is away is asked again by the next one.
    answer.catch(() => this.#known.delete(hash));
    return answer;
  }

  async #refresh(hash: string, known: Known, now: number): Promise<void> {
    try {
      const answer = Promise.resolve(await this.#find(hash));
      // Unless all were forgotten meanwhile.
      if (this.#known.get(hash) !== known) return;
      this.#known.set(hash, { askedAt: now, answer, isAsked: false });
    } catch {
      // When it is too old it is asked for again.
    }
  }

  async #find(hash: string): Answer {
    return (await this.#apiKeys.projectByKey(hash))?.project ?? null;
  }

  /** Forgets all: a key was revoked, or a project changed. */
  forget(): void {
    this.#known.clear();
  }
}

type Answer = Promise<Project | null>;

interface Known {
  readonly askedAt: number;
  readonly answer: Answer;
  /** It is being asked for again. */
  isAsked: boolean;
}
