/**
 * Tests the cost of decoding, counted instead of timed: whatever lengths a peer announces, memory
 * and steps stay within a multiple of the received bytes. The inputs are bombs that announce more
 * than they contain, random bytes and mutated terms, for terms, node sessions and WebSockets.
 */
import { assert, assertEquals } from "@std/assert";
import { concat, utf8 } from "../../lib/base/bytes.ts";
import type { SeededRandom } from "../../lib/base/random.ts";
import { FragmentReader } from "../../lib/mesh/fragment_reader.ts";
import { FrameReader } from "../../lib/mesh/frame.ts";
import { decodeChallenge, decodeList, decodeName, decodeReply } from "../../lib/mesh/message.ts";
import { certificateNames } from "../../lib/mesh/certificate_names.ts";
import { ALLOCATED_BYTES_PER_BYTE, Decoder } from "../../lib/term/decode.ts";
import { TAG } from "../../lib/term/tags.ts";
import { ProtocolError } from "../../lib/term/errors.ts";
import { FrameDecoder } from "../../lib/ws/frame.ts";
import { BodyBudget, BodyReader } from "../../lib/ws/body.ts";
import { HeadReader, type RequestHead } from "../../lib/ws/handshake.ts";
import { MessageReader, type MessageSink } from "../../lib/ws/message.ts";
import { ProxyReader } from "../../lib/ws/proxy_protocol.ts";
import { Scratch } from "../../lib/ws/scratch.ts";
import { Deflator, Inflator, makeOutput } from "../../lib/ws/zlib.ts";
import { readEnvelope } from "../../mesher/domain/sentry.ts";
import { readBytes } from "../../mesher/http/input.ts";
import { HttpError } from "../../mesher/http/http_error.ts";
import { type Allocations, counted } from "../kit/allocations.ts";
import { fuzzCount, mutated, rounds } from "../kit/fuzz.ts";
import { test } from "../kit/test.ts";
import { PIDS, Session } from "../term/session.ts";
import { randomTerm } from "../term/values.ts";

/**
 * Number of bytes that a decoder may allocate before it reads anything, for example for its tables.
 */
const FIXED_BYTES = 16 * 1024;

/**
 * The size in bytes of inputs that announce more than they contain. It is large enough to show
 * whether costs grow faster than the input.
 */
const BOMB_BYTES = 64 * 1024;

