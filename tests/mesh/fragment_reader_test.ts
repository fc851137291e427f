import { assert, assertEquals } from "@std/assert";
import {
  BULK_BYTES_MIN,
  BULK_HEAD_BYTES,
  BULK_OPEN_MAX,
  encodeTaken,
  FLIGHT_BYTES_MAX,
  FRAGMENT_BYTES_MAX,
  FragmentWriter,
  TAKEN_BYTES_MIN,
} from "../../lib/mesh/fragment_writer.ts";
import {
  FragmentReader,
  IncompleteMessage,
  MESSAGE_BYTES_MAX,
} from "../../lib/mesh/fragment_reader.ts";
import { encodeFrame, FRAME_BYTES_MAX } from "../../lib/mesh/frame.ts";
import { TAG } from "../../lib/mesh/message.ts";
import { test } from "../kit/test.ts";
import { frameOf, hex, joined } from "./collector.ts";

/** Returns bytes whose values are derived from their positions. */
function counted(length: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => (i * 7 + (i >>> 8)) & 0xff);
}

/** Encodes the body of a BULK message. */
function bulk(number: number, length: number, head: Uint8Array): Uint8Array {
  const row = new Uint8Array(8);
  new DataView(row.buffer).setUint32(0, number, true);
  new DataView(row.buffer).setUint32(4, length, true);
  return joined(row, head);
}

/** Encodes the body of a FRAGMENT message. */
function fragment(number: number, bytes: Uint8Array): Uint8Array {
  return joined(bulk(number, 0, new Uint8Array(0)).subarray(0, 4), bytes);
}

/** Asserts that a message has begun or continued, and returns it. */
function arriving(result: IncompleteMessage | string): IncompleteMessage {
  assert(result instanceof IncompleteMessage, `${result}`);
  return result;
}

/** Returns all messages in which a frame is sent: its beginning and its fragments. */
function rowsOf(cut: FragmentWriter): Uint8Array[] {
  const rows = [cut.begin()];
  while (cut.left > 0) rows.push(joined(...cut.next()));
  return rows;
}

test("FragmentWriter writes BULK and FRAGMENT as the wire table specifies", () => {
  const frame = encodeFrame(TAG.SEND, counted(BULK_BYTES_MIN));
  const [begin, ...rest] = rowsOf(new FragmentWriter(0x01020304, frame)).map(frameOf);
  const length = BULK_BYTES_MIN + 1;
  assertEquals(begin!.tag, TAG.BULK);
  assertEquals(begin!.body.subarray(0, 9).toHex(), "040302010180000010");
  assertEquals(new DataView(begin!.body.buffer).getUint32(4, true), length);
  assertEquals(begin!.body.subarray(8), frame.subarray(4, 4 + BULK_HEAD_BYTES));
  assertEquals(rest.map(({ tag }) => tag), [TAG.FRAGMENT]);
  assertEquals(rest[0]!.body.subarray(0, 4).toHex(), "04030201");
  assertEquals(rest[0]!.body.subarray(4), frame.subarray(4 + BULK_HEAD_BYTES));
});

test("FragmentWriter counts down the remaining bytes, and writes no fragment over the limit", () => {
  const frame = encodeFrame(0x77, counted(3 * FRAGMENT_BYTES_MAX + 600));
  const cut = new FragmentWriter(1, frame);
  assertEquals(cut.left, frame.length - 4);
  cut.begin();
  assertEquals(cut.left, frame.length - 4 - BULK_HEAD_BYTES);
  const lengths: number[] = [];
  while (cut.left > 0) lengths.push(cut.next()[1].length);
  assertEquals(lengths, [FRAGMENT_BYTES_MAX, FRAGMENT_BYTES_MAX, FRAGMENT_BYTES_MAX, 89]);
});

test("encodeTaken writes TAKEN as the wire table specifies", () => {
  assertEquals(encodeTaken(0x01020304).toHex(), "050000002f04030201");
});

test("FragmentReader reassembles FragmentWriter's output for all lengths near the limits", () => {
  const borders = [BULK_BYTES_MIN + 1, FRAGMENT_BYTES_MAX + BULK_HEAD_BYTES, 200_000];
  for (const border of borders) {
    for (let length = border - 2; length <= border + 2; length++) {
      if (length <= BULK_BYTES_MIN) continue;
      const body = counted(length - 1);
      const rows = rowsOf(new FragmentWriter(9, encodeFrame(0x77, body))).map(frameOf);
      const fragments = new FragmentReader(MESSAGE_BYTES_MAX);
      const first = arriving(fragments.begin(rows[0]!.body));
      assertEquals([first.tag, first.number, first.length], [0x77, 9, length]);
      assertEquals(first.body, body.subarray(0, BULK_HEAD_BYTES - 1));
      for (const [index, row] of rows.slice(1).entries()) {
        assertEquals(first.isWhole, false);
        assertEquals(fragments.count, 1);
        assert(arriving(fragments.add(row.body)) === first);
        assertEquals(first.isWhole, index === rows.length - 2);
      }
      assertEquals(first.tag, 0x77);
      assertEquals(first.body, body);
      assertEquals([fragments.count, fragments.bytes], [0, 0]);
    }
  }
});

