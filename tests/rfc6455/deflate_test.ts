/**
 * Tests groups 12 and 13 with this server over real sockets. The client compresses and inflates
 * with the platform's zlib, with context takeover as negotiated.
 */
import { assert, assertEquals } from "@std/assert";
import zlib from "node:zlib";
import { SeededRandom } from "../../lib/base/random.ts";
import type { DeflateOptions } from "../../lib/ws/options.ts";
import { serve, type Server } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";
import { isOwnHalf, test } from "../kit/test.ts";
import { buildFrame, join } from "../kit/ws_client.ts";
import { close } from "./case.ts";
import { DEFLATE, type DeflateCase } from "./deflate.ts";
import { type Cut, CUTS, equal, type Frame, Judge, judgeAll, makeTls } from "./judge.ts";
import { type Wire, WIRES } from "./judge.ts";

const host = makeHost();
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);

/** A zlib stream that processes one message at a time. */
class ZlibStream {
  readonly #make: () => zlib.DeflateRaw | zlib.InflateRaw;
  readonly #takeover: boolean;
  #stream: zlib.DeflateRaw | zlib.InflateRaw | undefined;

  constructor(make: () => zlib.DeflateRaw | zlib.InflateRaw, takeover: boolean) {
    this.#make = make;
    this.#takeover = takeover;
  }

  /** Returns the output for one message. */
  async run(input: Uint8Array): Promise<Uint8Array> {
    const stream = this.#stream ??= this.#make();
    const parts: Uint8Array[] = [];
    const take = (part: Uint8Array): void => void parts.push(part);
    stream.on("data", take);
    await new Promise<void>((done, fail) => {
      stream.once("error", fail);
      stream.write(input);
      stream.flush(zlib.constants.Z_SYNC_FLUSH, () => done());
    });
    stream.off("data", take);
    stream.removeAllListeners("error");
    if (!this.#takeover) this.close();
    return join(...parts);
  }

  close(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }
}

/** Returns the window bits that a response sets for one side. */
function bitsIn(answer: string, side: "server" | "client"): number {
  return Number(new RegExp(`${side}_max_window_bits=(\\d+)`).exec(answer)?.[1] ?? 15);
}

/** Returns the frames of a compressed message. */
function framesOf({ opcode, fragment }: DeflateCase, bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += fragment) {
    const payload = bytes.subarray(at, Math.min(bytes.length, at + fragment));
    const fin = at + fragment >= bytes.length;
    frames.push(
      at === 0
        ? buildFrame({ opcode, payload, fin, reserved: 4 })
        : buildFrame({ opcode: 0, payload, fin }),
    );
  }
  return frames;
}

async function judgeOne(row: DeflateCase, server: Server, judge: Judge): Promise<void> {
  assertEquals(judge.header("Sec-WebSocket-Extensions"), row.answer);
  const takes = (side: string): boolean => !row.answer.includes(`${side}_no_context_takeover`);
  const deflate = new ZlibStream(
    () => zlib.createDeflateRaw({ windowBits: Math.max(9, bitsIn(row.answer, "client")) }),
    takes("client"),
  );
  const inflate = new ZlibStream(
    () => zlib.createInflateRaw({ windowBits: bitsIn(row.answer, "server") }),
    takes("server"),
  );
  const random = new SeededRandom(row.length + server.port);
  const sent: Uint8Array[] = [];
  for (let i = 0; i < row.count; i++) {
    const payload = row.payload(random, row.length);
    const bytes = await deflate.run(payload);
    sent.push(payload);
    await judge.send(framesOf(row, bytes.subarray(0, -4)), row.length > 300);
  }
  await judge.until(row.count);
  await judge.send([close(1000)]);
  assertEquals(await judge.over(), 1000);
  assertEquals(judge.frames.length, row.count);
  for (const [i, frame] of judge.frames.entries()) {
    const payload = frame.reserved === 0
      ? frame.payload
      : await inflate.run(join(frame.payload, TAIL));
    checkFrame(frame, row, i);
    assert(equal(payload, sent[i]!), `message ${i} was echoed differently`);
  }
  deflate.close();
  inflate.close();
}

function checkFrame({ fin, opcode, reserved, payload }: Frame, row: DeflateCase, i: number): void {
  assert(fin && opcode === row.opcode && (reserved === 0 || reserved === 4), `frame ${i}`);
  // From 256 bytes on, everything except random data must become smaller.
  const noise = row.title.startsWith("noise");
  if (row.length >= 256 && !noise) {
    assert(payload.length < row.length, `frame ${i} is not compressed`);
  }
}

async function judgeTable(wire: Wire, cut: Cut): Promise<void> {
  const tls = wire === "TLS" ? await makeTls() : undefined;
  const servers = new Map<string, Server>();
  const serverFor = async (options: DeflateOptions): Promise<Server> => {
    const key = JSON.stringify(options);
    if (!servers.has(key)) {
      servers.set(
        key,
        await serve(host, {
          message: (conn, data) => conn.send(data),
          tls: tls?.server,
          perMessageDeflate: options,
          backpressureLimit: 1 << 28,
        }),
      );
    }
    return servers.get(key)!;
  };
  for (const row of DEFLATE) await serverFor(row.server);
  try {
    await judgeAll(DEFLATE, async (row) => {
      const server = await serverFor(row.server);
      const judge = await Judge.open(host, server.port, tls?.client, cut, row.offer);
      await judgeOne(row, server, judge);
    });
  } finally {
    for (const server of servers.values()) await server.stop({ timeout: 1000 });
  }
}

