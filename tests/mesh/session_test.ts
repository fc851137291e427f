import { assert, assertEquals } from "@std/assert";
import {
  Session,
  type SessionHandler,
  type SessionHost,
  type SessionLimits,
} from "../../lib/mesh/session.ts";
import { BULK_BYTES_MIN, encodeTaken } from "../../lib/mesh/fragment_writer.ts";
import { MESSAGE_BYTES_MAX } from "../../lib/mesh/fragment_reader.ts";
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from "../../lib/mesh/frame.ts";
import { HELD_BYTES_MAX } from "../../lib/mesh/holdback_queue.ts";
import { dispatch } from "../../lib/mesh/dispatch.ts";
import { encodeList, encodeRoomBroadcast, TAG } from "../../lib/mesh/message.ts";
import { test, until } from "../kit/test.ts";
import { hex, joined } from "./collector.ts";
import { metAs } from "./peer_info.ts";
import { type Wire, withWire } from "./wire.ts";

const MET = metAs("far@h:1");

const LIMITS: SessionLimits = { quietMs: 60_000, deadlineMs: 120_000, queueBytesMax: 1 << 20 };

/** Records the callbacks of a session. */
class Owner implements SessionHandler {
  readonly overs: string[] = [];
  words = "";
  readonly lists: (readonly string[])[] = [];
  readonly broadcasts: string[] = [];
  /** The received test messages: number if fragmented, key, content and length. */
  readonly rows: string[] = [];
  readonly received: string[] = [];

  message(
    session: Session,
    tag: number,
    body: Uint8Array,
    bulk?: number,
  ): string | undefined {
    if (tag === ROW) return this.#row(session, body, bulk);
    const owner = {
      peerList: (names: readonly string[]) => void this.lists.push(names),
      exposed: () => {},
      roomSink: {
        roomMessage: (room: string, message: Uint8Array, text: boolean, from: string) =>
          void this.broadcasts.push(`${from} ${room} ${text} ${message.toHex()}`),
      },
    };
    return dispatch(session, { owner, actors: undefined }, tag, body, bulk !== undefined);
  }

  begin(_session: Session, tag: number, head: Uint8Array): number | undefined {
    return tag === ROW && head[0] !== 0 ? head[0] : undefined;
  }

  pressure(_session: Session, high: boolean): void {
    this.received.push(high ? "high" : "low");
  }

  over(_session: Session, end: string, words: string): void {
    this.overs.push(end);
    this.words = words;
  }

  /** Decodes a test message: one byte for the key, one for the content, then padding. */
  #row({ holds }: Session, body: Uint8Array, bulk: number | undefined): string | undefined {
    const key = body[0]!;
    const run = () => void this.rows.push(line);
    const line = `${bulk === undefined ? "" : `bulk ${bulk}: `}${key} ${body[1]} ${body.length}`;
    if (body[1] === 0xff) return "an invalid test message";
    if (bulk === undefined && holds.isHeld(key)) {
      return holds.hold(key, body.length, run) ? undefined : "too much to hold";
    }
    run();
    return undefined;
  }
}

/** An unassigned tag, which the tests use for their own messages. */
const ROW = 0x77;

/** Encodes a BULK with a test message: number, length of tag and body, key, content. */
function bulk(number: number, length: number, key: number, what: number): Uint8Array {
  const body = new Uint8Array(11);
  const view = new DataView(body.buffer);
  view.setUint32(0, number, true);
  view.setUint32(4, length, true);
  body.set([ROW, key, what], 8);
  return encodeFrame(TAG.BULK, body);
}

/** Encodes a FRAGMENT with this many bytes. */
function fragment(number: number, length: number): Uint8Array {
  const body = new Uint8Array(4 + length);
  new DataView(body.buffer).setUint32(0, number, true);
  return encodeFrame(TAG.FRAGMENT, body);
}

/** Encodes a small test message. */
function small(key: number, what: number, length = 2): Uint8Array {
  const body = new Uint8Array(length);
  body.set([key, what]);
  return encodeFrame(ROW, body);
}

interface Open extends Wire {
  readonly session: Session;
  readonly owner: Owner;
}

