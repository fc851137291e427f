import { assert, assertEquals } from "@std/assert";
import { concat } from "../../lib/base/bytes.ts";
import {
  BULK_BYTES_MIN,
  BULK_HEAD_BYTES,
  FLIGHT_BYTES_MAX,
} from "../../lib/mesh/fragment_writer.ts";
import { encodeFrame, FrameReader } from "../../lib/mesh/frame.ts";
import {
  FragmentReader,
  IncompleteMessage,
  MESSAGE_BYTES_MAX,
} from "../../lib/mesh/fragment_reader.ts";
import { TAG } from "../../lib/mesh/message.ts";
import {
  type OutboxLimits,
  PASSED_BYTES_MAX,
  SessionOutbox,
  VITAL_BYTES_MAX,
} from "../../lib/mesh/outbox.ts";
import { IGNORE, type Stream } from "../../lib/host/stream.ts";
import { test } from "../kit/test.ts";
import { Collector, type Frame } from "./collector.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const LIMITS: OutboxLimits = { bytesMax: 64 * MIB, messageBytesMax: MESSAGE_BYTES_MAX };

/** A stream that sends when the test decides. */
class Slow implements Stream {
  readonly isPaused = false;
  readonly remote = { hostname: "h", port: 1 };
  readonly peerCertificate = undefined;
  handler = IGNORE;
  ended = false;
  /** The chunks that wait to be sent. */
  waiting: Uint8Array[] = [];
  unsent = 0;

  write(bytes: Uint8Array): void {
    assert(!this.ended, "written after the end");
    this.waiting.push(bytes);
    this.unsent += bytes.length;
  }

  pause(): void {}
  resume(): void {}

  end(): void {
    this.ended = true;
  }

  abort(): void {}

  /** Sends and returns everything that waits. */
  send(): Uint8Array {
    const bytes = concat([new Uint8Array(0), ...this.waiting]);
    this.waiting = [];
    this.unsent = 0;
    return bytes;
  }
}

/** An outbox whose stream is slow. Records the calls of its owner's callbacks. */
class Bench {
  readonly stream = new Slow();
  readonly received: string[] = [];
  /**
   * The complete frames that the peer received; a fragmented frame is added when it is complete.
   */
  readonly arrived: Frame[] = [];
  /** All frames that the peer received, in order, including fragments. */
  readonly rows: Frame[] = [];
  readonly outbox: SessionOutbox;
  /** Whether the peer sends TAKEN. */
  takes = true;
  readonly #reader = new FrameReader(0xffff_ffff);
  readonly #fragments = new FragmentReader(MESSAGE_BYTES_MAX);
  /** The number of bytes for which the peer has not sent TAKEN yet. */
  #owed = 0;
  #tasks: (() => void)[] = [];

  constructor(limits: Partial<OutboxLimits> = {}) {
    this.outbox = new SessionOutbox(this.stream, { ...LIMITS, ...limits }, {
      atFlush: (task) => void this.#tasks.push(task),
      pressure: (high) => void this.received.push(high ? "high" : "low"),
      overload: () => void this.received.push("overload"),
    });
  }

  /** Writes a data frame, as for a message between actors. */
  write(tag: number, length: number, vital = false): boolean {
    const out = this.outbox.begin(tag);
    out.reserve(length);
    out.bytes.fill(tag, out.at, out.at + length);
    out.at += length;
    assertEquals(this.outbox.length, length + 1);
    return this.outbox.commit(vital);
  }

  /** Ends the turn. */
  flush(): void {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
  }

