/**
 * Limits concurrent hashing of passwords. A hash takes 32 MiB and a tenth of a second, and any
 * client can cause one by a login: only few run at once, some wait, and more are rejected, so that
 * no client can exhaust the memory. The limit is per process, as the memory is.
 *
 * @module
 */
import { hashPassword, type PasswordCost, verifyPassword } from "../domain/password.ts";
import { HttpError } from "./http_error.ts";

/** Maximum number of hashes that are computed at once. They use 128 MiB. */
export const HASHES_MAX = 4;
/** Maximum number of waiting hashes, which take a second or two. Further requests get a 503. */
export const HASHES_WAITING_MAX = 16;

/** Limits how many functions run at once. */
export class Semaphore {
  readonly #atOnce: number;
  readonly #waitingMax: number;
  #working = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number, waitingMax: number) {
    this.#atOnce = atOnce;
    this.#waitingMax = waitingMax;
  }

  /**
   * Runs a function at once, or when an earlier function has ended. Throws 503 if too many
   * functions are waiting.
   */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#working < this.#atOnce) this.#working++;
    else if (this.#waiting.length < this.#waitingMax) {
      // A function that ends passes its place to the first waiting call, so that no later call
      // takes it.
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

const semaphore = new Semaphore(HASHES_MAX, HASHES_WAITING_MAX);

/** Returns the hash of a new password. Waits if too many hashes are being computed. */
export function hashInTurn(password: string, cost: PasswordCost): Promise<string> {
  return semaphore.take(() => hashPassword(password, cost));
}

/** Returns whether a password matches a hash. Waits if too many hashes are being computed. */
export function verifyInTurn(password: string, hash: string): Promise<boolean> {
  return semaphore.take(() => verifyPassword(password, hash));
}
