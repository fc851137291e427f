import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { Utf8Check } from "../../lib/ws/utf8.ts";
import { hex, toHex } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";

const STRICT = new TextDecoder("utf-8", { fatal: true });

function isUtf8(bytes: Uint8Array): boolean {
  try {
    STRICT.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Returns whether the concatenation of these pieces is valid UTF-8. */
function check(...pieces: Uint8Array[]): boolean {
  const utf8 = new Utf8Check();
  return pieces.every((piece) => utf8.push(piece, 0, piece.length)) && utf8.whole;
}

/**
 * Invalid sequences that some decoders have accepted, and the number of bytes after which they must
 * be rejected.
 */
const INVALID: readonly (readonly [string, string, number])[] = [
  ["a continuation byte alone", "80", 1],
  ["a continuation byte after a character", "c3 a9 bf", 3],
  ["two bytes for what fits in one", "c0 af", 1],
  ["the other lead byte that is always too long", "c1 bf", 1],
  ["three bytes for what fits in two", "e0 9f bf", 2],
  ["four bytes for what fits in three", "f0 8f bf bf", 2],
  ["a high surrogate", "ed a0 80", 2],
  ["a low surrogate", "ed bf bf", 2],
  ["a pair of surrogates", "ed a0 80 ed b0 80", 2],
  ["past the last character", "f4 90 80 80", 2],
  ["a lead byte past the last character", "f5 80 80 80", 1],
  ["five bytes", "f8 88 80 80 80", 1],
  ["six bytes", "fc 84 80 80 80 80", 1],
  ["fe", "fe", 1],
  ["ff", "ff", 1],
  ["a character that stops after its first byte", "c3 41", 2],
  ["a character that stops after its second byte", "e2 82 41", 3],
  ["a character that stops after its third byte", "f0 9f 98 41", 4],
  ["a lead byte within a character", "e2 82 c3 a9", 3],
];

for (const [what, bytes, certain] of INVALID) {
  test(`Utf8Check rejects ${what} at the first invalid byte`, () => {
    for (const before of ["", "61", "61 ".repeat(40), "f0 9f 98 80 ".repeat(10)]) {
      const prefix = hex(before);
      const utf8 = new Utf8Check();
      assertEquals(utf8.push(prefix, 0, prefix.length), true);
      const answers = Array.from(hex(bytes), (byte) => utf8.push(Uint8Array.of(byte), 0, 1));
      assertEquals(answers.indexOf(false), certain - 1, `after ${prefix.length} bytes`);
      assertEquals(check(hex(`${before}${bytes}${before}`)), false);
    }
  });
}

test("Utf8Check accepts every character, however it is split", () => {
  for (const point of [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xffff, 0x10000]) {
    for (const each of [point, 0x10ffff]) {
      const bytes = new TextEncoder().encode(`a${String.fromCodePoint(each)}z`);
      for (let cut = 0; cut <= bytes.length; cut++) {
        assertEquals(check(bytes.subarray(0, cut), bytes.subarray(cut)), true, toHex(bytes));
      }
    }
  }
});

test("Utf8Check.whole is false in the middle of a character", () => {
  for (const bytes of ["c3", "e2", "e2 82", "f0", "f0 9f", "f0 9f 98"]) {
    for (const before of ["", "61 ".repeat(50)]) {
      const utf8 = new Utf8Check();
      const all = hex(before + bytes);
      assertEquals([utf8.push(all, 0, all.length), utf8.whole], [true, false], bytes);
    }
  }
});

test("Utf8Check agrees with a fatal TextDecoder on damaged text, however it is split", () => {
  const random = new SeededRandom(3);
  const alphabet = ["a", "é", "€", "😀", "\u{10ffff}", "\u0000", "\u07ff"];
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    let text = "";
    for (let i = random.below(60); i >= 0; i--) text += alphabet[random.below(alphabet.length)];
    const bytes = new TextEncoder().encode(text);
    if (random.below(2) === 0) bytes[random.below(bytes.length)] = random.below(256);
    const cuts = [0, bytes.length, random.below(bytes.length), random.below(bytes.length)].sort(
      (a, b) => a - b,
    );
    const pieces = [0, 1, 2].map((i) => bytes.subarray(cuts[i], cuts[i + 1]));
    const expected = isUtf8(bytes);
    if (!expected) refused++;
    assertEquals(check(...pieces), expected, `${toHex(bytes)} cut at ${cuts}`);
  }
  assertEquals(refused > 500, true);
});
