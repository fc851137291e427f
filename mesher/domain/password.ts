/**
 * Password hashes with the platform's scrypt, which costs memory as well as time. The hash contains
 * the parameters, so that raising them keeps old hashes valid:
 *
 * ```
 * scrypt$<N>$<r>$<p>$<salt, base64url>$<key, base64url>
 * ```
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** The parameters of scrypt, which determine the cost of a hash. */
export interface PasswordCost {
  /** The cost parameter, a power of two. A hash uses `128 * N * r` bytes of memory. */
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** The default cost: 32 MiB and about 80 ms, OWASP's second recommendation for scrypt. */
export const PASSWORD_COST: PasswordCost = { N: 32_768, r: 8, p: 3 };

/** Maximum memory of a hash, in bytes; a stored hash that would need more matches no password. */
const MEMORY_BYTES_MAX = 268_435_456;
const PARALLEL_MAX = 16;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

/** Minimum number of characters of a password. */
export const PASSWORD_CHARS_MIN = 10;
/** Maximum number of characters of a password, because hashing a longer one takes longer. */
export const PASSWORD_CHARS_MAX = 256;

/** Returns why a password is rejected, or null. */
export function passwordProblem(password: string): string | null {
  if (password.length < PASSWORD_CHARS_MIN) {
    return `a password needs at least ${PASSWORD_CHARS_MIN} characters`;
  }
  if (password.length > PASSWORD_CHARS_MAX) {
    return `a password may have at most ${PASSWORD_CHARS_MAX} characters`;
  }
  return null;
}

/**
 * Returns a hash that no password matches. A login without an account is checked against this hash,
 * so that the duration does not reveal whether the account exists.
 */
export function unmatchableHash(cost: PasswordCost): string {
  return encodeHash(cost, randomBytes(SALT_BYTES), randomBytes(KEY_BYTES));
}

/** Returns the hash of a password, which can be stored. */
export async function hashPassword(
  password: string,
  cost: PasswordCost,
): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, salt, cost, KEY_BYTES);
  return encodeHash(cost, salt, key);
}

/** Returns whether a password matches; false for a malformed hash. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const stored = readHash(hash);
  if (stored === null || password.length > PASSWORD_CHARS_MAX) return false;
  const key = await derive(password, stored.salt, stored.cost, stored.key.length);
  return timingSafeEqual(key, stored.key);
}

/**
 * Returns whether a hash has other parameters than `cost`, so that it must be replaced at the next
 * login.
 */
export function isOutdated(hash: string, cost: PasswordCost): boolean {
  const stored = readHash(hash)?.cost;
  return stored === undefined || stored.N !== cost.N || stored.r !== cost.r || stored.p !== cost.p;
}

interface StoredHash {
  readonly cost: PasswordCost;
  readonly salt: Uint8Array;
  readonly key: Uint8Array;
}

function encodeHash({ N, r, p }: PasswordCost, salt: Buffer, key: Buffer): string {
  return ["scrypt", N, r, p, salt.toString("base64url"), key.toString("base64url")].join("$");
}

function readHash(hash: string): StoredHash | null {
  const parts = hash.split("$");
  if (parts.length !== 6 || parts[0] !== "scrypt") return null;
  const [N, r, p] = parts.slice(1, 4).map(Number) as [number, number, number];
  const whole = [N, r, p].every((n) => Number.isSafeInteger(n) && n > 0);
  if (!whole || N < 2 || (N & N - 1) !== 0 || p > PARALLEL_MAX) return null;
  if (128 * N * r > MEMORY_BYTES_MAX) return null;
  const salt = Buffer.from(parts[4]!, "base64url");
  const key = Buffer.from(parts[5]!, "base64url");
  if (salt.length < SALT_BYTES || key.length !== KEY_BYTES) return null;
  return { cost: { N, r, p }, salt, key };
}

function derive(
  password: string,
  salt: Uint8Array,
  { N, r, p }: PasswordCost,
  length: number,
): Promise<Buffer> {
  // Normalised, because another keyboard may compose the same text from other code points.
  const text = password.normalize("NFKC");
  return new Promise((resolve, reject) => {
    scrypt(text, salt, length, { N, r, p, maxmem: 2 * MEMORY_BYTES_MAX }, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
