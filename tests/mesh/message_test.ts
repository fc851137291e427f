import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FRAME_BYTES_MAX } from "../../lib/mesh/frame.ts";
import {
  decodeAck,
  decodeChallenge,
  decodeGoodbye,
  decodeList,
  decodeName,
  decodeReject,
  decodeReply,
  decodeRoomBroadcast,
  encodeAck,
  encodeChallenge,
  encodeGoodbye,
  encodeList,
  encodeName,
  encodeReject,
  encodeReply,
  encodeRoomBroadcast,
  GOODBYE_REASONS,
  LIST_COUNT_MAX,
  REJECT_REASONS,
  ROOM_BYTES_MAX,
  ROOM_MESSAGE_BYTES_MAX,
  TAG,
} from "../../lib/mesh/message.ts";
import { test } from "../kit/test.ts";
import { frameOf, hex, joined } from "./collector.ts";

const NONCE = new Uint8Array(32).fill(0xaa);
const PROOF = new Uint8Array(32).fill(0xbb);

const name = {
  name: "a@h:1",
  creation: 0x01020304,
  version: 1,
  features: 0x11121314,
  flags: 1,
  nonce: NONCE,
};
const challenge = {
  name: "bé",
  creation: 0xfffffffe,
  version: 2,
  features: 0,
  nonce: NONCE,
};
const reply = { lastSession: 0x0102030405060708n, exposed: ["f", ""], startedAt: 0x0102 };

/** Each message of the table: its body in hex, its encoder, its decoder, and the decoded result. */
const ROWS: readonly {
  readonly row: string;
  readonly body: string;
  /** The number of bytes at the end that an older version omits. */
  readonly older?: number;
  readonly encoded: Uint8Array;
  readonly decode: (body: Uint8Array) => unknown;
  readonly decoded: unknown;
}[] = [
  {
    row: "NAME",
    body: `0500 6140683a31 04030201 01 14131211 01 ${"aa".repeat(32)}`,
    encoded: encodeName(name),
    decode: decodeName,
    decoded: name,
  },
  {
    row: "CHALLENGE",
    body: `0300 62c3a9 feffffff 02 00000000 ${"aa".repeat(32)} ${"bb".repeat(32)}`,
    encoded: joined(encodeChallenge(challenge), PROOF),
    decode: decodeChallenge,
    decoded: { message: challenge, proof: PROOF },
  },
  {
    row: "REPLY",
    body: `${"bb".repeat(32)} 0807060504030201 0200 0100 66 0000 0201000000000000`,
    older: 8,
    encoded: encodeReply(PROOF, reply),
    decode: decodeReply,
    decoded: { message: reply, proof: PROOF },
  },
  {
    row: "ACK",
    body: "0100 0100 66 0201000000000000",
    older: 8,
    encoded: encodeAck({ exposed: ["f"], startedAt: 0x0102 }),
    decode: decodeAck,
    decoded: { exposed: ["f"], startedAt: 0x0102 },
  },
  {
    row: "PEER_LIST",
    body: "0200 0500 6140683a31 0500 6240683a32",
    encoded: encodeList(["a@h:1", "b@h:2"]),
    decode: decodeList,
    decoded: ["a@h:1", "b@h:2"],
  },
  {
    row: "PEER_LIST (none)",
    body: "0000",
    encoded: encodeList([]),
    decode: decodeList,
    decoded: [],
  },
  {
    row: "REJECT",
    body: "03 0200 6e6f",
    encoded: encodeReject("cookie", "no"),
    decode: decodeReject,
    decoded: { reason: "cookie", words: "no" },
  },
  {
    row: "ROOM_BROADCAST",
    body: "0300 72c3a9 02000000 c3a9",
    encoded: frameOf(encodeRoomBroadcast("ré", "é")).body,
    decode: decodeRoomBroadcast,
    decoded: { room: "ré", message: hex("c3a9") },
  },
  {
    row: "ROOM_BROADCAST_BINARY",
    body: "0100 72 03000000 00ff80",
    encoded: frameOf(encodeRoomBroadcast("r", hex("00ff80"))).body,
    decode: decodeRoomBroadcast,
    decoded: { room: "r", message: hex("00ff80") },
  },
  {
    row: "GOODBYE",
    body: "02",
    encoded: frameOf(encodeGoodbye("disconnected")).body,
    decode: decodeGoodbye,
    decoded: "disconnected",
  },
];

