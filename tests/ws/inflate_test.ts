import { assert, assertEquals } from "@std/assert";
import zlib from "node:zlib";
import { Buffer } from "node:buffer";
import { EMPTY } from "../../lib/base/bytes.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { WebSocketConnection } from "../../lib/ws/websocket_connection.ts";
import { DeflatePool } from "../../lib/ws/deflate.ts";
import type { DeflateTerms } from "../../lib/ws/extension.ts";
import { checkDeflate } from "../../lib/ws/limits.ts";
import { Inflator, makeOutput } from "../../lib/ws/zlib.ts";
import { test } from "../kit/test.ts";
import { buildFrame, bytesOf, closePayload, join } from "../kit/ws_client.ts";
import { byteByByte, FakeStream } from "./recorder.ts";
import { termsWith } from "./terms.ts";

const MIB = 1024 * 1024;
const pool = new DeflatePool(checkDeflate(true)!);

/** Compresses a message without reference to earlier ones. */
function packed(payload: Uint8Array): Uint8Array {
  const bytes = zlib.deflateRawSync(payload, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  return bytes.subarray(0, -4);
}

/**
 * Opens a connection with compression. Returns its stream, its messages and the tasks it deferred.
 */
function open(
  takeover: boolean,
  handle: (data: string | Uint8Array) => unknown = () => {},
): { stream: FakeStream; messages: (string | Uint8Array)[]; turns: (() => void)[] } {
  const stream = new FakeStream();
  const messages: (string | Uint8Array)[] = [];
  const turns: (() => void)[] = [];
  const direction = { takeover, windowBits: 15 };
  const deflate: DeflateTerms = { server: direction, client: direction };
  const conn = new WebSocketConnection<undefined>(
    termsWith({
      handlers: {
        message: (_conn, data) => {
          messages.push(data);
          return handle(data);
        },
      },
      payloadBytesMax: 16 * MIB,
      backpressure: { bytesMax: MIB, policy: "close" },
      deflate: pool,
      yieldToIo: (task) => turns.push(task),
    }),
    stream,
    { id: 1, data: undefined, protocol: undefined, deflate },
  );
  conn.start(EMPTY);
  return { stream, messages, turns };
}

for (const takeover of [false, true]) {
  const context = takeover ? "with" : "without";
  test(`Connection ${context} context takeover inflates messages whose pieces alternate with those of other connections`, () => {
    const texts = ["a first text, ".repeat(40), "Grüße, 😀 ".repeat(500), ""];
    const all = [open(takeover), open(takeover)];
    for (const text of texts) {
      // Each byte is a fragment, and the two connections alternate.
      const bytes = packed(bytesOf(text));
      byteByByte(bytes).forEach((payload, i) => {
        const shape = { payload, fin: i === bytes.length - 1 };
        const frame = buildFrame(i ? { ...shape, opcode: 0 } : { ...shape, reserved: 4 });
        for (const { stream } of all) stream.handler.data(frame);
      });
    }
    for (const { messages } of all) assertEquals(messages, texts);
    for (const { stream } of all) stream.handler.close({ kind: "closed" });
  });
}

test("Connection that closes during a compressed message does not affect later connections", () => {
  for (let i = 0; i < 40; i++) {
    const { stream, messages } = open(false);
    const bytes = packed(bytesOf("the whole of it ".repeat(20)));
    stream.handler.data(buildFrame({ payload: bytes.subarray(0, 12), fin: false, reserved: 4 }));
    if (i % 2 === 0) {
      stream.handler.data(buildFrame({ opcode: 0, payload: bytes.subarray(12) }));
      assertEquals(messages, ["the whole of it ".repeat(20)]);
    }
    stream.handler.close({ kind: "closed" });
  }
});

test("Connection returns a borrowed inflator when its message is complete or aborted", () => {
  const lent = pool.lend();
  for (const ends of [true, false]) {
    pool.takeBack(lent);
    const { stream } = open(false);
    const bytes = packed(bytesOf("in two pieces"));
    stream.handler.data(buildFrame({ payload: bytes.subarray(0, 3), fin: false, reserved: 4 }));
    const other = pool.lend();
    assert(other !== lent);
    other.close();
    if (ends) stream.handler.data(buildFrame({ opcode: 0, payload: bytes.subarray(3) }));
    else stream.handler.close({ kind: "closed" });
    assert(pool.lend() === lent);
  }
  pool.takeBack(lent);
});

test("Connection yields to other tasks when a small message inflates to a large one", async () => {
  const chunk = join(
    ...Array.from(
      { length: 8 },
      () => buildFrame({ opcode: 2, payload: packed(new Uint8Array(MIB - 2048)), reserved: 4 }),
    ),
  );
  for (const handle of [() => {}, async () => await Promise.resolve()]) {
    const { stream, messages, turns } = open(false, handle);
    stream.handler.data(chunk.slice());
    for (let before = 0;; before = messages.length) {
      // Lets the promises of handlers settle within the turn.
      for (let i = 0; i < 100; i++) await Promise.resolve();
      const count = messages.length - before;
      assert(count <= 2, `${count} in one turn`);
      if (turns.length === 0) break;
      assert(stream.isPaused);
      assertEquals(turns.length, 1);
      turns.shift()!();
    }
    assertEquals([messages.length, stream.isPaused], [8, false]);
    stream.handler.close({ kind: "closed" });
  }
});

test("Connection yields to other tasks during a message that inflates to a large size", () => {
  const { stream, messages, turns } = open(false);
  const payload = new Uint8Array(15 * MIB);
  const frame = buildFrame({ opcode: 2, payload: packed(payload), reserved: 4 });
  assert(frame.length < 16 * 1024);
  stream.handler.data(frame.slice());
  let count = 1;
  for (; messages.length === 0; count++) {
    assertEquals([turns.length, stream.isPaused], [1, true]);
    turns.shift()!();
  }
  // Each turn inflates one piece of the frame, so four turns are needed.
  assertEquals(count, 4);
  for (const turn of turns) turn();
  assertEquals([messages, stream.isPaused], [[payload], false]);
  stream.handler.close({ kind: "closed" });
});

test("Connection yields to other tasks while it handles many empty compressed messages", () => {
  const empty = buildFrame({ opcode: 2, payload: Uint8Array.of(0), reserved: 4 });
  const { stream, messages, turns } = open(false);
  stream.handler.data(join(...Array.from({ length: 3000 }, () => empty)));
  assert(messages.length < 1100 && turns.length === 1, `${messages.length} in one turn`);
  while (turns.length > 0) turns.shift()!();
  assertEquals([messages.length, stream.isPaused], [3000, false]);
  stream.handler.close({ kind: "closed" });
});

test("Inflator returns the same message however its input is split", () => {
  const inflator = new Inflator(true, 15, makeOutput());
  const payload = bytesOf("piece by piece ".repeat(1000));
  const bytes = packed(payload);
  for (const size of [1, 2, 7, bytes.length]) {
    for (const most of [payload.length, payload.length - 1]) {
      let length = 0;
      let failure: string | undefined;
      for (let at = 0; at < bytes.length && failure === undefined; at += size) {
        const pieces = inflator.next(bytes.subarray(at, at + size), most);
        if (typeof pieces === "string") failure = pieces;
        else for (const piece of pieces) length += piece.length;
      }
      const rest = failure ?? inflator.finish(most);
      if (most < payload.length) assertEquals(rest, "tooBig");
      else assert(Array.isArray(rest) && length === payload.length);
      inflator.reset();
    }
  }
  // At most 64 final blocks may follow the first one, however the input is split.
  const last = Uint8Array.of(0x03, 0x00);
  for (let i = 0; i < 65; i++) assert(Array.isArray(inflator.next(last, 10)));
  assertEquals(inflator.next(last, 10), "broken");
  inflator.close();
});

test("Connection accepts an incompressible message of the maximum length", () => {
  const random = new SeededRandom(5);
  for (const more of [0, 1]) {
    const { stream, messages, turns } = open(false);
    const payload = random.bytes(16 * MIB + more);
    const bytes = packed(payload);
    assert(bytes.length > payload.length);
    stream.handler.data(buildFrame({ opcode: 2, payload: bytes, reserved: 4 }));
    while (turns.length > 0) turns.shift()!();
    assertEquals(messages.length, 1 - more);
    if (more === 0) assert(Buffer.compare(messages[0] as Uint8Array, payload) === 0);
    else assertEquals(stream.writes[0]!.slice(2, 4), closePayload(1009));
    stream.handler.close({ kind: "closed" });
  }
});
