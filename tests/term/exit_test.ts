import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { TermBuffer } from "../../lib/term/buffer.ts";
import { Decoder } from "../../lib/term/decode.ts";
import { Encoder } from "../../lib/term/encode.ts";
import { ProtocolError } from "../../lib/term/errors.ts";
import {
  decodeExit,
  encodeExit,
  type ExitReason,
  isNormal,
  LINKED_DEPTH_MAX,
} from "../../lib/term/exit.ts";
import { Pid } from "../../lib/term/pid.ts";
import { test } from "../kit/test.ts";
import { HERE, hex, PIDS, THERE } from "./session.ts";
import { assertSame } from "./values.ts";

function encode(reason: unknown): Uint8Array {
  const out = new TermBuffer();
  encodeExit(reason, out, new Encoder(PIDS), PIDS);
  return out.take();
}

function decode(bytes: Uint8Array, from = 0, to = bytes.length): ExitReason {
  return decodeExit(bytes, from, to, new Decoder(PIDS), PIDS);
}

/** Returns an error without a stack. */
function messageOnly(message: string): Error {
  return Object.defineProperty(new Error(message), "stack", { value: undefined });
}

const PID = new Pid(THERE, 42, undefined);

/** The rows of the table of exit reasons. */
const ROWS: readonly (readonly [ExitReason, string])[] = [
  ["normal", "00"],
  [messageOnly("no"), '01 0200000000000000 "no"'],
  ["killed", "02"],
  [{ linked: PID, reason: "killed" }, "03 2a00000000000200 02"],
  [
    { linked: PID, reason: { linked: PID, reason: 7 } },
    "03 2a00000000000200".repeat(2) + "0b f1 87",
  ],
  ["shutdown", "04"],
  ["mine", '05 0400000000000000 "mine"'],
  ["", "05 0000000000000000"],
  ["\u20ac", "05 0300000000000000 e282ac"],
  ["noconnection", "06"],
  ["noproc", "07"],
  ["kill", "08"],
  [{ shutdown: 5 }, "09 f1 85"],
  [{ shutdown: { shutdown: null } }, '09 f1 e9 0000 01 48"shutdown" d4'],
  [{ code: 5 }, '0b f1 e9 0000 01 44"code" 85'],
  [{ shutdown: 1, more: 2 }, '0b f1 e9 0000 02 48"shutdown" 44"more" 81 82'],
  [undefined, "0b f1 d5"],
  ["\ud800", "0b f1 e5 02000000 00d8"],
];

test("encodeExit and decodeExit support each row of the table of reasons", () => {
  for (const [reason, bytes] of ROWS) {
    assertEquals(encode(reason).toHex(), hex(bytes).toHex());
    const decoded = decode(hex(bytes));
    if (reason instanceof Error) {
      assertInstanceOf(decoded, Error);
      assertEquals([decoded.message, decoded.stack], [reason.message, undefined]);
      assertEquals(encode(decoded), encode(reason));
    } else assertSame(decoded, reason);
  }
});

test("encodeExit sends an Error with its name, stack and cause", () => {
  const error = new RangeError("too far", { cause: { at: 5 } });
  const bytes = encode(error);
  assertEquals(bytes[0], 10);
  assertSame(decode(bytes), error);
});

test("encodeExit replaces a reason that cannot be sent by a text", () => {
  const callback = () => {};
  const cases: readonly (readonly [unknown, unknown])[] = [
    [{ callback }, "unsendable exit reason: message.callback is a function, which cannot be sent"],
    [callback, "unsendable exit reason: message is a function, which cannot be sent"],
    [{ shutdown: callback }, {
      shutdown: "unsendable exit reason: message is a function, which cannot be sent",
    }],
    [{ linked: new Pid({ ...HERE }, 1, undefined), reason: "noproc" }, "noproc"],
  ];
  for (const [reason, arrives] of cases) assertSame(decode(encode(reason)), arrives);
  const error = decode(encode(new TypeError("no", { cause: callback })));
  assertInstanceOf(error, Error);
  assertEquals(error.message, "TypeError: no");
});

