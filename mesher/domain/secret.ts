/**
 * API keys, tokens, and secrets of sessions and links, which are stored as hashes. They are random
 * enough that a plain SHA-256 is as secure as a slow hash, and a lookup costs microseconds. A key
 * is also stored in plain text, so that it can be shown again: it can only send events, and is in
 * each client's program anyway.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";

/** The kinds of secrets. A secret begins with its kind, so that a leaked one can be recognised. */
export const SECRET_KINDS = {
  key: "mshr_",
  token: "msht_",
  session: "mshs_",
  invitation: "mshi_",
  reset: "mshp_",
} as const;
/** The kind of a secret. */
export type SecretKind = keyof typeof SECRET_KINDS;

/** Number of random bytes of a secret: 192 bits. */
export const SECRET_BYTES = 24;

/** A new secret, with its hash. */
export interface NewSecret {
  readonly secret: string;
  /** The hash of the secret, which is stored. */
  readonly hash: string;
  /** The first characters of the secret, which identify a key in lists. */
  readonly prefix: string;
}

/** Creates a secret of a kind. */
export function newSecret(kind: SecretKind): NewSecret {
  return secretFrom(kind, crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
}

/** Returns a secret with these random bytes. */
export function secretFrom(kind: SecretKind, dice: Uint8Array): NewSecret {
  const hex = Array.from(dice, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const secret = SECRET_KINDS[kind] + hex;
  return { secret, hash: hashSecret(secret), prefix: secret.slice(0, 9) };
}

/** Returns the hash of a secret, for storage and lookup. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/**
 * Returns whether a text has the form of a secret of a kind. This check avoids a query of the
 * database for other texts.
 */
export function isSecret(kind: SecretKind, text: string): boolean {
  const prefix = SECRET_KINDS[kind];
  return text.length === prefix.length + 2 * SECRET_BYTES && text.startsWith(prefix) &&
    /^[0-9a-f]+$/.test(text.slice(prefix.length));
}

/** Compares two texts in constant time. */
export function sameText(a: string, b: string): boolean {
  const hashed = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hashed(a), hashed(b));
}
