/**
 * Tests random chunked bodies, valid and damaged, in random pieces. Valid bodies are read
 * unchanged. For damaged ones, the result does not depend on the pieces. `FIRN_FUZZ` and
 * `FIRN_FUZZ_SEED` are explained in `tests/kit/fuzz.ts`.
 */
import { assert, assertEquals } from "@std/assert";
import type { SeededRandom } from "../../lib/base/random.ts";
import { BodyBudget, BodyReader } from "../../lib/ws/body.ts";
import type { RequestHead } from "../../lib/ws/handshake.ts";
import { cut, fuzzCount, mutated, rounds } from "../kit/fuzz.ts";
import { pick } from "../kit/seeds.ts";
import { test } from "../kit/test.ts";
import { bytesOf, join, toHex } from "../kit/ws_client.ts";

const ROUNDS = fuzzCount(10_000) / 5;
const BYTES_MAX = 2000;

const HEAD: RequestHead = {
  method: "POST",
  target: "/",
  version: "1.1",
  headers: [["host", "h"], ["transfer-encoding", "chunked"]],
};

/**
 * Reads a chunked body from these pieces. Returns the body and the bytes after it, or the error
 * status, or "more".
 */
function read(chunks: readonly Uint8Array[]): unknown {
  const reader = new BodyReader(HEAD, BYTES_MAX, new BodyBudget(BYTES_MAX));
  for (const [i, chunk] of chunks.entries()) {
    const progress = reader.push(chunk);
    if (progress.state === "more") continue;
    if (progress.state === "refused") return progress.refusal;
    assert(progress.body.length <= BYTES_MAX);
    const rest = join(chunk.subarray(progress.rest), ...chunks.slice(i + 1));
    return { body: toHex(progress.body), rest: toHex(rest) };
  }
  return "more";
}

const EXTENSIONS = [";a", ";a=b", ' ; a = "\\" ; b"', ";a;b\t=c"];

/** Returns a random body and its chunked encoding. */
function randomBody(random: SeededRandom): { body: Uint8Array; sent: Uint8Array } {
  const parts: Uint8Array[] = [];
  const sent: Uint8Array[] = [];
  const extension = (): string => random.below(3) > 0 ? "" : pick(random, EXTENSIONS);
  for (let i = random.below(5); i > 0; i--) {
    const part = random.bytes(1 + random.below(random.below(3) === 0 ? 300 : 20));
    const digits = part.length.toString(16);
    const size = random.below(2) === 0
      ? digits.toUpperCase()
      : digits.padStart(random.below(16), "0");
    parts.push(part);
    sent.push(bytesOf(`${size}${extension()}\r\n`), part, bytesOf("\r\n"));
  }
  sent.push(bytesOf(`${pick(random, ["0", "00"])}${extension()}\r\n`));
  for (let i = random.below(3); i > 0; i--) {
    sent.push(bytesOf(pick(random, ["X: y\r\n", "Z:\r\n"])));
  }
  sent.push(bytesOf("\r\n"));
  return { body: join(...parts), sent: join(...sent) };
}

test("BodyReader returns the body and the bytes after it for a valid chunked body, however it is split", () => {
  rounds(ROUNDS, (random) => {
    const { body, sent } = randomBody(random);
    const rest = random.bytes(random.below(20));
    const expected = { body: toHex(body), rest: toHex(rest) };
    assertEquals(read(cut(random, join(sent, rest))), expected);
  });
});

test("BodyReader returns the same result for a damaged chunked body, however it is split", () => {
  rounds(ROUNDS, (random) => {
    const sent = randomBody(random).sent;
    for (let i = random.below(4); i >= 0; i--) {
      const byte = [0, 9, 10, 13, 32, 0x30, 0x3b, random.below(256)][random.below(8)]!;
      sent[random.below(sent.length)] = byte;
    }
    assertEquals(read(cut(random, sent)), read([sent]));
    const other = mutated(random, sent);
    assertEquals(read(cut(random, other)), other.length === 0 ? "more" : read([other]));
  });
});
