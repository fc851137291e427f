import { assert, assertEquals } from "@std/assert";
import { describe, DESCRIBED_LENGTH_MAX, describeFully } from "../../lib/actor/describe.ts";
import { Pid, Ref } from "../../lib/term/pid.ts";
import { HOME } from "../kit/system.ts";
import { test } from "../kit/test.ts";

class Point {
  x = 1;
  y = -2;
}

const TERMS: readonly [unknown, string][] = [
  ["a text", "a text"],
  ["", ""],
  [undefined, "undefined"],
  [null, "null"],
  [true, "true"],
  [-0.5, "-0.5"],
  [NaN, "NaN"],
  [12n, "12n"],
  [Symbol("it"), "Symbol(it)"],
  [function named() {}, "function named"],
  [() => {}, "function without a name"],
  [new TypeError("no"), "TypeError: no"],
  [new Pid(HOME, 42, undefined), "<0.42>"],
  [new Pid({ ...HOME, local: false }, 42, undefined), "<kit@127.0.0.1:1 42.7>"],
  [new Ref(HOME, 3), "#Ref<0.3>"],
  [{}, "{}"],
  [[], "[]"],
  [{ a: 1, b: ["two", { c: null }] }, '{ a: 1, b: ["two", { c: null }] }'],
  [Object.assign(Object.create(null), { a: 1 }), "{ a: 1 }"],
  [new Point(), "Point { x: 1, y: -2 }"],
  [new Map([[1, 2]]), "Map(1)"],
  [new Set([1, 2]), "Set(2)"],
  [new Uint8Array(1e6), "Uint8Array(1000000 bytes)"],
  [new DataView(new ArrayBuffer(3)), "DataView(3 bytes)"],
  [[[[[["deep"]]]]], "[[[[[…]]]]]"],
  [Array.from({ length: 23 }, (_, i) => i), `[${[...Array(20).keys()].join(", ")}, and 3 more]`],
];

for (const [term, text] of TERMS) {
  test(`describe returns the text ${text.slice(0, 50)}`, () => {
    assertEquals(describe(term), text);
  });
}

test("describe terminates for terms that are cyclic, wide, deep or long", () => {
  const self: Record<string, unknown> = { name: "me" };
  self["self"] = self;
  self["pid"] = new Pid(HOME, 1, self);
  const wide = (depth: number): unknown =>
    Array.from({ length: 20 }, () => depth > 0 ? wide(depth - 1) : "leaf".repeat(1000));
  const huge = Array.from({ length: 1_000_000 }, () => ({ a: "x".repeat(10) }));
  for (const term of [self, wide(3), huge, "x".repeat(1e7), { x: "y".repeat(1e7) }, [self, self]]) {
    const began = performance.now();
    const text = describe(term);
    assert(text.length <= DESCRIBED_LENGTH_MAX + 1, `${text.length}`);
    assert(performance.now() - began < 500);
  }
});

test("describe never throws, whatever a getter, a proxy or a prototype does", () => {
  const no = (): never => {
    throw new Error("no");
  };
  const terms = [
    {
      get a() {
        return no();
      },
    },
    new Proxy({}, { ownKeys: no }),
    new Proxy({}, { get: no, getPrototypeOf: no }),
    Object.defineProperty(new Error("x"), "message", { get: no }),
    Object.defineProperty(new Error("x"), "stack", { get: no }),
    Object.defineProperty(() => {}, "name", { get: no }),
    { constructor: null, a: 1 },
    Object.create(null),
  ];
  for (const term of terms) {
    assertEquals(typeof describe(term), "string");
    assertEquals(typeof describeFully(term), "string");
  }
});

test("describeFully returns the stack of an error, or its name and message if it has no stack", () => {
  const error = new Error("a crash");
  assertEquals(describeFully(error).split("\n")[0], "Error: a crash");
  assertEquals(describeFully(error), error.stack!);
  const bare = Object.defineProperty(new Error("from afar"), "stack", { value: undefined });
  assertEquals(describeFully(bare), "Error: from afar");
  assertEquals(describeFully({ a: 1 }), "{ a: 1 }");
});
