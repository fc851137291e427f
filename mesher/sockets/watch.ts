/**
 * Closes the streams of users who have lost access, on any node: within `WATCH_MS` after the user
 * has logged out or was removed from the organisation.
 *
 * @module
 */
import { personBySecret } from "../http/auth.ts";
import { HttpError } from "../http/http_error.ts";
import { findProject } from "../http/scope.ts";
import type { Storage } from "../storage/storage.ts";

/** The interval at which streams are checked, in milliseconds. */
export const WATCH_MS = 5_000;

/** The credentials and the project with which a stream was opened. */
export interface StreamAccess {
  /** The hash of the secret of the session or token that opened the stream. */
  readonly secretHash: string;
  readonly projectId: string;
}

/** A stream that can be closed. */
export interface ClosableStream {
  close(code: number, reason: string): void;
}

/** Checks periodically whether streams are still permitted, and closes those that are not. */
export class Watch {
  readonly #storage: Storage;
  readonly #ms: number;
  readonly #streams = new Map<ClosableStream, StreamAccess>();
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Whether a check is in progress. Further checks are skipped meanwhile. */
  #isLooking = false;

  constructor(storage: Storage, ms: number = WATCH_MS) {
    this.#storage = storage;
    this.#ms = ms;
  }

  /** Adds a stream that has opened. */
  add(stream: ClosableStream, right: StreamAccess): void {
    this.#streams.set(stream, right);
    this.#timer ??= setInterval(() => this.#look(), this.#ms);
  }

  /** Removes a stream that has closed. */
  remove(stream: ClosableStream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    // The results by user and project: one query is enough for several tabs of one user.
    const answers = new Map<string, boolean>();
    for (const [stream, right] of [...this.#streams]) {
      const key = `${right.secretHash}/${right.projectId}`;
      const holds = answers.get(key) ?? await this.#holds(right);
      answers.set(key, holds);
      if (!holds) stream.close(1008, "unauthorized");
    }
    this.#isLooking = false;
  }

  /**
   * Returns whether the user may still see the stream. Returns true if the database is unavailable.
   */
  async #holds({ secretHash, projectId }: StreamAccess): Promise<boolean> {
    try {
      const { memberships } = await personBySecret(secretHash, this.#storage);
      await findProject(this.#storage, memberships, projectId);
      return true;
    } catch (error) {
      return !(error instanceof HttpError);
    }
  }
}
