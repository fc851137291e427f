import { assert, assertEquals } from "@std/assert";
import zlib from "node:zlib";
import { Buffer } from "node:buffer";
import { SeededRandom } from "../../lib/base/random.ts";
import { Deflate, DeflatePool } from "../../lib/ws/deflate.ts";
import type { DeflateTerms } from "../../lib/ws/extension.ts";
import { encodeMessage } from "../../lib/ws/frame.ts";
import type { DeflateOptions } from "../../lib/ws/options.ts";
import { checkDeflate } from "../../lib/ws/limits.ts";
import { Rooms } from "../../lib/ws/rooms.ts";
import { Deflator, hasMemory, Inflator, makeOutput } from "../../lib/ws/zlib.ts";
import { test } from "../kit/test.ts";
import { bytesOf, hex, join, toHex } from "../kit/ws_client.ts";

const output = makeOutput();
const FLUSH = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
const MIB = 1024 * 1024;

/** Returns text with repetitions, some of them far apart. */
function prose(random: SeededRandom, length: number): Uint8Array {
  const words = Array.from({ length: 50 }, () => toHex(random.bytes(1 + random.below(6))));
  let text = "";
  while (text.length < length) text += words[random.below(words.length)];
  return bytesOf(text.slice(0, length));
}

test("hasMemory returns true on both runtimes", () => {
  assert(hasMemory());
});

test("Deflator and Inflator restore every message, with any window and any context takeover", () => {
  const random = new SeededRandom(3);
  for (const memory of [true, false]) {
    for (let bits = 8; bits <= 15; bits++) {
      const deflator = new Deflator(memory, bits, { level: 6, memLevel: 8 }, output);
      const inflator = new Inflator(memory, bits, output);
      for (const length of [0, 1, 100, 1000, 60_000, 70_000, 200_000]) {
        const payload = length === 100 ? random.bytes(length) : prose(random, length);
        const inflated = inflator.inflate(deflator.compress(payload), length);
        assert(typeof inflated !== "string", `${inflated}: ${length} bytes, ${bits} bits`);
        assert(Buffer.compare(inflated, payload) === 0);
      }
      deflator.close();
      inflator.close();
    }
  }
});

test("Deflator returns data that the platform can inflate", () => {
  const deflator = new Deflator(true, 15, {}, output);
  const hello = deflator.compress(bytesOf("Hello"));
  assertEquals(toHex(hello), "f2 48 cd c9 c9 07 00");
  // RFC 7692, section 7.2.3.2: the second message refers to the first.
  assertEquals(toHex(deflator.compress(bytesOf("Hello"))), "f2 00 11 00 00");
  deflator.reset();
  assertEquals(toHex(deflator.compress(bytesOf("Hello"))), toHex(hello));
  assertEquals(toHex(deflator.compress(new Uint8Array(0))), "00");
  deflator.close();
});

test("Inflator reads the examples of RFC 7692", () => {
  const inflator = new Inflator(true, 15, output);
  const read = (digits: string) => {
    const payload = inflator.inflate(hex(digits), 100);
    return typeof payload === "string" ? payload : new TextDecoder().decode(payload);
  };
  assertEquals(read("f2 48 cd c9 c9 07 00"), "Hello");
  assertEquals(read("f2 00 11 00 00"), "Hello");
  assertEquals(read("00 05 00 fa ff 48 65 6c 6c 6f 00"), "Hello");
  assertEquals(read("f3 48 cd c9 c9 07 00 00"), "Hello");
  assertEquals(read("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"), "Hello");
  assertEquals(read("00"), "");
  inflator.close();
});

test("Inflator accepts up to 64 final blocks in a message", () => {
  const inflator = new Inflator(true, 15, output);
  const read = (digits: string) => {
    const payload = inflator.inflate(hex(digits), 1000);
    return typeof payload === "string" ? payload : new TextDecoder().decode(payload);
  };
  const last = "f3 48 cd c9 c9 07 00 ";
  assertEquals(read(`${last.repeat(64)} 00`), "Hello".repeat(64));
  assertEquals(read(last.repeat(64)), "Hello".repeat(64));
  assertEquals(read(`${last} f2 48 cd c9 c9 07 00`), "HelloHello");
  assertEquals(read("f2 00 11 00 00"), "Hello");
  assertEquals(read(`${last.repeat(65)} 00`), "broken");
  inflator.close();
});

test("Inflator inflates a message without bytes to an empty message", () => {
  const inflator = new Inflator(true, 15, output);
  for (const digits of ["f2 48 cd c9 c9 07 00", "", "", "00", "f2 00 11 00 00"]) {
    const payload = inflator.inflate(hex(digits), 100);
    assert(typeof payload !== "string", digits);
    assertEquals(new TextDecoder().decode(payload), digits.length > 2 ? "Hello" : "");
  }
  inflator.close();
});

test("Inflator rejects invalid data, and references beyond the window", () => {
  for (const memory of [true, false]) {
    const inflator = new Inflator(memory, 15, output);
    assertEquals(inflator.inflate(hex("ff ff ff"), 100), "broken");
    inflator.reset();
    assertEquals(inflator.inflate(hex("f2 00 11 00 00"), 100), "broken");
    inflator.reset();
    assert(typeof inflator.inflate(hex("f2 48 cd c9 c9 07 00"), 5) !== "string");
    inflator.close();
  }
  const inflator = new Inflator(true, 15, output);
  assertEquals(inflator.inflate(new Uint8Array(1000).map((_, i) => i % 2 ? 0 : 3), 100), "broken");
  inflator.close();
});

