import { assert, assertEquals } from "@std/assert";
import {
  encodeFrame,
  FRAME_BYTES_MAX,
  FRAME_HEAD_BYTES,
  FrameReader,
  HANDSHAKE_FRAME_BYTES_MAX,
  startFrame,
} from "../../lib/mesh/frame.ts";
import { test } from "../kit/test.ts";
import { Collector, hex, joined } from "./collector.ts";

/** Frames of every kind, including empty bodies and frames of length 0, which are skipped. */
const STREAM = hex(`
  01000000 f0
  00000000
  03000000 1e aabb
  00000000 00000000
  06000000 01 0102030405
  01000000 20
`);
const FRAMES = ["f0:", "1e:aabb", "01:0102030405", "20:"];

/** Encodes a frame header that announces `length`. */
function head(length: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEAD_BYTES);
  new DataView(bytes.buffer).setUint32(0, length, true);
  return bytes;
}

test("encodeFrame writes a little-endian length before tag and body", () => {
  assertEquals(encodeFrame(0xf0).toHex(), "01000000f0");
  assertEquals(encodeFrame(0x1e, hex("aabb")).toHex(), "030000001eaabb");
  const long = encodeFrame(0x01, new Uint8Array(0x01_02_03).fill(7));
  assertEquals(long.subarray(0, 5).toHex(), "0402010001");
  assertEquals(long.length, 4 + 1 + 0x01_02_03);
});

test("startFrame leaves space for the body", () => {
  const frame = startFrame(0x1e, 3);
  frame.set([1, 2, 3], FRAME_HEAD_BYTES + 1);
  assertEquals(frame.toHex(), "040000001e010203");
});

test("FrameReader reads many frames from one chunk, and skips frames of length 0", () => {
  const collector = new Collector();
  assert(new FrameReader(100).push(STREAM, collector));
  assertEquals(collector.hex, FRAMES);
});

test("FrameReader reads the same frames when the input is split at any two positions", () => {
  for (let one = 0; one <= STREAM.length; one++) {
    for (let two = one; two <= STREAM.length; two++) {
      const collector = new Collector();
      const reader = new FrameReader(100);
      for (const [from, to] of [[0, one], [one, two], [two, STREAM.length]] as const) {
        // Overwrites the chunk afterwards, because a host reuses its buffer after the call.
        const chunk = STREAM.slice(from, to);
        assert(reader.push(chunk, collector));
        chunk.fill(0xee);
      }
      assertEquals(collector.hex, FRAMES, `cut at ${one} and ${two}`);
    }
  }
});

test("FrameReader.resume reads the frames that follow the frame at which the sink stopped", () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const frames: string[] = [];
    let isStopped = false;
    const sink = {
      keepsRest: true,
      frame(tag: number, body: Uint8Array): boolean {
        assert(!isStopped, "a frame was delivered after a stop");
        isStopped = true;
        frames.push(`${tag.toString(16).padStart(2, "0")}:${body.toHex()}`);
        return false;
      },
    };
    const reader = new FrameReader(100);
    // Pushes a chunk only when the previous one has been read, as a paused stream does.
    for (const part of [STREAM.slice(0, cut), STREAM.slice(cut)]) {
      assert(reader.push(part, sink));
      part.fill(0xee);
      for (; isStopped; assert(reader.resume(sink))) isStopped = false;
    }
    assertEquals(frames, FRAMES, `cut at ${cut}`);
    assertEquals(reader.keptBytes, 0);
  }
});

test("FrameReader reads the same frames byte by byte", () => {
  const collector = new Collector();
  const reader = new FrameReader(100);
  for (const byte of joined(STREAM, STREAM)) {
    assert(reader.push(new Uint8Array([byte]), collector));
  }
  assertEquals(collector.hex, [...FRAMES, ...FRAMES]);
});

