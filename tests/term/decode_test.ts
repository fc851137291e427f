import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import process from "node:process";
import { SeededRandom } from "../../lib/base/random.ts";
import { Decoder, decodeTerm } from "../../lib/term/decode.ts";
import { ProtocolError } from "../../lib/term/errors.ts";
import { Pid } from "../../lib/term/pid.ts";
import { BIGINT_BYTES_MAX, DEPTH_MAX, ERRORS_MAX } from "../../lib/term/tags.ts";
import { test } from "../kit/test.ts";
import { HERE, hex, PIDS, Session, THERE } from "./session.ts";
import { assertSame, randomTerm } from "./values.ts";

function refused(bytes: Uint8Array): ProtocolError {
  return assertThrows(() => new Decoder(PIDS).decode(bytes), ProtocolError);
}

test("Decoder returns the values that the Encoder of the same session has encoded", () => {
  const random = new SeededRandom(1);
  const session = new Session();
  for (let i = 0; i < 3000; i++) {
    const term = randomTerm(random);
    assertSame(session.pass(term), term, `term ${i}`);
  }
});

test("Decoder returns strings of any length with characters of any width", () => {
  const session = new Session();
  for (const char of ["x", "\u00e9", "\u20ac", "\u{1f600}", "\ud800"]) {
    for (const length of [0, 1, 7, 8, 9, 39, 40, 41, 63, 64, 65, 255, 256, 257, 1023, 1024, 5000]) {
      for (
        const text of [char.repeat(length), "x".repeat(length) + char, char + "x".repeat(length)]
      ) {
        const term = ["before", text, "text behind it", text];
        assertEquals(session.pass(term), term);
      }
    }
  }
});

test("Decoder creates objects of frequent shapes with exactly the keys that were sent", () => {
  const keys = [
    "plain",
    "",
    'quote"quote',
    "back\\slash\\",
    "line\nbreak\u2028\u2029",
    "\ud800",
    'x":0};globalThis.wasCompiled=1;return{"y',
    "\\u0041",
    "${1}`",
    "*/ //",
    "if",
    "\u{1f600}",
  ];
  const session = new Session();
  for (let i = 0; i < 200; i++) {
    const term = Object.fromEntries(keys.map((key, at) => [key, i % 3 === 0 ? { i, at } : at]));
    const back = session.pass(term);
    assertSame(back, term, `object ${i}`);
    assertEquals(Object.keys(back as object), keys);
    // A key that breaks the syntax of the compiled code prevents the compilation of its whole shape,
    // so each key is also sent alone.
    for (const key of keys) assertSame(session.pass({ [key]: i }), { [key]: i }, key);
    for (const name of ["__proto__", "constructor", "toString"]) {
      const hostile = Object.defineProperty({ own: i }, name, {
        value: { polluted: i },
        enumerable: true,
        writable: true,
        configurable: true,
      });
      const decoded = session.pass(hostile) as object;
      assertEquals(Object.getPrototypeOf(decoded), Object.prototype);
      assertEquals(Object.getOwnPropertyDescriptor(decoded, name)?.value, { polluted: i });
    }
  }
  assert(!("wasCompiled" in globalThis));
  assert(!("polluted" in Object.prototype));
});

test("Decoder rejects truncations and deep nesting of frequent shapes", () => {
  const session = new Session();
  const decoder = new Decoder(PIDS);
  const nested = (depth: number): unknown => depth === 0 ? 0 : { next: nested(depth - 1), depth };
  for (let i = 0; i < 100; i++) decoder.decode(session.encode(nested(3)));
  const bytes = session.encode(nested(3));
  assertSame(decoder.decode(bytes), nested(3));
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => decoder.decode(bytes, 0, length), ProtocolError);
  }
  // Each byte begins an object whose first value is the next object, deeper than the limit.
  const open = bytes.subarray(0, 1);
  const deep = new Uint8Array(DEPTH_MAX * 2).fill(open[0]!);
  assertThrows(() => decoder.decode(deep), ProtocolError, `deeper than ${DEPTH_MAX}`);
  assertSame(decoder.decode(bytes), nested(3));
});

test("Decoder compiles a limited number of shapes, and decodes objects of all others too", () => {
  const session = new Session();
  const terms = Array.from({ length: 400 }, (_, i) => ({ [`key${i}`]: i, [`other${i}`]: "text" }));
  for (let i = 0; i < 70; i++) for (const term of terms) assertSame(session.pass(term), term);
});

test("Decoder reads strings at every position of a long term", () => {
  const term = Array.from({ length: 5000 }, (_, i) => ({
    id: `event number ${i}`,
    at: i * 1.5,
    text: "y".repeat(i % 400),
    short: "s" + i,
  }));
  const session = new Session();
  assertEquals(session.pass(term), term);
});

test("Decoder reports an offset within the bytes when the bytes are truncated", () => {
  const random = new SeededRandom(2);
  for (let i = 0; i < 300; i++) {
    const bytes = new Session().encode(randomTerm(random, 3));
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 200)) {
      const { offset } = refused(bytes.subarray(0, length));
      assert(offset >= 0 && offset <= length, `${offset} of ${length}`);
    }
  }
});

