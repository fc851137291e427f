import { assert, assertEquals } from "@std/assert";
import { ChunkReader } from "../../lib/ws/chunked.ts";
import { bytesOf, join } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";
import { byteByByte } from "./recorder.ts";

const BYTES_MAX = 1000;

/**
 * Reads a body. Returns its data and the bytes after it, separated by a bar; or the status of an
 * error; or "more".
 */
function read(...chunks: readonly Uint8Array[]): string | number {
  let data = "";
  const reader = new ChunkReader(BYTES_MAX, (bytes) => data += latin1(bytes));
  for (const [i, chunk] of chunks.entries()) {
    const progress = reader.push(chunk);
    if (progress.state === "more") continue;
    if (progress.state === "refused") return progress.refusal.status;
    return `${data}|${latin1(join(chunk.subarray(progress.rest), ...chunks.slice(i + 1)))}`;
  }
  return "more";
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

const LONG = "x".repeat(100);

/** Chunked bodies: a description, the bytes, and the expected result of `read`. */
const BODIES: readonly (readonly [string, string, string | number])[] = [
  ["nothing", "", "more"],
  ["one chunk", "4\r\nWiki\r\n0\r\n\r\n", "Wiki|"],
  ["two chunks", "4\r\nWiki\r\n6\r\npedia \r\n0\r\n\r\n", "Wikipedia |"],
  ["no data", "0\r\n\r\n", "|"],
  ["many zeros as the last size", "000\r\n\r\n", "|"],
  ["leading zeros", "0000000000000004\r\nWiki\r\n0\r\n\r\n", "Wiki|"],
  ["more than sixteen digits", "00000000000000004\r\nWiki\r\n0\r\n\r\n", 400],
  [
    "hex digits in both cases",
    `a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n`,
    "01234567890123456789|",
  ],
  ["line ends as data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n|"],
  ["bytes after the body", "1\r\na\r\n0\r\n\r\nGET /", "a|GET /"],
  ["an extension", "1;a\r\na\r\n0\r\n\r\n", "a|"],
  ["an extension with a value", "1;a=b\r\na\r\n0;c=d\r\n\r\n", "a|"],
  ["extensions with white space", '1 ; a = b\t;c="d e"\r\na\r\n0\r\n\r\n', "a|"],
  ["a quoted value with a semicolon", '1;a="b;\\"c"\r\na\r\n0\r\n\r\n', "a|"],
  ["an extension without a name", "1;\r\na\r\n0\r\n\r\n", 400],
  ["an extension without a value", "1;a=\r\na\r\n0\r\n\r\n", 400],
  ["an unterminated quote", '1;a="b\r\na\r\n0\r\n\r\n', 400],
  ["a control character in an extension", "1;a=\x01\r\na\r\n0\r\n\r\n", 400],
  ["a line feed in an extension", "1;a\n\r\na\r\n0\r\n\r\n", 400],
  ["a space after the size", "1 \r\na\r\n0\r\n\r\n", 400],
  ["a space before the size", " 1\r\na\r\n0\r\n\r\n", 400],
  ["an extension that is too long", `1;${"a".repeat(256)}\r\na\r\n0\r\n\r\n`, 400],
  ["extensions that are too long", `1;${"a".repeat(200)}\r\na\r\n`.repeat(100), 400],
  ["no size", "\r\na\r\n0\r\n\r\n", 400],
  ["a sign", "+1\r\na\r\n0\r\n\r\n", 400],
  ["a negative size", "-1\r\na\r\n0\r\n\r\n", 400],
  ["a 0x prefix", "0x1\r\na\r\n0\r\n\r\n", 400],
  ["an underscore", "1_0\r\na\r\n0\r\n\r\n", 400],
  ["a letter that is not a hex digit", "g\r\na\r\n0\r\n\r\n", 400],
  ["a bare line feed after a size", "1\na\r\n0\r\n\r\n", 400],
  ["a bare line feed after data", "1\r\na\n0\r\n\r\n", 400],
  ["a bare line feed at the end", "1\r\na\r\n0\r\n\n", 400],
  ["a bare carriage return after a size", "1\ra\r\n0\r\n\r\n", 400],
  ["a bare carriage return after data", "1\r\na\rb0\r\n\r\n", 400],
  ["a carriage return twice", "1\r\r\na\r\n0\r\n\r\n", 400],
  ["more data than the size", "1\r\nab\r\n0\r\n\r\n", 400],
  ["less data than the size", "3\r\na\r\n0\r\n\r\n", 400],
  ["a trailer", "1\r\na\r\n0\r\nX: y\r\n\r\nrest", "a|rest"],
  ["a malformed trailer", "1\r\na\r\n0\r\nGET / HTTP/1.1\r\n\r\n", 400],
  ["a folded trailer", "1\r\na\r\n0\r\nX: y\r\n z\r\n\r\n", 400],
  ["a bare line feed in a trailer", "1\r\na\r\n0\r\nX: y\nZ: z\r\n\r\n", 400],
  ["a bare carriage return in a trailer", "1\r\na\r\n0\r\nX: y\rZ: z\r\n\r\n", 400],
  ["a NUL in a trailer", "1\r\na\r\n0\r\nX: \0\r\n\r\n", 400],
  ["trailers that are too long", `0\r\n${`X: ${LONG}${LONG}\r\n`.repeat(21)}`, 431],
  ["too many trailers", `0\r\n${"X:y\r\n".repeat(33)}`, 431],
  [
    "a body of exactly the limit",
    `3e8\r\n${"x".repeat(1000)}\r\n0\r\n\r\n`,
    `${"x".repeat(1000)}|`,
  ],
  ["a size over the limit", "3e9", 413],
  ["a size over the limit by its first digits", "fff", 413],
  ["a size that is too large for a number", "ffffffffffffffff", 413],
  ["a sum over the limit", `64\r\n${LONG}\r\n`.repeat(10) + "1", 413],
];

for (const [what, text, expected] of BODIES) {
  const outcome = typeof expected === "number" ? `answers ${expected} to` : "reads";
  test(`ChunkReader ${outcome} ${what}, however the bytes are split`, () => {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    assertEquals(read(bytes), expected);
    assertEquals(read(...byteByByte(bytes)), expected);
    const step = Math.max(1, Math.floor(bytes.length / 200));
    for (let cut = 1; cut < bytes.length; cut += step) {
      assertEquals(read(bytes.subarray(0, cut), bytes.subarray(cut)), expected, `cut at ${cut}`);
    }
  });
}

test("ChunkReader needs more input after each prefix of a valid body", () => {
  const bytes = bytesOf('4;a="b"\r\nWiki\r\n0\r\nX: y\r\n\r\n');
  for (let length = 0; length < bytes.length; length++) {
    assertEquals(read(bytes.subarray(0, length)), "more");
  }
  assertEquals(read(bytes), "Wiki|");
});

test("ChunkReader passes on data as it arrives", () => {
  const taken: string[] = [];
  const reader = new ChunkReader(BYTES_MAX, (bytes) => taken.push(latin1(bytes)));
  for (const piece of ["5\r\nab", "c", "de\r\n2", "\r\nfg\r\n0\r"]) {
    assertEquals(reader.push(bytesOf(piece)).state, "more");
  }
  assertEquals(taken, ["ab", "c", "de", "fg"]);
  assert(reader.push(bytesOf("\n\r\n")).state === "over");
});
