/**
 * The cookie: the one secret of a cluster. Whoever has it is a member, and can be any member.
 *
 * A certificate shows itself to anyone who connects, and a guess at the cookie can be checked
 * against it at leisure. So a cookie must not be guessable: 16 bytes of chance at least, which is
 * 32 hex digits or 22 characters of letters, digits and signs.
 *
 * @module
 */
import type { Random } from "../base/random.ts";

/** The least chance in a cookie, in bits: 16 bytes. */
export const COOKIE_BITS_MIN = 128;

/** The longest cookie, in characters. */
export const COOKIE_LENGTH_MAX = 1024;

/** A cookie with fewer different characters than this was not made by chance. */
const DISTINCT_MIN = 8;

/** A cookie that must not be used. */
export class CookieError extends Error {
  /** Tells the class of the error. */
  override readonly name = "CookieError";
  /** Stable code: `"badcookie"`. */
  readonly code = "badcookie";
}

/** A new cookie: 32 bytes of chance, in characters that need no quotes in a shell. */
export function makeCookie(random: Random): string {
  return btoa(String.fromCharCode(...random.bytes(32)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Throws {@linkcode CookieError} for a cookie that is unusable, or too weak for others than this
 * machine to meet. The message never holds the cookie.
 */
export function checkCookie(cookie: string, loopback: boolean): void {
  if (cookie.length === 0) {
    throw new CookieError("the cookie is empty; give every node of the cluster the same secret");
  }
  if (cookie.length > COOKIE_LENGTH_MAX) {
    throw new CookieError(`the cookie is longer than ${COOKIE_LENGTH_MAX} characters`);
  }
  if (loopback || chanceBits(cookie) >= COOKIE_BITS_MIN) return;
  throw new CookieError(
    "the cookie is too easy to guess for a node that listens beyond this machine: " +
      "it needs 16 bytes of chance; make one with `openssl rand -hex 16`",
  );
}

/** At most how much chance there can be in a text, by its length and the kinds of its characters. */
export function chanceBits(text: string): number {
  if (new Set(text).size < DISTINCT_MIN) return 0;
  let kinds = 0;
  if (/^[0-9]*$/.test(text)) kinds = 10;
  else if (/^[0-9a-f]*$/.test(text) || /^[0-9A-F]*$/.test(text)) kinds = 16;
  else {
    if (/[a-z]/.test(text)) kinds += 26;
    if (/[A-Z]/.test(text)) kinds += 26;
    if (/[0-9]/.test(text)) kinds += 10;
    if (/[^A-Za-z0-9]/.test(text)) kinds += 20;
  }
  return text.length * Math.log2(kinds);
}
