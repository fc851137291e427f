/** Tests the demo's WebSocket protocol, message by message. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  type ClientMessage,
  DATA_DEPTH_MAX,
  MESSAGE_CHARS_MAX,
  parseMessage,
  ROOM_BYTES_MAX,
} from "../../scripts/cluster/protocol.ts";
import { test } from "../kit/test.ts";

/** Returns arrays nested to this depth. */
function nested(depth: number): string {
  return "[".repeat(depth) + "]".repeat(depth);
}

const GOOD: readonly (readonly [string, ClientMessage])[] = [
  ['{"type":"join","room":"lobby"}', { type: "join", room: "lobby" }],
  ['{"type":"leave","room":"lobby"}', { type: "leave", room: "lobby" }],
  ['{"type":"watch"}', { type: "watch" }],
  [
    '{"type":"broadcast","room":"a b","data":"hi"}',
    { type: "broadcast", room: "a b", data: "hi" },
  ],
  [
    '{"type":"broadcastFrom","room":"é","data":{"a":[1,null]}}',
    { type: "broadcastFrom", room: "é", data: { a: [1, null] } },
  ],
  ['{"type":"broadcast","room":"r","data":null}', { type: "broadcast", room: "r", data: null }],
  ['{"type":"broadcast","room":"r","data":false}', { type: "broadcast", room: "r", data: false }],
  ['{"type":"join","room":"r","more":1}', { type: "join", room: "r" }],
];

const BAD: readonly (readonly [string, string])[] = [
  ["", "not JSON"],
  ["{", "not JSON"],
  ["hello", "not JSON"],
  ["null", "no object"],
  ["7", "no object"],
  ["[]", "no object"],
  ['"join"', "no object"],
  ["{}", "type is missing"],
  ['{"type":"shout"}', 'type is "shout"'],
  ['{"type":["join"],"room":"r"}', "type is"],
  ['{"type":"__proto__"}', "type is"],
  ['{"type":"toString","room":"r"}', "type is"],
  ['{"type":"join"}', "room is missing"],
  ['{"type":"join","room":""}', 'room is ""'],
  ['{"type":"join","room":7}', 'room is "7"'],
  ['{"type":"join","room":null}', 'room is "null"'],
  ['{"type":"join","room":"\\ud800"}', "room is"],
  [`{"type":"join","room":"${"x".repeat(ROOM_BYTES_MAX + 1)}"}`, "room is"],
  [`{"type":"leave","room":"${"é".repeat(ROOM_BYTES_MAX / 2 + 1)}"}`, "room is"],
  ['{"type":"broadcast","room":"r"}', "data is missing"],
  ['{"type":"broadcastFrom","data":1}', "room is missing"],
];

test("parseMessage reads every message of the protocol", () => {
  for (const [text, message] of GOOD) assertEquals(parseMessage(text), { ok: true, message });
});

test("parseMessage returns an error that describes the fault for any other input", () => {
  for (const [text, why] of BAD) {
    const parsed = parseMessage(text);
    assert(!parsed.ok, text);
    assertStringIncludes(parsed.why, why);
  }
  const bytes = parseMessage(new Uint8Array(3));
  assert(!bytes.ok && bytes.why.includes("binary"));
});

test("parseMessage accepts values at a limit, and rejects values over it", () => {
  const room = (bytes: number): string => `{"type":"join","room":"${"x".repeat(bytes)}"}`;
  assert(parseMessage(room(ROOM_BYTES_MAX)).ok);
  assert(!parseMessage(room(ROOM_BYTES_MAX + 1)).ok);

  const deep = (depth: number): string => `{"type":"broadcast","room":"r","data":${nested(depth)}}`;
  assert(parseMessage(deep(DATA_DEPTH_MAX)).ok);
  assert(!parseMessage(deep(DATA_DEPTH_MAX + 1)).ok);
  assert(!parseMessage(deep(30_000)).ok);

  const frame = '{"type":"broadcast","room":"r","data":""}';
  const long = (chars: number): string =>
    frame.replace('""', `"${"x".repeat(chars - frame.length)}"`);
  assertEquals(long(MESSAGE_CHARS_MAX).length, MESSAGE_CHARS_MAX);
  assert(parseMessage(long(MESSAGE_CHARS_MAX)).ok);
  assert(!parseMessage(long(MESSAGE_CHARS_MAX + 1)).ok);
});