test("TAG contains the numbers used on the wire", () => {
  assertEquals(TAG, {
    NAME: 0x01,
    CHALLENGE: 0x02,
    REPLY: 0x03,
    ACK: 0x04,
    REJECT: 0x05,
    PEER_LIST: 0x12,
    SEND: 0x10,
    SEND_NAMED: 0x11,
    LINK: 0x13,
    UNLINK: 0x14,
    EXIT: 0x15,
    MONITOR: 0x16,
    DEMONITOR: 0x17,
    DOWN: 0x18,
    SPAWN: 0x19,
    SPAWNED: 0x1a,
    EXIT_SIGNAL: 0x21,
    UNLINKED: 0x22,
    CALL: 0x23,
    CALL_NAMED: 0x24,
    ANSWER: 0x25,
    CALL_OVER: 0x26,
    MONITOR_NAMED: 0x27,
    HOME: 0x28,
    EXPOSED: 0x29,
    BULK: 0x2a,
    FRAGMENT: 0x2b,
    GLOBAL_REGISTER: 0x1b,
    GLOBAL_UNREGISTER: 0x1c,
    GLOBAL_SYNC: 0x1d,
    GLOBAL_REGISTERED: 0x2c,
    GROUP_JOIN: 0x2d,
    GROUP_LEAVE: 0x2e,
    TAKEN: 0x2f,
    ROOM_INTEREST: 0x44,
    CLUSTER_VIEW: 0x38,
    GLOBAL_INQUIRE: 0x39,
    GLOBAL_HELD: 0x3a,
    GLOBAL_RESOLVED: 0x3b,
    CLOCK: 0x40,
    PROVE: 0x41,
    PROOF: 0x42,
    PEER_DIGEST: 0x43,
    ROOM_BROADCAST: 0x1e,
    ROOM_BROADCAST_BINARY: 0x1f,
    GOODBYE: 0x20,
    PING: 0xf0,
    PONG: 0xf1,
  });
  assertEquals(
    REJECT_REASONS.join(),
    "protocol,version,cookie,name,wrongnode,duplicate,stopping,certificate,nameinuse,limit",
  );
  assertEquals(GOODBYE_REASONS.join(), "shutdown,disconnected");
});

for (const { row, body, older = 0, encoded, decode, decoded } of ROWS) {
  test(`${row} is encoded as the table specifies, and decoded again`, () => {
    assertEquals(encoded.toHex(), body.replace(/\s/g, ""));
    assertEquals(decode(hex(body)), decoded);
  });

  test(`${row} truncated at any byte decodes to undefined without throwing`, () => {
    for (let length = 0; length < encoded.length - older; length++) {
      assertEquals(decode(encoded.slice(0, length)), undefined, `${length} bytes`);
    }
  });

  test(`${row} decodes even if more bytes follow its fields`, () => {
    for (const tail of ["00", "ff", "ffffffffffffffffffff"]) {
      assertEquals(decode(joined(encoded, hex(tail))), decoded);
    }
  });

  test(`${row} with any byte set to 00, 7f, 80 or ff is decoded without throwing`, () => {
    for (let at = 0; at < encoded.length; at++) {
      for (const byte of [0x00, 0x7f, 0x80, 0xff]) decode(encoded.with(at, byte));
    }
  });
}

test("REPLY and ACK of an older version have no start time", () => {
  assertEquals(decodeReply(encodeReply(PROOF, reply).slice(0, -8))?.message.startedAt, 0);
  assertEquals(decodeAck(hex("0000"))?.startedAt, 0);
  // A time beyond the range of `Date` is decoded as 0, which means unknown.
  assertEquals(decodeAck(hex("0000 ffffffffffffffff"))?.startedAt, 0);
});

test("decodeName, decodeChallenge and decodeReply copy nonces and proofs", () => {
  const body = encodeName(name).slice();
  const decoded = decodeName(body)!;
  const whole = joined(encodeChallenge(challenge), PROOF);
  const challenged = decodeChallenge(whole)!;
  const replied = encodeReply(PROOF, reply).slice();
  const { proof } = decodeReply(replied)!;
  for (const bytes of [body, whole, replied]) bytes.fill(0);
  assertEquals(decoded.nonce, NONCE);
  assertEquals(challenged.message.nonce, NONCE);
  assertEquals(challenged.proof, PROOF);
  assertEquals(proof, PROOF);
});

test("decodeName, decodeChallenge, decodeList and decodeReject reject text that is not UTF-8", () => {
  assertEquals(decodeName(encodeName(name).with(2, 0xff)), undefined);
  assertEquals(decodeChallenge(joined(encodeChallenge(challenge), PROOF).with(3, 0x41)), undefined);
  assertEquals(decodeList(encodeList(["abc"]).with(4, 0xc3)), undefined);
  assertEquals(decodeReject(encodeReject("cookie", "no").with(3, 0xff)), undefined);
});

