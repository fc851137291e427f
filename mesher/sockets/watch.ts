/**
 * Ends streams whose user may no longer see them: after a logout or when a member is removed, the
 * stream ends within `WATCH_MS`, on any node.
 *
 * @module
 */
import { personBySecret } from "../http/auth.ts";
import { HttpError } from "../http/http_error.ts";
import { findProject } from "../http/scope.ts";
import type { Storage } from "../storage/storage.ts";

/** The interval at which streams are checked. Milliseconds. */
export const WATCH_MS = 5_000;

/** The permission of a watcher. */
export interface Right {
  /** The id of the session or token that opened the stream. */
  readonly secretHash: string;
  readonly projectId: string;
}

/** A stream that can be ended. */
export interface Ending {
  close(code: number, reason: string): void;
}

/** Checks the streams of one node. */
export class Watch {
  readonly #storage: Storage;
  readonly #ms: number;
  readonly #streams = new Map<Ending, Right>();
  #timer: ReturnType<typeof setInterval> | undefined;
  /** A check that takes longer than `#ms` delays the next. */
  #isLooking = false;

  constructor(storage: Storage, ms: number = WATCH_MS) {
    this.#storage = storage;
    this.#ms = ms;
  }

  /** A stream has opened. */
  add(stream: Ending, right: Right): void {
    this.#streams.set(stream, right);
    this.#timer ??= setInterval(() => this.#look(), this.#ms);
  }

  /** The stream has closed. */
  remove(stream: Ending): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    // Several tabs of one user need one query.
    const answers = new Map<string, boolean>();
    for (const [stream, right] of [...this.#streams]) {
      const key = `${right.secretHash}/${right.projectId}`;
      const holds = answers.get(key) ?? await this.#holds(right);
      answers.set(key, holds);
      if (!holds) stream.close(1008, "unauthorized");
    }
    this.#isLooking = false;
  }

  /** If the database is unavailable, nothing is decided. */
  async #holds({ secretHash, projectId }: Right): Promise<boolean> {
    try {
      const { memberships } = await personBySecret(secretHash, this.#storage);
      await findProject(this.#storage, memberships, projectId);
      return true;
    } catch (error) {
      return !(error instanceof HttpError);
    }
  }
}