test("encodeExit writes no bytes of a reason that cannot be sent", () => {
  const out = new TermBuffer();
  const encoder = new Encoder(PIDS);
  const decoder = new Decoder(PIDS);
  for (
    const reason of [{ a: 1, f() {} }, { a: 1 }, { linked: PID, reason: { f() {} } }, { a: 2 }]
  ) {
    encodeExit(reason, out, encoder, PIDS);
    const bytes = out.take();
    const arrived = decodeExit(bytes, 0, bytes.length, decoder, PIDS);
    if ("a" in reason && !("f" in reason)) assertSame(arrived, reason);
    else assertEquals(typeof arrived, "string");
  }
});

test("encodeExit truncates a long chain of links", () => {
  const chain = (length: number): ExitReason =>
    length === 0 ? "noproc" : { linked: PID, reason: chain(length - 1) };
  assertSame(decode(encode(chain(LINKED_DEPTH_MAX))), chain(LINKED_DEPTH_MAX));
  let reason = decode(encode(chain(1000)));
  for (let i = 0; i < LINKED_DEPTH_MAX; i++) reason = (reason as { reason: ExitReason }).reason;
  assertEquals(reason, "linked too often");
  const link = "03 2a00000000000200";
  const error = assertThrows(
    () => decode(hex(link.repeat(LINKED_DEPTH_MAX + 1) + "00")),
    ProtocolError,
  );
  assertEquals(error.message, `linked too often, at byte ${9 * LINKED_DEPTH_MAX}`);
});

test("decodeExit reports the offset of an invalid reason", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", "an exit reason is missing, at byte 0"],
    ["0c", "invalid exit reason: 12, at byte 0"],
    ["ff", "invalid exit reason: 255, at byte 0"],
    ["00 00", "bytes after the exit reason, at byte 1"],
    ["01 01000000", "8 bytes are missing, at byte 1"],
    ["01 0200000000000000 61", "invalid length of a text, at byte 1"],
    ["05 0000000000000000 61", "invalid length of a text, at byte 1"],
    ["05 0100000001000000 61", "invalid length of a text, at byte 1"],
    ["05 0100000000000000 80", "no UTF-8, at byte 9"],
    ["03 2a000000000002", "8 bytes are missing, at byte 1"],
    ["03 2a00000000000200", "an exit reason is missing, at byte 9"],
    ["03 2a00000000000300 00", "no node: 3, at byte 1"],
    ["03 2a00000000000200 0b f1 ff", "no tag: 255, at byte 11"],
    ["0b", "no version, at byte 1"],
    ["0a f1 81", "no error, at byte 1"],
  ];
  for (const [bytes, message] of cases) {
    for (const [before, behind] of [["", ""], ["eeee", "ee"]] as const) {
      const all = hex(before + bytes + behind);
      const to = all.length - behind.length / 2;
      const error = assertThrows(() => decode(all, before.length / 2, to), ProtocolError);
      assertEquals(error.message, message);
    }
  }
});

test("decodeExit rejects a reason that is truncated at any byte", () => {
  for (const reason of [...ROWS.map(([reason]) => reason), new Error("x", { cause: [1] })]) {
    const bytes = encode(reason);
    for (let length = 0; length < bytes.length; length++) {
      const error = assertThrows(() => decode(bytes, 0, length), ProtocolError);
      assert(error.offset <= length);
    }
  }
});

test("isNormal returns true for normal exit reasons", () => {
  for (const reason of ["normal", "shutdown", { shutdown: 1 }, { shutdown: undefined }]) {
    assertEquals(isNormal(reason), true);
  }
  const others = ["killed", "kill", "noproc", "noconnection", "", new Error("normal"), null, {}];
  for (const reason of [...others, { shutdown: 1, x: 2 }, { linked: PID, reason: "normal" }]) {
    assertEquals(isNormal(reason), false);
  }
});