/** Returns a host that counts the messages between two yields to I/O, instead of measuring time. */
function countingTurns(host: SessionHost, owner: { readonly count: number }): {
  readonly host: SessionHost;
  readonly turns: number[];
} {
  const turns: number[] = [];
  let before = 0;
  return {
    turns,
    host: {
      clock: host.clock,
      atFlush: (task) => host.atFlush(task),
      yieldToIo: (task) => {
        turns.push(owner.count - before);
        before = owner.count;
        host.yieldToIo(task);
      },
    },
  };
}

/** Runs `body` with a session on one end of a wire, without a handshake. */
async function withSession(
  body: (open: Open) => Promise<void>,
  limits: Partial<SessionLimits> = {},
): Promise<void> {
  await withWire(async (wire, host) => {
    const owner = new Owner();
    const opened = { stream: wire.near, reader: new FrameReader(4096) };
    const session = new Session(
      MET,
      false,
      opened,
      owner,
      { ...LIMITS, ...limits },
      1000,
      host,
    );
    await body({ ...wire, session, owner });
  });
}

/**
 * Asserts that an action of the peer ends the session as "protocol" with this text, and closes the
 * connection.
 */
async function assertBreaks(what: (open: Open) => void, words: string): Promise<void> {
  await withSession(async (open) => {
    what(open);
    await until("the session has ended", () => open.owner.overs.length > 0);
    assertEquals([open.owner.overs, open.owner.words], [["protocol"], words]);
    assert(open.session.isOver);
    await until("the connection is closed", () => open.far.isOver);
    // Frames that arrive after the violation are ignored.
    assertEquals(open.owner.broadcasts, []);
  });
}

test("Session answers a PING with its 8 bytes only", async () => {
  await withSession(async ({ far, owner }) => {
    far.send(TAG.PING, hex("0102030405060708"));
    far.send(TAG.PING, hex("1112131415161718 19"));
    await until("both pings are answered", () => far.frames.length === 2);
    assertEquals(far.tags, [TAG.PONG, TAG.PONG]);
    assertEquals(far.frames.map(({ body }) => body.toHex()), [
      "0102030405060708",
      "1112131415161718",
    ]);
    assertEquals(owner.overs, []);
  });
});

test("Session answers every PING of a peer that reads the PONGs", async () => {
  await withSession(async ({ far }) => {
    const pings = joined(...new Array(1000).fill(encodeFrame(TAG.PING, new Uint8Array(8))));
    for (let round = 1; round <= 12; round++) {
      far.write(pings);
      await until("all pings are answered", () => far.frames.length === 1000 * round);
    }
  });
});

test("Session skips PONGs, empty frames and unknown tags", async () => {
  await withSession(async ({ far, owner }) => {
    const known = new Set<number>([...Object.values(TAG), ROW]);
    for (let tag = 0; tag <= 0xff; tag++) {
      if (!known.has(tag)) far.send(tag, hex("ffffffffffff"));
    }
    for (const body of ["", "01", "0102030405060708ff"]) far.send(TAG.PONG, hex(body));
    far.write(hex("00000000 00000000"));
    far.write(encodeRoomBroadcast("r", "x"));
    await until("the message after them has arrived", () => owner.broadcasts.length > 0);
    assertEquals(owner.broadcasts, ["far@h:1 r true 78"]);
    assertEquals(owner.overs, []);
  });
});

for (const name of ["NAME", "CHALLENGE", "REPLY", "ACK", "REJECT"] as const) {
  test(`Session ends with the reason "protocol" on a ${name} after the handshake`, async () => {
    for (const body of [hex(""), hex("0000"), new Uint8Array(200)]) {
      await assertBreaks(
        ({ far }) => far.write(encodeFrame(TAG[name], body), encodeRoomBroadcast("r", "x")),
        "it sent a message of the handshake, after it",
      );
    }
  });
}

