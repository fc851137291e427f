import { Buffer } from "node:buffer";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { TermBuffer } from "../../lib/term/buffer.ts";
import { decodeTerm } from "../../lib/term/decode.ts";
import { Encoder, encodeTerm } from "../../lib/term/encode.ts";
import { TermError } from "../../lib/term/errors.ts";
import { Pid } from "../../lib/term/pid.ts";
import {
  BIGINT_BYTES_MAX,
  DEPTH_MAX,
  ERRORS_MAX,
  SHAPE_KEYS_MAX,
  SHAPES_MAX,
} from "../../lib/term/tags.ts";
import { test } from "../kit/test.ts";
import { hex, Session } from "./session.ts";

class Mine {
  x = 1;
}
class MyMap extends Map {}
class MyArray extends Array {}

function refused(value: unknown, session: Session = new Session()): TermError {
  return assertThrows(() => session.encode(value), TermError);
}

/** Returns nested arrays. */
function nested(depth: number, innermost: unknown = 1): unknown {
  let value = innermost;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

test("Encoder reports the path of a value that cannot be sent", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [() => {}, "message is a function, which cannot be sent"],
    [Symbol("s"), "message is a symbol, which cannot be sent"],
    [{ users: [1, 2, 3, { callback() {} }] }, "message.users[3].callback is a function"],
    [{ a: 1, "b c": new Mine() }, 'message["b c"] is an instance of Mine'],
    [[new MyMap()], "message[0] is an instance of MyMap"],
    [[MyArray.of(1)], "message[0] is an instance of MyArray"],
    [{ a: Object.create(Array.prototype) }, "message.a is an instance of Array"],
    [{ when: [new Date(0), Promise.resolve()] }, "message.when[1] is an instance of Promise"],
    [{ r: /x/ }, "message.r is an instance of RegExp"],
    [{ n: new Number(1) }, "message.n is an instance of Number"],
    [new Map([["by", { f() {} }]]), 'message.get("by").f is a function'],
    [new Map<unknown, unknown>([[1, 2], [3, Symbol()]]), "message.values()[1] is a symbol"],
    [new Map<unknown, unknown>([[1, 2], [{ f() {} }, 4]]), "message.keys()[1].f is a function"],
    [new Set([1, { f() {} }]), "message.values()[1].f is a function"],
    [{ e: new Error("x", { cause: { f() {} } }) }, "message.e.cause.f is a function"],
    [{ p: Object.create({ inherited: 1 }) }, "message.p is an instance of Object"],
    [{ p: Object.create(Object.create(null)) }, "message.p is no plain object"],
    [[new SharedArrayBuffer(1)], "message[0] is an instance of SharedArrayBuffer"],
  ];
  for (const [value, message] of cases) {
    const error = refused(value);
    assert(error.message.startsWith(message), error.message);
    assertEquals(error.code, "badarg");
    assertEquals(error.path, message.slice(0, message.indexOf(" is ")));
  }
});

test("Encoder reports the path of a cycle", () => {
  const self: Record<string, unknown> = { a: [] };
  self["self"] = self;
  assertEquals(
    refused({ x: [self] }).message,
    "message.x[0].self contains itself: a circular reference",
  );
  const child: Record<string, unknown> = {};
  const parent = { children: [{}, child] };
  child["parent"] = parent;
  assertEquals(refused(parent).path, "message.children[1].parent");
  const map = new Map();
  map.set("m", [map]);
  assertEquals(refused(map).path, 'message.get("m")[0]');
  const error = new Error("x");
  error.cause = error;
  assertEquals(refused(error).path, "message.cause");
});

test("Encoder rejects nesting over the limit", () => {
  assertEquals(new Session().pass(nested(DEPTH_MAX)), nested(DEPTH_MAX));
  const error = refused({ deep: nested(DEPTH_MAX) });
  assertEquals(error.path, "message.deep" + "[0]".repeat(DEPTH_MAX - 1));
  assertEquals(error.message, `${error.path} is nested deeper than ${DEPTH_MAX}`);
  assertEquals(error.code, "system_limit");
});

