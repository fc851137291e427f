/**
 * Ends streams whose user may not see them any more: after a logout, or when no longer of the
 * organisation now, sees no more of a project after `WATCH_MS` at the latest, on whatever node.
 *
 * @module
 */
import { personBySecret } from "../http/auth.ts";
import { HttpError } from "../http/http_error.ts";
import { findProject } from "../http/scope.ts";
import type { Storage } from "../storage/storage.ts";

/** Streams are looked at this often. Milliseconds. */
export const WATCH_MS = 5_000;

/** The permission of a watcher. */
export interface Right {
  /** Of the session or token that opened the stream. */
  readonly secretHash: string;
  readonly projectId: string;
}

/** What can be ended. */
export interface Ending {
  close(code: number, reason: string): void;
}

/** Checks the streams of one node. */
export class Watch {
  readonly #storage: Storage;
  readonly #ms: number;
  readonly #streams = new Map<Ending, Right>();
  #timer: ReturnType<typeof setInterval> | undefined;
  /** A look that takes longer than `#ms` is not overtaken by the next. */
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
    // Several tabs of one person are one question.
    const answers = new Map<string, boolean>();
    for (const [stream, right] of [...this.#streams]) {
      const key = `${right.secretHash}/${right.projectId}`;
      const holds = answers.get(key) ?? await this.#holds(right);
      answers.set(key, holds);
      if (!holds) stream.close(1008, "unauthorized");
    }
    this.#isLooking = false;
  }

  /** A database that is away decides nothing. */
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
