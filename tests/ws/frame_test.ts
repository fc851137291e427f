import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  appendMessage,
  encodeFrame,
  encodeMessage,
  FrameDecoder,
  headerLength,
  type Rule,
  RULES,
  writeHeader,
} from "../../lib/ws/frame.ts";
import { Scratch, SCRATCH_BYTES } from "../../lib/ws/scratch.ts";
import { buildFrame, bytesOf, type FrameShape, hex, join, readFrames } from "../kit/ws_client.ts";
import { toHex } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";
import { byteByByte, decode, feed, FrameRecorder } from "./recorder.ts";

/** Examples of RFC 6455, section 5.7, and the events of the decoder. */
const EXAMPLES: readonly (readonly [what: string, bytes: string, lines: readonly string[]])[] = [
  ["a masked text", "81 85 37 fa 21 3d 7f 9f 4d 51 58", [
    "begin 1 fin 5",
    "piece 48 65 6c 6c 6f",
  ]],
  ["a masked ping", "89 85 37 fa 21 3d 7f 9f 4d 51 58", ["control 9 48 65 6c 6c 6f"]],
  ["a masked pong", "8a 85 37 fa 21 3d 7f 9f 4d 51 58", ["control 10 48 65 6c 6c 6f"]],
  ["a close without a code", "88 80 00 00 00 00", ["control 8"]],
  ["an empty binary", "82 80 37 fa 21 3d", ["begin 2 fin 0", "piece"]],
  ["a text in two fragments", "01 83 00 00 00 00 48 65 6c  80 82 00 00 00 00 6c 6f", [
    "begin 1 3",
    "piece 48 65 6c",
    "begin 0 fin 2",
    "piece 6c 6f",
  ]],
];

for (const [what, bytes, lines] of EXAMPLES) {
  test(`FrameDecoder reads ${what}`, () => {
    assertEquals(decode([hex(bytes)]).lines.map((line) => line.trim()), lines);
  });
}

/** Every kind of frame and every form of the length. */
const KINDS: readonly FrameShape[] = [
  { payload: "" },
  { payload: "Hello" },
  { opcode: 2, payload: "x".repeat(125) },
  { opcode: 2, payload: "x".repeat(126) },
  { payload: "y".repeat(200), fin: false },
  { opcode: 0, payload: "z", fin: true },
  { opcode: 2, payload: new Uint8Array(70_000).map((_, i) => i) },
  { opcode: 8, payload: hex("03 e8") },
  { opcode: 9, payload: "p".repeat(125) },
  { opcode: 10, payload: "" },
];

/**
 * Joins the payload parts of each frame, so that the result does not depend on how the input was
 * split.
 */
function joined(lines: readonly string[]): string[] {
  const all: string[] = [];
  for (const line of lines) {
    const last = all.at(-1);
    if (line.startsWith("piece") && last?.startsWith("piece")) {
      all[all.length - 1] = `${last} ${line.slice(6)}`.trim();
    } else all.push(line.trim());
  }
  return all;
}

test("FrameDecoder reads every kind of frame, split at any byte", () => {
  const scratch = new Scratch();
  for (const shape of KINDS) {
    const bytes = join(buildFrame(shape), buildFrame({ opcode: 9, payload: "end" }));
    const whole = joined(decode([bytes]).lines);
    const step = bytes.length > 1000 ? 997 : 1;
    for (let cut = 0; cut <= bytes.length; cut += cut < 20 ? 1 : step) {
      const recorder = new FrameRecorder();
      const chunks = [bytes.subarray(0, cut), bytes.subarray(cut)];
      feed(new FrameDecoder("server", 1 << 20), recorder, chunks, scratch);
      assertEquals(joined(recorder.lines), whole, `${JSON.stringify(shape)} cut at ${cut}`);
    }
  }
});

test("FrameDecoder reads the same frames from single bytes as from one chunk", () => {
  const bytes = join(...KINDS.map((shape) => buildFrame(shape)));
  const small = join(...KINDS.slice(0, 6).map((shape) => buildFrame(shape)));
  assertEquals(joined(decode(byteByByte(small)).lines), joined(decode([small]).lines));
  assertEquals(decode([bytes]).lines.filter((line) => line.startsWith("fail")), []);
});

