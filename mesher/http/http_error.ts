/**
 * The response to an invalid request. Thrown where the fault is found, and caught by the router.
 *
 * @module
 */

/** An error of the client, with the status of its response. */
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
