/** Tests that a compressed body is read to its end, or rejected, however it is divided. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { concat } from "../../mesher/domain/bytes.ts";
import { HttpError } from "../../mesher/http/http_error.ts";
import { inflated, ZSTD_BLOCKS_MAX, ZSTD_FRAMES_MAX } from "../../mesher/http/inflate.ts";
import { ZstdFrame } from "../../mesher/http/zstd_frame.ts";
import { fuzzCount, rounds, roundsInTurn } from "../kit/fuzz.ts";
import { test } from "../kit/test.ts";

type Random = Parameters<Parameters<typeof rounds>[1]>[0];

const SKIPPABLE = new Uint8Array([0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);

/** Divides bytes into chunks of random sizes. */
function* chunksOf(bytes: Uint8Array, random: Random): Generator<Uint8Array> {
  const max = 1 + Math.floor(random.next() * bytes.length);
  for (let at = 0; at < bytes.length;) {
    const size = Math.floor(random.next() * max) + (random.next() < 0.9 ? 1 : 0);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function* sentAs(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function read(encoding: string, chunks: Iterable<Uint8Array>): Promise<string> {
  const read = [];
  for await (const chunk of inflated(sentAs(chunks), encoding)) read.push(chunk);
  return Buffer.from(concat(read)).toString();
}

async function assertRejected(
  encoding: string,
  chunks: Iterable<Uint8Array>,
  reason: RegExp,
): Promise<void> {
  const error = await assertRejects(() => read(encoding, chunks), HttpError);
  assertEquals(error.status, 400);
  assert(reason.test(error.message), `${encoding}: ${error.message}`);
}

/** Returns text that compresses well, badly, or not at all. */
function textOf(random: Random): string {
  const size = Math.floor(random.next() ** 3 * 300_000);
  const kinds = random.next() < 0.5 ? 2 : 64;
  let text = "";
  while (text.length < size) {
    text += String.fromCharCode(48 + Math.floor(random.next() * kinds)).repeat(
      1 + Math.floor(random.next() ** 8 * 200_000),
    );
  }
  return text.slice(0, size);
}

function frameOf(text: string, random: Random): Uint8Array {
  const isKnown = random.next() < 0.5;
  return zstdCompressSync(text, {
    params: {
      [constants.ZSTD_c_compressionLevel]: 1 + Math.floor(random.next() * 5),
      [constants.ZSTD_c_checksumFlag]: Number(random.next() < 0.5),
      [constants.ZSTD_c_contentSizeFlag]: Number(isKnown),
    },
  });
}

test("inflated reads all members of gzip and all frames of zstd, in one chunk or many", async () => {
  const two = (compress: (text: string) => Uint8Array) => [compress("one "), compress("two")];
  for (
    const [encoding, members] of [
      ["gzip", two(gzipSync)],
      ["zstd", two(zstdCompressSync)],
      ["zstd", [SKIPPABLE, zstdCompressSync("one "), SKIPPABLE, zstdCompressSync("two")]],
    ] as const
  ) {
    const whole = concat(members);
    assertEquals(await read(encoding, [whole]), "one two", encoding);
    assertEquals(await read(encoding, members), "one two", encoding);
    assertEquals(await read(encoding, [...whole].map((byte) => Uint8Array.of(byte))), "one two");
  }
});

test("inflated rejects data after the end, and data that is incomplete", async () => {
  for (
    const [encoding, compress] of [
      ["gzip", gzipSync],
      ["deflate", deflateSync],
      ["deflate", deflateRawSync],
      ["br", brotliCompressSync],
      ["zstd", zstdCompressSync],
    ] as const
  ) {
    const one = compress("one");
    for (const after of [Uint8Array.of(0), compress("two"), new TextEncoder().encode("more")]) {
      if (after.length > 4 && ["gzip", "zstd"].includes(encoding)) continue;
      const reason = /continues after|not valid|ends within/;
      await assertRejected(encoding, [concat([one, after])], reason);
      await assertRejected(encoding, [one, after], reason);
    }
    for (let size = 0; size < one.length; size++) {
      await assertRejected(encoding, [one.subarray(0, size)], /not valid|ends within/);
      if (size > 0) {
        const parts = [one.subarray(0, 1), one.subarray(1, size)];
        await assertRejected(encoding, parts, /not valid|ends within/);
      }
    }
  }
});

test("inflated rejects zstd with a wrong checksum, however much it has returned before", async () => {
  const params = { [constants.ZSTD_c_checksumFlag]: 1 };
  for (const size of [10, 20_000, 100_000, 1_000_000]) {
    const whole = zstdCompressSync("abc".repeat(size), { params });
    for (const at of [whole.length - 1, whole.length >> 1, 20, 12, 9]) {
      const damaged = new Uint8Array(whole);
      damaged[at]! ^= 0x55;
      await assertRejected("zstd", [damaged], /not valid|ends within|too many/);
      await assertRejected("zstd", [...damaged].map((byte) => Uint8Array.of(byte)), /./);
    }
  }
});

test("inflated rejects a zstd body of too many frames or blocks", async () => {
  const empty = zstdCompressSync("");
  const frames = Array.from({ length: ZSTD_FRAMES_MAX - 1 }, () => empty);
  frames.push(zstdCompressSync("one"));
  assertEquals(await read("zstd", [concat(frames)]), "one");
  await assertRejected("zstd", [concat([...frames, empty])], /too many frames/);
  // A frame without its content size, of blocks that are not compressed and empty.
  const blocks = new Uint8Array(6 + 3 * (ZSTD_BLOCKS_MAX + 1));
  blocks.set([0x28, 0xb5, 0x2f, 0xfd, 0, 0]);
  await assertRejected("zstd", [blocks], /too many frames/);
});

test("ZstdFrame finds the end of every frame, however it is divided", () => {
  rounds(fuzzCount(400), (random) => {
    const frame = random.next() < 0.1 ? SKIPPABLE : frameOf(textOf(random), random);
    const after = Uint8Array.from({ length: 20 }, () => Math.floor(random.next() * 256));
    const found = new ZstdFrame();
    let length = 0;
    for (const chunk of chunksOf(concat([frame, after]), random)) {
      for (let rest = chunk; rest.length > 0 && !found.isEnded;) {
        const taken = found.take(rest);
        length += taken;
        rest = rest.subarray(taken);
      }
    }
    assertEquals([length, found.isEnded], [frame.length, true]);
  });
});

test("inflated returns the whole text of zstd frames, or rejects it if it is damaged", async () => {
  await roundsInTurn(fuzzCount(120), async (random) => {
    const texts = Array.from({ length: 1 + Math.floor(random.next() * 4) }, () => textOf(random));
    texts.push("end");
    const body = concat(texts.map((text) => frameOf(text, random)));
    assert(await read("zstd", chunksOf(body, random)) === texts.join(""));
    const cut = body.subarray(0, body.length - 1 - Math.floor(random.next() * 8));
    await assertRejected("zstd", chunksOf(cut, random), /ends within|not valid/);
    const damaged = body.slice();
    damaged[Math.floor(random.next() * body.length)]! ^= 1 << Math.floor(random.next() * 8);
    // Without a checksum, damaged content may be valid.
    await read("zstd", chunksOf(damaged, random)).catch((error) => {
      assert(error instanceof HttpError && error.status === 400, String(error));
    });
  });
});