test("FrameDecoder of a client reads the frames of a server", () => {
  const bytes = join(encodeMessage("Hello"), encodeFrame(9, bytesOf("p")));
  assertEquals(decode([bytes], 100, "client").lines, [
    "begin 1 fin 5",
    "piece 48 65 6c 6c 6f",
    "control 9 70",
  ]);
});

/** Violations of each rule, up to the byte at which each is detected. */
const VIOLATIONS: readonly (readonly [rule: Rule, what: string, bytes: string])[] = [
  ["reserved", "RSV1", "c1"],
  ["reserved", "RSV2", "a1"],
  ["reserved", "RSV3", "91"],
  ["reserved", "RSV1 on a ping", "c9"],
  ["opcode", "opcode 3", "83"],
  ["opcode", "opcode 4", "84"],
  ["opcode", "opcode 5", "85"],
  ["opcode", "opcode 6", "86"],
  ["opcode", "opcode 7", "87"],
  ["opcode", "opcode 11", "8b"],
  ["opcode", "opcode 12", "8c"],
  ["opcode", "opcode 13", "8d"],
  ["opcode", "opcode 14", "8e"],
  ["opcode", "opcode 15", "8f"],
  ["unmasked", "a text without a mask", "81 05"],
  ["unmasked", "a ping without a mask", "89 00"],
  ["controlFragment", "a close that is a fragment", "08"],
  ["controlFragment", "a ping that is a fragment", "09"],
  ["controlFragment", "a pong that is a fragment", "0a"],
  ["controlLength", "a ping of 126 bytes", "89 fe"],
  ["controlLength", "a close with a 64-bit length", "88 ff"],
  ["lengthForm", "0 in 16 bits", "82 fe 00 00"],
  ["lengthForm", "125 in 16 bits", "82 fe 00 7d"],
  ["lengthForm", "0 in 64 bits", "82 ff 00 00 00 00 00 00 00 00"],
  ["lengthForm", "65535 in 64 bits", "82 ff 00 00 00 00 00 00 ff ff"],
  ["lengthSign", "a negative length", "82 ff 80"],
  ["lengthSign", "a length with all bits set", "82 ff ff ff ff ff ff ff ff ff"],
  ["tooBig", "one byte more than the limit", "82 ff 00 00 00 00 00 10 00 01"],
  ["tooBig", "2^53", "82 ff 00 20 00 00 00 00 00 00"],
  ["tooBig", "the largest positive length", "82 ff 7f ff ff ff ff ff ff ff"],
];

for (const [rule, what, bytes] of VIOLATIONS) {
  test(`FrameDecoder rejects ${what} by the rule ${rule}`, () => {
    const before = buildFrame({ payload: "ok" });
    const lines = decode([before]).lines;
    // A length is checked when all of its bytes have arrived. Every other violation is detected at
    // the last byte of `bytes`.
    const certain = hex(bytes);
    const wanted = rule === "lengthSign" ? join(certain, new Uint8Array(7)) : certain;
    for (const chunks of [[join(before, wanted)], byteByByte(join(before, wanted))]) {
      const recorder = decode(chunks);
      assertEquals(joined(recorder.lines), [...joined(lines), `fail ${rule}`]);
    }
    if (rule !== "lengthSign") assertEquals(decode([certain.slice(0, -1)]).lines, []);
  });
}

test("FrameDecoder rejects a masked frame from a server", () => {
  assertEquals(decode([buildFrame({ payload: "x" })], 100, "client").lines, ["fail masked"]);
});

test("FrameDecoder returns nothing after a protocol violation", () => {
  const recorder = new FrameRecorder();
  const decoder = new FrameDecoder("server", 100);
  feed(decoder, recorder, [hex("ff"), buildFrame({ payload: "later" }), hex("ff ff ff")]);
  assertEquals(recorder.lines, ["fail reserved"]);
});

test("FrameDecoder rejects a frame over the limit before its payload arrives", () => {
  const claims = 101;
  const header = buildFrame({ opcode: 2, claims, payload: "" });
  assertEquals(decode([header.slice(0, 2)], 100).lines, ["fail tooBig"]);
  assertEquals(decode([buildFrame({ payload: "x".repeat(100) })], 100).bytes, 100);
});

