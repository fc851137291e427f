/**
 * The error that a route throws for an invalid request. The router converts it to the response.
 *
 * @module
 */

/** An error of the client's request, with the status of the response. */
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