for (const wire of WIRES) {
  for (const [i, cut] of CUTS.entries()) {
    // TLS does not affect compression. Each runtime therefore tests only half of the ways to split
    // over TLS.
    const ignore = wire !== "TCP" && !isOwnHalf(i);
    test(
      `serve passes the compression table over ${wire} in ${cut}`,
      { timeout: 300_000, ignore },
      () => judgeTable(wire, cut),
    );
  }
}

/** Frames that violate RFC 7692, each with the code of the server's close frame. */
const FAULTS: readonly (readonly [title: string, frames: Uint8Array[], code: number])[] = [
  ["the compression bit on a ping", [buildFrame({ opcode: 9, reserved: 4 })], 1002],
  ["the compression bit on a close frame", [buildFrame({ opcode: 8, reserved: 4 })], 1002],
  [
    "the compression bit on a continuation",
    [
      buildFrame({ payload: Uint8Array.of(0xf2), fin: false, reserved: 4 }),
      buildFrame({ opcode: 0, payload: Uint8Array.of(0x48), reserved: 4 }),
    ],
    1002,
  ],
  ["another reserved bit", [buildFrame({ reserved: 2 })], 1002],
  ["all reserved bits", [buildFrame({ reserved: 7 })], 1002],
  ["invalid deflate data", [buildFrame({ payload: Uint8Array.of(255, 255), reserved: 4 })], 1007],
  [
    "a text that is not UTF-8 when inflated",
    [buildFrame({ payload: packed(Uint8Array.of(0x61, 0xff)), reserved: 4 })],
    1007,
  ],
  // In the following rows, the message is incomplete when the invalid byte arrives. The server must
  // not wait for the rest.
  [
    "a text whose first fragment is not UTF-8, and which is incomplete",
    [buildFrame({ payload: packed(Uint8Array.of(0x61, 0xff)), reserved: 4, fin: false })],
    1007,
  ],
  [
    "a byte that is invalid after the previous fragment, in an incomplete text",
    [
      buildFrame({ payload: stored(Uint8Array.of(0x61, 0xf4)), reserved: 4, fin: false }),
      buildFrame({ opcode: 0, payload: stored(Uint8Array.of(0x90)), fin: false }),
    ],
    1007,
  ],
  [
    "an invalid byte in an incomplete frame",
    [buildFrame({ payload: stored(Uint8Array.of(0x61, 0xff)), reserved: 4, claims: 60 })],
    1007,
  ],
  [
    "invalid deflate data in an incomplete frame",
    [buildFrame({ payload: Uint8Array.of(255, 255), reserved: 4, claims: 60 })],
    1007,
  ],
  [
    "a text that ends within a character",
    [
      buildFrame({ payload: stored(Uint8Array.of(0x61, 0xf4)), reserved: 4, fin: false }),
      buildFrame({ opcode: 0 }),
    ],
    1007,
  ],
  [
    "an incomplete decompression bomb",
    [buildFrame({ opcode: 2, payload: packed(new Uint8Array(1 << 24)), fin: false, reserved: 4 })],
    1009,
  ],
  [
    "a bomb",
    [buildFrame({ opcode: 2, payload: packed(new Uint8Array(1 << 24)), reserved: 4 })],
    1009,
  ],
  [
    "a decompression bomb in fragments",
    [
      buildFrame({ opcode: 2, payload: packed(new Uint8Array(1 << 24)), fin: false, reserved: 4 }),
      buildFrame({ opcode: 0 }),
    ],
    1009,
  ],
];

function packed(payload: Uint8Array): Uint8Array {
  const bytes = zlib.deflateRawSync(payload, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  return bytes.subarray(0, -4);
}

/** Returns the bytes as a stored block, which the server can inflate as soon as they arrive. */
function stored(bytes: Uint8Array): Uint8Array {
  return join(Uint8Array.of(0, bytes.length, 0, ~bytes.length & 0xff, 0xff), bytes);
}

test("serve closes only the connection that violates the rules of compression", async () => {
  const log: string[] = [];
  const server = await serve(host, {
    message: (conn, data) => conn.send(data),
    perMessageDeflate: true,
    maxPayloadLength: 1 << 20,
    log: ({ line }) => log.push(line),
  });
  const offer = "permessage-deflate";
  try {
    const witness = await Judge.open(host, server.port, undefined, "one segment", offer);
    for (const [title, frames, code] of FAULTS) {
      const judge = await Judge.open(host, server.port, undefined, "random segments", offer);
      await judge.send(frames);
      assertEquals(await judge.over(), code, title);
      assertEquals(judge.frames, [], title);
    }
    await witness.send([
      buildFrame({ payload: packed(new Uint8Array(4).fill(0x61)), reserved: 4 }),
    ]);
    await witness.until(1);
    assertEquals(witness.frames[0]!.payload.length, 4);
    await witness.send([close(1000)]);
    await witness.over();
  } finally {
    await server.stop({ timeout: 1000 });
  }
  assertEquals(log, []);
});

test("serve does not negotiate compression by default", async () => {
  const server = await serve(host, { message: (conn, data) => conn.send(data) });
  try {
    const judge = await Judge.open(
      host,
      server.port,
      undefined,
      "one segment",
      "permessage-deflate",
    );
    assertEquals(judge.header("Sec-WebSocket-Extensions"), undefined);
    await judge.send([buildFrame({ payload: packed(Uint8Array.of(0x61)), reserved: 4 })]);
    assertEquals(await judge.over(), 1002);
    let failure = "";
    try {
      await Judge.open(host, server.port, undefined, "one segment", "a b");
    } catch (error) {
      failure = String(error);
    }
    assert(failure.includes("HTTP/1.1 400"), failure);
  } finally {
    await server.stop({ timeout: 1000 });
  }
});