test("FrameDecoder starts no frame while its sink is paused", () => {
  const scratch = new Scratch();
  const recorder = new FrameRecorder();
  const decoder = new FrameDecoder("server", 100);
  const [one, two] = [buildFrame({ payload: "one" }), buildFrame({ payload: "two" })];
  scratch.bytes.set(join(one, two));
  const begin = recorder.begin.bind(recorder);
  recorder.begin = (...args) => {
    recorder.paused = true;
    return begin(...args);
  };
  const total = one.length + two.length;
  assertEquals(decoder.decode(scratch, 0, total, recorder), one.length);
  assertEquals(decoder.decode(scratch, one.length, total, recorder), one.length);
  recorder.paused = false;
  assertEquals(decoder.decode(scratch, one.length, total, recorder), total);
  assertEquals(recorder.lines.length, 4);
});

test("RULES contains codes that may be sent, and reasons that fit into a close frame", () => {
  for (const { code, words } of Object.values(RULES)) {
    assert([1002, 1007, 1009, 1013].includes(code));
    assert(words.length <= 123);
  }
});

/** Payload lengths on both sides of each boundary, with the length of the header and its bytes. */
const LENGTHS: readonly (readonly [length: number, header: number, bytes: string])[] = [
  [0, 2, "82 00"],
  [125, 2, "82 7d"],
  [126, 4, "82 7e 00 7e"],
  [65535, 4, "82 7e ff ff"],
  [65536, 10, "82 7f 00 00 00 00 00 01 00 00"],
];

test("encodeFrame and appendMessage write the shortest header", () => {
  const scratch = new Scratch(80_000);
  for (const [length, header, bytes] of LENGTHS) {
    const payload = new Uint8Array(length).fill(7);
    assertEquals(headerLength(length), header);
    assertEquals(toHex(encodeFrame(2, payload).slice(0, header)), bytes);
    const end = appendMessage(scratch, 5, payload);
    assertEquals(toHex(scratch.bytes.slice(5, end)), toHex(encodeFrame(2, payload)));
  }
});

test("writeHeader writes lengths of more than 32 bits", () => {
  const bytes = new Uint8Array(10);
  writeHeader(bytes, 0, 2, 0x1_2345_6789_abcd);
  assertEquals(toHex(bytes), "82 7f 00 01 23 45 67 89 ab cd");
});

test("appendMessage and encodeMessage write a text that has more bytes than characters", () => {
  const scratch = new Scratch();
  for (const character of ["a", "é", "€", "😀", "\ud800"]) {
    for (const count of [0, 1, 31, 32, 41, 42, 62, 63, 125, 126, 5000, 10_000, 21_000]) {
      const text = character.repeat(count);
      const frame = encodeMessage(text);
      const { frames, rest } = readFrames(frame);
      assertEquals(rest.length, 0);
      assertEquals(frames.length, 1);
      assertEquals(frames[0]!.opcode, 1);
      assertEquals(toHex(frames[0]!.payload), toHex(new TextEncoder().encode(text)));
      const end = appendMessage(scratch, 3, text);
      if (end >= 0) assertEquals(toHex(scratch.bytes.slice(3, end)), toHex(frame));
      else assert(text.length * 3 + 13 > SCRATCH_BYTES);
    }
  }
});

test("appendMessage writes nothing if the buffer may be too small", () => {
  const scratch = new Scratch(64);
  assertEquals(appendMessage(scratch, 0, new Uint8Array(55)), -1);
  assertEquals(appendMessage(scratch, 0, "x".repeat(19)), -1);
  assertEquals(toHex(scratch.bytes), toHex(new Uint8Array(64)));
  assertEquals(appendMessage(scratch, 0, new Uint8Array(54)), 56);
});

test("appendMessage and encodeMessage throw for values that are neither strings nor bytes", () => {
  for (const data of [undefined, 1, {}, [1], new ArrayBuffer(1)]) {
    const wrong = data as unknown as string;
    assertThrows(() => encodeMessage(wrong), TypeError, "send a string or a Uint8Array");
    assertThrows(() => appendMessage(new Scratch(64), 0, wrong), TypeError, "cannot send [object");
  }
});