test("encodeList writes at most LIST_COUNT_MAX names, and decodeList rejects a longer list", () => {
  const names = Array.from({ length: LIST_COUNT_MAX + 1 }, (_, i) => `n${i}`);
  assertEquals(decodeList(encodeList(names)), names.slice(0, LIST_COUNT_MAX));
  const most = hex(`0004 ${"0000".repeat(1024)}`);
  assertEquals(decodeList(most)?.length, LIST_COUNT_MAX);
  assertEquals(decodeList(hex(`0104 ${"0000".repeat(1025)}`)), undefined);
  assertEquals(decodeList(hex(`ffff ${"0000".repeat(0xffff)}`)), undefined);
});

test("encodeRoomBroadcast writes exactly the public layout", () => {
  assertEquals(
    encodeRoomBroadcast("lobby", "hé").toHex(),
    "0f000000" + "1e" + "0500" + "6c6f626279" + "03000000" + "68c3a9",
  );
  assertEquals(
    encodeRoomBroadcast("lobby", hex("ff00")).toHex(),
    "0e000000" + "1f" + "0500" + "6c6f626279" + "02000000" + "ff00",
  );
  assertEquals(encodeRoomBroadcast("r", "").toHex(), "08000000" + "1e" + "010072" + "00000000");
});

test("encodeRoomBroadcast fits the longest message with the longest room name into a frame", () => {
  const room = "r".repeat(ROOM_BYTES_MAX);
  const frame = encodeRoomBroadcast(room, new Uint8Array(ROOM_MESSAGE_BYTES_MAX));
  assertEquals(frame.length, 4 + FRAME_BYTES_MAX);
});

test("decodeRoomBroadcast rejects an empty or too long room name, and wrong lengths", () => {
  const most = "72".repeat(ROOM_BYTES_MAX);
  assertEquals(decodeRoomBroadcast(hex(`ff00 ${most} 00000000`))?.room.length, ROOM_BYTES_MAX);
  for (
    const body of [
      "0000 00000000", // no room
      `0001 ${most}72 00000000`, // 256 bytes
      "ffff 72 00000000",
      "0100 72 01000000", // one byte too few
      "0100 72 ffffffff",
      "0100 ff 00000000", // not UTF-8
      "0100 c3 a9000000", // cut within a character
    ]
  ) assertEquals(decodeRoomBroadcast(hex(body)), undefined, body);
});

test("decodeRoomBroadcast returns the message as a view, without a copy", () => {
  const body = hex("0100 72 02000000 4142");
  const { message } = decodeRoomBroadcast(body)!;
  body[7] = 0x43;
  assertEquals(message.toHex(), "4342");
});

test('decodeReject reads an unknown reason as "protocol"', () => {
  for (const number of [0, REJECT_REASONS.length + 1, 255]) {
    const body = encodeReject("cookie", "x").with(0, number);
    assertEquals(decodeReject(body), { reason: "protocol", words: "x" });
  }
  for (const reason of REJECT_REASONS) {
    assertEquals(decodeReject(encodeReject(reason, ""))?.reason, reason);
  }
});

test("decodeReject removes line breaks from the text and truncates it", () => {
  const hostile = [
    "no\n12:00:00 alpha@h:1: all is well",
    "no\r\nx",
    "\x1b[2J\x1b[31mred",
    "a\x00b\x07c\x7fd\x9be",
    "a\u2028b\u2029c",
    "\u202egnorw\u2066",
    "\u200b\ufeff",
  ];
  for (const words of hostile) {
    const decoded = decodeReject(encodeReject("protocol", words))!;
    assertEquals(
      /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(decoded.words),
      false,
      JSON.stringify(decoded.words),
    );
  }
  assertEquals(
    decodeReject(encodeReject("name", "schöne Grüße, 世界"))?.words,
    "schöne Grüße, 世界",
  );
  const { words } = decodeReject(encodeReject("name", "long ".repeat(800)))!;
  assert(words.length <= 200, `${words.length} characters`);
  assertStringIncludes(words, "long long");
});

test('decodeGoodbye reads an unknown reason as "shutdown", and rejects a missing one', () => {
  assertEquals(decodeGoodbye(hex("")), undefined);
  assertEquals(decodeGoodbye(hex("01")), "shutdown");
  assertEquals(decodeGoodbye(hex("02")), "disconnected");
  for (const body of ["00", "03", "ff"]) assertEquals(decodeGoodbye(hex(body)), "shutdown");
});