test("Encoder rejects very deep nesting without a stack overflow", () => {
  assertEquals(refused(nested(100_000)).code, "system_limit");
});

test("Encoder reports the path of the whole message if it cannot find the invalid value again", () => {
  const fresh = {
    get deep() {
      return nested(100_000);
    },
  };
  const error = refused([fresh]);
  assertEquals([error.path, error.code], ["message", "system_limit"]);
});

test("Encoder encodes each occurrence of a value", () => {
  const one = { a: 1 };
  const [left, right] = new Session().pass([one, one]) as [object, object];
  assertEquals([left, right], [one, one]);
  assert(left !== right);
});

test("Encoder rejects a term over its byte limit without allocating much more than the limit", () => {
  const session = new Session(100);
  assertEquals(session.pass("x".repeat(97)), "x".repeat(97));
  for (
    const value of [
      "x".repeat(99),
      new Uint8Array(96),
      new Float64Array(12),
      new Array(101),
      new Array(2 ** 32 - 1),
      { a: new Array(30).fill("xyz") },
    ]
  ) {
    const error = refused(value, session);
    assertEquals(error.code, "system_limit");
    assertEquals(error.message, "message is longer than 100 bytes");
  }
  // Builds a small value whose encoding would grow exponentially, because each level refers to the
  // previous one twice.
  let twice: unknown = "x";
  for (let i = 0; i < DEPTH_MAX; i++) twice = [twice, twice];
  assertEquals(refused(twice, session).code, "system_limit");
  assert(session.out.bytes.length < 10_000);
});

test("Encoder rejects more errors or longer bigints than a Decoder accepts", () => {
  const errors = Array.from({ length: ERRORS_MAX }, () => new Error("x"));
  assertEquals((new Session().pass(errors) as Error[]).length, ERRORS_MAX);
  assertEquals(refused([...errors, new Error("x")]).code, "system_limit");
  const longest = (1n << BigInt(8 * BIGINT_BYTES_MAX)) - 1n;
  assertEquals(new Session().pass([longest, -longest]), [longest, -longest]);
  assertEquals(refused({ n: longest + 1n }).path, "message.n");
});

test("Encoder rejects a pid if it has no node table", () => {
  const pid = new Pid({ node: "x@h:9", creation: 1, local: false }, 5, undefined);
  assertEquals(refused({ pid }).code, "system_limit");
  assertEquals(refused({ pid }).path, "message.pid");
  assertThrows(() => encodeTerm([pid]), TermError, "message[0] is <x@h:9 5.1>");
});

test("Encoder sends the own enumerable properties of an object, including getters", () => {
  const object = Object.defineProperty(Object.create(null), "hidden", { value: 1 });
  Object.assign(object, { a: 1, [Symbol("s")]: 2 });
  Object.defineProperty(object, "asked", { enumerable: true, get: () => 3 });
  assertEquals(new Session().pass(object), { a: 1, asked: 3 });
  assertEquals(new Session().pass({ toJSON: 1, u: undefined }), { toJSON: 1, u: undefined });
});

test("Encoder sends only the own properties of an object, whatever Object.prototype contains", () => {
  const session = new Session();
  assertEquals(session.pass({ a: 1, polluted: 2 }), { a: 1, polluted: 2 });
  Object.defineProperty(Object.prototype, "polluted", {
    value: 1,
    enumerable: true,
    configurable: true,
  });
  try {
    assertEquals(Object.keys(session.pass({ a: 1 }) as object), ["a"]);
    assertEquals(Object.keys(session.pass([{ b: 1 }, { b: 2 }]) as object), ["0", "1"]);
  } finally {
    delete (Object.prototype as { polluted?: number }).polluted;
  }
  assertEquals(session.pass({ a: 1, b: { b: 2 } }), { a: 1, b: { b: 2 } });
});

test("Encoder sends holes of an array as undefined", () => {
  // deno-lint-ignore no-sparse-arrays
  assertEquals(new Session().pass([1, , 3]), [1, undefined, 3]);
});

