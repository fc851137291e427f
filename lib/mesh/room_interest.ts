/**
 * Tracks the rooms in which a peer has announced members, so that a broadcast is sent only to nodes
 * with members. Deterministic.
 *
 *     room ─ hash ─▶ one of 262,144 buckets ─▶ a bit: the peer has members in a room of this bucket
 *
 * Rooms with the same bucket share a bit: a node without members may then receive a broadcast, and
 * drops it. A node with 1,000 rooms receives 0.4 % of the broadcasts to other rooms, one with
 * 10,000 rooms 4 %, and one with 100,000 rooms 32 %. The bits of a peer take 32 KiB of memory from
 * its first room on.
 *
 * Until the first ROOM_INTEREST of a session, and for peers without `FEATURE.ROOM_INTEREST`, the
 * rooms are unknown: such a peer receives every broadcast.
 *
 * @module
 */
import { Reader, Writer } from "../base/bytes.ts";
import { encodeFrame } from "./frame.ts";
import { TAG } from "./message.ts";

/** The number of buckets that the names of rooms are hashed to. */
export const ROOM_BUCKETS: number = 1 << 18;

/**
 * Maximum number of buckets in a list. A list takes 4 bytes per bucket, so a longer one would be
 * larger than a map of all buckets. A larger change is sent as a map.
 */
export const ROOM_LIST_MAX: number = ROOM_BUCKETS / 32;

const MAP_BYTES = ROOM_BUCKETS / 8;

/** The kinds of a ROOM_INTEREST. */
export const INTEREST = {
  /** Lists the buckets that no longer have members. */
  LEFT: 0,
  /** Lists the buckets that now have members. */
  JOINED: 1,
  /** Contains all buckets, as a map with one bit each. */
  MAP: 2,
} as const;

/** Encodes a ROOM_INTEREST frame with a list of at most {@linkcode ROOM_LIST_MAX} buckets. */
export function encodeInterestList(
  what: 0 | 1,
  buckets: Iterable<number>,
  count: number,
): Uint8Array {
  const writer = new Writer(3 + 4 * count).u8(what).u16(count);
  for (const bucket of buckets) writer.u32(bucket);
  return encodeFrame(TAG.ROOM_INTEREST, writer.done());
}

/** Encodes a ROOM_INTEREST frame with all buckets. */
export function encodeInterestMap(buckets: Iterable<number>): Uint8Array {
  const body = new Uint8Array(1 + MAP_BYTES);
  body[0] = INTEREST.MAP;
  for (const bucket of buckets) body[1 + (bucket >>> 3)]! |= 1 << (bucket & 7);
  return encodeFrame(TAG.ROOM_INTEREST, body);
}

/** Records in which buckets of rooms one peer has members. */
export class RoomInterest {
  #map: Uint8Array | undefined;

  /** Returns whether the peer may have members in a room of this bucket. */
  has(bucket: number): boolean {
    return this.#map !== undefined && (this.#map[bucket >>> 3]! >>> (bucket & 7) & 1) === 1;
  }

  /**
   * Applies the body of a ROOM_INTEREST. Returns the rule that the peer violated, or `undefined`.
   */
  apply(body: Uint8Array): string | undefined {
    const reader = new Reader(body);
    const what = reader.u8();
    if (what === INTEREST.MAP) {
      const map = reader.bytes(MAP_BYTES);
      if (!reader.ok) return "a malformed ROOM_INTEREST";
      this.#map = map.slice();
      return undefined;
    }
    const count = reader.u16();
    if (!reader.ok || what > INTEREST.MAP || count > ROOM_LIST_MAX || reader.left < 4 * count) {
      return "a malformed ROOM_INTEREST";
    }
    for (let i = 0; i < count; i++) {
      const bucket = reader.u32();
      if (bucket >= ROOM_BUCKETS) return "a ROOM_INTEREST of a bucket that does not exist";
      const at = bucket >>> 3;
      if (what === INTEREST.JOINED) {
        (this.#map ??= new Uint8Array(MAP_BYTES))[at]! |= 1 << (bucket & 7);
      } else if (this.#map !== undefined) this.#map[at]! &= ~(1 << (bucket & 7));
    }
    return undefined;
  }
}
