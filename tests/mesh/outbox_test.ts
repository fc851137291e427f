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
class SlowStream implements Stream {
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

  /** Sends and returns all waiting bytes. */
  send(): Uint8Array {
    const bytes = concat([new Uint8Array(0), ...this.waiting]);
    this.waiting = [];
    this.unsent = 0;
    return bytes;
  }
}

/** An outbox whose stream is slow. Records the calls of its owner's callbacks. */
class Fixture {
  readonly stream = new SlowStream();
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

test("SessionOutbox writes the frames of a turn in one piece, at the end of the turn", () => {
  const fixture = new Fixture();
  for (let i = 0; i < 10; i++) assert(fixture.write(0x77, 20));
  assert(fixture.outbox.data(encodeFrame(0x78, new Uint8Array(20))));
  assertEquals([fixture.stream.waiting.length, fixture.outbox.unsent], [0, 11 * 25]);
  fixture.flush();
  assertEquals([fixture.stream.waiting.length, fixture.outbox.unsent], [1, 11 * 25]);
  fixture.send();
  assertEquals([fixture.runs, fixture.outbox.unsent], [["77×10", "78×1"], 0]);
});

test("SessionOutbox removes a cancelled frame, even if it was partly written", () => {
  const fixture = new Fixture();
  fixture.write(0x77, 5);
  const out = fixture.outbox.begin(0x78);
  out.write(new Uint8Array(100_000));
  fixture.outbox.cancel();
  fixture.write(0x79, 5);
  fixture.sendAll();
  assertEquals(fixture.arrived.map(({ tag, body }) => `${tag}:${body.toHex()}`), [
    `${0x77}:7777777777`,
    `${0x79}:7979797979`,
  ]);
});

test("SessionOutbox sends frames that are not large unchanged and in order", () => {
  const fixture = new Fixture();
  const lengths = [0, 1, 100, 4000, 4095, 4096, 5000, 32_766, 32_767, 32_768, 33_000, 70_000];
  const sent: string[] = [];
  let tag = 0x80;
  for (const how of ["commit", "data"] as const) {
    for (const length of [...lengths, ...lengths.toReversed()]) {
      if (how === "commit") fixture.write(++tag, length);
      else fixture.outbox.data(encodeFrame(++tag, new Uint8Array(length).fill(tag)));
      sent.push(`${tag} ${length}`);
      if (length === 100) fixture.flush();
    }
  }
  fixture.sendAll();
  const describe = ({ tag, body }: Frame) => {
    assert(body.every((byte) => byte === tag), `${tag}`);
    return `${tag} ${body.length}`;
  };
  assertEquals(fixture.arrived.map(describe).sort(), sent.toSorted());
  const isSmall = (line: string) => Number(line.split(" ")[1]) + 1 <= BULK_BYTES_MIN;
  assertEquals(fixture.arrived.map(describe).filter(isSmall), sent.filter(isSmall));
  assertEquals(fixture.outbox.unsent, 0);
});

test("SessionOutbox fragments only frames longer than BULK_BYTES_MIN", () => {
  const fixture = new Fixture();
  fixture.write(0x77, BULK_BYTES_MIN - 1);
  fixture.outbox.data(encodeFrame(0x78, new Uint8Array(BULK_BYTES_MIN - 1)));
  fixture.write(0x79, BULK_BYTES_MIN);
  fixture.outbox.data(encodeFrame(0x7a, new Uint8Array(BULK_BYTES_MIN)));
  fixture.sendAll();
  assertEquals(fixture.rows.filter(({ tag }) => tag === TAG.BULK).length, 2);
  assertEquals(runs(fixture.rows.slice(0, 2).map(({ tag }) => tag)), ["77×1", "78×1"]);
});

test("SessionOutbox sends a frame of any length at the end of the turn", () => {
  for (const length of [5, 5000, 50_000]) {
    for (const how of ["commit", "data"] as const) {
      const fixture = new Fixture();
      if (how === "commit") fixture.write(0x77, length);
      else fixture.outbox.data(encodeFrame(0x77, new Uint8Array(length)));
      fixture.flush();
      assert(fixture.stream.unsent >= Math.min(length, 32_000), `${how} ${length}`);
    }
  }
});

test("SessionOutbox does not fragment messages that must be whole, however long", () => {
  const fixture = new Fixture();
  for (const tag of [TAG.EXPOSED, TAG.GLOBAL_SYNC, TAG.GROUP_JOIN]) {
    fixture.write(tag, 150_000);
    fixture.outbox.data(encodeFrame(tag, new Uint8Array(150_000)));
    fixture.write(tag, 5);
  }
  fixture.sendAll();
  assertEquals(runs(fixture.rows.map(({ tag }) => tag)), ["29×3", "1d×3", "2d×3"]);
  assertEquals(fixture.arrived.filter(({ body }) => body.length === 150_000).length, 6);
});

test("SessionOutbox keeps the first fragment of a large frame at its place in the order", () => {
  for (const before of [1, 20_000]) {
    const fixture = new Fixture();
    for (let i = 0; i < before; i++) fixture.write(0x77, 5);
    fixture.write(0x78, 100_000);
    fixture.write(0x79, 5);
    fixture.sendAll();
    const tags = fixture.rows.slice(before, before + 3).map(({ tag }) => tag);
    assertEquals(tags, [TAG.BULK, 0x79, TAG.FRAGMENT]);
    assertEquals(fixture.rows[before]!.body.length, 8 + BULK_HEAD_BYTES);
    assertEquals(fixture.runs, [`77×${before}`, "79×1", "78×1"]);
  }
});

test("SessionOutbox writes a limited amount to the stream at once, and more when that amount is sent", () => {
  const fixture = new Fixture();
  for (let i = 0; i < 4000; i++) fixture.write(0x77, 1000);
  fixture.write(0x78, 4 * MIB);
  for (let i = 0; i < 4000; i++) fixture.write(0x79, 1000);
  fixture.flush();
  const { unsent } = fixture.outbox;
  for (let rounds = 0; fixture.outbox.unsent > 0; rounds++) {
    assert(
      fixture.stream.unsent > 0 && fixture.stream.unsent <= 128 * KIB,
      `${fixture.stream.unsent}`,
    );
    assert(rounds < unsent / (32 * KIB));
    fixture.send();
  }
  assertEquals(fixture.arrived.length, 8001);
});

test("SessionOutbox sends control frames before all queued data", () => {
  const fixture = new Fixture();
  for (let i = 0; i < 1000; i++) fixture.write(0x77, 1000);
  fixture.write(0x78, MIB);
  fixture.flush();
  fixture.outbox.control(encodeFrame(TAG.PING, new Uint8Array(8)));
  fixture.send();
  assert(fixture.arrived.length < 200);
  assertEquals(fixture.arrived.at(-1)!.tag, TAG.PING);
});

test("SessionOutbox alternates between small frames and the fragments of a large frame", () => {
  const fixture = new Fixture();
  fixture.write(0x78, 4 * MIB);
  fixture.flush();
  fixture.send();
  fixture.write(0x77, 50);
  fixture.flush();
  fixture.send();
  fixture.send();
  assertEquals(fixture.runs, ["77×1"]);
  // Keeps the queue full of small messages until the large frame has arrived.
  let small = 1;
  const place = () => fixture.arrived.findLastIndex(({ tag }) => tag === 0x78);
  for (; place() === -1; fixture.send()) {
    for (; fixture.outbox.unsent < 10 * MIB; small++) fixture.write(0x77, 500);
    fixture.flush();
    assert(small < 60_000, "the large frame is not sent");
  }
  const passed = place() * 505 / MIB;
  assert(passed > 3 && passed < 5, `${passed} MiB of small frames passed 4 MiB`);
});

test("SessionOutbox sends large frames one after another", () => {
  const fixture = new Fixture();
  for (let tag = 0x80; tag < 0x90; tag++) fixture.write(tag, 100_000);
  fixture.sendAll();
  assertEquals(
    fixture.arrived.map(({ tag }) => tag),
    Array.from({ length: 16 }, (_, i) => 0x80 + i),
  );
  const numbers = fixture.rows.filter(({ tag }) => tag === TAG.BULK).map(({ body }) => body[0]);
  assertEquals(numbers, Array.from({ length: 16 }, (_, i) => i));
  const last = fixture.rows.findLastIndex(({ tag }) => tag === TAG.BULK);
  assert(last < fixture.rows.length / 2, "all large frames are announced before they are sent");
});

test("SessionOutbox starts no more large frames at once than a peer accepts", () => {
  const fixture = new Fixture({ bytesMax: 1000 * MIB });
  for (let i = 0; i < 1500; i++) fixture.write(0x77, 40_000);
  fixture.write(0x79, 5);
  // The fixture's peer asserts its limit of large frames when it receives these frames.
  fixture.sendAll();
  assertEquals(fixture.runs[0]!.startsWith("77×4"), true, fixture.runs.join());
  assertEquals(fixture.arrived.filter(({ tag }) => tag === 0x77).length, 1500);
});

test("SessionOutbox sends data while fragments wait for a TAKEN", () => {
  const fixture = new Fixture();
  fixture.takes = false;
  fixture.write(0x78, 4 * MIB);
  fixture.sendAll();
  const pieces = () => fixture.rows.filter(({ tag }) => tag === TAG.FRAGMENT).length;
  const most = FLIGHT_BYTES_MAX / (32 * KIB);
  assertEquals(pieces(), most);
  for (let i = 0; i < 1000; i++) fixture.write(0x77, 100);
  fixture.sendAll();
  assertEquals([fixture.runs, pieces()], [["77×1000"], most]);
  assertEquals(fixture.outbox.taken(FLIGHT_BYTES_MAX + 1), false);
  fixture.take(64 * KIB);
  fixture.sendAll();
  assertEquals(pieces(), most + 2);
  fixture.takes = true;
  fixture.take();
  fixture.sendAll();
  assertEquals(fixture.runs, ["77×1000", "78×1"]);
});

for (const turns of [1, 300]) {
  test(`SessionOutbox sends no more data past a large frame than the peer's limit of held messages, in ${turns} turns`, () => {
    const fixture = new Fixture();
    // Runs twice, because messages that overtook the first large frame must not count for the
    // second.
    for (const round of [0, 1]) {
      const before = fixture.arrived.length;
      fixture.takes = false;
      fixture.write(0x78, 4 * MIB);
      for (let turn = 0; turn < turns; turn++) {
        for (let i = 0; i < 12_000 / turns; i++) fixture.write(0x77, 1000);
        fixture.flush();
        fixture.send();
      }
      fixture.sendAll();
      const passed = (fixture.arrived.length - before) * 1005;
      assert(passed >= PASSED_BYTES_MAX && passed < PASSED_BYTES_MAX + 64 * KIB, `${passed}`);
      fixture.takes = true;
      fixture.take();
      fixture.sendAll();
      assertEquals(fixture.runs.length, 3 + 2 * round);
      assertEquals([fixture.runs[1], fixture.arrived.length], ["78×1", before + 12_001]);
    }
  });
}

test("SessionOutbox drops and counts data frames over bytesMax, but not vital frames", () => {
  const fixture = new Fixture({ bytesMax: MIB });
  fixture.flush();
  let sent = 0;
  while (fixture.write(0x77, 995)) sent++;
  assertEquals([sent, fixture.outbox.dropped, fixture.outbox.unsent], [1048, 1, 1048 * 1000]);
  assertEquals(fixture.outbox.data(encodeFrame(0x78, new Uint8Array(995))), false);
  assertEquals(fixture.outbox.data(encodeFrame(0x78, new Uint8Array(50_000))), false);
  assertEquals(fixture.write(0x78, 50_000), false);
  assertEquals([fixture.outbox.dropped, fixture.outbox.unsent], [4, 1048 * 1000]);
  assert(fixture.write(0x79, 995, true));
  assert(fixture.write(0x7a, 200_000, true));
  fixture.sendAll();
  assertEquals(fixture.runs, ["77×1048", "79×1", "7a×1"]);
  assert(fixture.write(0x77, 995), "there is room after sending");
});

test("SessionOutbox applies bytesMax within one turn, and releases the memory of dropped frames", () => {
  const fixture = new Fixture({ bytesMax: MIB });
  let kept = 0;
  for (let i = 0; i < 1_000_000; i++) if (fixture.write(0x77, 20)) kept++;
  assertEquals(kept, Math.floor(MIB / 25));
  assertEquals([fixture.outbox.dropped, fixture.outbox.unsent], [1_000_000 - kept, kept * 25]);
  fixture.sendAll();
  assertEquals(fixture.arrived.length, kept);
});

test("SessionOutbox never sends a frame that the peer would reject, vital or not", () => {
  const fixture = new Fixture({ messageBytesMax: 100_000 });
  assert(fixture.write(0x77, 99_999));
  assertEquals(fixture.write(0x78, 100_000, true), false);
  assertEquals(fixture.outbox.data(encodeFrame(0x78, new Uint8Array(100_000))), false);
  assert(fixture.outbox.data(encodeFrame(0x77, new Uint8Array(99_999))));
  assertEquals(fixture.outbox.dropped, 2);
  fixture.sendAll();
  assertEquals(fixture.runs, ["77×2"]);
});

for (const how of ["vital", "control"] as const) {
  test(`SessionOutbox ends with overload at the end of the turn in which ${how} frames exceed VITAL_BYTES_MAX`, () => {
    const fixture = new Fixture({ bytesMax: MIB });
    const frame = encodeFrame(TAG.PING, new Uint8Array(20_000));
    const more = () =>
      how === "vital" ? fixture.write(0x77, 20_000, true) : fixture.outbox.control(frame);
    while (fixture.outbox.unsent <= MIB + VITAL_BYTES_MAX) more();
    assertEquals(fixture.received, []);
    assertEquals(fixture.write(0x77, 10, true), false);
    fixture.flush();
    assertEquals(fixture.received, ["overload"]);
    const slack = fixture.outbox.unsent - MIB - VITAL_BYTES_MAX;
    assert(slack <= frame.length, `${slack} bytes over it`);
  });
}

test("SessionOutbox.pressure is high above half of the limit, and is reported at the end of the turn", () => {
  const fixture = new Fixture({ bytesMax: MIB });
  while (fixture.outbox.unsent + 1000 <= MIB / 2) fixture.write(0x77, 995);
  fixture.flush();
  assertEquals([fixture.outbox.pressure.isHigh, fixture.received], [false, []]);
  fixture.write(0x77, 995);
  assertEquals([fixture.outbox.pressure.isHigh, fixture.received], [true, []]);
  fixture.flush();
  assertEquals(fixture.received, ["high"]);
  fixture.write(0x77, 995);
  fixture.flush();
  assertEquals(fixture.received, ["high"]);
});

test("SessionOutbox.pressure is high at once after a large frame, a shared frame or a control frame", () => {
  for (const how of ["large", "shared", "control"] as const) {
    const fixture = new Fixture({ bytesMax: MIB });
    if (how === "large") fixture.write(0x77, 600_000);
    else if (how === "shared") fixture.outbox.data(encodeFrame(0x77, new Uint8Array(600_000)));
    else fixture.outbox.control(encodeFrame(0x77, new Uint8Array(600_000)));
    assertEquals(fixture.outbox.pressure.isHigh, true, how);
    fixture.flush();
    assertEquals(fixture.received, ["high"], how);
  }
});

test("SessionOutbox.pressure stays high until the queue has fallen to an eighth of the limit", async () => {
  const fixture = new Fixture({ bytesMax: MIB });
  await fixture.outbox.pressure.drained();
  let drained = 0;
  while (fixture.write(0x77, 995));
  fixture.flush();
  const waiting = [1, 2].map(() => fixture.outbox.pressure.drained().then(() => drained++));
  for (let rounds = 0; fixture.outbox.unsent - fixture.stream.unsent > MIB / 8; rounds++) {
    assert(rounds < 100);
    assertEquals([fixture.outbox.pressure.isHigh, fixture.received.join()], [true, "high"]);
    fixture.send();
    await Promise.resolve();
    if (fixture.outbox.pressure.isHigh) assertEquals(drained, 0);
  }
  fixture.send();
  await Promise.all(waiting);
  assertEquals([fixture.outbox.pressure.isHigh, fixture.received.join()], [false, "high,low"]);
  await fixture.outbox.pressure.drained();
});

test("SessionOutbox.pressure does not report a rise and fall within one turn", () => {
  const fixture = new Fixture({ bytesMax: MIB });
  fixture.write(0x77, 600_000);
  assert(fixture.outbox.pressure.isHigh);
  fixture.outbox.pressure.at(0);
  fixture.flush();
  assertEquals(fixture.received, []);
});

test("SessionOutbox.end sends queued frames, then the last frame, and accepts no more", () => {
  const fixture = new Fixture();
  for (let i = 0; i < 1000; i++) fixture.write(0x77, 995);
  fixture.write(0x78, 2 * MIB);
  fixture.write(0x79, 10);
  // From now on, the peer sends no TAKEN.
  fixture.takes = false;
  fixture.outbox.end(encodeFrame(TAG.GOODBYE, new Uint8Array(1)));
  assertEquals(fixture.write(0x7a, 5, true), false);
  assertEquals(fixture.outbox.data(encodeFrame(0x7a)), false);
  fixture.outbox.control(encodeFrame(0x7a));
  fixture.outbox.end(encodeFrame(0x7a));
  assertEquals(fixture.stream.ended, false);
  fixture.sendAll();
  assertEquals(fixture.runs, ["77×1000", "79×1", "78×1", "20×1"]);
  assertEquals([fixture.stream.ended, fixture.outbox.dropped], [true, 0]);
});

test("SessionOutbox.end ends the stream at once if little is queued", () => {
  const fixture = new Fixture();
  fixture.write(0x77, 5);
  fixture.outbox.end(encodeFrame(TAG.GOODBYE, new Uint8Array(1)));
  assert(fixture.stream.ended);
  fixture.sendAll();
  assertEquals(fixture.runs, ["77×1", "20×1"]);
});

for (const how of ["close", "end"] as const) {
  test(`SessionOutbox.${how} resolves pending calls of drained, and reports no more changes of pressure`, async () => {
    const fixture = new Fixture({ bytesMax: MIB });
    while (fixture.write(0x77, 995));
    fixture.flush();
    const drained = fixture.outbox.pressure.drained();
    if (how === "close") fixture.outbox.close();
    else fixture.outbox.end(encodeFrame(TAG.GOODBYE, new Uint8Array(1)));
    await drained;
    fixture.sendAll();
    await fixture.outbox.pressure.drained();
    assertEquals(fixture.received, ["high"]);
  });
}

test("SessionOutbox.close drops queued frames and everything written later", () => {
  const fixture = new Fixture();
  for (let i = 0; i < 1000; i++) fixture.write(0x77, 995);
  fixture.write(0x78, 2 * MIB);
  fixture.flush();
  fixture.stream.send();
  fixture.write(0x77, 5);
  fixture.outbox.close();
  assertEquals(fixture.outbox.unsent, 0);
  assertEquals(fixture.write(0x79, 5, true), false);
  assertEquals(fixture.outbox.data(encodeFrame(0x79, new Uint8Array(50_000))), false);
  fixture.outbox.control(encodeFrame(0x79));
  fixture.outbox.end(encodeFrame(0x79));
  fixture.flush();
  fixture.send();
  fixture.take();
  assertEquals([fixture.arrived, fixture.outbox.unsent, fixture.stream.ended], [[], 0, false]);
});
