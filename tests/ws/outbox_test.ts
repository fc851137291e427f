import { assertEquals } from "@std/assert";
import type { BackpressurePolicy } from "../../lib/ws/backpressure.ts";
import { BEHIND_BYTES, ConnectionOutbox } from "../../lib/ws/outbox.ts";
import { encodeMessage } from "../../lib/ws/frame.ts";
import { Scratch } from "../../lib/ws/scratch.ts";
import { bytesOf } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";
import { FakeStream } from "./recorder.ts";

function outlet(
  bytesMax = 16 << 20,
  policy: BackpressurePolicy = "close",
): { out: ConnectionOutbox; stream: FakeStream } {
  const stream = new FakeStream();
  return { out: new ConnectionOutbox(stream, new Scratch(), { bytesMax, policy }), stream };
}

test("ConnectionOutbox writes each message as one frame in its own buffer", () => {
  const { out, stream } = outlet();
  assertEquals(out.message("hi"), "sent");
  assertEquals(out.message(bytesOf("ho")), "sent");
  assertEquals(out.message("x".repeat(70_000)), "behind");
  assertEquals(stream.sent, ["1 hi", "2 ho", `1 ${"x".repeat(70_000)}`]);
  assertEquals(stream.writes.length, 3);
});

test("ConnectionOutbox copies bytes before it returns", () => {
  const { out, stream } = outlet();
  for (const length of [3, 100_000]) {
    const bytes = new Uint8Array(length).fill(97);
    out.message(bytes);
    bytes.fill(98);
  }
  assertEquals(stream.frames.map(({ payload }) => payload.every((byte) => byte === 97)), [
    true,
    true,
  ]);
});

test('ConnectionOutbox returns "behind" over its mark, and reports once that it has drained', () => {
  const { out, stream } = outlet();
  const frame = new Uint8Array(BEHIND_BYTES);
  assertEquals(out.frames(frame), "sent");
  assertEquals(out.drained(), false);
  assertEquals(out.frames(frame.subarray(0, 1)), "behind");
  stream.unsent = 0;
  assertEquals(out.drained(), true);
  assertEquals(out.drained(), false);
});

test("ConnectionOutbox drops a message that does not fit, and accepts messages again when it has room", () => {
  const { out, stream } = outlet(1000);
  assertEquals(out.frames(new Uint8Array(900)), "sent");
  assertEquals(out.frames(new Uint8Array(101)), "dropped");
  assertEquals(out.frames(new Uint8Array(100)), "sent");
  assertEquals(out.frames(new Uint8Array(1)), "dropped");
  assertEquals(stream.unsent, 1000);
  stream.unsent = 0;
  assertEquals(out.drained(), true);
  assertEquals(out.frames(new Uint8Array(1000)), "sent");
});

test("ConnectionOutbox accepts a message over the limit if the queue is empty", () => {
  const { out } = outlet(1000);
  assertEquals(out.frames(new Uint8Array(2000)), "sent");
  assertEquals(out.frames(new Uint8Array(1)), "dropped");
});

test("ConnectionOutbox answers every ping while its peer reads", () => {
  const { out, stream } = outlet();
  for (const each of ["a", "b", "c"]) out.pong(bytesOf(each));
  assertEquals(stream.sent, ["10 a", "10 b", "10 c"]);
});

test("ConnectionOutbox answers the latest ping of a peer that does not read", () => {
  const { out, stream } = outlet();
  out.frames(new Uint8Array(BEHIND_BYTES + 1));
  const before = stream.writes.length;
  for (let i = 0; i < 1000; i++) out.pong(bytesOf(`${i}`));
  assertEquals(stream.writes.length, before + 1);
  stream.unsent = 0;
  assertEquals(out.drained(), true);
  const pongs = stream.writes.slice(before).map((bytes) =>
    new TextDecoder().decode(bytes.slice(2))
  );
  assertEquals(pongs, ["0", "999"]);
});

test("ConnectionOutbox answers a ping of a slow peer after the previous pong has been sent", () => {
  const { out, stream } = outlet();
  out.frames(new Uint8Array(BEHIND_BYTES + 1));
  out.pong(bytesOf("first"));
  out.pong(bytesOf("second"));
  const before = stream.writes.length;
  // More bytes are written after the pong "first". That pong is among the bytes that have been
  // sent.
  out.frames(new Uint8Array(BEHIND_BYTES + 1));
  stream.unsent = BEHIND_BYTES + 1;
  out.pong(bytesOf("third"));
  assertEquals(new TextDecoder().decode(stream.writes[before + 1]!.slice(2)), "third");
  assertEquals(stream.writes.length, before + 2);
});

/** Returns a frame of `length` bytes whose payload starts with a name. */
function mark(name: string, length: number): Uint8Array {
  return encodeMessage(name + "-".repeat(length - 2 - name.length));
}

test("ConnectionOutbox keeps the latest message of each slot until its queue is empty", () => {
  const { out, stream } = outlet(300, "latest");
  assertEquals(out.frames(mark("first", 100)), "sent");
  assertEquals(out.frames(mark("a1", 100), LATEST, "a"), "sent");
  for (const name of ["a2", "a3"]) assertEquals(out.frames(mark(name, 120), LATEST, "a"), "held");
  assertEquals(out.message("x".repeat(110)), "held");
  assertEquals(stream.frames.length, 2);
  stream.flush();
  assertEquals(out.drained(), true);
  assertEquals(names(stream), ["first", "a1", "a3", "xxxx"]);
});

test("ConnectionOutbox does not send a kept message after a newer message of its slot", () => {
  const { out, stream } = outlet(300, "latest");
  out.frames(mark("first", 200));
  assertEquals(out.frames(mark("old", 120)), "held");
  assertEquals(out.frames(mark("new", 50)), "sent");
  stream.flush();
  out.drained();
  assertEquals(names(stream), ["first", "new"]);
});

test("ConnectionOutbox drops the oldest slot over the maximum number of kept messages", () => {
  const { out, stream } = outlet(300, "latest");
  out.frames(mark("first", 290));
  for (const slot of ["a", "b", "c"]) out.frames(mark(slot, 110), LATEST, slot);
  out.frames(mark("b2", 110), LATEST, "b");
  stream.flush();
  out.drained();
  assertEquals(names(stream), ["first", "c", "b2"]);
});

test("ConnectionOutbox sends kept messages before the close frame", () => {
  const { out, stream } = outlet(300, "latest");
  out.frames(mark("first", 290));
  out.frames(mark("held", 110));
  out.finish();
  out.control(8, new Uint8Array(0));
  assertEquals(names(stream), ["first", "held", ""]);
});

const LATEST = { bytesMax: 300, policy: "latest" } as const;

function names(stream: FakeStream): string[] {
  return stream.frames.map(({ payload }) =>
    new TextDecoder().decode(payload.subarray(0, 5)).replace(/-+.*/, "").slice(0, 5).replace(
      "xxxxx",
      "xxxx",
    )
  );
}
