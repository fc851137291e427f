/**
 * Maps the runtimes' errors of failed connections to the codes of `ConnectError`.
 *
 * @module
 */
import { ConnectError, type ConnectFailure, type ConnectOptions } from "./host.ts";

/**
 * Patterns of error codes and messages, and the code to which each is mapped. The first match
 * decides.
 */
const WORDS: readonly (readonly [ConnectFailure, RegExp])[] = [
  ["refused", /ECONNREFUSED|connection refused/i],
  ["timeout", /ETIMEDOUT|timed? ?out/i],
  ["untrusted", /certificate|issuer|altname|self.signed|UNABLE_TO|CERT_|UnknownCA/i],
  [
    "unreachable",
    /NotCapable|Requires net access|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_|unreachable|lookup|not known|resolve/i,
  ],
];

/** Returns a {@linkcode ConnectError} for an error of a runtime. */
export function connectError(error: unknown, options: ConnectOptions): ConnectError {
  if (error instanceof ConnectError) return error;
  const code = (error as { code?: unknown } | undefined)?.code;
  const message = error instanceof Error ? error.message : String(error);
  const words = `${typeof code === "string" ? code : ""} ${message}`;
  const failure = WORDS.find(([, pattern]) => pattern.test(words))?.[0] ?? "broken";
  const why = failure === "refused" ? "no process listens there" : message;
  return new ConnectError(failure, `cannot connect to ${place(options)}: ${why}`);
}

/** Returns the error for a connection that exceeded its time limit. */
export function connectTimeout(options: ConnectOptions): ConnectError {
  const words = `no answer in ${options.timeoutMs} ms`;
  return new ConnectError("timeout", `cannot connect to ${place(options)}: ${words}`);
}

/** Returns the error for a connection that this side aborted. */
export function connectAborted(options: ConnectOptions): ConnectError {
  return new ConnectError("aborted", `gave up connecting to ${place(options)}`);
}

/** Returns `host:port`, with brackets around an IPv6 address, or the path of a Unix socket. */
export function place(
  at: { readonly hostname: string; readonly port: number; readonly unix?: string | undefined },
): string {
  if (at.unix !== undefined) return at.unix;
  return at.hostname.includes(":") ? `[${at.hostname}]:${at.port}` : `${at.hostname}:${at.port}`;
}
