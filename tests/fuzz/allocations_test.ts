/**
 * What decoding costs, counted and not timed: whatever a peer announces, memory and steps stay within a
 * multiple of the bytes that have come. Bombs that announce more than there is, random bytes and mutated
 * terms, in terms, between nodes and in WebSockets.
 */
import { assert } from "@std/assert";
import { concat } from "../../lib/base/bytes.ts";
import type { SeededRandom } from "../../lib/base/random.ts";
import { FragmentReader } from "../../lib/mesh/fragment_reader.ts";
import { FrameReader } from "../../lib/mesh/frame.ts";
import { decodeChallenge, decodeList, decodeName, decodeReply } from "../../lib/mesh/message.ts";
import { certificateNames } from "../../lib/mesh/certificate_names.ts";
import { ALLOCATED_BYTES_PER_BYTE, Decoder } from "../../lib/term/decode.ts";
import { TAG } from "../../lib/term/tags.ts";
import { ProtocolError } from "../../lib/term/errors.ts";
import { FrameDecoder } from "../../lib/ws/frame.ts";
import { Scratch } from "../../lib/ws/scratch.ts";
import { type Allocations, counted } from "../kit/allocations.ts";
import { fuzzCount, mutated, rounds } from "../kit/fuzz.ts";
import { test } from "../kit/test.ts";
import { PIDS, Session } from "../term/session.ts";
import { randomTerm } from "../term/values.ts";

/** What a decoder may cost that has read nothing: its tables. */
const FIXED_BYTES = 16 * 1024;

/** A bomb of this many bytes shows whether costs grow with the input or faster. */
const BOMB_BYTES = 64 * 1024;

/** Runs a decoder over `length` bytes and fails if it allocates or works too much. */
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

/** Announces all that is left, again and again: `head` up to the number, `between` behind it. */
function nested(head: readonly number[], between: readonly number[], half: boolean): Uint8Array {
  const step = head.length + 4 + between.length;
  const parts: Uint8Array[] = [new Uint8Array([TAG.VERSION])];
  for (let depth = 0; depth < 63; depth++) {
    const left = BOMB_BYTES - 1 - depth * step - head.length - 4;
    parts.push(new Uint8Array(head), u32(half ? left >> 1 : left), new Uint8Array(between));
  }
  // Small integers: whatever reads them finds values.
  parts.push(new Uint8Array(BOMB_BYTES - 1 - 63 * step).fill(TAG.NULL));
  return concat(parts);
}

/** What announces elements in four bytes; a map's first key comes before the next map. */
const CONTAINERS: readonly (readonly [string, number, readonly number[], boolean])[] = [
  ["arrays", TAG.ARRAY32, [], false],
  ["objects", TAG.OBJECT32, [], true],
  ["maps", TAG.MAP, [TAG.NULL], true],
  ["sets", TAG.SET, [], false],
];

for (const [name, tag, between, half] of CONTAINERS) {
  test(`Decoder allocates for ${name} that each announce all that is left no more than a multiple`, () => {
    const bytes = nested([tag], between, half);
    assertBounded(name, bytes.length, () => new Decoder(PIDS).decode(bytes));
  });
}

test("Decoder stays within its multiple for the containers that cost most for their bytes", () => {
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

test("Decoder stays within its multiple for random bytes and mutated terms with large counts", () => {
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

/** Everything that reads bytes of a peer, with a beginning that announces as much as it can. */
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
  ];

for (const [name, read, heads] of READERS) {
  test(`${name} allocates for what has come, not for what was announced`, () => {
    const cases = (random: SeededRandom): Uint8Array =>
      concat([heads[random.below(heads.length)]!, random.bytes(random.below(300))]);
    rounds(fuzzCount(500), (random) => {
      const bytes = cases(random);
      assertBounded(name, bytes.length, () => read(bytes));
    });
  });
}
