import { assert, assertEquals } from "@std/assert";
import { Writer } from "../../lib/base/bytes.ts";
import {
  encodeInterestList,
  encodeInterestMap,
  INTEREST,
  ROOM_BUCKETS,
  ROOM_LIST_MAX,
  RoomInterest,
} from "../../lib/mesh/room_interest.ts";
import { test } from "../kit/test.ts";

/** Returns the body of a frame: the part after its length and tag. */
const body = (frame: Uint8Array): Uint8Array => frame.subarray(5);

/** Returns which of these buckets the peer has announced. */
const has = (rooms: RoomInterest, ...buckets: number[]): number[] =>
  buckets.filter((bucket) => rooms.has(bucket));

test("RoomInterest adds and removes the buckets of a list, and replaces all buckets by those of a map", () => {
  const rooms = new RoomInterest();
  const last = ROOM_BUCKETS - 1;
  assertEquals(has(rooms, 0, 7, last), []);
  assertEquals(rooms.apply(body(encodeInterestList(INTEREST.LEFT, [7], 1))), undefined);
  rooms.apply(body(encodeInterestList(INTEREST.JOINED, [0, 7, last], 3)));
  rooms.apply(body(encodeInterestList(INTEREST.JOINED, [], 0)));
  assertEquals(has(rooms, 0, 1, 6, 7, 8, last), [0, 7, last]);
  rooms.apply(body(encodeInterestList(INTEREST.LEFT, [7, 8], 2)));
  assertEquals(has(rooms, 0, 7, 8, last), [0, last]);
  rooms.apply(body(encodeInterestMap([9, 10, 1000])));
  assertEquals(has(rooms, 0, 8, 9, 10, 1000, last), [9, 10, 1000]);
  const most = Array.from({ length: ROOM_LIST_MAX }, (_, i) => i);
  assertEquals(
    rooms.apply(body(encodeInterestList(INTEREST.JOINED, most, most.length))),
    undefined,
  );
  assertEquals(has(rooms, ROOM_LIST_MAX - 1, ROOM_LIST_MAX), [ROOM_LIST_MAX - 1]);
});

test("RoomInterest ignores bytes after the known fields, and reports a malformed body", () => {
  const rooms = new RoomInterest();
  const list = new Writer(16).u8(1).u16(1).u32(5);
  assertEquals(rooms.apply(list.u8(99).done()), undefined);
  assert(rooms.has(5));
  const bad = [
    new Uint8Array(0),
    new Uint8Array([1]),
    new Writer(8).u8(1).u16(2).u32(5).done(),
    new Writer(8).u8(3).u16(0).done(),
    new Writer(8).u8(1).u16(1).u32(ROOM_BUCKETS).done(),
    new Uint8Array(100).with(0, INTEREST.MAP),
    new Writer(8).u8(0).u16(ROOM_LIST_MAX + 1).bytes(new Uint8Array(4 * ROOM_LIST_MAX + 4)).done(),
  ];
  for (const body of bad) assert(rooms.apply(body)?.includes("ROOM_INTEREST"), body.toHex());
});
