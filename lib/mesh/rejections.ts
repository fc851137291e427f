/**
 * Rejections in words, and not too many of them: whoever is refused again and again must not be able
 * to fill a log.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";

/** The same refusal of the same host is news again after this. */
const NEWS_MS = 60_000;

/** How many hosts are remembered; past it the memory begins anew. */
const HOSTS_MAX = 1_024;

/** What has been told of whom. */
export class Rejections {
  readonly #clock: Clock;
  readonly #told = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether this is worth a line in the log. */
  isNews(hostname: string, reason: string): boolean {
    // A client that rejects our certificate sends an alert and closes: either may arrive first.
    const key = `${hostname} ${reason === "broken" ? "cookie" : reason}`;
    const now = this.#clock.now();
    const told = this.#told.get(key);
    if (told !== undefined && now - told < NEWS_MS) return false;
    if (this.#told.size >= HOSTS_MAX) this.#told.clear();
    this.#told.set(key, now);
    return true;
  }
}

const EXPIRED = /expired|not.?(yet.?)?valid.?yet|not.?yet.?valid/i;

/** A certificate was judged by its dates. */
const CLOCKS =
  "the certificate is not valid at this time of day: it has expired, or a clock is wrong, here or there";

/** Describes why a peer's certificate was not trusted, from the words of TLS. */
export function untrustedWords(message: string): string {
  if (EXPIRED.test(message)) return CLOCKS;
  return "its certificate is not of our cluster (another cookie? or a clock that is wrong by days?)";
}

/** Words of TLS, which differ from runtime to runtime, and what they mean for a cluster. */
const MEANINGS: readonly (readonly [RegExp, string, string])[] = [
  [EXPIRED, "untrusted", CLOCKS],
  [/timeout/i, "timeout", "no TLS handshake in time"],
  [/unknown.?ca|bad.?certificate|certificate.?unknown/i, "cookie", "it has another cookie"],
  [/certificate/i, "untrusted", "it showed no certificate that we trust"],
  [/version.?number|InvalidContentType|http.?request/i, "protocol", "it does not speak TLS"],
  [
    /hung up|disconnected|reset/i,
    "broken",
    "it hung up in the TLS handshake (another cookie, or a wrong clock?)",
  ],
];

/** A TLS failure at our door, in one word and in a sentence. */
export function refusalWords(message: string): { reason: string; words: string } {
  for (const [pattern, reason, words] of MEANINGS) {
    if (pattern.test(message)) return { reason, words };
  }
  return { reason: "tls", words: `TLS failed: ${message}` };
}
