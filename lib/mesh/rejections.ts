/**
 * Describes rejections for the log, and limits how often they are logged, because a peer may be
 * rejected repeatedly.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";

/** Interval after which the same rejection of the same host is logged again, in milliseconds. */
const REPEAT_MS = 60_000;

/**
 * Maximum number of recorded rejections, each a host and a reason. When the record is full, it is
 * cleared before the next rejection is added.
 */
const HOSTS_MAX = 1_024;

/** Records which rejections were logged. */
export class Rejections {
  readonly #clock: Clock;
  readonly #loggedAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns whether a rejection should be logged. */
  isDue(hostname: string, reason: string): boolean {
    // A client that rejects this node's certificate sends an alert and closes the stream. Both
    // events count as the same rejection, whichever is detected first.
    const key = `${hostname} ${reason === "broken" ? "cookie" : reason}`;
    const now = this.#clock.now();
    const loggedAt = this.#loggedAt.get(key);
    if (loggedAt !== undefined && now - loggedAt < REPEAT_MS) return false;
    if (this.#loggedAt.size >= HOSTS_MAX) this.#loggedAt.clear();
    this.#loggedAt.set(key, now);
    return true;
  }
}

/** Matches errors about the dates of a certificate. */
const VALIDITY_ERROR = /expired|not.?(yet.?)?valid.?yet|not.?yet.?valid/i;

/** Describes a certificate that is expired or not valid yet. */
const VALIDITY_WORDS =
  "the certificate is not valid now: it has expired, or the clock of one of the nodes is wrong";

/** Explains from the TLS error message why a peer's certificate was not trusted. */
export function untrustedWords(message: string): string {
  if (VALIDITY_ERROR.test(message)) return VALIDITY_WORDS;
  return "its certificate is not of our cluster (another cookie? or a clock that is wrong by days?)";
}

/**
 * Patterns of TLS error messages, which differ between runtimes. Each has a code and an
 * explanation.
 */
const TLS_FAILURES: readonly (readonly [RegExp, string, string])[] = [
  [VALIDITY_ERROR, "untrusted", VALIDITY_WORDS],
  [/timeout/i, "timeout", "no TLS handshake in time"],
  [/unknown.?ca|bad.?certificate|certificate.?unknown/i, "cookie", "it has another cookie"],
  [/certificate/i, "untrusted", "it presented no trusted certificate"],
  [/version.?number|InvalidContentType|http.?request/i, "protocol", "it does not speak TLS"],
  [
    /hung up|disconnected|reset/i,
    "broken",
    "it hung up in the TLS handshake (another cookie, or a wrong clock?)",
  ],
];

/** Returns the reason of a TLS failure on the listener, as a code and a sentence. */
export function refusalWords(message: string): { reason: string; words: string } {
  for (const [pattern, reason, words] of TLS_FAILURES) {
    if (pattern.test(message)) return { reason, words };
  }
  return { reason: "tls", words: `TLS failed: ${message}` };
}
