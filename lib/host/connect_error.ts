/**
 * From the runtimes' many words for "could not connect" to our six.
 *
 * @module
 */
import { ConnectError, type ConnectFailure, type ConnectOptions } from "./host.ts";

/** Which words of an error, or codes, mean what. The first row that fits decides. */
const WORDS: readonly (readonly [ConnectFailure, RegExp])[] = [
  ["refused", /ECONNREFUSED|connection refused/i],
  ["timeout", /ETIMEDOUT|timed? ?out/i],
  ["untrusted", /certificate|issuer|altname|self.signed|UNABLE_TO|CERT_|UnknownCA/i],
  [
    "unreachable",
    /NotCapable|Requires net access|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_|unreachable|lookup|not known|resolve/i,
  ],
];

/** The error of a runtime as a {@linkcode ConnectError}. */
export function connectError(error: unknown, options: ConnectOptions): ConnectError {
  if (error instanceof ConnectError) return error;
  const code = (error as { code?: unknown } | undefined)?.code;
  const message = error instanceof Error ? error.message : String(error);
  const words = `${typeof code === "string" ? code : ""} ${message}`;
  const failure = WORDS.find(([, pattern]) => pattern.test(words))?.[0] ?? "broken";
  const why = failure === "refused" ? "nobody listens there" : message;
  return new ConnectError(failure, `cannot connect to ${place(options)}: ${why}`);
}

/** The failure of a connection that took too long. */
export function connectTimeout(options: ConnectOptions): ConnectError {
  const words = `no answer in ${options.timeoutMs} ms`;
  return new ConnectError("timeout", `cannot connect to ${place(options)}: ${words}`);
}

/** The failure of a connection that this side gave up. */
export function connectAborted(options: ConnectOptions): ConnectError {
  return new ConnectError("aborted", `gave up connecting to ${place(options)}`);
}

/** `host:port`, with brackets around an IPv6 address. */
export function place(at: { readonly hostname: string; readonly port: number }): string {
  return at.hostname.includes(":") ? `[${at.hostname}]:${at.port}` : `${at.hostname}:${at.port}`;
}
