/**
 * Tests random and mutated bytes in every reader of terms: each returns a value or throws a
 * ProtocolError, reads only its input, and uses bounded memory.
 */
import { assert } from "@std/assert";
import type { SeededRandom } from "../../lib/base/random.ts";
import { TermBuffer } from "../../lib/term/buffer.ts";
import { Decoder } from "../../lib/term/decode.ts";
import { Encoder } from "../../lib/term/encode.ts";
import { ProtocolError } from "../../lib/term/errors.ts";
import { decodeExit, encodeExit } from "../../lib/term/exit.ts";
import { fuzzCount, mutated, rounds } from "../kit/fuzz.ts";
import { test } from "../kit/test.ts";
import { PIDS, Session } from "../term/session.ts";
import { assertSame, randomTerm } from "../term/values.ts";

const TERMS = fuzzCount(20_000);

/** Returns whether the bytes decode to a value. Throws for any error other than a ProtocolError. */
function survives(bytes: Uint8Array, decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    assert(error.offset >= 0 && error.offset <= bytes.length, `offset ${error.offset}`);
    return false;
  }
}

/** Returns random bytes that mostly begin as a term. */
function noise(random: SeededRandom): Uint8Array {
  const bytes = random.bytes(random.below(80));
  if (bytes.length > 0 && random.below(10) > 0) bytes[0] = 0xf1;
  // Makes about half of the bytes small, so that counts and lengths do not exceed the input.
  for (let i = 1; i < bytes.length; i++) if (random.below(2) === 0) bytes[i]! &= 0x0f;
  return bytes;
}

test("Decoder returns a value or a ProtocolError for random bytes", () => {
  let values = 0;
  const made = rounds(TERMS, (random) => {
    const bytes = noise(random);
    if (survives(bytes, () => new Decoder(PIDS).decode(bytes))) values++;
  });
  if (made >= 1000) assert(values > made / 1000, `only ${values} were terms`);
});

test("Decoder returns a value or a ProtocolError for mutated terms, in one session", () => {
  let decoder = new Decoder(PIDS);
  let values = 0;
  const made = rounds(TERMS, (random) => {
    const bytes = mutated(random, new Session().encode(randomTerm(random, 3)));
    if (survives(bytes, () => decoder.decode(bytes))) values++;
    else if (random.below(10) === 0) decoder = new Decoder(PIDS);
  });
  if (made >= 1000) assert(values > made / 1000, `only ${values} were terms`);
});

test("Decoder returns values that are equal after they are encoded and decoded again", () => {
  rounds(Math.ceil(TERMS / 4), (random) => {
    const bytes = mutated(random, new Session().encode(randomTerm(random, 3)));
    let term: unknown;
    if (!survives(bytes, () => term = new Decoder(PIDS).decode(bytes))) return;
    assertSame(new Session().pass(term), term);
  });
});

test("Decoder allocates memory for the bytes of its input, not for announced sizes", () => {
  const used = () => process.memoryUsage().heapUsed + process.memoryUsage().external;
  const before = used();
  let most = 0;
  rounds(TERMS, (random) => {
    const bytes = noise(random);
    // Writes a tag of a term with a length or a count, and a large number after it.
    const at = 1 + random.below(4);
    if (bytes.length < at + 6) return;
    bytes[at] = 0xe0 + random.below(16);
    bytes.fill(0xff, at + 1 + random.below(2), at + 6);
    survives(bytes, () => new Decoder(PIDS).decode(bytes));
    most = Math.max(most, used() - before);
  });
  assert(most < 300e6, `${most} bytes`);
});

test("decodeExit returns a reason or a ProtocolError for random and mutated bytes", () => {
  rounds(TERMS, (random) => {
    const out = new TermBuffer();
    const reasons = ["normal", "mine", { shutdown: 1 }, new Error("x"), randomTerm(random, 2)];
    encodeExit(reasons[random.below(reasons.length)], out, new Encoder(PIDS), PIDS);
    const bytes = random.below(3) === 0 ? noise(random) : mutated(random, out.take());
    if (bytes.length > 0 && random.below(2) === 0) bytes[0] = random.below(13);
    survives(bytes, () => decodeExit(bytes, 0, bytes.length, new Decoder(PIDS), PIDS));
  });
});