/** Violations, and the rule that each violates. */
const VIOLATIONS: readonly (readonly [what: string, frame: Uint8Array, rule: string])[] = [
  ["a short PING", encodeFrame(TAG.PING, hex("01020304050607")), "a PING that is too short"],
  ["an empty PING", encodeFrame(TAG.PING), "a PING that is too short"],
  ["an empty GOODBYE", encodeFrame(TAG.GOODBYE), "a GOODBYE without a reason"],
  ["a truncated PEER_LIST", encodeFrame(TAG.PEER_LIST, hex("0100 05")), "a malformed PEER_LIST"],
  [
    "a PEER_LIST with an invalid name",
    encodeFrame(TAG.PEER_LIST, encodeList(["a@h:1", "b"])),
    "a PEER_LIST with something that is no node name",
  ],
  [
    "a PEER_LIST with a name that is not normalised",
    encodeFrame(TAG.PEER_LIST, encodeList(["a@H:1"])),
    "a PEER_LIST with something that is no node name",
  ],
  [
    "a truncated ROOM_BROADCAST",
    encodeFrame(TAG.ROOM_BROADCAST, hex("0100 72 02000000 41")),
    "a malformed ROOM_BROADCAST",
  ],
  [
    "a ROOM_BROADCAST with an empty room name",
    encodeFrame(TAG.ROOM_BROADCAST, hex("0000 00000000")),
    "a malformed ROOM_BROADCAST",
  ],
  [
    "a ROOM_BROADCAST that is not UTF-8",
    encodeFrame(TAG.ROOM_BROADCAST, hex("0100 72 02000000 c328")),
    "a ROOM_BROADCAST that is not UTF-8",
  ],
  [
    "a truncated ROOM_BROADCAST_BINARY",
    encodeFrame(TAG.ROOM_BROADCAST_BINARY, hex("0100 72 ffffffff")),
    "a malformed ROOM_BROADCAST",
  ],
];

/** The same violations for fragments. */
const FRAGMENT_VIOLATIONS: typeof VIOLATIONS = [
  ["an empty BULK", encodeFrame(TAG.BULK), "a BULK that is too short"],
  ["an empty FRAGMENT", encodeFrame(TAG.FRAGMENT), "a FRAGMENT that is too short"],
  ["a FRAGMENT without a BULK", fragment(1, 5), "a FRAGMENT of a message that has not begun"],
  [
    "a BULK over the limit",
    bulk(1, MESSAGE_BYTES_MAX + 1, 1, 1),
    `a message of more than ${MESSAGE_BYTES_MAX} bytes`,
  ],
  [
    "an invalid large frame",
    joined(bulk(1, 10, 0, 0xff), fragment(1, 7)),
    "an invalid test message",
  ],
  [
    "an invalid large frame that was held back",
    joined(bulk(1, 10, 1, 1), bulk(2, 10, 1, 0xff), fragment(2, 7), fragment(1, 7)),
    "an invalid test message",
  ],
  ["a short TAKEN", encodeFrame(TAG.TAKEN, hex("000000")), "a TAKEN that is too short"],
  ["a TAKEN of bytes that were not sent", encodeTaken(1), "a TAKEN of more than was sent"],
];

for (const [what, frame, rule] of [...VIOLATIONS, ...FRAGMENT_VIOLATIONS]) {
  test(`Session ends as "protocol" at ${what}, and ignores all later frames`, async () => {
    await assertBreaks(
      ({ far }) => far.write(frame, encodeRoomBroadcast("r", "x")),
      `it sent ${rule}`,
    );
  });
}

test("Session passes on binary room messages that are not UTF-8", async () => {
  await withSession(async ({ far, owner }) => {
    far.write(encodeRoomBroadcast("r", hex("c328")));
    await until("the message has arrived", () => owner.broadcasts.length > 0);
    assertEquals(owner.broadcasts, ["far@h:1 r false c328"]);
  });
});

test('Session passes on a frame of exactly the limit, and ends as "protocol" at a longer frame', async () => {
  await withSession(async ({ far, owner }) => {
    const room = "r".repeat(255);
    const most = encodeRoomBroadcast(room, new Uint8Array(FRAME_BYTES_MAX - 1 - 2 - 255 - 4));
    assertEquals(most.length, 4 + FRAME_BYTES_MAX);
    far.write(most);
    await until("the message has arrived", () => owner.broadcasts.length > 0);
    assertEquals(owner.overs, []);
  });
  await assertBreaks(
    ({ far }) => far.write(hex("01000001 1e 00"), encodeRoomBroadcast("r", "x")),
    `it sent a frame of more than ${FRAME_BYTES_MAX} bytes`,
  );
});

for (const [body, reason] of [["01", "shutdown"], ["02", "disconnected"], ["99", "shutdown"]]) {
  test(`Session ends as "${reason}" at GOODBYE ${body}, and ignores all later frames`, async () => {
    await withSession(async ({ far, owner }) => {
      far.write(encodeFrame(TAG.GOODBYE, hex(body!)), encodeRoomBroadcast("r", "x"));
      await until("the session has ended", () => owner.overs.length > 0);
      assertEquals([owner.overs, owner.broadcasts], [[reason!], []]);
      await until("the connection is closed", () => far.isOver);
    });
  });
}

