import { assertEquals, assertLess } from "@std/assert";
import process from "node:process";
import { SeededRandom } from "../../lib/base/random.ts";
import { FrameDecoder, type Rule } from "../../lib/ws/frame.ts";
import { MessageReader } from "../../lib/ws/message.ts";
import { Scratch } from "../../lib/ws/scratch.ts";
import { buildFrame, bytesOf, type FrameShape, hex, join, toHex } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";
import { byteByByte, feed, MessageRecorder, read } from "./recorder.ts";

function frames(...shapes: readonly FrameShape[]): Uint8Array {
  return join(...shapes.map((shape) => buildFrame(shape)));
}

/** Returns the messages as text; binary ones in hex. */
function shown(recorder: MessageRecorder): string[] {
  return recorder.messages.map((each) => typeof each === "string" ? each : `<${toHex(each)}>`);
}

const TEXT = "a é € 😀 z";

/** Sequences of valid frames, each with the messages that they contain. */
const MESSAGES: readonly (readonly [string, readonly FrameShape[], readonly string[]])[] = [
  ["a text", [{ payload: TEXT }], [TEXT]],
  ["an empty text", [{}], [""]],
  ["a text that begins with a byte order mark", [{ payload: "\ufeffa" }], ["\ufeffa"]],
  ["a NUL", [{ payload: "\0" }], ["\0"]],
  ["a binary", [{ opcode: 2, payload: hex("00 ff 80") }], ["<00 ff 80>"]],
  ["an empty binary", [{ opcode: 2 }], ["<>"]],
  ["a text in fragments", [
    { payload: "a", fin: false },
    { opcode: 0, payload: "b", fin: false },
    { opcode: 0, payload: "c" },
  ], ["abc"]],
  ["a text whose fragments are empty", [{ fin: false }, { opcode: 0, fin: false }, { opcode: 0 }], [
    "",
  ]],
  ["a text that ends with an empty fragment", [{ payload: "ab", fin: false }, { opcode: 0 }], [
    "ab",
  ]],
  ["a binary in fragments", [
    { opcode: 2, payload: hex("01"), fin: false },
    { opcode: 0, payload: hex("02 03") },
  ], ["<01 02 03>"]],
  ["a character split between fragments", [
    { payload: hex("f0 9f"), fin: false },
    { opcode: 0, payload: hex("98 80") },
  ], ["😀"]],
  ["a binary that is not UTF-8", [
    { opcode: 2, payload: hex("ff"), fin: false },
    { opcode: 0, payload: hex("fe") },
  ], ["<ff fe>"]],
  ["several messages", [{ payload: "1" }, { opcode: 2 }, { payload: "2" }], ["1", "<>", "2"]],
];

for (const [what, shapes, messages] of MESSAGES) {
  test(`MessageReader reads ${what}, however the bytes are split`, () => {
    const bytes = frames(...shapes);
    assertEquals(shown(read([bytes])), messages);
    assertEquals(shown(read(byteByByte(bytes))), messages);
    for (let cut = 1; cut < bytes.length; cut++) {
      assertEquals(shown(read([bytes.subarray(0, cut), bytes.subarray(cut)])), messages);
    }
  });
}

test("MessageReader passes on control frames between fragments", () => {
  const recorder = read([frames(
    { payload: "a", fin: false },
    { opcode: 9, payload: "ping" },
    { opcode: 0, payload: "b", fin: false },
    { opcode: 10, payload: "pong" },
    { opcode: 0, payload: "c" },
  )]);
  assertEquals(shown(recorder), ["abc"]);
  assertEquals(recorder.controls.map(({ opcode }) => opcode), [9, 10]);
});

test("MessageReader joins large messages that are split at random", () => {
  const random = new SeededRandom(7);
  for (const length of [65_535, 65_536, 200_001]) {
    const binary = random.bytes(length);
    const text = "é".repeat(length / 2);
    const bytes = frames({ opcode: 2, payload: binary }, { payload: text });
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + random.below(90_000);
      chunks.push(bytes.subarray(at, end));
      at = end;
    }
    const { messages } = read(chunks);
    assertEquals(messages.length, 2);
    assertEquals(toHex(messages[0] as Uint8Array), toHex(binary));
    assertEquals(messages[1], text);
  }
});

test("MessageReader returns bytes that it does not overwrite", () => {
  const recorder = read([
    frames({ opcode: 2, payload: hex("01") }, { opcode: 2, payload: hex("02") }),
  ]);
  assertEquals(shown(recorder), ["<01>", "<02>"]);
});

