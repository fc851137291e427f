/**
 * Tests large frames in fragments: random messages to the fragment reader, and random traffic from
 * an outbox to the other end of a session.
 */
import { assert, assertEquals } from "@std/assert";
import { concat } from "../../lib/base/bytes.ts";
import type { SeededRandom } from "../../lib/base/random.ts";
import {
  BULK_BYTES_MIN,
  BULK_HEAD_BYTES,
  BULK_OPEN_MAX,
  FLIGHT_BYTES_MAX,
  WHOLE_TAGS,
} from "../../lib/mesh/fragment_writer.ts";
import {
  FragmentReader,
  IncompleteMessage,
  MESSAGE_BYTES_MAX,
} from "../../lib/mesh/fragment_reader.ts";
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from "../../lib/mesh/frame.ts";
import { HoldbackQueue } from "../../lib/mesh/holdback_queue.ts";
import { TAG } from "../../lib/mesh/message.ts";
import { SessionOutbox } from "../../lib/mesh/outbox.ts";
import { IGNORE, type Stream } from "../../lib/host/stream.ts";
import { fuzzCount, rounds } from "../kit/fuzz.ts";
import { test } from "../kit/test.ts";

const FRAMES = fuzzCount(10_000);

/** Returns a random number up to `most`, often a boundary value. */
function anyNumber(random: SeededRandom, most: number): number {
  const some = [0, 1, 2, 8, 9, most - 1, most, most + 1, 0xffff_ffff];
  return random.below(3) === 0 ? some[random.below(some.length)]! : random.below(most);
}

test("FragmentReader returns a message within its limit, or an error, for any input", () => {
  rounds(FRAMES / 50, (random) => {
    const most = [10, 100, 5000][random.below(3)]!;
    const fragments = new FragmentReader(most);
    const bytesMax = 4 * most + BULK_OPEN_MAX * BULK_HEAD_BYTES;
    let received = 0;
    let whole = 0;
    for (let i = 0; i < 200; i++) {
      const begins = random.below(3) === 0;
      const row = random.bytes(random.below(random.below(10) === 0 ? 2 * most : 40));
      const view = new DataView(row.buffer, row.byteOffset, row.length);
      if (row.length >= 4) view.setUint32(0, random.below(4), true);
      if (begins && row.length >= 8) view.setUint32(4, anyNumber(random, most), true);
      const before = row.slice();
      const result = begins ? fragments.begin(row) : fragments.add(row);
      assertEquals(row, before);
      assert(fragments.count <= BULK_OPEN_MAX && fragments.bytes <= bytesMax);
      if (typeof result === "string") {
        assert(result.length < 100, result);
        continue;
      }
      received += row.length;
      assert(result.length <= most && result.at <= result.length && !WHOLE_TAGS.has(result.tag));
      assert(
        result.bytes.length <= Math.max(4 * result.at, 1),
        "the buffer grows with the received bytes",
      );
      assertEquals(result.isWhole, result.body.length + 1 === result.length);
      if (result.isWhole) whole++;
      row.fill(0xee);
    }
    assert(fragments.count + whole <= 200 && fragments.bytes <= 4 * received);
  });
});

/** A stream that sends when the test calls `send`. */
class ManualStream implements Stream {
  readonly isPaused = false;
  readonly remote = { hostname: "h", port: 1 };
  readonly peerCertificate = undefined;
  handler = IGNORE;
  waiting: Uint8Array[] = [];
  unsent = 0;
  /** Whether `end` was called. */
  ended = false;

  write(bytes: Uint8Array): void {
    assert(!this.ended && bytes.length > 0);
    this.waiting.push(bytes);
    this.unsent += bytes.length;
  }

  send(): Uint8Array {
    const bytes = concat([new Uint8Array(0), ...this.waiting]);
    this.waiting = [];
    this.unsent = 0;
    return bytes.slice();
  }

  pause(): void {}
  resume(): void {}
  end(): void {
    this.ended = true;
  }
  abort(): void {}
}

const ROW = 0x77;