test("Session.goodbye sends the queued frames and the reason, and resolves when the peer closes", async () => {
  await withSession(async ({ session, far, owner }) => {
    for (let i = 0; i < 100; i++) session.sendData(encodeRoomBroadcast("r", `${i}`));
    let gone = false;
    const leaving = session.goodbye("disconnected").then(() => gone = true);
    assertEquals([owner.overs, session.isOver], [["disconnected"], true]);
    await until("all frames have arrived", () => far.ended);
    assertEquals(far.tags, [...new Array(100).fill(TAG.ROOM_BROADCAST), TAG.GOODBYE]);
    assertEquals(far.frames.at(-1)!.body.toHex(), "02");
    assertEquals(gone, false);
    far.stream.end();
    await leaving;
    await session.goodbye("shutdown");
    assertEquals(owner.overs, ["disconnected"]);
  });
});

test("Session.goodbye waits at most a second for a peer that does not close", async () => {
  await withSession(async ({ session, far }) => {
    const from = performance.now();
    await session.goodbye("shutdown");
    assert(performance.now() - from >= 900);
    assert(far.ended);
  });
});

test('Session ends as "closed" when the peer closes or vanishes', async () => {
  for (const how of ["end", "abort"] as const) {
    await withSession(async ({ far, owner }) => {
      far.stream[how]();
      await until("the session has ended", () => owner.overs.length > 0);
      assertEquals(owner.overs, ["closed"]);
    });
  }
});

test("Session.abort ends the session once", async () => {
  await withSession(async ({ session, far, owner }) => {
    session.abort("restarted", "a later incarnation");
    session.abort("closed", "again");
    await until("the connection is closed", () => far.isOver);
    assertEquals([owner.overs, owner.words], [["restarted"], "a later incarnation"]);
  });
});

test("Session drops and counts data over queueBytesMax, and still sends control frames", async () => {
  await withSession(async ({ session, far }) => {
    far.stream.pause();
    const data = encodeRoomBroadcast("r", "x".repeat(1000));
    let sent = 0;
    while (session.sendData(data)) sent++;
    assert(sent * data.length <= 1 << 20);
    assert((sent + 1) * data.length > 1 << 20);
    assertEquals(session.dropped, 1);
    for (let i = 0; i < 10; i++) assertEquals(session.sendData(data), false);
    assertEquals(session.dropped, 11);
    const before = session.unsent;
    session.sendControl(encodeFrame(TAG.PEER_LIST, encodeList(["a@h:1"])));
    assert(session.unsent > before);
    far.stream.resume();
    await until(
      "all frames that were not dropped have arrived",
      () => far.frames.length === sent + 1,
    );
    assertEquals(far.tags.filter((tag) => tag === TAG.ROOM_BROADCAST).length, sent);
    const place = far.tags.indexOf(TAG.PEER_LIST);
    assert(place * data.length < 512 * 1024, `control frame ${place} of ${sent}`);
    assert(session.sendData(data), "there is room after sending");
    assertEquals(session.dropped, 11);
  });
});

test("Session drops a frame larger than the limit of its queue", async () => {
  await withSession(async ({ session, far }) => {
    assertEquals(session.sendData(encodeRoomBroadcast("r", "x".repeat(1 << 20))), false);
    assertEquals([session.dropped, session.unsent], [1, 0]);
    assert(session.sendData(encodeRoomBroadcast("r", "x")));
    await until("the next frame has arrived", () => far.frames.length === 1);
  });
});

test("Session limits the memory used for pings of a peer that does not read", async () => {
  await withSession(async ({ session, far, owner }) => {
    far.stream.pause();
    const ping = encodeFrame(TAG.PING, new Uint8Array(8));
    const flood = joined(...new Array(5000).fill(ping));
    const last = encodeRoomBroadcast("r", "x");
    let most = 0;
    for (let round = 0; round < 100; round++) {
      far.write(flood, last);
      await until("the frame was read", () => owner.broadcasts.length > round);
      most = Math.max(most, session.unsent);
    }
    // The peer has requested 6.5 MB of PONGs. The buffers of the operating system are not counted.
    assert(most < 64 * 1024 + ping.length, `${most} bytes`);
    assertEquals(owner.overs, []);
  });
});