/** Sequences of frames, each with the rule that it violates. */
const VIOLATIONS: readonly (readonly [Rule, string, readonly FrameShape[]])[] = [
  ["continuation", "a continuation without a message", [{ opcode: 0, payload: "x" }]],
  ["continuation", "a continuation after the end", [{ payload: "x" }, { opcode: 0 }]],
  ["continuation", "an unfinished continuation without a message", [{ opcode: 0, fin: false }]],
  ["interleaved", "a text within a text", [{ payload: "a", fin: false }, { payload: "b" }]],
  ["interleaved", "a binary within a text", [{ fin: false }, { opcode: 2, payload: "b" }]],
  ["text", "a text that is not UTF-8", [{ payload: hex("ce ba ff") }]],
  ["text", "a text that ends within a character", [{ payload: hex("61 e2 82") }]],
  ["text", "fragments that end within a character", [
    { payload: "a", fin: false },
    { opcode: 0, payload: hex("e2 82") },
  ]],
  ["text", "a character that becomes invalid in the next fragment", [
    { payload: hex("e2"), fin: false },
    { opcode: 0, payload: hex("28 a1"), fin: false },
  ]],
  ["tooBig", "a message over the limit", [{ opcode: 2, payload: new Uint8Array(101) }]],
  ["tooBig", "fragments over the limit together", [
    { opcode: 2, payload: new Uint8Array(60), fin: false },
    { opcode: 0, claims: 41 },
  ]],
];

for (const [rule, what, shapes] of VIOLATIONS) {
  test(`MessageReader rejects ${what} by the rule ${rule}`, () => {
    for (const chunks of [[frames(...shapes)], byteByByte(frames(...shapes))]) {
      assertEquals(read(chunks, 100).failed, rule);
    }
  });
}

test("MessageReader accepts messages of exactly the maximum length", () => {
  const whole = frames({ opcode: 2, payload: new Uint8Array(100) });
  const parts = frames({ opcode: 2, payload: new Uint8Array(60), fin: false }, {
    opcode: 0,
    payload: new Uint8Array(40),
  });
  const recorder = read([whole, parts, whole], 100);
  assertEquals([recorder.failed, recorder.messages.length], [undefined, 3]);
});

test("MessageReader rejects a text at its first invalid byte", () => {
  const header = buildFrame({ claims: 1000, payload: "", mask: [0, 0, 0, 0] });
  const good = bytesOf("x".repeat(50));
  assertEquals(read([header, good, hex("f4")]).failed, undefined);
  assertEquals(read([header, good, hex("f4 90")]).failed, "text");
});

test("MessageReader allocates memory for received bytes, not for announced lengths", () => {
  // 4000 unfinished messages that announce 16 MiB each, 62 GiB in all.
  const limit = 16 << 20;
  const start = buildFrame({ opcode: 2, claims: limit, payload: "x".repeat(100) });
  const scratch = new Scratch();
  const kept: MessageReader[] = [];
  const before = memory();
  for (let i = 0; i < 4000; i++) {
    const reader = new MessageReader(new MessageRecorder(), limit);
    feed(new FrameDecoder("server", limit), reader, [start], scratch);
    kept.push(reader);
  }
  assertLess(memory() - before, 100 << 20);
  assertEquals(kept.length, 4000);
});

test("MessageReader returns a message before it reads later frames of the same chunk", () => {
  const recorder = new MessageRecorder();
  const reader = new MessageReader(recorder, 100);
  const order: string[] = [];
  recorder.message = (data) => order.push(String(data));
  recorder.control = (opcode) => {
    order.push(`control ${opcode}`);
    return undefined;
  };
  feed(new FrameDecoder("server", 100), reader, [
    frames({ payload: "1" }, { opcode: 9 }, { payload: "2" }),
  ]);
  assertEquals(order, ["1", "control 9", "2"]);
});

/** Returns the memory that the process has allocated, in bytes. */
function memory(): number {
  const { rss, external } = process.memoryUsage();
  return Math.max(rss, external);
}

test("MessageReader reads a message in many fragments as fast as in few fragments", () => {
  const count = 65_536;
  const payload = new Uint8Array(64).fill(0x61);
  const frames = Array.from(
    { length: count },
    (_, i) => buildFrame({ opcode: i === 0 ? 1 : 0, payload, fin: i === count - 1 }),
  );
  const chunk = join(...frames);
  const begun = performance.now();
  const { messages } = read([chunk], 1 << 24);
  // Copying the message again for each fragment would take about a minute.
  assertLess(performance.now() - begun, 5000);
  assertEquals([messages.length, messages[0]!.length], [1, count * 64]);
});
