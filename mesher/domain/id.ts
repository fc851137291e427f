/**
 * Creates and parses ids: UUIDs, in lower case with dashes. Ids that Mesher creates are of version
 * 7, so that rows created together are adjacent in an index. Clients choose the ids of events, with
 * any version.
 *
 * @module
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const HEX = /^[0-9a-f]{32}$/;

/** Returns whether `text` is a UUID in our format. */
export function isId(text: unknown): text is string {
  return typeof text === "string" && UUID.test(text);
}

/**
 * Returns the id in a text: a UUID in any case, with dashes or without as in Sentry. Returns null
 * for any other text.
 */
export function idOf(text: unknown): string | null {
  if (typeof text !== "string" || text.length > 36) return null;
  const lower = text.toLowerCase();
  if (UUID.test(lower)) return lower;
  return HEX.test(lower) ? dashed(lower) : null;
}

/** Returns the id in Sentry's format, without dashes. */
export function bareId(id: string): string {
  return id.replaceAll("-", "");
}

/** Returns a new id for the current time. `dice` are at least ten random bytes. */
export function idFrom(now: number, dice: Uint8Array): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(Math.max(0, Math.trunc(now))) << 16n);
  bytes.set(dice.subarray(0, 10), 6);
  bytes[6] = bytes[6]! & 0x0f | 0x70;
  bytes[8] = bytes[8]! & 0x3f | 0x80;
  return dashed(Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""));
}

/**
 * Returns a new id from the current time and the digits of a random UUID, which runtimes create
 * faster than other random values.
 */
export function newId(now: number = Date.now()): string {
  const time = Math.max(0, Math.trunc(now)).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`;
}

function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${
    hex.slice(20)
  }`;
}