test("Decoder reports the offset of an invalid value", () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ["", "no version", 0],
    ["80", "no version", 0],
    ["f2", "no version", 0],
    ["f1", "a value is missing", 1],
    ["f1 80 80", "bytes after the term", 2],
    ["f1 f1 80", "no tag: 241", 1],
    ["f1 f3", "no tag: 243", 1],
    ["f1 ff", "no tag: 255", 1],
    ["f1 00", "no shape: 0", 2],
    ["f1 d3 ff", "no shape: 1023", 3],
    ["f1 43 6161", "3 bytes are missing", 2],
    ["f1 d8", "1 bytes are missing", 2],
    ["f1 da 010203", "4 bytes are missing", 2],
    ["f1 de 00000000000000", "8 bytes are missing", 2],
    ["f1 e2 ffffffff 61", "4294967295 bytes are missing", 6],
    ["f1 ed ffffffff 61", "4294967295 bytes are missing", 6],
    ["f1 ee 09 ffffffff 61", "4294967295 bytes are missing", 7],
    ["f1 ee 0d 00000000", "invalid binary data: kind 13", 7],
    ["f1 ee 05 01000000 00", "invalid binary data: kind 5", 8],
    ["f1 c1", "more than there are: 1", 2],
    ["f1 e6 ffffffff d4", "more than there are: 4294967295", 6],
    ["f1 ea ffffffff d4d4", "more than there are: 8589934590", 6],
    ["f1 eb ffffffff d4", "more than there are: 4294967295", 6],
    ["f1 e7 01 41", "more than there are: 2", 3],
    ["f1 e8 ffffffff 41", "more than there are: 8589934590", 6],
    ["f1 e9 0000 01 81 81", "no string", 5],
    ["f1 e9 0000 01 c0 81", "nested deeper than 64", 6],
    ["f1 e9 0000 00", "invalid keys of a shape", 5],
    ['f1 e9 0000 02 41"a" 41"a" 81 81', "invalid keys of a shape", 9],
    ['f1 e9 0000 01 41"1" 81', "invalid keys of a shape", 7],
    ['f1 e9 0004 01 41"a" 81', "too many shapes: 1024", 4],
    ["f1 e3 01 80", "no UTF-8", 4],
    ["f1 e3 03 eda080", "no UTF-8", 6],
    ["f1 e5 01000000 61", "half a code unit", 6],
    ["f1 e0 00 00000000", "no bigint", 7],
    ["f1 e0 02 01000000 01", "no bigint", 7],
    [`f1 e0 00 01000100 ${"01".repeat(BIGINT_BYTES_MAX + 1)}`, "no bigint", 7],
    ["f1 ef 0100000000000300", "no node: 3", 2],
    ["f1 f0 0100000000000300", "no node: 3", 2],
    ["f1 f2 04 40 40", "invalid flags of an error: 4", 3],
    ["f1 f2 00 80 40", "no string", 3],
    ["f1" + "c1".repeat(65) + "80", "nested deeper than 64", 66],
  ];
  for (const [bytes, what, offset] of cases) {
    const error = refused(hex(bytes));
    assertEquals(error.message, `${what}, at byte ${offset}`, bytes.slice(0, 60));
    assertEquals([error.offset, error.code], [offset, "protocol"]);
  }
  assertThrows(() => decodeTerm(hex("f1 ef 0100000000000000")), ProtocolError, "no node: 0");
});

test("Decoder rejects each kind of nesting over the limit", () => {
  const layers = [
    "c1",
    'e7 01 41"1"',
    'e9 0000 01 41"a"',
    "eb 01000000",
    "ea 01000000 80",
    "f2 02 40 40",
  ];
  for (const layer of layers) {
    new Decoder().decode(hex("f1" + layer.repeat(DEPTH_MAX) + "80"));
    const error = refused(hex("f1" + layer.repeat(DEPTH_MAX + 1) + "80"));
    assert(error.message.startsWith("nested deeper"), `${layer}: ${error.message}`);
  }
  new Decoder().decode(hex(`f1 c2 e9 0000 01 41"a" 80 ${"00".repeat(DEPTH_MAX - 1)} 80`));
  refused(hex(`f1 c2 e9 0000 01 41"a" 80 ${"00".repeat(DEPTH_MAX)} 80`));
});

test("Decoder rejects a term with more errors than the limit", () => {
  const errors = (count: number) => {
    const head = new Uint8Array(new Uint32Array([count]).buffer).toHex();
    return hex(`f1 e6 ${head} ${"f2 00 40 40".repeat(count)}`);
  };
  assertEquals((decodeTerm(errors(ERRORS_MAX)) as Error[]).length, ERRORS_MAX);
  assertEquals(refused(errors(ERRORS_MAX + 1)).message.startsWith("too many errors"), true);
});