test("Session ends if the peer neither reads nor sends, even while frames are queued", async () => {
  await withSession(async ({ session, far, owner }) => {
    far.stream.pause();
    while (session.sendData(encodeRoomBroadcast("r", "x".repeat(60_000))));
    // The operating system buffers some of the data; the loop continues until its buffers are full.
    await until("the queue does not shrink", async () => {
      await new Promise((wake) => setTimeout(wake, 5));
      return !session.sendData(encodeRoomBroadcast("r", "x".repeat(60_000)));
    });
    const from = performance.now();
    for (let ms = 0; ms <= 120_000 && !session.isOver; ms += 1000) session.tick(from + ms);
    assertEquals([owner.overs, owner.words], [["timeout"], "nothing was received for 120000 ms"]);
    assertEquals(session.unsent, 0);
  });
});

test("Session pings a silent peer with a new number each time", async () => {
  await withSession(async ({ session, far, owner }) => {
    let now = performance.now();
    const silence = (ms: number) => {
      for (const end = now + ms; now < end; now += 1000) session.tick(now);
    };
    silence(62_000);
    await until("a ping has arrived", () => far.frames.length === 1);
    assertEquals(far.frames[0]!.body.toHex(), "0100000000000000");
    far.send(0x77); // of a later version
    far.write(encodeRoomBroadcast("r", "x"));
    await until("the frame was received", () => owner.broadcasts.length === 1);
    silence(62_000);
    await until("another ping has arrived", () => far.frames.length === 2);
    assertEquals(far.frames[1]!.body.toHex(), "0200000000000000");
    assertEquals(far.tags, [TAG.PING, TAG.PING]);
    assertEquals(owner.overs, []);
  });
});

/** Runs `body` with two sessions, one on each end of a wire. */
async function withPair(
  body: (near: Session, far: Session, there: Owner, here: Owner) => Promise<void>,
  limits: Partial<SessionLimits> = {},
): Promise<void> {
  await withWire(async ({ near, far }, host) => {
    const owners = [new Owner(), new Owner()];
    const [here, there] = [near, far.stream].map((stream, index) => {
      const opened = { stream, reader: new FrameReader(4096) };
      const all = { ...LIMITS, queueBytesMax: 64 << 20, ...limits };
      return new Session(MET, false, opened, owners[index]!, all, 1000, host);
    });
    await body(here!, there!, owners[1]!, owners[0]!);
    // The session has replaced the handler that reports the end of the stream.
    far.closed = { kind: "closed" };
  });
}

/** Sends a test message, as messages between actors are sent. */
function sendRow({ outbox }: Session, key: number, what: number, length = 2): boolean {
  const out = outbox.begin(ROW);
  out.reserve(length);
  out.bytes[out.at] = key;
  out.bytes[out.at + 1] = what;
  out.at += length;
  return outbox.commit(false);
}

test("Session passes on a fragmented message, with its number, when it is complete", async () => {
  await withSession(async ({ far, owner }) => {
    far.write(bulk(5, 10, 0, 1), small(0, 2), fragment(5, 3), small(0, 3), fragment(5, 4));
    await until("all messages have arrived", () => owner.rows.length === 3);
    assertEquals(owner.rows, ["0 2 2", "0 3 2", "bulk 5: 0 1 9"]);
  });
});

test("Session holds only messages to the receiver of an incomplete large frame", async () => {
  await withSession(async ({ session, far, owner }) => {
    far.write(bulk(1, 10, 9, 1), small(9, 2), small(8, 3), bulk(2, 10, 9, 4), small(9, 5));
    await until("the message to another receiver has arrived", () => owner.rows.length === 1);
    assertEquals([owner.rows, session.holds.count], [["8 3 2"], 1]);
    far.write(fragment(2, 7), small(8, 6));
    await until("the next message to another receiver has arrived", () => owner.rows.length === 2);
    far.write(fragment(1, 7), small(9, 7));
    await until("all messages have arrived", () => owner.rows.length === 7);
    assertEquals(owner.rows.slice(2), [
      "bulk 1: 9 1 9",
      "9 2 2",
      "bulk 2: 9 4 9",
      "9 5 2",
      "9 7 2",
    ]);
    assertEquals([session.holds.count, session.holds.bytes], [0, 0]);
  });
});

