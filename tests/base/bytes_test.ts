import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { AssertionFailure } from "../../lib/base/assert.ts";
import { concat, EMPTY, Reader, utf8, utf8Text, Writer } from "../../lib/base/bytes.ts";
import { test } from "../kit/test.ts";

/** Writes one field of each kind. `hé` is three bytes. */
function writeAll(writer: Writer): Uint8Array {
  return writer.u8(0x01).u16(0x0302).u32(0x07060504).u64(0x0f0e0d0c0b0a0908n)
    .text16("hé").bytes(new Uint8Array([0xfe, 0xff])).done();
}

const HEX = "010203040506070809" + "0a0b0c0d0e0f" + "030068c3a9" + "feff";

function readAll(reader: Reader) {
  return {
    u8: reader.u8(),
    u16: reader.u16(),
    u32: reader.u32(),
    u64: reader.u64(),
    text: reader.text(reader.u16()),
    bytes: reader.bytes(2),
  };
}

test("Writer writes fields in order, little-endian", () => {
  assertEquals(writeAll(new Writer()).toHex(), HEX);
});

test("Writer writes the same bytes whatever its initial capacity", () => {
  for (let capacity = 0; capacity <= HEX.length / 2; capacity++) {
    const writer = new Writer(capacity);
    assertEquals(writeAll(writer).toHex(), HEX, `capacity ${capacity}`);
    assertEquals(writer.length, HEX.length / 2);
  }
});

test("Writer accepts exactly as many bytes as its limit, and throws at the next byte", () => {
  const limit = HEX.length / 2;
  const writer = new Writer(1, limit);
  assertEquals(writeAll(writer).length, limit);
  assertThrows(() => writer.u8(0), AssertionFailure, `limit of ${limit} bytes`);
  assertEquals(new Writer(1, 2).u8(1).u8(2).length, 2);
  for (let less = 0; less < limit; less++) {
    assertThrows(() => writeAll(new Writer(1, less)), AssertionFailure, "limit");
  }
});

test("Writer throws for a number that its field cannot hold", () => {
  new Writer().u16(0).u16(0xffff).u32(0).u32(0xffff_ffff);
  for (const value of [-1, 0x1_0000]) {
    assertThrows(() => new Writer().u16(value), AssertionFailure, "not a u16");
  }
  for (const value of [-1, 0x1_0000_0000]) {
    assertThrows(() => new Writer().u32(value), AssertionFailure, "not a u32");
  }
  assertThrows(() => new Writer().text16("x".repeat(0x1_0000)), AssertionFailure, "not a u16");
});

test("Writer.done returns a view of the bytes written so far", () => {
  const writer = new Writer(4).u8(1);
  assertEquals(writer.done(), new Uint8Array([1]));
  assertEquals(writer.u8(2).done(), new Uint8Array([1, 2]));
});

test("Reader reads what Writer wrote, with no bytes left", () => {
  const reader = new Reader(Uint8Array.fromHex(HEX));
  assertEquals(readAll(reader), {
    u8: 0x01,
    u16: 0x0302,
    u32: 0x07060504,
    u64: 0x0f0e0d0c0b0a0908n,
    text: "hé",
    bytes: new Uint8Array([0xfe, 0xff]),
  });
  assertEquals([reader.ok, reader.left], [true, 0]);
});

test("Reader of truncated bytes fails, and returns zero or an empty value for each missing field", () => {
  const whole = Uint8Array.fromHex(HEX);
  for (let cut = 0; cut < whole.length; cut++) {
    const reader = new Reader(whole.subarray(0, cut));
    const fields = readAll(reader);
    assertEquals(reader.ok, false, `cut at ${cut}`);
    assertEquals(fields.bytes, EMPTY, `cut at ${cut}`);
    assertEquals(fields.u8, cut < 1 ? 0 : 0x01, `cut at ${cut}`);
    assertEquals(fields.u16, cut < 3 ? 0 : 0x0302, `cut at ${cut}`);
    assertEquals(fields.u32, cut < 7 ? 0 : 0x07060504, `cut at ${cut}`);
    assertEquals(fields.u64, cut < 15 ? 0n : 0x0f0e0d0c0b0a0908n, `cut at ${cut}`);
    assertEquals(fields.text, cut < 20 ? "" : "hé", `cut at ${cut}`);
  }
});

