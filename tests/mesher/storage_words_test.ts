/** Tests that the fast extraction of words returns the same result as the simple one. */
import { assertEquals } from "@std/assert";
import { asciiWordsOf, unicodeWordsOf, wordsOf } from "../../mesher/domain/words.ts";
import { test } from "../kit/test.ts";

/** Returns a function that returns the same random numbers for the same seed. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

test("asciiWordsOf returns the same words as unicodeWordsOf for ASCII text", () => {
  const random = dice(7);
  const letters = ["aBcZ9_ .-TypeE4\0\n", "aZ9_ é̈Ж🦊ßıİ.-\ud800'TypeErrorXMLHttp42"];
  for (let i = 0; i < 20_000; i++) {
    const from = letters[i % 2]!;
    const length = Math.floor(random() * (i % 100 === 0 ? 600 : 24));
    let text = "";
    while (text.length < length) text += from[Math.floor(random() * from.length)];
    const isAscii = [...text].every((char) => char.charCodeAt(0) < 128);
    const plain = unicodeWordsOf(text);
    assertEquals(asciiWordsOf(text), isAscii ? plain : null, JSON.stringify(text));
    assertEquals(wordsOf(text), plain);
  }
});