test('Session ends as "protocol" if it would have to hold back too many messages', async () => {
  await withSession(async ({ far, owner }) => {
    far.write(bulk(1, 10, 9, 1));
    for (let sent = 0; sent <= HELD_BYTES_MAX; sent += 1_000_000) far.write(small(9, 2, 1_000_000));
    await until("the session has ended", () => owner.overs.length > 0);
    assertEquals([owner.overs, owner.words], [["protocol"], "it sent too much to hold"]);
  });
});

for (const how of ["abort", "goodbye"] as const) {
  test(`Session.${how} drops held messages`, async () => {
    await withSession(async ({ session, far, owner }) => {
      far.write(bulk(1, 10, 9, 1), small(9, 2), small(8, 3));
      await until("the message to another receiver has arrived", () => owner.rows.length === 1);
      if (how === "abort") session.abort("disconnected", "enough");
      else void session.goodbye("shutdown");
      assertEquals([session.holds.count, owner.rows.length], [0, 1]);
      far.write(fragment(1, 7));
      far.stream.end();
      await until("the connection is closed", () => far.isOver);
      assertEquals(owner.rows.length, 1);
    });
  });
}

test("Session transfers large and small frames in both directions unchanged", async () => {
  await withPair(async (near, far, there, here) => {
    const lengths = [2, 50, BULK_BYTES_MIN - 1, BULK_BYTES_MIN, 100_000, 3_000_000];
    for (let i = 0; i < 60; i++) {
      for (const session of [near, far]) {
        assert(sendRow(session, 1 + i % 3, i, lengths[i % lengths.length]));
      }
      if (i % 7 === 0) await new Promise((wake) => setTimeout(wake, 0));
    }
    for (const owner of [here, there]) {
      await until("all messages have arrived", () => owner.rows.length === 60);
      for (const key of [1, 2, 3]) {
        const order = owner.rows.map((line) => line.replace(/^bulk \d+: /, "").split(" "))
          .filter(([to]) => to === `${key}`).map(([, what]) => Number(what));
        assertEquals(order, Array.from({ length: 20 }, (_, i) => 3 * i + key - 1));
      }
      assertEquals(owner.overs, []);
    }
    assertEquals([near.dropped, far.dropped, near.holds.count, far.holds.count], [0, 0, 0, 0]);
  });
});

test("Session sends small frames between the fragments of a large frame", async () => {
  await withPair(async (near, _far, there) => {
    sendRow(near, 1, 1, FRAME_BYTES_MAX);
    for (let i = 0; i < 100; i++) sendRow(near, 2, i);
    await until("all messages have arrived", () => there.rows.length === 101);
    assertEquals(there.rows.at(-1), `bulk 0: 1 1 ${FRAME_BYTES_MAX}`);
  });
});

test("Session drops a message that exceeds the maximum length, and sends other messages", async () => {
  await withPair(async (near, _far, there) => {
    assert(sendRow(near, 1, 1, 99_999));
    assertEquals(sendRow(near, 1, 2, 100_000), false);
    assert(sendRow(near, 1, 3));
    await until("the other messages have arrived", () => there.rows.length === 2);
    assertEquals(there.rows, ["bulk 0: 1 1 99999", "1 3 2"]);
  }, { messageBytesMax: 100_000 });
});

test('Session ends as "protocol" when it receives a message that exceeds the maximum length', async () => {
  await withSession(async ({ far, owner }) => {
    far.write(bulk(1, 1001, 1, 1));
    await until("the session has ended", () => owner.overs.length > 0);
    assertEquals(owner.words, "it sent a message of more than 1000 bytes");
  }, { messageBytesMax: 1000 });
});

test("Session.drained resolves when Session.pressure is no longer high", async () => {
  await withSession(async ({ session, far, owner }) => {
    const limit = 1 << 20;
    assertEquals(session.pressure(), { queued: 0, limit, dropped: 0, high: false });
    far.stream.pause();
    // The operating system buffers some of the data; the loop continues until the queue stays full.
    let dropped = 0;
    await until("the queue does not shrink", async () => {
      while (sendRow(session, 1, 1, 1000));
      dropped++;
      await new Promise((wake) => setTimeout(wake, 5));
      return session.pressure().queued > limit - 2000;
    });
    const { queued, high } = session.pressure();
    assert(queued <= limit && high);
    assertEquals([session.pressure().dropped, owner.received.at(-1)], [dropped, "high"]);
    const drained = session.drained();
    far.stream.resume();
    await drained;
    assert(session.pressure().queued <= limit / 8 && !session.pressure().high);
    await until("the owner was notified", () => owner.received.at(-1) === "low");
    await session.drained();
  });
});

