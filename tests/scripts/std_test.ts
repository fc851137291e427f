/**
 * Tests that the local replacements for packages of the standard library behave like the originals:
 * the tests pass with both.
 */
import {
  assertEquals,
  AssertionError,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { TextLineStream } from "@std/streams/text-line-stream";
import { test } from "../kit/test.ts";

/** Asserts that an assertion fails. */
function refuses(assertion: () => void): void {
  assertStrictEquals(assertThrows(assertion) instanceof AssertionError, true);
}

test("assertEquals compares deeply, and distinguishes types", () => {
  const same: [unknown, unknown][] = [
    [{ a: 1, b: [2n, "x"] }, { b: [2n, "x"], a: 1 }],
    [NaN, NaN],
    [new Map([[1, { x: 1 }]]), new Map([[1, { x: 1 }]])],
    [new Set(["a"]), new Set(["a"])],
    [new Uint8Array([9, 1, 2]).subarray(1), new Uint8Array([1, 2])],
    [new Date(5), new Date(5)],
  ];
  for (const [a, b] of same) {
    assertEquals(a, b);
    refuses(() => assertNotEquals(a, b));
  }
  const different: [unknown, unknown][] = [
    [{ a: 1 }, { a: 2 }],
    [{ a: undefined }, {}],
    [1, "1"],
    [1, 1n],
    [null, undefined],
    [[1], new Uint8Array([1])],
    [new Uint8Array([1]), new Uint8Array([1, 0])],
    [new Error("a"), new Error("b")],
  ];
  for (const [a, b] of different) {
    assertNotEquals(a, b);
    refuses(() => assertEquals(a, b));
  }
});

test("assertThrows returns the thrown error after checking its class and message", () => {
  const boom = () => {
    throw new TypeError("boom in here");
  };
  assertStrictEquals(assertThrows(boom, TypeError, "boom").message, "boom in here");
  refuses(() => assertThrows(boom, RangeError));
  refuses(() => assertThrows(boom, TypeError, "bang"));
  refuses(() => assertThrows(() => {}));
});

test("assertRejects rejects a function that throws instead of returning a promise", async () => {
  const error = await assertRejects(() => Promise.reject(new TypeError("boom")), TypeError, "boo");
  assertStrictEquals(error.message, "boom");
  const throws = (): Promise<void> => {
    throw new TypeError("at once");
  };
  await assertRejects(() => assertRejects(() => Promise.resolve()), AssertionError);
  await assertRejects(() => assertRejects(throws), AssertionError);
  await assertRejects(
    () => assertRejects(() => Promise.reject(new Error("x")), TypeError),
    AssertionError,
  );
});

test("parseArgs reads strings, booleans, lists and positional arguments", () => {
  const args = parseArgs(
    ["-v", "--only", "a", "--only=b", "--no-colour", "--port=80", "go", "5", "--", "-x", "6"],
    {
      string: ["only", "port", "host"],
      boolean: ["verbose", "colour", "quick"],
      collect: ["only"],
      negatable: ["colour"],
      default: { host: "here", colour: true },
      alias: { verbose: "v" },
      "--": true,
    },
  );
  assertEquals(args as Record<string, unknown>, {
    _: ["go", 5],
    "--": ["-x", "6"],
    v: true,
    verbose: true,
    only: ["a", "b"],
    colour: false,
    port: "80",
    host: "here",
    quick: false,
  });
});

test("parseArgs does not use an option as the value of another option", () => {
  const args = parseArgs(["--host", "--quick", "--flag", "false"], {
    string: ["host", "name", "list"],
    boolean: ["quick", "flag"],
    collect: ["list"],
  });
  assertEquals([args.host, args.quick, args.flag, args.name], ["", true, false, undefined]);
  assertEquals(args.list, []);
});

test("parseArgs passes unknown options and arguments to the callback", () => {
  const received: unknown[] = [];
  const args = parseArgs(["--known", "--other=1", "word"], {
    boolean: ["known"],
    unknown: (...what) => {
      received.push(what);
      return false;
    },
  });
  assertEquals(received, [["--other=1", "other", "1"], ["word"]]);
  assertEquals(args as Record<string, unknown>, { _: [], known: true });
});

test("TextLineStream returns lines, however the text is split", async () => {
  const text = "a\r\nb\n\nc";
  for (let cut = 0; cut <= text.length; cut++) {
    const pieces = ReadableStream.from([text.slice(0, cut), text.slice(cut)]);
    const lines: string[] = [];
    for await (const line of pieces.pipeThrough(new TextLineStream())) lines.push(line);
    assertEquals(lines, ["a", "b", "", "c"], `cut at ${cut}`);
  }
});