test("FragmentReader copies bytes whose buffer the host reuses", () => {
  const fragments = new FragmentReader(1000);
  const rows = [bulk(1, 6, hex("770102")), fragment(1, hex("0304")), fragment(1, hex("05"))];
  const one = arriving(fragments.begin(rows[0]!));
  rows[0]!.fill(0xee);
  for (const row of rows.slice(1)) {
    fragments.add(row);
    row.fill(0xee);
  }
  assertEquals(one.body.toHex(), "0102030405");
});

test("FragmentReader reads interleaved messages, and allows the number of a complete message to be reused", () => {
  const fragments = new FragmentReader(1000);
  const one = arriving(fragments.begin(bulk(1, 4, hex("7701"))));
  const two = arriving(fragments.begin(bulk(0xffff_ffff, 5, hex("7802"))));
  fragments.add(fragment(1, hex("11")));
  fragments.add(fragment(0xffff_ffff, hex("222222")));
  assertEquals([one.isWhole, two.isWhole, fragments.count], [false, true, 1]);
  const three = arriving(fragments.begin(bulk(0xffff_ffff, 2, hex("79"))));
  fragments.add(fragment(0xffff_ffff, hex("33")));
  fragments.add(fragment(1, hex("11")));
  assertEquals([one, two, three].map(({ tag, body }) => [tag, body.toHex()]), [
    [0x77, "011111"],
    [0x78, "02222222"],
    [0x79, "33"],
  ]);
});

/** Invalid frames after `BULK 1`, which began a message of 6 bytes with its first 2. */
const VIOLATIONS:
  readonly (readonly [rule: string, what: (fragments: FragmentReader) => unknown])[] = [
    ["a BULK that is too short", (f) => f.begin(hex("02000000 05000000"))],
    ["a BULK that is too short", (f) => f.begin(hex(""))],
    ["a message of more than 1000 bytes", (f) => f.begin(bulk(2, 1001, hex("7701")))],
    ["a message of more than 1000 bytes", (f) => f.begin(bulk(2, 0xffff_ffff, hex("7701")))],
    ["a BULK that leaves nothing for fragments", (f) => f.begin(bulk(2, 2, hex("7701")))],
    ["a BULK that leaves nothing for fragments", (f) => f.begin(bulk(2, 0, hex("7701")))],
    ["a BULK whose number is in use", (f) => f.begin(bulk(1, 10, hex("7701")))],
    ["a FRAGMENT that is too short", (f) => f.add(hex("01000000"))],
    ["a FRAGMENT that is too short", (f) => f.add(hex(""))],
    ["a FRAGMENT of a message that has not begun", (f) => f.add(fragment(2, hex("01")))],
    [
      "a FRAGMENT beyond the end of its message",
      (f) => f.add(fragment(1, hex("0102030405"))),
    ],
    ["a FRAGMENT of a message that has not begun", (f) => {
      arriving(f.add(fragment(1, hex("01020304"))));
      return f.add(fragment(1, hex("05")));
    }],
  ];

for (const rule of new Set(VIOLATIONS.map(([rule]) => rule))) {
  test(`FragmentReader rejects ${rule}`, () => {
    for (const [violated, what] of VIOLATIONS) {
      if (violated !== rule) continue;
      const fragments = new FragmentReader(1000);
      arriving(fragments.begin(bulk(1, 6, hex("7701"))));
      assertEquals(what(fragments), rule);
    }
  });
}

test("FragmentReader rejects only fragments of messages that must not be fragmented", () => {
  const whole = Uint8Array.fromHex("0102030405121b1c1d2028292a2b2c2d2e2ff0f1");
  for (let tag = 0; tag <= 0xff; tag++) {
    const result = new FragmentReader(1000).begin(bulk(1, 10, new Uint8Array([tag, 0])));
    assertEquals(typeof result === "string", whole.includes(tag), `0x${tag.toString(16)}`);
    if (typeof result === "string") {
      assertEquals(
        result,
        `a fragmented message of a kind that is never split: 0x${tag.toString(16)}`,
      );
    }
  }
});

test("FragmentReader accepts a message of exactly the limit", () => {
  assert(MESSAGE_BYTES_MAX > FRAME_BYTES_MAX, "16 MiB have a tag and an addressee");
  assert(new FragmentReader(1000).begin(bulk(1, 1000, hex("7701"))) instanceof IncompleteMessage);
});