test("Reader stays failed after a read beyond the end, whatever bytes are left", () => {
  const reader = new Reader(new Uint8Array([1, 2, 3]));
  assertEquals([reader.u32(), reader.ok, reader.left], [0, false, 3]);
  assertEquals([reader.u8(), reader.u16(), reader.u64()], [0, 0, 0n]);
  assertEquals([reader.bytes(1).length, reader.text(1), reader.ok], [0, "", false]);
});

test("Reader fails on a negative length, and keeps its position", () => {
  const reader = new Reader(new Uint8Array([1, 2, 3]));
  reader.u16();
  assertEquals([reader.bytes(-1), reader.ok, reader.at], [EMPTY, false, 2]);
});

test("Reader starts at the given offset of a view or buffer", () => {
  const memory = new Uint8Array([9, 9, 1, 2, 3, 9]);
  const reader = new Reader(memory.subarray(2, 5), 1);
  assertEquals([reader.left, reader.u16(), reader.ok, reader.left], [2, 0x0302, true, 0]);
  assertEquals([reader.u8(), reader.ok], [0, false]);
});

test("Reader.bytes returns a view of the same memory", () => {
  const memory = new Uint8Array([1, 2, 3]);
  const view = new Reader(memory).bytes(2);
  memory[0] = 7;
  assertEquals(view, new Uint8Array([7, 2]));
});

test("Reader.text fails on bytes that are not UTF-8", () => {
  for (const hex of ["ff", "c3", "c328", "eda080", "f4908080", "c080"]) {
    const reader = new Reader(Uint8Array.fromHex(hex + "41"));
    assertEquals([reader.text(hex.length / 2), reader.ok], ["", false], hex);
    assertEquals(reader.u8(), 0, hex);
  }
});

test("utf8Text keeps a byte order mark; utf8 replaces a lone surrogate with U+FFFD", () => {
  assertEquals(utf8Text(utf8("\ufeffa")), "\ufeffa");
  assertEquals(utf8("\ud800").toHex(), "efbfbd");
  assertEquals(utf8Text(utf8("\ud800")), "\ufffd");
  assertEquals(utf8Text(new Uint8Array([0xff])), undefined);
});

test("concat joins chunks in order, and returns a single chunk unchanged", () => {
  const one = new Uint8Array([1]);
  assertStrictEquals(concat([one]), one);
  assertEquals(concat([]), EMPTY);
  assertEquals(concat([one, EMPTY, new Uint8Array([2, 3])]), new Uint8Array([1, 2, 3]));
});

test("Reader.number64 and Writer.number64 use the same bytes as u64 for numbers up to 2^53", () => {
  for (const value of [0, 1, 0xffff_ffff, 0x1_0000_0000, 0x1234_5678_9abc, 2 ** 53 - 1]) {
    const bytes = new Writer().number64(value).u64(BigInt(value)).done();
    assertEquals(bytes.subarray(0, 8), bytes.subarray(8));
    const reader = new Reader(bytes);
    assertEquals([reader.number64(), reader.u64()], [value, BigInt(value)]);
  }
  const negative = new Writer().u64(-2n).done();
  assertEquals(new Reader(negative).u64(), 2n ** 64n - 2n);
  assertEquals(new Reader(negative, 1).number64(), 0);
});

test("Reader.text16 returns the encoded text, whatever the expected text is", () => {
  for (const text of ["", "abc", "abd", "ab", "abcd", "äbc", "x".repeat(300)]) {
    const bytes = new Writer().text16(text).u8(7).done();
    for (const likely of ["", "abc", "äbc", text]) {
      const reader = new Reader(bytes);
      assertEquals([reader.text16(likely), reader.u8(), reader.ok], [text, 7, true]);
      const short = new Reader(bytes.subarray(0, bytes.length - 2));
      assertEquals([short.text16(likely), short.ok], ["", false]);
    }
  }
});

test("Writer.text16 writes texts that are not all ASCII", () => {
  const writer = new Writer(2).text16("aé").text16("\ud800").text16("b");
  const reader = new Reader(writer.done());
  assertEquals([reader.text16(), reader.text16(), reader.text16()], ["aé", "\ufffd", "b"]);
});