test("FrameReader accepts a frame of exactly the limit, and rejects a longer frame", () => {
  for (const limit of [1, 5, HANDSHAKE_FRAME_BYTES_MAX]) {
    const most = encodeFrame(0x33, new Uint8Array(limit - 1).fill(1));
    for (let cut = 0; cut <= 6; cut++) {
      const collector = new Collector();
      const reader = new FrameReader(limit);
      assert(reader.push(most.subarray(0, cut), collector));
      assert(reader.push(most.subarray(cut), collector), `limit ${limit}, cut ${cut}`);
      assertEquals(collector.frames.length, 1);
      assertEquals(collector.frames[0]!.body.length, limit - 1);
    }
    for (const length of [limit + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      for (let cut = 0; cut <= FRAME_HEAD_BYTES; cut++) {
        const collector = new Collector();
        const reader = new FrameReader(limit);
        const bytes = joined(STREAM.subarray(0, 5), head(length));
        const at = bytes.length - FRAME_HEAD_BYTES + cut;
        const whole = reader.push(bytes.subarray(0, at), collector) &&
          reader.push(bytes.subarray(at), collector);
        assertEquals(whole, false, `limit ${limit}, length ${length}, cut ${cut}`);
        assertEquals(collector.hex, ["f0:"]);
      }
    }
  }
});

test("FrameReader rejects a length over the limit before any byte of the body has arrived", () => {
  const collector = new Collector();
  assertEquals(new FrameReader(4096).push(head(4097), collector), false);
  assertEquals(collector.frames, []);
});

test("FrameReader allocates no memory for announced bytes that have not arrived", () => {
  const allocated = countingAllocations(() => {
    const readers = Array.from({ length: 1000 }, () => new FrameReader(FRAME_BYTES_MAX));
    for (const reader of readers) {
      reader.push(head(FRAME_BYTES_MAX), new Collector());
      reader.push(new Uint8Array(10), new Collector());
    }
  });
  // 1,000 × 16 MiB were announced; 14 KB were received.
  assert(allocated < 1_000_000, `${allocated} bytes`);
});

test("FrameReader allocates at most twice the received bytes", () => {
  const reader = new FrameReader(FRAME_BYTES_MAX);
  const chunk = new Uint8Array(1000);
  let received = 0;
  const allocated = countingAllocations(() => {
    reader.push(head(FRAME_BYTES_MAX), new Collector());
    for (; received < 1_000_000; received += chunk.length) reader.push(chunk, new Collector());
  });
  // The buffer doubles, so all earlier buffers together are smaller than the last one.
  assert(allocated < 4 * received, `${allocated} bytes for ${received}`);
});

test("FrameReader releases the memory of a long frame after the frame was handled", () => {
  const reader = new FrameReader(FRAME_BYTES_MAX);
  const long = encodeFrame(1, new Uint8Array(1_000_000));
  reader.push(long.subarray(0, 100), new Collector());
  reader.push(long.subarray(100), new Collector());
  // If the reader had kept the large buffer, it would allocate nothing for this frame.
  const next = head(50);
  const allocated = countingAllocations(() => reader.push(next, new Collector()));
  assert(allocated > 0 && allocated <= 1024, `${allocated} bytes`);
});

test("FrameReader drops the remaining bytes when its sink returns false", () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const collector = new Collector(2);
    const reader = new FrameReader(100);
    assert(reader.push(STREAM.subarray(0, cut), collector));
    if (collector.frames.length < 2) assert(reader.push(STREAM.subarray(cut), collector));
    assertEquals(collector.hex, FRAMES.slice(0, 2), `cut at ${cut}`);
  }
});

test("FrameReader applies a limit that changes within a chunk", () => {
  const reader = new FrameReader(5);
  const lengths: number[] = [];
  const whole = reader.push(joined(encodeFrame(1), encodeFrame(2, new Uint8Array(99))), {
    frame(_tag, body) {
      lengths.push(body.length);
      reader.limit = 100;
      return true;
    },
  });
  assert(whole);
  assertEquals(lengths, [0, 99]);
});

/** Returns how many bytes `work` allocates by typed arrays of a given length. */
function countingAllocations(work: () => void): number {
  const real = globalThis.Uint8Array;
  let bytes = 0;
  globalThis.Uint8Array = new Proxy(real, {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") bytes += args[0];
      return Reflect.construct(target, args, newTarget);
    },
  });
  try {
    work();
  } finally {
    globalThis.Uint8Array = real;
  }
  return bytes;
}