test("Session.drained resolves when the session has ended", async () => {
  for (const how of ["abort", "goodbye"] as const) {
    await withSession(async ({ session, far }) => {
      far.stream.pause();
      while (sendRow(session, 1, 1, 1000));
      const drained = session.drained();
      const leaving = how === "goodbye" ? session.goodbye("shutdown") : undefined;
      if (how === "abort") session.abort("closed", "enough");
      await drained;
      await session.drained();
      far.stream.resume();
      far.stream.abort();
      await leaving;
      // On Deno a pending write may count as sent once its stream has closed.
      assert(session.unsent <= 0, "queued data is still counted");
    });
  }
});

test('Session ends as "overload" when too many frames that must not be dropped are queued', async () => {
  await withSession(async ({ session, far, owner }) => {
    far.stream.pause();
    let sent = 0;
    for (; !session.isOver && sent < 100 << 20; sent += 10_000) {
      session.outbox.begin(ROW).write(new Uint8Array(10_000));
      session.outbox.commit(true);
      if (sent % 1_000_000 === 0) await new Promise((wake) => setTimeout(wake, 0));
    }
    assertEquals(owner.overs, ["overload"]);
    assert(owner.words.endsWith(" bytes unread"), owner.words);
    assertEquals([session.unsent, session.outbox.commit(true)], [0, false]);
  });
});

test("Session.goodbye sends queued large frames completely before the GOODBYE", async () => {
  await withSession(async ({ session, far }) => {
    for (let i = 0; i < 3; i++) sendRow(session, 1, i, 1 << 20);
    const leaving = session.goodbye("shutdown");
    await until("all frames have arrived", () => far.ended);
    const pieces = far.frames.filter(({ tag }) => tag === TAG.BULK || tag === TAG.FRAGMENT);
    const bytes = pieces.reduce(
      (sum, { tag, body }) => sum + body.length - (tag === TAG.BULK ? 8 : 4),
      0,
    );
    assertEquals([bytes, far.tags.at(-1)], [3 * ((1 << 20) + 1), TAG.GOODBYE]);
    far.stream.end();
    await leaving;
  }, { queueBytesMax: 8 << 20 });
});

test("Session yields to I/O between portions of messages about names, and keeps their order", async () => {
  const COUNT = 400;
  await withWire(async (wire, host) => {
    const numbers: number[] = [];
    const owner: SessionHandler & { count: number; readonly overs: string[] } = {
      count: 0,
      overs: [],
      message(_session, tag, body) {
        if (tag === TAG.GLOBAL_SYNC) this.count++;
        numbers.push(new DataView(body.buffer, body.byteOffset).getUint32(0, true));
        return undefined;
      },
      over: (_session, end) => void owner.overs.push(end),
    };
    const counting = countingTurns(host, owner);
    const opened = { stream: wire.near, reader: new FrameReader(4096) };
    new Session(MET, false, opened, owner, LIMITS, 1000, counting.host);
    // Each name message has 8 KiB, so one turn handles at most four. Every tenth message is of
    // another kind.
    for (let i = 0; i < COUNT; i++) {
      const body = new Uint8Array(i % 10 === 9 ? 8 : 8 * 1024);
      new DataView(body.buffer).setUint32(0, i, true);
      wire.far.send(i % 10 === 9 ? ROW : TAG.GLOBAL_SYNC, body);
    }
    wire.far.send(TAG.GOODBYE, new Uint8Array([0, 0, 0, 0]));
    await until("all messages were handled", () => numbers.length === COUNT + 1);
    assertEquals(numbers.slice(0, COUNT), Array.from({ length: COUNT }, (_, i) => i));
    assert(Math.max(...counting.turns) <= 4, `${counting.turns}`);
    assert(counting.turns.length >= COUNT * 0.9 / 4, `${counting.turns.length} turns`);
    // The session still reads after the GOODBYE.
    wire.far.send(ROW, new Uint8Array(8));
    await until("a later message was handled", () => numbers.length === COUNT + 2);
    wire.far.stream.end();
    await until("the end was detected", () => owner.overs.length === 1);
  });
});
