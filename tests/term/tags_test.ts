/** Tests every row of the tag table in `lib/term/tags.ts`: each value and its bytes in hex. */
import { assertEquals } from "@std/assert";
import { decodeTerm } from "../../lib/term/decode.ts";
import { encodeTerm } from "../../lib/term/encode.ts";
import { Pid, Ref } from "../../lib/term/pid.ts";
import { TAG } from "../../lib/term/tags.ts";
import { test } from "../kit/test.ts";
import { HERE, hex, Session, THERE } from "./session.ts";

/** Values and their bytes after the version byte, by row. */
const ROWS: Readonly<Record<keyof typeof TAG, readonly (readonly [unknown, string])[]>> = {
  SHAPE: [[[{ a: 1 }, { a: 2 }], 'c2 e9 0000 01 41"a" 81 00 82']],
  STRING: [
    ["", "40"],
    ["a", '41"a"'],
    ["\u00e9\u00ff\0", "43 e9 ff 00"],
    ["x".repeat(63), `7f"${"x".repeat(63)}"`],
  ],
  INT: [[0, "80"], [1, "81"], [63, "bf"]],
  ARRAY: [[[], "c0"], [[1, [2]], "c2 81 c1 82"], [new Array(15).fill(0), "cf" + "80".repeat(15)]],
  SHAPE_WIDE: [], // below
  NULL: [[null, "d4"]],
  UNDEFINED: [[undefined, "d5"]],
  FALSE: [[false, "d6"]],
  TRUE: [[true, "d7"]],
  UINT8: [[64, "d8 40"], [255, "d8 ff"]],
  UINT16: [[256, "d9 0001"], [65535, "d9 ffff"]],
  UINT32: [[65536, "da 00000100"], [0xffff_ffff, "da ffffffff"], [2 ** 31, "da 00000080"]],
  INT8: [[-1, "db ff"], [-128, "db 80"]],
  INT16: [[-129, "dc 7fff"], [-32768, "dc 0080"]],
  INT32: [[-32769, "dd ff7fffff"], [-(2 ** 31), "dd 00000080"]],
  FLOAT64: [
    [1.5, "de 000000000000f83f"],
    [-0, "de 0000000000000080"],
    [NaN, "de 000000000000f87f"],
    [Infinity, "de 000000000000f07f"],
    [2 ** 32, "de 000000000000f041"],
    [Number.MAX_SAFE_INTEGER, "de ffffffffffff3f43"],
    [5e-324, "de 0100000000000000"],
  ],
  BIGINT64: [
    [0n, "df 0000000000000000"],
    [-1n, "df ffffffffffffffff"],
    [2n ** 63n - 1n, "df ffffffffffffff7f"],
    [-(2n ** 63n), "df 0000000000000080"],
  ],
  BIGINT: [
    [2n ** 63n, "e0 00 08000000 8000000000000000"],
    [-(2n ** 63n) - 1n, "e0 01 08000000 8000000000000001"],
    [2n ** 64n, "e0 00 09000000 010000000000000000"],
  ],
  STRING8: [
    ["x".repeat(64), `e1 40 "${"x".repeat(64)}"`],
    ["x".repeat(255), `e1 ff "${"x".repeat(255)}"`],
  ],
  STRING32: [["x".repeat(256), `e2 00010000 "${"x".repeat(256)}"`]],
  UTF8_8: [
    ["\u20ac", "e3 03 e282ac"],
    ["a\u{1f600}", "e3 05 61 f09f9880"],
    ["\ufeff", "e3 03 efbbbf"],
    ["\u00e9".repeat(40), `e3 50 ${"c3a9".repeat(40)}`],
  ],
  UTF8_32: [["\u20ac".repeat(86), `e4 02010000 ${"e282ac".repeat(86)}`]],
  UTF16: [["\ud800", "e5 02000000 00d8"], ["a\udc00\u20ac", "e5 06000000 6100 00dc ac20"]],
  ARRAY32: [[new Array(16).fill(null), `e6 10000000 ${"d4".repeat(16)}`]],
  OBJECT8: [
    [{}, "e7 00"],
    [{ "1": true }, 'e7 01 41"1" d7'],
    [{ a: 1, ["k".repeat(65)]: 2 }, `e7 02 41"a" e1 41 "${"k".repeat(65)}" 81 82`],
  ],
  OBJECT32: [], // below
  SHAPE_NEW: [[{ a: 1, b: { c: 2 } }, 'e9 0000 02 41"a" 41"b" 81 e9 0100 01 41"c" 82']],
  MAP: [
    [new Map(), "ea 00000000"],
    [new Map<unknown, unknown>([[1, "a"], [[], 2]]), 'ea 02000000 81 41"a" c0 82'],
  ],
  SET: [[new Set(), "eb 00000000"], [new Set([1, "a"]), 'eb 02000000 81 41"a"']],
  DATE: [
    [new Date(1), "ec 000000000000f03f"],
    [new Date(NaN), "ec 000000000000f87f"],
  ],
  BYTES: [[new Uint8Array([1, 2]), "ed 02000000 0102"]],
  TYPED: [
    [new Uint8Array([1, 2]).buffer, "ee 00 02000000 0102"],
    [new DataView(new Uint8Array([1, 2]).buffer), "ee 01 02000000 0102"],
    [new Int8Array([-1]), "ee 02 01000000 ff"],
    [new Uint8ClampedArray([255]), "ee 03 01000000 ff"],
    [new Int16Array([-2]), "ee 04 02000000 feff"],
    [new Uint16Array([1, 2]), "ee 05 04000000 0100 0200"],
    [new Int32Array([-2]), "ee 06 04000000 feffffff"],
    [new Uint32Array([3]), "ee 07 04000000 03000000"],
    [new Float32Array([1.5]), "ee 08 04000000 0000c03f"],
    [new Float64Array([1.5]), "ee 09 08000000 000000000000f83f"],
    [new BigInt64Array([-1n]), "ee 0a 08000000 ffffffffffffffff"],
    [new BigUint64Array([1n]), "ee 0b 08000000 0100000000000000"],
    [new Float16Array([1.5]), "ee 0c 02000000 003e"],
  ],
  PID: [
    [new Pid(HERE, 42, undefined), "ef 2a 00 00 00 00 00 0000"],
    [new Pid(THERE, 2 ** 40 - 1, undefined), "ef ff ff ff ff ff 00 0200"],
  ],
  REF: [[new Ref(THERE, 258), "f0 02 01 00 00 00 00 0200"]],
  VERSION: [], // precedes every row of this table
  ERROR: [
    [bare("Error", "no"), 'f2 00 45"Error" 42"no"'],
    [bare("Mine", "no", { stack: "at x" }), 'f2 01 44"Mine" 42"no" 44"at x"'],
    [bare("E", "", { cause: 7 }), 'f2 02 41"E" 40 87'],
    [bare("E", "", { stack: "s", cause: null }), 'f2 03 41"E" 40 41"s" d4'],
  ],
};