test("Inflator stops at the maximum message length", () => {
  const bomb = zlib.deflateRawSync(new Uint8Array(64 * MIB), FLUSH).subarray(0, -4);
  const exact = zlib.deflateRawSync(new Uint8Array(MIB), FLUSH).subarray(0, -4);
  for (const memory of [true, false]) {
    const inflator = new Inflator(memory, 15, output);
    const before = performance.now();
    assertEquals(inflator.inflate(bomb, MIB), "tooBig");
    assert(performance.now() - before < 1000);
    inflator.reset();
    assertEquals(inflator.inflate(exact, MIB).length, MIB);
    inflator.reset();
    assertEquals(inflator.inflate(exact, MIB - 1), "tooBig");
    inflator.close();
  }
});

/** Returns both ends of one connection. */
function pair(options: DeflateOptions, terms?: DeflateTerms): { server: Deflate; client: Deflate } {
  const pool = new DeflatePool(checkDeflate(options)!);
  const agreed = terms ?? pool.settings.wish;
  return {
    server: new Deflate(pool, agreed, "server"),
    client: new Deflate(pool, agreed, "client"),
  };
}

/** Returns the payload of a server's frame. */
function payloadOf(frame: Uint8Array): Uint8Array {
  return frame.subarray(frame[1]! < 126 ? 2 : frame[1] === 126 ? 4 : 10);
}

const LONG = "the quick brown fox ".repeat(100);

test("Deflate leaves messages uncompressed if they are below the threshold or would grow", () => {
  const { server } = pair({ threshold: 100 });
  assertEquals(server.frame("a".repeat(99), 99), undefined);
  assertEquals(server.frame("a".repeat(100), 100)?.[0], 0xc1);
  assertEquals(server.frame(new Uint8Array(100), 100)?.[0], 0xc2);
  assertEquals(server.frame(new SeededRandom(1).bytes(200), 200), undefined);
});

test("Deflate uses earlier messages as context in a direction that negotiated context takeover", () => {
  for (const serverNoContextTakeover of [true, false]) {
    for (const clientNoContextTakeover of [true, false]) {
      const { server, client } = pair({ serverNoContextTakeover, clientNoContextTakeover });
      for (
        const [from, to, forgets] of [
          [server, client, serverNoContextTakeover],
          [client, server, clientNoContextTakeover],
        ] as const
      ) {
        const frames = [1, 2, 3].map(() => from.frame(LONG, LONG.length)!);
        assertEquals(frames[0]!.length === frames[1]!.length, forgets);
        for (const frame of frames) {
          const payload = to.inflate(payloadOf(frame), 10_000);
          assertEquals(new TextDecoder().decode(payload as Uint8Array), LONG);
        }
      }
      server.close();
      client.close();
    }
  }
});

test("Deflate continues correctly after a frame of SharedCompression", () => {
  const { server, client } = pair({ serverNoContextTakeover: false });
  const read = (frame: Uint8Array) =>
    new TextDecoder().decode(client.inflate(payloadOf(frame), 10_000) as Uint8Array);
  assertEquals(read(server.frame(LONG, LONG.length)!), LONG);
  const shared = server.packing.pack(encodeMessage(LONG + "b".repeat(2000)));
  assertEquals(shared[0], 0xc1);
  server.shared();
  assertEquals(read(shared), LONG + "b".repeat(2000));
  assertEquals(read(server.frame(LONG, LONG.length)!), LONG);
  assertEquals(read(server.frame(LONG, LONG.length)!), LONG);
  server.close();
  client.close();
});

test("SharedCompression compresses the messages of a batch that become smaller", () => {
  const { server } = pair({});
  const small = join(encodeMessage("a"), encodeMessage(new Uint8Array(200)));
  assert(server.packing.pack(small) === small);
  const noise = encodeMessage(new SeededRandom(1).bytes(70_000));
  assert(server.packing.pack(noise) === noise);
  const mixed = server.packing.pack(join(small, encodeMessage(LONG), small));
  assertEquals(mixed.subarray(0, small.length), small);
  assertEquals(mixed[small.length], 0xc1);
  assertEquals(mixed.subarray(-small.length), small);
});

test("Rooms compresses a broadcast once for all members with the same parameters", () => {
  const tasks: (() => void)[] = [];
  const rooms = new Rooms({ atFlush: (task) => tasks.push(task) });
  let packed = 0;
  const packing = (mark: number) => ({
    pack: (frames: Uint8Array) => {
      packed++;
      return Uint8Array.of(mark, ...frames);
    },
  });
  const [one, two] = [packing(1), packing(2)];
  const members = [undefined, one, two, one, undefined, two, one].map((packing) => {
    const member = {
      packing,
      got: [] as number[],
      sendShared: (frames: Uint8Array) => void member.got.push(frames[0]!),
    };
    rooms.join("r", member);
    return member;
  });
  rooms.broadcastFrom(members[1]!, "r", "hi");
  tasks.splice(0).forEach((task) => task());
  rooms.broadcast("r", "x".repeat(100_000));
  assertEquals(members.map(({ got }) => got), [
    [0x81, 0x81],
    [1],
    [2, 2],
    [1, 1],
    [0x81, 0x81],
    [2, 2],
    [1, 1],
  ]);
  assertEquals(packed, 4);
});