test("Decoder stores __proto__ as an own property", () => {
  const evil = JSON.parse('{"__proto__":{"polluted":1},"constructor":2,"a":3}');
  const session = new Session();
  const dictionary = { ...evil, "1": 1 };
  Object.defineProperty(dictionary, "__proto__", {
    value: 4,
    enumerable: true,
    configurable: true,
    writable: true,
  });
  for (const term of [evil, evil, dictionary]) {
    const arrived = session.pass(term) as Record<string, unknown>;
    assertSame(arrived, term);
    assert(Object.hasOwn(arrived, "__proto__"));
    assertEquals(Object.getPrototypeOf(arrived), Object.prototype);
    assertEquals(arrived["polluted"], undefined);
  }
  assertEquals(({} as { polluted?: number }).polluted, undefined);
});

test("Decoder accepts a repeated definition of a shape if it is the same", () => {
  const bytes = hex('f1 c3 e9 0000 01 41"a" 81 e9 0000 01 41"b" 82 00 83');
  assertEquals(decodeTerm(bytes), [{ a: 1 }, { b: 2 }, { b: 3 }]);
});

test("Decoder forgets all shapes when a term begins with the version", () => {
  const decoder = new Decoder();
  assertEquals(decoder.decode(hex('f1 e9 0000 01 41"a" 81')), { a: 1 });
  assertEquals(decoder.decode(hex("00 82")), { a: 2 });
  assertThrows(() => decoder.decode(hex("f1 00 82")), ProtocolError, "no shape");
});

test("Decoder reads a range of the bytes, and counts offsets from the start of the range", () => {
  const bytes = hex('ffff f1 c2 44"text" de 000000000000f83f ffff');
  const { buffer } = new Uint8Array([0, 0, 0, ...bytes]);
  for (const memory of [bytes, new Uint8Array(buffer, 3)]) {
    assertEquals(new Decoder().decode(memory, 2, bytes.length - 2), ["text", 1.5]);
    const error = assertThrows(
      () => new Decoder().decode(memory, 2, bytes.length - 3),
      ProtocolError,
    );
    assertEquals(error.offset, 8);
  }
});

test("Decoder returns values that share no memory with the bytes", () => {
  const session = new Session();
  const term = {
    bytes: new Uint8Array([1, 2]),
    floats: new Float64Array([1.5]),
    text: "abcdefghijkl",
  };
  const bytes = session.encode(term).slice();
  for (const memory of [bytes, Buffer.from(bytes)]) {
    const arrived = session.decoder.decode(memory);
    memory.fill(0xee);
    assertEquals(arrived, term);
    memory.set(session.encode(term));
  }
});

test("Decoder restores errors with their names and non-enumerable properties", () => {
  const session = new Session();
  class MyError extends Error {
    override name = "MyError";
  }
  const sent = new TypeError("outer", { cause: new MyError("inner") });
  const arrived = session.pass(sent) as Error;
  assert(arrived instanceof TypeError);
  assertEquals(arrived.stack, sent.stack);
  const { name, message, stack } = arrived.cause as Error;
  assertEquals([name, message, stack], ["MyError", "inner", (sent.cause as Error).stack]);
  assert(arrived.cause instanceof Error);
  assertEquals(Object.keys(arrived), []);
  assertEquals(Object.keys(arrived.cause), []);
});

test("Decoder resolves a pid through the session's node table", () => {
  const session = new Session();
  const arrived = session.pass([
    new Pid(THERE, 3, undefined),
    new Pid(HERE, 3, undefined),
  ]) as Pid[];
  assertEquals(arrived.map(String), ["<c@h:3 3.9>", "<0.3>"]);
});

test("Decoder allocates at most a multiple of the size of hostile input", () => {
  const count = 10_000;
  const head = `f1 e6 ${new Uint8Array(new Uint32Array([count]).buffer).toHex()}`;
  const used = () => process.memoryUsage().heapUsed + process.memoryUsage().external;
  const rows = ["c0", "e7 00", "ea 00000000", "ed 00000000", "ee 09 00000000"]
    .concat(['e7 01 44"1000" 80', 'e7 01 44"9999" 80']);
  for (const row of rows) {
    const bytes = hex(head + row.repeat(count));
    const before = used();
    const term = new Decoder().decode(bytes) as unknown[];
    const made = used() - before;
    assertEquals(term.length, count);
    // `made` includes garbage that is not collected yet. Sparse arrays would need at least 1e8
    // bytes.
    assert(made < 400 * bytes.length + 10e6, `${row}: ${made} from ${bytes.length}`);
  }
});

test("Decoder restores objects whose keys are array indices", () => {
  const session = new Session();
  const sparse = { "0": 1, "17": 2, "9999": 3, "4294967295": 4, "1e3": 5, x: 6, "-1": 7 };
  assertSame(session.pass(sparse), sparse);
  const dense = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [i, "v" + i]));
  assertSame(session.pass(dense), dense);
  const arrived = session.pass(sparse) as Record<string, number>;
  arrived["9999"] = 5;
  delete arrived["17"];
  assertSame(arrived, { "0": 1, "9999": 5, "4294967295": 4, "1e3": 5, x: 6, "-1": 7 });
});
