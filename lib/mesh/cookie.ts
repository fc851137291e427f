/**
 * Creates and checks cookies. The cookie is the shared secret of a cluster. A node that has it is a
 * member, and can impersonate any member.
 *
 * A node shows its certificate to every client, and guesses of the cookie can be checked against it
 * offline. Beyond loopback, only generated cookies are therefore accepted: at least 32 hex digits
 * or 22 characters of base64, without patterns typical of secrets that people choose. Each rule
 * rejects a generated cookie with a probability of at most 1 in 1,000; if it is rejected, generate
 * another one.
 *
 * @module
 */
import type { Random } from "../base/random.ts";

/** Maximum length of a cookie, in characters. */
export const COOKIE_LENGTH_MAX = 1024;

/** Minimum number of hex digits in a cookie: 128 bits. */
const HEX_LENGTH_MIN = 32;
/** Minimum number of base64 characters in a cookie: at least 128 bits. */
const BASE64_LENGTH_MIN = 22;

/**
 * Maximum length of a run of characters that are all equal, or in which each is one step from the
 * previous one. A cookie with a longer run is weak.
 */
const RUN_MAX = 6;

/**
 * Patterns typical of secrets that people choose: words, words of hex digits such as "deadbeef",
 * and rows of keys such as "qwerty".
 */
const WORDS =
  /password|passwd|secret|cookie|change|cluster|default|example|erlang|elixir|letmein|dragon|monkey|qwerty|asdfgh|zxcvbn|deadbeef|cafebabe|feedface|baadfood|coffee|facade|decade/;

/**
 * Frequent pairs of letters. They are more than half of all pairs in English text, but only a
 * twelfth of the pairs in random letters.
 */
const PAIRS = new Set(
  ("th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de " +
    "hi ri ro ic ne ea ra ce li ch ll be ma si om ur").split(" "),
);

/**
 * Maximum share of the letter pairs of a cookie that may be in `PAIRS`. A larger share indicates
 * words.
 */
const PAIRS_SHARE_MAX = 0.35;

/** Digits that people write instead of similar letters, each with the letter that it replaces. */
const LOOKALIKES: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "l",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "8": "b",
};

/**
 * The error for an invalid or weak cookie, or an unusable cookie file.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { CookieError } from "@firn/firn/node";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const error = await assertRejects(
 *   () => Node.start({ cookie: "letmein", listen: { hostname: "0.0.0.0" } }),
 *   CookieError,
 * );
 * assertEquals(error.code, "badcookie");
 * ```
 */
export class CookieError extends Error {
  /** The name of the class. */
  override readonly name = "CookieError";
  /**
   * `"badcookie"`: the cookie is empty or weak; `"cookiefile"`: its file can neither be read nor be
   * created.
   */
  readonly code: "badcookie" | "cookiefile";

  /** Creates the error from the message and the code. */
  constructor(
    message: string,
    code?: "badcookie" | "cookiefile",
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code ?? "badcookie";
  }
}

/** Returns a new cookie: 32 random bytes, in characters that need no quoting in a shell. */
export function makeCookie(random: Random): string {
  return btoa(String.fromCharCode(...random.bytes(32)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Throws {@linkcode CookieError} if a cookie is invalid, or if it is weak and other machines can
 * reach the node. The message never contains the cookie.
 */
export function checkCookie(cookie: unknown, loopback: boolean): void {
  if (typeof cookie !== "string") {
    throw new CookieError(
      `the cookie is not a string but ${cookie === null ? "null" : `of type ${typeof cookie}`}`,
    );
  }
  if (cookie.length === 0) {
    throw new CookieError("the cookie is empty; use the same secret on every node of the cluster");
  }
  if (cookie.length > COOKIE_LENGTH_MAX) {
    throw new CookieError(`the cookie is longer than ${COOKIE_LENGTH_MAX} characters`);
  }
  const why = loopback ? undefined : weakness(cookie);
  if (why === undefined) return;
  throw new CookieError(
    `the cookie is too easy to guess for a node that listens beyond this machine: ${why}. ` +
      "Generate one with `openssl rand -hex 16`, and keep it in a file or an environment variable",
  );
}

/** Returns why a cookie was probably not generated, or `undefined` if it looks random. */
export function weakness(cookie: string): string | undefined {
  const text = cookie.replace(/={1,2}$/, "");
  const isHex = /^(?:[0-9a-f]+|[0-9A-F]+)$/.test(text);
  if (!isHex && !/^[A-Za-z0-9+/_-]+$/.test(text)) return "it is neither hex digits nor base64";
  const length = isHex ? HEX_LENGTH_MIN : BASE64_LENGTH_MIN;
  if (text.length < length) {
    return `it has fewer than ${length} ${isHex ? "hex digits" : "characters of base64"}`;
  }
  if (isHex ? /^\d*$/.test(text) : !/[a-z]/.test(text) || !/[A-Z]/.test(text)) {
    return isHex ? "it has digits only" : "it has letters of one case only";
  }
  if (repeats(text)) return "parts of it are repeated";
  if (longestRun(text) > RUN_MAX) return "it contains a sequence of characters";
  const letters = text.toLowerCase().replace(/[0134578]/g, (digit) => LOOKALIKES[digit]!);
  if (WORDS.test(letters) || WORDS.test(text.toLowerCase())) return "it contains a word";
  if (!isHex && pairsShare(letters) > PAIRS_SHARE_MAX) return "it is made of words";
  return undefined;
}

/**
 * Returns whether a text is too repetitive to be random: it has fewer than 8 different characters,
 * or the number of its repeated sequences of four characters exceeds an eighth of its length.
 */
function repeats(text: string): boolean {
  if (new Set(text).size < 8) return true;
  const seen = new Set<string>();
  let again = 0;
  for (let i = 0; i + 4 <= text.length; i++) {
    const part = text.slice(i, i + 4).toLowerCase();
    if (seen.has(part)) again++;
    seen.add(part);
  }
  return again > text.length / 8;
}

/**
 * Returns the length of the longest run of characters that are all equal, or in which each is one
 * step from the previous one.
 */
function longestRun(text: string): number {
  let [longest, length, step] = [1, 1, NaN];
  for (let i = 1; i < text.length; i++) {
    // As in hex, the step from "9" to "a" counts as one step.
    const here = /9a|a9/i.test(text.slice(i - 1, i + 1))
      ? (text[i] === "9" ? -1 : 1)
      : text.charCodeAt(i) - text.charCodeAt(i - 1);
    length = here === step && Math.abs(here) <= 1 ? length + 1 : 2;
    step = here;
    if (Math.abs(here) <= 1) longest = Math.max(longest, length);
  }
  return longest;
}

/** Returns the share of letter pairs that are frequent in English. */
function pairsShare(letters: string): number {
  let count = 0;
  for (let i = 1; i < letters.length; i++) if (PAIRS.has(letters.slice(i - 1, i + 1))) count++;
  return count / (letters.length - 1);
}