test("FragmentReader limits the number of incomplete messages", () => {
  const fragments = new FragmentReader(1000);
  for (let i = 0; i < BULK_OPEN_MAX; i++) arriving(fragments.begin(bulk(i, 9, hex("77"))));
  const one = bulk(BULK_OPEN_MAX, 9, hex("77"));
  assertEquals(fragments.begin(one), `more than ${BULK_OPEN_MAX} incomplete messages`);
  fragments.add(fragment(5, new Uint8Array(8)));
  arriving(fragments.begin(one));
});

test("FragmentReader allocates no memory for announced bytes that have not arrived", () => {
  const fragments = new FragmentReader(MESSAGE_BYTES_MAX);
  for (let i = 0; i < BULK_OPEN_MAX; i++) {
    arriving(fragments.begin(bulk(i, MESSAGE_BYTES_MAX, hex("7701"))));
  }
  assertEquals(fragments.bytes, 2 * BULK_OPEN_MAX);
});

test("FragmentReader allocates at most four times the received bytes, and at most the announced length", () => {
  const fragments = new FragmentReader(MESSAGE_BYTES_MAX);
  const length = 5_000_000;
  const one = arriving(fragments.begin(bulk(1, length, hex("7701"))));
  const row = fragment(1, new Uint8Array(10_000));
  while (length - one.at > 10_000) {
    assert(fragments.add(row) === one);
    assertEquals(fragments.bytes, one.bytes.length);
    assert(one.bytes.length <= Math.min(length, 4 * one.at), `${one.bytes.length} for ${one.at}`);
  }
});

test("FragmentReader limits the memory of all incomplete messages together", () => {
  const fragments = new FragmentReader(10_000);
  const limit = 40_000 + BULK_OPEN_MAX * BULK_HEAD_BYTES;
  let added = 0;
  let refused: unknown;
  for (let i = 0; i < BULK_OPEN_MAX && refused === undefined; i++) {
    const result = fragments.begin(bulk(i, 10_000, new Uint8Array(5000).fill(0x77)));
    if (typeof result === "string") refused = result;
    else added += 5000;
  }
  assertEquals(refused, `incomplete messages of more than ${limit} bytes together`);
  assert(added <= limit && added > limit - 5000, `${added}`);
  // An incomplete message that grows over the limit is rejected too.
  const others = new FragmentReader(10_000);
  for (let i = 0; i < 100; i++) arriving(others.begin(bulk(i, 10_000, hex("7701"))));
  let last: unknown;
  for (let i = 0; i < 100 && typeof last !== "string"; i++) {
    last = others.add(fragment(i, new Uint8Array(9000)));
  }
  assertEquals(last, `incomplete messages of more than ${limit} bytes together`);
});

test("FragmentReader accepts any number of messages sent one after another", () => {
  const fragments = new FragmentReader(40_000);
  for (let i = 0; i < BULK_OPEN_MAX; i++) {
    const head = new Uint8Array(BULK_HEAD_BYTES).fill(0x77);
    arriving(fragments.begin(bulk(i, 40_000, head)));
  }
  for (let i = 0; i < BULK_OPEN_MAX; i++) {
    for (let left = 40_000 - BULK_HEAD_BYTES; left > 0;) {
      const length = Math.min(left, 10_000);
      arriving(fragments.add(fragment(i, new Uint8Array(length))));
      left -= length;
    }
  }
  assertEquals([fragments.count, fragments.bytes], [0, 0]);
});

test("FragmentReader.takeUnacknowledged returns the received byte count in portions that keep a sender running", () => {
  assert(
    TAKEN_BYTES_MIN <= FLIGHT_BYTES_MAX - FRAGMENT_BYTES_MAX,
    "otherwise a sender would wait forever",
  );
  const fragments = new FragmentReader(MESSAGE_BYTES_MAX);
  fragments.begin(bulk(1, 1_000_000, hex("7701")));
  const received: number[] = [];
  let added = 0;
  for (; added < 300_000; added += 1000) {
    fragments.add(fragment(1, new Uint8Array(1000)));
    const untold = fragments.takeUnacknowledged();
    if (untold > 0) received.push(untold);
  }
  assertEquals(received, [132_000, 132_000]);
  assertEquals(fragments.takeUnacknowledged(), 0);
});

test("FragmentReader.clear drops incomplete messages", () => {
  const fragments = new FragmentReader(1000);
  fragments.begin(bulk(1, 9, hex("7701")));
  fragments.clear();
  assertEquals([fragments.count, fragments.bytes], [0, 0]);
  assertEquals(fragments.add(fragment(1, hex("01"))), "a FRAGMENT of a message that has not begun");
});
