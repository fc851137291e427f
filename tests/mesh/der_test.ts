import { assertEquals } from "@std/assert";
import * as der from "../../lib/mesh/der.ts";
import { test } from "../kit/test.ts";

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);

test("element writes a length in the shortest form", () => {
  const heads: readonly (readonly [length: number, head: string])[] = [
    [0, "0400"],
    [1, "0401"],
    [0x7f, "047f"],
    [0x80, "048180"],
    [0xff, "0481ff"],
    [0x100, "04820100"],
    [0xffff, "0482ffff"],
    [0x10000, "0483010000"],
  ];
  for (const [length, head] of heads) {
    const body = new Uint8Array(length).fill(0x5a);
    const bytes = der.element(0x04, body);
    assertEquals(bytes.subarray(0, bytes.length - length).toHex(), head);
    assertEquals(bytes.subarray(bytes.length - length), body);
  }
});

test("element writes one length, and then its parts in order", () => {
  assertEquals(der.element(0x30).toHex(), "3000");
  assertEquals(der.element(0x30, hex("01"), hex(""), hex("0203")).toHex(), "3003010203");
});

test("sequence, setOf, explicit, octets and text write elements with their tags", () => {
  assertEquals(der.sequence(hex("0500"), hex("0500")).toHex(), "300405000500");
  assertEquals(der.setOf(hex("0500")).toHex(), "31020500");
  assertEquals(der.explicit(0, hex("0500")).toHex(), "a0020500");
  assertEquals(der.explicit(3, hex("0500")).toHex(), "a3020500");
  assertEquals(der.octets(hex("feff")).toHex(), "0402feff");
  assertEquals(der.text("hé").toHex(), "0c0368c3a9");
});

test("integer writes the shortest encoding that is not negative", () => {
  const rows: readonly (readonly [digits: string, bytes: string])[] = [
    ["00", "020100"],
    ["0000", "020100"],
    ["01", "020101"],
    ["7f", "02017f"],
    ["80", "02020080"],
    ["0080", "02020080"],
    ["ff00", "020300ff00"],
    ["000102", "02020102"],
  ];
  for (const [digits, bytes] of rows) assertEquals(der.integer(hex(digits)).toHex(), bytes);
});

test("bits writes the number of unused bits in the last byte", () => {
  assertEquals(der.bits(hex("ff00")).toHex(), "030300ff00");
  assertEquals(der.bits(hex("80"), 7).toHex(), "03020780");
});

test("TRUE is a BOOLEAN element with the byte ff", () => {
  assertEquals(der.TRUE.toHex(), "0101ff");
});

test("oid packs the first two arcs into one byte and large arcs into several", () => {
  const rows: readonly (readonly [dotted: string, bytes: string])[] = [
    ["1.3.101.112", "06032b6570"],
    ["2.5.4.3", "0603550403"],
    ["2.5.29.37", "0603551d25"],
    ["1.3.6.1.5.5.7.3.1", "06082b06010505070301"],
    ["1.2.840.113549", "06062a864886f70d"],
    ["1.2.127.128.16383.16384", "06092a7f8100ff7f818000"],
  ];
  for (const [dotted, bytes] of rows) assertEquals(der.oid(dotted).toHex(), bytes);
});

test("utcTime writes two digits per field, in UTC, without fractions", () => {
  const ascii = (ms: number): string => new TextDecoder().decode(der.utcTime(ms).subarray(2));
  assertEquals(der.utcTime(0).subarray(0, 2).toHex(), "170d");
  assertEquals(ascii(0), "700101000000Z");
  assertEquals(ascii(Date.UTC(2049, 11, 31, 23, 59, 59, 999)), "491231235959Z");
  assertEquals(ascii(Date.UTC(2031, 1, 3, 4, 5, 6)), "310203040506Z");
});