/** Returns an error with the given stack, or without one. */
function bare(
  name: string,
  message: string,
  { stack, cause }: ErrorOptions & { stack?: string } = {},
) {
  const error = new Error(message);
  return Object.defineProperties(error, {
    name: { value: name, configurable: true },
    stack: { value: stack, configurable: true },
    ...(cause === undefined ? {} : { cause: { value: cause, configurable: true } }),
  });
}

for (const [name, rows] of Object.entries(ROWS)) {
  test(`TAG.${name} is encoded and decoded as its row of the table specifies`, () => {
    for (const [value, bytes] of rows) {
      const session = new Session();
      assertEquals(session.hex(value), "f1" + hex(bytes).toHex());
      const decoded = session.decoder.decode(hex("f1" + bytes));
      if (value instanceof Error) assertSameError(decoded, value);
      else assertEquals(decoded, value);
    }
  });
}

function assertSameError(actual: unknown, expected: Error): void {
  const { name, message, cause, stack } = actual as Error;
  assertEquals([name, message, cause], [expected.name, expected.message, expected.cause]);
  assertEquals(stack, expected.stack ?? `${expected.name}: ${expected.message}`);
  assertEquals(Object.keys(actual as Error), []);
}

test("TAG.SHAPE_WIDE encodes shape numbers that do not fit into SHAPE", () => {
  const session = new Session();
  const shape = (number: number): Record<string, number> => ({ ["k" + number]: 1 });
  for (let number = 0; number < 300; number++) session.pass(shape(number));
  for (
    const [number, bytes] of [[0, "d0 00 81"], [63, "d0 3f 81"], [64, "d0 40 81"], [
      256,
      "d1 00 81",
    ]]
      .map(([number, bytes]) => [Number(number), String(bytes)] as const)
  ) {
    assertEquals(session.hex(shape(number)), hex(bytes).toHex());
    assertEquals(session.decoder.decode(hex(bytes)), shape(number));
  }
});

test("TAG.OBJECT32 encodes dictionaries of more than 255 keys", () => {
  const dictionary = Object.fromEntries(Array.from({ length: 256 }, (_, i) => ["k" + i, i % 64]));
  const bytes = encodeTerm(dictionary);
  assertEquals(bytes.subarray(0, 9).toHex(), "f1e80001000042" + "6b30");
  assertEquals(bytes.subarray(-3).toHex(), "bdbebf");
  assertEquals(decodeTerm(bytes), dictionary);
});

test("TAG has no gaps and no duplicates from 0xd4 on", () => {
  const numbers = Object.values(TAG).filter((tag) => tag >= 0xd4);
  assertEquals(numbers, numbers.map((_, i) => 0xd4 + i) as typeof numbers);
});