test("Encoder sends the part of a buffer that a view covers", () => {
  const memory = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).buffer;
  const session = new Session();
  assertEquals(session.pass(new Uint8Array(memory, 2, 3)), new Uint8Array([2, 3, 4]));
  assertEquals(session.pass(new Uint16Array(memory, 2, 1)), new Uint16Array([0x0302]));
  const buffer = session.pass(Buffer.from("ab"));
  assertEquals(buffer, new Uint8Array([0x61, 0x62]));
});

test("Encoder assigns a number to a shape at its second use", () => {
  const session = new Session();
  const first = session.hex({ type: "inc", by: 1 });
  assertEquals(first, hex('f1 e9 0000 02 44"type" 42"by" 43"inc" 81').toHex());
  assertEquals(session.hex({ type: "inc", by: 2 }), hex('00 43"inc" 82').toHex());
  // Other keys, fewer keys, or the same keys in another order are other shapes.
  assertEquals(session.hex({ type: 1, at: 2 }), hex('e9 0100 02 44"type" 42"at" 81 82').toHex());
  assertEquals(session.hex({ type: 1 }), hex('e9 0200 01 44"type" 81').toHex());
  assertEquals(session.hex({ by: 1, type: 2 }), hex('e9 0300 02 42"by" 44"type" 81 82').toHex());
  assertEquals(session.hex({ type: 1, by: 2, at: 3 }).slice(0, 8), "e9040003");
  assertEquals(session.hex([{ type: 1 }, { by: 1, type: 2 }]), hex("c2 02 81 03 81 82").toHex());
});

test("Encoder defines a recursive shape before it uses the shape", () => {
  const session = new Session();
  const term = { a: { a: { a: 1 } }, b: [{ a: 2 }] };
  for (let i = 0; i < 3; i++) assertEquals(session.pass(term), term);
  const other = { c: { c: 1 } };
  for (let i = 0; i < 3; i++) assertEquals(session.pass(other), other);
  assertEquals(session.encode(other).length, 3);
});

test("Encoder keeps the order of the values of an object whose first keys are those of an earlier shape", () => {
  const session = new Session();
  session.pass({ a: 1, b: 2 });
  const term = { a: { x: "inner" }, b: ["list"], c: 3, d: { a: 4, b: 5 } };
  assertEquals(session.pass(term), term);
  assertEquals(session.pass(term), term);
  const ends = { a: { y: 1 } };
  assertEquals(session.pass(ends), ends);
});

test("Encoder discards the shapes of a term that it rejects", () => {
  const session = new Session();
  assertEquals(session.pass({ a: 1 }), { a: 1 });
  refused({ b: { c: 1 }, f() {} }, session);
  assertEquals(session.out.take().length, 0);
  assertEquals(session.hex({ b: 1 }), hex('e9 0100 01 41"b" 81').toHex());
  // If the first term of a session is rejected, the next one has the version byte, which the peer
  // has not received yet.
  const fresh = new Session();
  refused({ f() {} }, fresh);
  assertEquals(fresh.pass({ a: 1 }), { a: 1 });
});

test("Encoder discards all changes when a getter throws", () => {
  const session = new Session();
  const bad = {
    a: 1,
    get b(): number {
      throw new RangeError("mine");
    },
  };
  assertThrows(() => session.encode(bad), RangeError, "mine");
  assertEquals(session.pass({ a: 1, b: 2 }), { a: 1, b: 2 });
});

test("Encoder encodes correctly although getters change the value during encoding", () => {
  const session = new Session();
  const growing = new Set<unknown>();
  growing.add({
    get a() {
      growing.add(1);
      return 1;
    },
  });
  assertEquals(session.pass(growing), new Set<unknown>([{ a: 1 }, 1]));
  const shrinking: Record<string, unknown> = {
    get a() {
      delete shrinking["b"];
      return 1;
    },
    b: 2,
    c: 3,
  };
  session.pass(shrinking);
  const array: unknown[] = [{
    get a() {
      array.length = 1;
      return 1;
    },
  }, 2];
  assertEquals(session.pass(array), [{ a: 1 }, undefined]);
});

