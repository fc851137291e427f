/**
 * The answer to a request that is at fault. Thrown where the fault is found, caught by the router.
 *
 * @module
 */

/** An error of the client, with the status of its answer. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}