/** Runs a decoder over `length` bytes. Throws if it allocates too much or takes too many steps. */
function assertBounded(what: string, length: number, decode: () => void): void {
  const cost: Allocations = { count: 0, bytes: 0, steps: 0 };
  try {
    counted(cost, decode);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  const bytesMax = ALLOCATED_BYTES_PER_BYTE * length + FIXED_BYTES;
  assert(cost.bytes <= bytesMax, `${what}: ${cost.bytes} bytes allocated for ${length}`);
  assert(cost.count <= 2 * length + 64, `${what}: ${cost.count} objects for ${length} bytes`);
  assert(cost.steps <= length, `${what}: ${cost.steps} steps for ${length} bytes`);
}

function u32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

/**
 * Returns containers nested 63 deep, each of which announces all remaining bytes. `head` comes
 * before each count, `between` after it. `half`: each entry of a container has two terms.
 */
function nested(head: readonly number[], between: readonly number[], half: boolean): Uint8Array {
  const step = head.length + 4 + between.length;
  const parts: Uint8Array[] = [new Uint8Array([TAG.VERSION])];
  for (let depth = 0; depth < 63; depth++) {
    const left = BOMB_BYTES - 1 - depth * step - head.length - 4;
    parts.push(new Uint8Array(head), u32(half ? left >> 1 : left), new Uint8Array(between));
  }
  // One-byte values, so that the decoder finds elements.
  parts.push(new Uint8Array(BOMB_BYTES - 1 - 63 * step).fill(TAG.NULL));
  return concat(parts);
}

/**
 * Containers whose count is a field of four bytes. Each row has the name, the tag, the bytes between
 * the count and the nested container (for a map, its first key), and whether each entry consists of
 * two terms, a key and a value.
 */
const CONTAINERS: readonly (readonly [string, number, readonly number[], boolean])[] = [
  ["nested arrays", TAG.ARRAY32, [], false],
  ["nested objects", TAG.OBJECT32, [], true],
  ["nested maps", TAG.MAP, [TAG.NULL], true],
  ["nested sets", TAG.SET, [], false],
];

for (const [name, tag, between, half] of CONTAINERS) {
  test(`Decoder allocates at most a multiple of its input for ${name} with a count as large as the rest of the input`, () => {
    const bytes = nested([tag], between, half);
    assertBounded(name, bytes.length, () => new Decoder(PIDS).decode(bytes));
  });
}

test("Decoder allocates at most a multiple of its input for any container tag", () => {
  for (let tag = 0; tag < 0x100; tag++) {
    for (const body of [[], [0], [0, 0, 0, 0], [3, 0, 0, 0, 0]]) {
      const one = new Uint8Array([tag, ...body]);
      const count = Math.floor(BOMB_BYTES / 8 / one.length);
      const bytes = concat([
        new Uint8Array([TAG.VERSION, TAG.ARRAY32]),
        u32(count),
        ...Array(count).fill(one),
      ]);
      assertBounded(`tag ${tag} ${body}`, bytes.length, () => new Decoder(PIDS).decode(bytes));
    }
  }
});

test("Decoder allocates at most a multiple of its input for random bytes and mutated terms", () => {
  rounds(fuzzCount(3_000), (random) => {
    const bytes = random.below(2) === 0
      ? concat([new Uint8Array([0xf1]), random.bytes(random.below(400))])
      : mutated(random, new Session().encode(randomTerm(random, 4)));
    for (let i = random.below(4); i > 0 && bytes.length > 8; i--) {
      const at = 1 + random.below(bytes.length - 6);
      bytes[at] = 0xe0 + random.below(16);
      bytes.set(u32(random.below(2 * bytes.length)), at + 1);
    }
    assertBounded("a term", bytes.length, () => new Decoder(PIDS).decode(bytes));
  });
});

/** The maximum length of WebSocket messages and HTTP bodies. */
const LENGTH_MAX = 0x0100_0000;
const SCRATCH = new Scratch();
const MESSAGES: MessageSink = {
  paused: false,
  message: () => {},
  control: () => undefined,
  holds: () => {},
  fail: () => {},
};

/**
 * All readers of a peer's bytes. Each has a function that reads bytes, and prefixes that announce
 * as much as possible.
 */
const READERS: readonly (readonly [string, (bytes: Uint8Array) => void, readonly Uint8Array[]])[] =
  [
    ["FrameReader", (bytes) => {
      const reader = new FrameReader(0x0100_0000);
      for (let at = 0; at < bytes.length; at += 7) {
        if (!reader.push(bytes.subarray(at, at + 7), { frame: () => true })) return;
      }
    }, [u32(0x00ff_ffff), u32(0xffff_ffff)]],
    ["FragmentReader", (bytes) => {
      const reader = new FragmentReader(0x0100_0000);
      reader.begin(bytes.slice(0, 40));
      for (let at = 40; at < bytes.length; at += 20) {
        reader.add(concat([bytes.subarray(0, 4), bytes.subarray(at, at + 20)]));
      }
    }, [concat([u32(1), u32(0x0100_0000)])]],
    ["decodeList", (bytes) => void decodeList(bytes), [new Uint8Array([0xff, 0xff, 0, 0])]],
    ["decodeName", (bytes) => void decodeName(bytes), [new Uint8Array([0xff, 0xff])]],
    ["decodeChallenge", (bytes) => void decodeChallenge(bytes), [new Uint8Array([0xff, 0xff])]],
    ["decodeReply", (bytes) => void decodeReply(bytes), [new Uint8Array(40).fill(0xff)]],
    ["certificateNames", (bytes) => void certificateNames(bytes), [
      new Uint8Array([0x30, 0x83, 0xff, 0xff, 0xff]),
    ]],
    ["FrameDecoder", (bytes) => {
      const decoder = new FrameDecoder("server", 0x0100_0000);
      const scratch = new Scratch();
      decoder.decode(Object.assign(scratch, { bytes: bytes.slice() }), 0, bytes.length, {
        paused: false,
        begin: () => undefined,
        piece: () => undefined,
        control: () => undefined,
        fail: () => {},
      } as never);
    }, [new Uint8Array([0x82, 0xff, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff])]],
    ["MessageReader", (bytes) => {
      const decoder = new FrameDecoder("client", LENGTH_MAX);
      const reader = new MessageReader(MESSAGES, LENGTH_MAX);
      // Decodes seven bytes at a time, so that a message arrives in many pieces.
      for (let at = 0; at < bytes.length; at += 7) {
        const piece = bytes.subarray(at, at + 7);
        SCRATCH.bytes.set(piece);
        decoder.decode(SCRATCH, 0, piece.length, reader);
      }
    }, [
      // Frames that announce the longest message, a continuation that completes the longest
      // message, and a first fragment of 8 KiB.
      new Uint8Array([0x82, 127, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff]),
      new Uint8Array([0x01, 1, 0x61, 0x80, 127, 0, 0, 0, 0, 0, 0xff, 0xff, 0x00]),
      new Uint8Array([0x02, 126, 0x20, 0x00]),
    ]],
    ["BodyReader", (bytes) => {
      const [first = 0] = bytes;
      const headers: [string, string][] = first < 128
        ? [["content-length", String(LENGTH_MAX)]]
        : [["transfer-encoding", "chunked"]];
      const head: RequestHead = { method: "POST", target: "/", version: "1.1", headers };
      const budget = new BodyBudget(LENGTH_MAX);
      const body = new BodyReader(head, LENGTH_MAX, budget);
      for (let at = 1; at < bytes.length; at += 7) {
        if (body.push(bytes.subarray(at, at + 7)).state !== "more") break;
      }
      body.free();
      assert(budget.take(LENGTH_MAX), "a body has kept a part of the budget");
    }, [new Uint8Array([0]), concat([new Uint8Array([0xff]), utf8("ffffff\r\n")])]],
    ["HeadReader", (bytes) => {
      const reader = new HeadReader();
      for (let at = 0; at < bytes.length; at += 7) {
        if (reader.push(bytes.subarray(at, at + 7)).state !== "more") return;
      }
    }, [utf8("POST / HTTP/1.1\r\nContent-Length: 99999999999999\r\n")]],
    ["ProxyReader", (bytes) => void new ProxyReader().push(bytes), [
      utf8("PROXY TCP4 "),
      new Uint8Array([0x0d, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 0x21, 0x11, 0xff, 0xff]),
    ]],
    ["readEnvelope of Mesher", (bytes) => void readEnvelope(bytes), [
      utf8('{}\n{"type":"event","length":99999999}\n'),
      utf8('{}\n{"type":"event"}\n'),
    ]],
  ];

for (const [name, read, heads] of READERS) {
  test(`${name} allocates memory for the received bytes, not for announced lengths`, () => {
    const cases = (random: SeededRandom): Uint8Array =>
      concat([heads[random.below(heads.length)]!, random.bytes(random.below(300))]);
    rounds(fuzzCount(500), (random) => {
      const bytes = cases(random);
      assertBounded(name, bytes.length, () => read(bytes));
    });
  });
}

test("Inflator stops at the maximum message length for input that inflates to much more", () => {
  const output = makeOutput();
  const deflator = new Deflator(true, 15, {}, output);
  const bomb = deflator.compress(new Uint8Array(LENGTH_MAX));
  deflator.close();
  assert(bomb.length < LENGTH_MAX / 500, `${bomb.length} bytes`);
  const inflator = new Inflator(true, 15, output);
  inflator.inflate(new Uint8Array([0]), 10);
  inflator.reset();
  const lengthMax = 256 * 1024;
  for (const pieceLength of [bomb.length, 100]) {
    const cost: Allocations = { count: 0, bytes: 0, steps: 0 };
    let inflated: unknown;
    counted(cost, () => {
      for (let at = 0; at < bomb.length && inflated !== "tooBig"; at += pieceLength) {
        inflated = inflator.next(bomb.subarray(at, at + pieceLength), lengthMax);
      }
    });
    assertEquals(inflated, "tooBig");
    assert(cost.bytes <= lengthMax + FIXED_BYTES, `${cost.bytes} bytes allocated`);
    inflator.reset();
  }
  inflator.close();
});

test("readBytes of Mesher rejects a body that inflates beyond the limit", async () => {
  for (const encoding of ["gzip", "deflate"] as const) {
    const zeros = new Blob([new Uint8Array(LENGTH_MAX)]).stream();
    const bomb = await new Response(zeros.pipeThrough(new CompressionStream(encoding))).bytes();
    let pulled = 0;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller): void {
        const part = bomb.slice(pulled, pulled += 1024);
        if (part.length > 0) controller.enqueue(part);
        else controller.close();
      },
    });
    const headers = { "content-encoding": encoding };
    const request = new Request("http://a/", { method: "POST", headers, body });
    const error = await readBytes(request, 64 * 1024).then(() => undefined, (error) => error);
    assert(error instanceof HttpError && error.status === 413, `${error}`);
  }
});