test("Encoder sends dictionaries with their keys, and assigns no numbers to their shapes", () => {
  const session = new Session();
  const keys = (count: number) => Array.from({ length: count }, (_, i) => [`k${i}`, i] as const);
  const widest = Object.fromEntries(keys(SHAPE_KEYS_MAX));
  const wider = Object.fromEntries(keys(SHAPE_KEYS_MAX + 1));
  const dictionaries = [wider, { "1": 1 }, { a: 1, "7x": 2 }, { ["k".repeat(65)]: 1 }, {}];
  for (const term of [widest, ...dictionaries]) assertEquals(session.pass(term), term);
  assertEquals(session.encode(widest).length < session.encode(wider).length / 2, true);
  assertEquals(session.hex({ a: 1 }), hex('e9 0100 01 41"a" 81').toHex());
});

test("Encoder resets its shape table when all numbers are used", () => {
  const session = new Session();
  const term = (i: number) => ({ ["k" + i]: i });
  for (let i = 0; i < 3 * SHAPES_MAX; i++) {
    const bytes = session.encode(term(i));
    assertEquals(bytes[0] === 0xf1, i % SHAPES_MAX === 0);
    assertEquals(session.decoder.decode(bytes), term(i));
  }
  // The shape table cannot be reset within a term, so further shapes are sent in full.
  const many = Array.from({ length: SHAPES_MAX + 10 }, (_, i) => ({ ["m" + i]: i, ["n" + i]: i }));
  assertEquals(session.pass(many), many);
  assertEquals(session.encode({ a: 1 })[0], 0xf1);
});

test("Encoder limits its shape tree while a peer rejects every new shape", () => {
  const session = new Session();
  session.pass(1);
  let renewals = 0;
  for (let i = 0; i < 3000; i++) {
    const keys = Array.from({ length: 60 }, (_, k) => [`k${i}-${k}`, 1]);
    refused([Object.fromEntries(keys), () => {}], session);
    const bytes = session.encode(1);
    if (bytes[0] === 0xf1) renewals++;
    session.decoder.decode(bytes);
  }
  assertEquals(renewals, 2);
});

test("Encoder throws if a getter sends a message during encoding", () => {
  const { encoder, out } = new Session();
  const bad = {
    get a() {
      encoder.encode(1, out);
      return 1;
    },
  };
  assertThrows(() => encoder.encode(bad, out), Error, "a getter must not send");
  encoder.encode(2, out);
  assertEquals(out.take().toHex(), "f182");
});

test("encodeTerm returns a term that a new Decoder can decode", () => {
  const term = { a: [{ a: 1 }, "x"], b: null };
  assertEquals(decodeTerm(encodeTerm(term)), term);
  assertEquals(encodeTerm(term), encodeTerm(term));
});

test("TermBuffer returns views that later writes do not overwrite", () => {
  const out = new TermBuffer();
  const encoder = new Encoder();
  const pieces: Uint8Array[] = [];
  const copies: Uint8Array[] = [];
  for (let i = 0; i < 2000; i++) {
    encoder.encode("x".repeat(i % 300) + i, out);
    pieces.push(out.take());
    copies.push(pieces.at(-1)!.slice());
  }
  assertEquals(pieces, copies);
  encoder.encode(new Uint8Array(1_000_000), out);
  assertEquals(out.take().length, 1_000_005);
  encoder.encode("small", out);
  assertEquals(out.take().length, 6);
  encoder.encode("small", out);
  out.take();
  assert(out.bytes.length <= 2_000_000);
});

test("TermBuffer keeps a small buffer for any number of pieces", () => {
  for (
    const sizes of [[10], [700], [3000], [16_000], [50_000], [200_000], [10, 16_000], [7, 60_000]]
  ) {
    const out = new TermBuffer();
    const encoder = new Encoder();
    for (let i = 0; i < 500; i++) {
      const size = sizes[i % sizes.length]!;
      encoder.encode(new Uint8Array(size), out);
      encoder.encode(i, out);
      assertEquals(out.take().length, size + (i === 0 ? 6 : 5) + (i < 64 ? 1 : i < 256 ? 2 : 3));
      assert(out.bytes.length <= 65_536, `${out.bytes.length} for ${sizes}`);
    }
  }
});
