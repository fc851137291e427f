/**
 * Limits concurrent hashing of passwords. A hash takes 32 MiB and a tenth of a second, and any client can cause
 * one by a login: only few run at once, some wait, and more are rejected, so that no client can exhaust the
 * memory. The limit is per process, as the memory is.
 *
 * @module
 */
import { hashPassword, type PasswordCost, verifyPassword } from "../domain/password.ts";
import { HttpError } from "./http_error.ts";

/** Maximum number that run at once: 128 MiB. */
export const HASHES_MAX = 4;
/** Maximum number that wait, for a second or two; further ones get a 503. */
export const HASHES_WAITING_MAX = 16;

/** Limits concurrent work. */
export class Turns {
  readonly #atOnce: number;
  readonly #waitingMax: number;
  #working = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number, waitingMax: number) {
    this.#atOnce = atOnce;
    this.#waitingMax = waitingMax;
  }

  /** Runs the work when it is its turn. Throws 503 when too many wait. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#working < this.#atOnce) this.#working++;
    else if (this.#waiting.length < this.#waitingMax) {
      // The next one gets the turn directly, so that no other takes it.
      await new Promise<void>((wake) => this.#waiting.push(wake));
    } else throw new HttpError(503, "too many passwords are being checked", { "retry-after": "2" });
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#working--;
      else next();
    }
  }
}

const turns = new Turns(HASHES_MAX, HASHES_WAITING_MAX);

/** Returns the hash of a new password. */
export function hashInTurn(password: string, cost: PasswordCost): Promise<string> {
  return turns.take(() => hashPassword(password, cost));
}

/** Returns whether a password matches the hash. */
export function verifyInTurn(password: string, hash: string): Promise<boolean> {
  return turns.take(() => verifyPassword(password, hash));
}