test("SessionOutbox delivers every frame that it does not drop, in order for each receiver", () => {
  rounds(FRAMES / 250, (random) => {
    const stream = new ManualStream();
    let tasks: (() => void)[] = [];
    const outbox = new SessionOutbox(
      stream,
      {
        bytesMax: [200_000, 4 << 20][random.below(2)]!,
        messageBytesMax: [150_000, MESSAGE_BYTES_MAX][random.below(2)]!,
      },
      { atFlush: (task) => void tasks.push(task), pressure() {}, overload() {} },
    );
    const reader = new FrameReader(FRAME_BYTES_MAX);
    const fragments = new FragmentReader(MESSAGE_BYTES_MAX);
    const holds = new HoldbackQueue();
    const sent: string[] = [];
    const received: string[] = [];
    let refused = 0;
    let number = 0;
    let sentControls = 0;

    const hand = (body: Uint8Array, bulk: boolean): void => {
      const view = new DataView(body.buffer, body.byteOffset);
      const [key, what, length] = [view.getUint8(0), view.getUint32(1), view.getUint32(5)];
      assertEquals([length, body.at(-1)], [body.length, body.length === 9 ? length & 0xff : key]);
      const run = () => void received.push(`${key}: ${what}, ${length}`);
      if (!bulk && holds.isHeld(key)) assert(holds.hold(key, body.length, run));
      else run();
    };
    const take = (tag: number, body: Uint8Array): boolean => {
      if (tag === ROW) hand(body, false);
      else if (tag === TAG.BULK || tag === TAG.FRAGMENT) {
        const one = tag === TAG.BULK ? fragments.begin(body) : fragments.add(body);
        assert(one instanceof IncompleteMessage, `${one}`);
        if (tag === TAG.BULK) one.slot = holds.open(one.body[0]!);
        const untold = fragments.takeUnacknowledged();
        if (untold > 0) assert(outbox.taken(untold));
        if (one.isWhole) holds.close(one.slot!, () => hand(one.body, true));
      } else sentControls++;
      return true;
    };

    /**
     * Writes a message: its receiver's key, its number, its length, and bytes filled with the key.
     */
    const write = (): void => {
      const isLarge = random.below(6) === 0;
      const length = 9 + random.below(isLarge ? 200_000 : random.below(5) === 0 ? 40_000 : 200);
      const key = random.below(5);
      const body = new Uint8Array(length).fill(key);
      const view = new DataView(body.buffer);
      view.setUint32(1, ++number);
      view.setUint32(5, length);
      let went: boolean;
      if (random.below(3) === 0) went = outbox.data(encodeFrame(ROW, body));
      else {
        outbox.begin(ROW).write(body);
        if (random.below(20) === 0) return outbox.cancel();
        went = outbox.commit(random.below(3) === 0);
      }
      if (went) sent.push(`${key}: ${number}, ${length}`);
      else refused++;
    };
    const flush = (): void => {
      const due = tasks;
      tasks = [];
      for (const task of due) task();
    };
    const send = (): void => {
      assert(stream.unsent <= 128 * 1024 + BULK_BYTES_MIN + 4096, `${stream.unsent} bytes unsent`);
      const bytes = stream.send();
      for (let at = 0; at < bytes.length;) {
        const next = Math.min(bytes.length, at + 1 + random.below(100_000));
        assert(reader.push(bytes.slice(at, next), { frame: take }));
        at = next;
      }
      outbox.drain();
    };

    let controls = 0;
    for (let turns = 30; turns > 0; turns--) {
      for (let i = random.below(20); i > 0; i--) write();
      if (random.below(5) === 0) {
        controls++;
        outbox.control(encodeFrame(TAG.PING, new Uint8Array(8)));
      }
      flush();
      for (let i = random.below(4); i > 0; i--) send();
    }
    flush();
    while (outbox.unsent > 0) send();
    assertEquals([refused, sentControls], [outbox.dropped, controls]);
    assertEquals(received.length, sent.length);
    for (const key of ["0", "1", "2", "3", "4"]) {
      const of = (line: string) => line.startsWith(key);
      assertEquals(received.filter(of), sent.filter(of), `to ${key}`);
    }
    assertEquals([holds.count, holds.bytes, fragments.count, fragments.bytes], [0, 0, 0, 0]);
    assert(!outbox.taken(FLIGHT_BYTES_MAX), "all but a small part was acknowledged");
  });
});