  /** Makes the stream send its data, and the peer receive it. */
  send(): void {
    const collector = new Collector();
    assert(this.#reader.push(this.stream.send(), collector));
    for (const row of collector.frames) this.#take(row);
    this.outbox.drain();
  }

  /** Sends until nothing is left. */
  sendAll(): void {
    this.flush();
    do this.send(); while (this.stream.unsent > 0);
  }

  /** The tags of the received frames, as runs: `77×3`. */
  get runs(): string[] {
    return runs(this.arrived.map(({ tag }) => tag));
  }

  #take(row: Frame): void {
    this.rows.push(row);
    if (row.tag !== TAG.BULK && row.tag !== TAG.FRAGMENT) return void this.arrived.push(row);
    const begins = row.tag === TAG.BULK;
    const one = begins ? this.#fragments.begin(row.body) : this.#fragments.add(row.body);
    assert(one instanceof IncompleteMessage, `${one}`);
    if (one.isWhole) this.arrived.push({ tag: one.tag, body: one.body.slice() });
    const untold = this.#fragments.takeUnacknowledged();
    this.#owed += untold;
    if (this.takes) this.take(this.#owed);
  }

  /** Makes the peer send TAKEN for this many bytes, or for all that are due. */
  take(bytes: number = this.#owed): void {
    this.#owed -= bytes;
    assert(this.outbox.taken(bytes));
  }
}

function runs(tags: readonly number[]): string[] {
  const all: [tag: number, count: number][] = [];
  for (const tag of tags) {
    if (all.at(-1)?.[0] === tag) all.at(-1)![1]++;
    else all.push([tag, 1]);
  }
  return all.map(([tag, count]) => `${tag.toString(16)}×${count}`);
}

test("SessionOutbox writes the frames of a turn in one piece, at its end", () => {
  const bench = new Bench();
  for (let i = 0; i < 10; i++) assert(bench.write(0x77, 20));
  assert(bench.outbox.data(encodeFrame(0x78, new Uint8Array(20))));
  assertEquals([bench.stream.waiting.length, bench.outbox.unsent], [0, 11 * 25]);
  bench.flush();
  assertEquals([bench.stream.waiting.length, bench.outbox.unsent], [1, 11 * 25]);
  bench.send();
  assertEquals([bench.runs, bench.outbox.unsent], [["77×10", "78×1"], 0]);
});

test("SessionOutbox removes a cancelled frame, even if it was partly written", () => {
  const bench = new Bench();
  bench.write(0x77, 5);
  const out = bench.outbox.begin(0x78);
  out.write(new Uint8Array(100_000));
  bench.outbox.cancel();
  bench.write(0x79, 5);
  bench.sendAll();
  assertEquals(bench.arrived.map(({ tag, body }) => `${tag}:${body.toHex()}`), [
    `${0x77}:7777777777`,
    `${0x79}:7979797979`,
  ]);
});

test("SessionOutbox keeps frames of every length intact and in order, except large ones", () => {
  const bench = new Bench();
  const lengths = [0, 1, 100, 4000, 4095, 4096, 5000, 32_766, 32_767, 32_768, 33_000, 70_000];
  const sent: string[] = [];
  let tag = 0x80;
  for (const how of ["commit", "data"] as const) {
    for (const length of [...lengths, ...lengths.toReversed()]) {
      if (how === "commit") bench.write(++tag, length);
      else bench.outbox.data(encodeFrame(++tag, new Uint8Array(length).fill(tag)));
      sent.push(`${tag} ${length}`);
      if (length === 100) bench.flush();
    }
  }
  bench.sendAll();
  const describe = ({ tag, body }: Frame) => {
    assert(body.every((byte) => byte === tag), `${tag}`);
    return `${tag} ${body.length}`;
  };
  assertEquals(bench.arrived.map(describe).sort(), sent.toSorted());
  const isSmall = (line: string) => Number(line.split(" ")[1]) + 1 <= BULK_BYTES_MIN;
  assertEquals(bench.arrived.map(describe).filter(isSmall), sent.filter(isSmall));
  assertEquals(bench.outbox.unsent, 0);
});

test("SessionOutbox fragments only frames longer than BULK_BYTES_MIN", () => {
  const bench = new Bench();
  bench.write(0x77, BULK_BYTES_MIN - 1);
  bench.outbox.data(encodeFrame(0x78, new Uint8Array(BULK_BYTES_MIN - 1)));
  bench.write(0x79, BULK_BYTES_MIN);
  bench.outbox.data(encodeFrame(0x7a, new Uint8Array(BULK_BYTES_MIN)));
  bench.sendAll();
  assertEquals(bench.rows.filter(({ tag }) => tag === TAG.BULK).length, 2);
  assertEquals(runs(bench.rows.slice(0, 2).map(({ tag }) => tag)), ["77×1", "78×1"]);
});

test("SessionOutbox sends a frame of any length at the end of the turn", () => {
  for (const length of [5, 5000, 50_000]) {
    for (const how of ["commit", "data"] as const) {
      const bench = new Bench();
      if (how === "commit") bench.write(0x77, length);
      else bench.outbox.data(encodeFrame(0x77, new Uint8Array(length)));
      bench.flush();
      assert(bench.stream.unsent >= Math.min(length, 32_000), `${how} ${length}`);
    }
  }
});

test("SessionOutbox does not fragment messages that must be whole, however long", () => {
  const bench = new Bench();
  for (const tag of [TAG.EXPOSED, TAG.GLOBAL_SYNC, TAG.GROUP_JOIN]) {
    bench.write(tag, 150_000);
    bench.outbox.data(encodeFrame(tag, new Uint8Array(150_000)));
    bench.write(tag, 5);
  }
  bench.sendAll();
  assertEquals(runs(bench.rows.map(({ tag }) => tag)), ["29×3", "1d×3", "2d×3"]);
  assertEquals(bench.arrived.filter(({ body }) => body.length === 150_000).length, 6);
});

test("SessionOutbox keeps the first fragment of a large frame at its place in the order", () => {
  for (const before of [1, 20_000]) {
    const bench = new Bench();
    for (let i = 0; i < before; i++) bench.write(0x77, 5);
    bench.write(0x78, 100_000);
    bench.write(0x79, 5);
    bench.sendAll();
    const tags = bench.rows.slice(before, before + 3).map(({ tag }) => tag);
    assertEquals(tags, [TAG.BULK, 0x79, TAG.FRAGMENT]);
    assertEquals(bench.rows[before]!.body.length, 8 + BULK_HEAD_BYTES);
    assertEquals(bench.runs, [`77×${before}`, "79×1", "78×1"]);
  }
});

test("SessionOutbox writes a limited amount to the stream at once, and more when that is sent", () => {
  const bench = new Bench();
  for (let i = 0; i < 4000; i++) bench.write(0x77, 1000);
  bench.write(0x78, 4 * MIB);
  for (let i = 0; i < 4000; i++) bench.write(0x79, 1000);
  bench.flush();
  const { unsent } = bench.outbox;
  for (let rounds = 0; bench.outbox.unsent > 0; rounds++) {
    assert(bench.stream.unsent > 0 && bench.stream.unsent <= 128 * KIB, `${bench.stream.unsent}`);
    assert(rounds < unsent / (32 * KIB));
    bench.send();
  }
  assertEquals(bench.arrived.length, 8001);
});

test("SessionOutbox sends control frames before all queued data", () => {
  const bench = new Bench();
  for (let i = 0; i < 1000; i++) bench.write(0x77, 1000);
  bench.write(0x78, MIB);
  bench.flush();
  bench.outbox.control(encodeFrame(TAG.PING, new Uint8Array(8)));
  bench.send();
  assert(bench.arrived.length < 200);
  assertEquals(bench.arrived.at(-1)!.tag, TAG.PING);
});

test("SessionOutbox sends small frames between fragments of a large one, and starves neither", () => {
  const bench = new Bench();
  bench.write(0x78, 4 * MIB);
  bench.flush();
  bench.send();
  bench.write(0x77, 50);
  bench.flush();
  bench.send();
  bench.send();
  assertEquals(bench.runs, ["77×1"]);
  // Keeps the queue full of small messages throughout.
  let small = 1;
  const place = () => bench.arrived.findLastIndex(({ tag }) => tag === 0x78);
  for (; place() === -1; bench.send()) {
    for (; bench.outbox.unsent < 10 * MIB; small++) bench.write(0x77, 500);
    bench.flush();
    assert(small < 60_000, "the large frame is not sent");
  }
  const passed = place() * 505 / MIB;
  assert(passed > 3 && passed < 5, `${passed} MiB of small frames passed 4 MiB`);
});

test("SessionOutbox sends large frames one after another", () => {
  const bench = new Bench();
  for (let tag = 0x80; tag < 0x90; tag++) bench.write(tag, 100_000);
  bench.sendAll();
  assertEquals(bench.arrived.map(({ tag }) => tag), Array.from({ length: 16 }, (_, i) => 0x80 + i));
  const numbers = bench.rows.filter(({ tag }) => tag === TAG.BULK).map(({ body }) => body[0]);
  assertEquals(numbers, Array.from({ length: 16 }, (_, i) => i));
  const last = bench.rows.findLastIndex(({ tag }) => tag === TAG.BULK);
  assert(last < bench.rows.length / 2, "all large frames are announced before they are sent");
});

test("SessionOutbox starts no more large frames at once than a peer accepts", () => {
  const bench = new Bench({ bytesMax: 1000 * MIB });
  for (let i = 0; i < 1500; i++) bench.write(0x77, 40_000);
  bench.write(0x79, 5);
  // The peer asserts its own limit when it receives these frames.
  bench.sendAll();
  assertEquals(bench.runs[0]!.startsWith("77×4"), true, bench.runs.join());
  assertEquals(bench.arrived.filter(({ tag }) => tag === 0x77).length, 1500);
});

test("SessionOutbox limits fragments in flight by TAKEN, and still sends data", () => {
  const bench = new Bench();
  bench.takes = false;
  bench.write(0x78, 4 * MIB);
  bench.sendAll();
  const pieces = () => bench.rows.filter(({ tag }) => tag === TAG.FRAGMENT).length;
  const most = FLIGHT_BYTES_MAX / (32 * KIB);
  assertEquals(pieces(), most);
  for (let i = 0; i < 1000; i++) bench.write(0x77, 100);
  bench.sendAll();
  assertEquals([bench.runs, pieces()], [["77×1000"], most]);
  assertEquals(bench.outbox.taken(FLIGHT_BYTES_MAX + 1), false);
  bench.take(64 * KIB);
  bench.sendAll();
  assertEquals(pieces(), most + 2);
  bench.takes = true;
  bench.take();
  bench.sendAll();
  assertEquals(bench.runs, ["77×1000", "78×1"]);
});

for (const turns of [1, 300]) {
  test(`SessionOutbox sends no more data past a large frame than the peer's limit of held messages, in ${turns} turns`, () => {
    const bench = new Bench();
    // Runs twice, because messages that overtook an earlier large frame must not count.
    for (const round of [0, 1]) {
      const before = bench.arrived.length;
      bench.takes = false;
      bench.write(0x78, 4 * MIB);
      for (let turn = 0; turn < turns; turn++) {
        for (let i = 0; i < 12_000 / turns; i++) bench.write(0x77, 1000);
        bench.flush();
        bench.send();
      }
      bench.sendAll();
      const passed = (bench.arrived.length - before) * 1005;
      assert(passed >= PASSED_BYTES_MAX && passed < PASSED_BYTES_MAX + 64 * KIB, `${passed}`);
      bench.takes = true;
      bench.take();
      bench.sendAll();
      assertEquals(bench.runs.length, 3 + 2 * round);
      assertEquals([bench.runs[1], bench.arrived.length], ["78×1", before + 12_001]);
    }
  });
}

test("SessionOutbox drops data over bytesMax, and counts it; vital frames are still sent", () => {
  const bench = new Bench({ bytesMax: MIB });
  bench.flush();
  let sent = 0;
  while (bench.write(0x77, 995)) sent++;
  assertEquals([sent, bench.outbox.dropped, bench.outbox.unsent], [1048, 1, 1048 * 1000]);
  assertEquals(bench.outbox.data(encodeFrame(0x78, new Uint8Array(995))), false);
  assertEquals(bench.outbox.data(encodeFrame(0x78, new Uint8Array(50_000))), false);
  assertEquals(bench.write(0x78, 50_000), false);
  assertEquals([bench.outbox.dropped, bench.outbox.unsent], [4, 1048 * 1000]);
  assert(bench.write(0x79, 995, true));
  assert(bench.write(0x7a, 200_000, true));
  bench.sendAll();
  assertEquals(bench.runs, ["77×1048", "79×1", "7a×1"]);
  assert(bench.write(0x77, 995), "there is room after sending");
});

test("SessionOutbox applies its limit within one turn, and releases the memory of dropped frames", () => {
  const bench = new Bench({ bytesMax: MIB });
  let kept = 0;
  for (let i = 0; i < 1_000_000; i++) if (bench.write(0x77, 20)) kept++;
  assertEquals(kept, Math.floor(MIB / 25));
  assertEquals([bench.outbox.dropped, bench.outbox.unsent], [1_000_000 - kept, kept * 25]);
  bench.sendAll();
  assertEquals(bench.arrived.length, kept);
});

test("SessionOutbox never sends a frame that the peer would reject, vital or not", () => {
  const bench = new Bench({ messageBytesMax: 100_000 });
  assert(bench.write(0x77, 99_999));
  assertEquals(bench.write(0x78, 100_000, true), false);
  assertEquals(bench.outbox.data(encodeFrame(0x78, new Uint8Array(100_000))), false);
  assert(bench.outbox.data(encodeFrame(0x77, new Uint8Array(99_999))));
  assertEquals(bench.outbox.dropped, 2);
  bench.sendAll();
  assertEquals(bench.runs, ["77×2"]);
});

for (const how of ["vital", "control"] as const) {
  test(`SessionOutbox ends with overload at the end of the turn in which ${how} frames exceed its second limit`, () => {
    const bench = new Bench({ bytesMax: MIB });
    const frame = encodeFrame(TAG.PING, new Uint8Array(20_000));
    const more = () =>
      how === "vital" ? bench.write(0x77, 20_000, true) : bench.outbox.control(frame);
    while (bench.outbox.unsent <= MIB + VITAL_BYTES_MAX) more();
    assertEquals(bench.received, []);
    assertEquals(bench.write(0x77, 10, true), false);
    bench.flush();
    assertEquals(bench.received, ["overload"]);
    const slack = bench.outbox.unsent - MIB - VITAL_BYTES_MAX;
    assert(slack <= frame.length, `${slack} bytes over it`);
  });
}

test("SessionOutbox.pressure is high above half of the limit, and is reported at the end of the turn", () => {
  const bench = new Bench({ bytesMax: MIB });
  while (bench.outbox.unsent + 1000 <= MIB / 2) bench.write(0x77, 995);
  bench.flush();
  assertEquals([bench.outbox.pressure.isHigh, bench.received], [false, []]);
  bench.write(0x77, 995);
  assertEquals([bench.outbox.pressure.isHigh, bench.received], [true, []]);
  bench.flush();
  assertEquals(bench.received, ["high"]);
  bench.write(0x77, 995);
  bench.flush();
  assertEquals(bench.received, ["high"]);
});

test("SessionOutbox.pressure rises at once for large frames, shared frames and control frames", () => {
  for (const how of ["large", "shared", "control"] as const) {
    const bench = new Bench({ bytesMax: MIB });
    if (how === "large") bench.write(0x77, 600_000);
    else if (how === "shared") bench.outbox.data(encodeFrame(0x77, new Uint8Array(600_000)));
    else bench.outbox.control(encodeFrame(0x77, new Uint8Array(600_000)));
    assertEquals(bench.outbox.pressure.isHigh, true, how);
    bench.flush();
    assertEquals(bench.received, ["high"], how);
  }
});

test("SessionOutbox.pressure stays high until the queue falls to an eighth of the limit, and then resolves drained", async () => {
  const bench = new Bench({ bytesMax: MIB });
  await bench.outbox.pressure.drained();
  let drained = 0;
  while (bench.write(0x77, 995));
  bench.flush();
  const waiting = [1, 2].map(() => bench.outbox.pressure.drained().then(() => drained++));
  for (let rounds = 0; bench.outbox.unsent - bench.stream.unsent > MIB / 8; rounds++) {
    assert(rounds < 100);
    assertEquals([bench.outbox.pressure.isHigh, bench.received.join()], [true, "high"]);
    bench.send();
    await Promise.resolve();
    if (bench.outbox.pressure.isHigh) assertEquals(drained, 0);
  }
  bench.send();
  await Promise.all(waiting);
  assertEquals([bench.outbox.pressure.isHigh, bench.received.join()], [false, "high,low"]);
  await bench.outbox.pressure.drained();
});

test("SessionOutbox.pressure does not report a rise and fall within one turn", () => {
  const bench = new Bench({ bytesMax: MIB });
  bench.write(0x77, 600_000);
  assert(bench.outbox.pressure.isHigh);
  bench.outbox.pressure.at(0);
  bench.flush();
  assertEquals(bench.received, []);
});

test("SessionOutbox.end sends queued frames, then the last frame, and accepts no more", () => {
  const bench = new Bench();
  for (let i = 0; i < 1000; i++) bench.write(0x77, 995);
  bench.write(0x78, 2 * MIB);
  bench.write(0x79, 10);
  // The peer sends no more TAKEN.
  bench.takes = false;
  bench.outbox.end(encodeFrame(TAG.GOODBYE, new Uint8Array(1)));
  assertEquals(bench.write(0x7a, 5, true), false);
  assertEquals(bench.outbox.data(encodeFrame(0x7a)), false);
  bench.outbox.control(encodeFrame(0x7a));
  bench.outbox.end(encodeFrame(0x7a));
  assertEquals(bench.stream.ended, false);
  bench.sendAll();
  assertEquals(bench.runs, ["77×1000", "79×1", "78×1", "20×1"]);
  assertEquals([bench.stream.ended, bench.outbox.dropped], [true, 0]);
});

test("SessionOutbox.end with little to send ends at once, and only once", () => {
  const bench = new Bench();
  bench.write(0x77, 5);
  bench.outbox.end(encodeFrame(TAG.GOODBYE, new Uint8Array(1)));
  assert(bench.stream.ended);
  bench.sendAll();
  assertEquals(bench.runs, ["77×1", "20×1"]);
});

for (const how of ["close", "end"] as const) {
  test(`SessionOutbox.${how} resolves drained, and reports no more changes of pressure`, async () => {
    const bench = new Bench({ bytesMax: MIB });
    while (bench.write(0x77, 995));
    bench.flush();
    const drained = bench.outbox.pressure.drained();
    if (how === "close") bench.outbox.close();
    else bench.outbox.end(encodeFrame(TAG.GOODBYE, new Uint8Array(1)));
    await drained;
    bench.sendAll();
    await bench.outbox.pressure.drained();
    assertEquals(bench.received, ["high"]);
  });
}

test("SessionOutbox.close drops queued frames and everything written later", () => {
  const bench = new Bench();
  for (let i = 0; i < 1000; i++) bench.write(0x77, 995);
  bench.write(0x78, 2 * MIB);
  bench.flush();
  bench.stream.send();
  bench.write(0x77, 5);
  bench.outbox.close();
  assertEquals(bench.outbox.unsent, 0);
  assertEquals(bench.write(0x79, 5, true), false);
  assertEquals(bench.outbox.data(encodeFrame(0x79, new Uint8Array(50_000))), false);
  bench.outbox.control(encodeFrame(0x79));
  bench.outbox.end(encodeFrame(0x79));
  bench.flush();
  bench.send();
  bench.take();
  assertEquals([bench.arrived, bench.outbox.unsent, bench.stream.ended], [[], 0, false]);
});
