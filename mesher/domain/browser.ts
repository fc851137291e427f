/**
 * Identifies a browser from which a user has logged in. The browser stores `random.mac` in a
 * cookie, where
 *
 *     mac = HMAC-SHA-256(the hash of the user's password, "mesher browser" random)
 *
 * so that every node can check the cookie without storing anything, and a new password invalidates
 * it. The cookie grants no access: it only lets the user try a password while others are guessing
 * it.
 *
 * @module
 */
import { createHmac } from "node:crypto";
import { sameText } from "./secret.ts";

/** Maximum age of the cookie, in seconds (half a year). */
export const BROWSER_SECONDS = 15_552_000;
/** Number of hexadecimal digits of the random part of the cookie. */
const RANDOM_CHARS = 32;
const FORM = /^([0-9a-f]{32})\.[0-9a-f]{64}$/;

/**
 * Returns the cookie's value for a browser from which the user with this password has logged in.
 */
export function newBrowser(passwordHash: string): string {
  const random = crypto.randomUUID().replaceAll("-", "");
  return `${random}.${macOf(passwordHash, random)}`;
}

/**
 * Returns the id of a browser from the value of its cookie. Returns undefined unless the value was
 * created for this password.
 */
export function browserOf(value: string | undefined, passwordHash: string): string | undefined {
  if (value === undefined || !FORM.test(value)) return undefined;
  const random = value.slice(0, RANDOM_CHARS);
  return sameText(value.slice(RANDOM_CHARS + 1), macOf(passwordHash, random)) ? random : undefined;
}

function macOf(passwordHash: string, random: string): string {
  return createHmac("sha256", passwordHash).update(`mesher browser ${random}`).digest("hex");
}
