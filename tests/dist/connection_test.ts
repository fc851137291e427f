import { assert, assertEquals } from "@std/assert";
import { Connection, type SessionHandler, type SessionLimits } from "../../lib/dist/connection.ts";
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from "../../lib/dist/frame.ts";
import type { Met } from "../../lib/dist/handshake.ts";
import { dispatch } from "../../lib/dist/inbound.ts";
import { encodeList, encodeRoomBroadcast, TAG } from "../../lib/dist/message.ts";
import { test, until } from "../kit/test.ts";
import { hex, joined } from "./collector.ts";
import { type Wire, withWire } from "./wire.ts";

const MET: Met = {
  name: "far@h:1",
  creation: 1,
  version: 1,
  features: 0,
  exposed: [],
  session: 1n,
  lastSession: 0n,
};

const LIMITS: SessionLimits = { quietMs: 60_000, deadlineMs: 120_000, queueBytesMax: 1 << 20 };

/** What a session's owner is told. */
class Owner implements SessionHandler {
  readonly overs: string[] = [];
  words = "";
  readonly lists: (readonly string[])[] = [];
  readonly said: string[] = [];

  message(session: Connection, tag: number, body: Uint8Array): string | undefined {
    const inbound = {
      peerList: (names: readonly string[]) => void this.lists.push(names),
      exposed: () => {},
      roomSink: {
        roomMessage: (room: string, message: Uint8Array, text: boolean, from: string) =>
          void this.said.push(`${from} ${room} ${text} ${message.toHex()}`),
      },
    };
    return dispatch(inbound, session.met.name, tag, body);
  }

  over(_session: Connection, end: string, words: string): void {
    this.overs.push(end);
    this.words = words;
  }
}

interface Open extends Wire {
  readonly session: Connection;
  readonly owner: Owner;
}

/** A session on our end of a wire, its handshake long past. */
async function withSession(
  body: (open: Open) => Promise<void>,
  limits: Partial<SessionLimits> = {},
): Promise<void> {
  await withWire(async (wire, host) => {
    const owner = new Owner();
    const opened = { stream: wire.near, reader: new FrameReader(4096) };
    const session = new Connection(
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

/** The peer does `what`: the session must end as "protocol", with these words, and be cut. */
async function assertBreaks(what: (open: Open) => void, words: string): Promise<void> {
  await withSession(async (open) => {
    what(open);
    await until("the session is over", () => open.owner.overs.length > 0);
    assertEquals([open.owner.overs, open.owner.words], [["protocol"], words]);
    assert(open.session.isOver);
    await until("it is cut", () => open.far.isOver);
    // What comes after it changes nothing.
    assertEquals(open.owner.said, []);
  });
}

test("Connection answers a PING with the same 8 bytes, and no more of it", async () => {
  await withSession(async ({ far, owner }) => {
    far.send(TAG.PING, hex("0102030405060708"));
    far.send(TAG.PING, hex("1112131415161718 19"));
    await until("both are answered", () => far.frames.length === 2);
    assertEquals(far.tags, [TAG.PONG, TAG.PONG]);
    assertEquals(far.frames.map(({ body }) => body.toHex()), [
      "0102030405060708",
      "1112131415161718",
    ]);
    assertEquals(owner.overs, []);
  });
});

test("Connection skips PONGs, empty frames and every tag that it does not know", async () => {
  await withSession(async ({ far, owner }) => {
    const known = new Set<number>(Object.values(TAG));
    for (let tag = 0; tag <= 0xff; tag++) {
      if (!known.has(tag)) far.send(tag, hex("ffffffffffff"));
    }
    for (const body of ["", "01", "0102030405060708ff"]) far.send(TAG.PONG, hex(body));
    far.write(hex("00000000 00000000"));
    far.write(encodeRoomBroadcast("r", "x"));
    await until("the message behind them came", () => owner.said.length > 0);
    assertEquals(owner.said, ["far@h:1 r true 78"]);
    assertEquals(owner.overs, []);
  });
});

for (const name of ["NAME", "CHALLENGE", "REPLY", "ACK", "REJECT"] as const) {
  test(`Connection ends as "protocol" at a ${name} after the handshake`, async () => {
    for (const body of [hex(""), hex("0000"), new Uint8Array(200)]) {
      await assertBreaks(
        ({ far }) => far.write(encodeFrame(TAG[name], body), encodeRoomBroadcast("r", "x")),
        "it sent a message of the handshake, after it",
      );
    }
  });
}

/** What breaks a rule, and which. */
const BROKEN: readonly (readonly [what: string, frame: Uint8Array, rule: string])[] = [
  ["a short PING", encodeFrame(TAG.PING, hex("01020304050607")), "a PING that is too short"],
  ["an empty PING", encodeFrame(TAG.PING), "a PING that is too short"],
  ["an empty GOODBYE", encodeFrame(TAG.GOODBYE), "a GOODBYE without a reason"],
  ["a cut PEER_LIST", encodeFrame(TAG.PEER_LIST, hex("0100 05")), "a malformed PEER_LIST"],
  [
    "a PEER_LIST with what is no name",
    encodeFrame(TAG.PEER_LIST, encodeList(["a@h:1", "b"])),
    "a PEER_LIST with something that is no node name",
  ],
  [
    "a PEER_LIST with another spelling of a name",
    encodeFrame(TAG.PEER_LIST, encodeList(["a@H:1"])),
    "a PEER_LIST with something that is no node name",
  ],
  [
    "a cut ROOM_BROADCAST",
    encodeFrame(TAG.ROOM_BROADCAST, hex("0100 72 02000000 41")),
    "a malformed ROOM_BROADCAST",
  ],
  [
    "a ROOM_BROADCAST to no room",
    encodeFrame(TAG.ROOM_BROADCAST, hex("0000 00000000")),
    "a malformed ROOM_BROADCAST",
  ],
  [
    "a ROOM_BROADCAST that is not UTF-8",
    encodeFrame(TAG.ROOM_BROADCAST, hex("0100 72 02000000 c328")),
    "a ROOM_BROADCAST that is not UTF-8",
  ],
  [
    "a cut ROOM_BROADCAST_BINARY",
    encodeFrame(TAG.ROOM_BROADCAST_BINARY, hex("0100 72 ffffffff")),
    "a malformed ROOM_BROADCAST",
  ],
];

for (const [what, frame, rule] of BROKEN) {
  test(`Connection ends as "protocol" at ${what}, and hears nothing behind it`, async () => {
    await assertBreaks(
      ({ far }) => far.write(frame, encodeRoomBroadcast("r", "x")),
      `it sent ${rule}`,
    );
  });
}

test("Connection passes on binary room messages that are not UTF-8", async () => {
  await withSession(async ({ far, owner }) => {
    far.write(encodeRoomBroadcast("r", hex("c328")));
    await until("it came", () => owner.said.length > 0);
    assertEquals(owner.said, ["far@h:1 r false c328"]);
  });
});

test("Connection passes on a frame of the limit, and ends as protocol at the next length", async () => {
  await withSession(async ({ far, owner }) => {
    const room = "r".repeat(255);
    const most = encodeRoomBroadcast(room, new Uint8Array(FRAME_BYTES_MAX - 1 - 2 - 255 - 4));
    assertEquals(most.length, 4 + FRAME_BYTES_MAX);
    far.write(most);
    await until("it came", () => owner.said.length > 0);
    assertEquals(owner.overs, []);
  });
  await assertBreaks(
    ({ far }) => far.write(hex("01000001 1e 00"), encodeRoomBroadcast("r", "x")),
    `it sent a frame of more than ${FRAME_BYTES_MAX} bytes`,
  );
});

for (const [body, reason] of [["01", "shutdown"], ["02", "disconnected"], ["99", "shutdown"]]) {
  test(`Connection ends as "${reason}" at GOODBYE ${body}, and hears nothing behind it`, async () => {
    await withSession(async ({ far, owner }) => {
      far.write(encodeFrame(TAG.GOODBYE, hex(body!)), encodeRoomBroadcast("r", "x"));
      await until("the session is over", () => owner.overs.length > 0);
      assertEquals([owner.overs, owner.said], [[reason!], []]);
      await until("it is cut", () => far.isOver);
    });
  });
}

test("Connection.goodbye sends what is queued, then the reason, and ends when the peer hangs up", async () => {
  await withSession(async ({ session, far, owner }) => {
    for (let i = 0; i < 100; i++) session.sendData(encodeRoomBroadcast("r", `${i}`));
    let gone = false;
    const leaving = session.goodbye("disconnected").then(() => gone = true);
    assertEquals([owner.overs, session.isOver], [["disconnected"], true]);
    await until("all came", () => far.ended);
    assertEquals(far.tags, [...new Array(100).fill(TAG.ROOM_BROADCAST), TAG.GOODBYE]);
    assertEquals(far.frames.at(-1)!.body.toHex(), "02");
    assertEquals(gone, false);
    far.stream.end();
    await leaving;
    await session.goodbye("shutdown");
    assertEquals(owner.overs, ["disconnected"]);
  });
});

test("Connection.goodbye waits no longer than a second for a peer that does not hang up", async () => {
  await withSession(async ({ session, far }) => {
    const from = performance.now();
    await session.goodbye("shutdown");
    assert(performance.now() - from >= 900);
    assert(far.ended);
  });
});

test("Connection ends as closed when the peer hangs up, or is gone", async () => {
  for (const how of ["end", "abort"] as const) {
    await withSession(async ({ far, owner }) => {
      far.stream[how]();
      await until("the session is over", () => owner.overs.length > 0);
      assertEquals(owner.overs, ["closed"]);
    });
  }
});

test("Connection.abort ends it once", async () => {
  await withSession(async ({ session, far, owner }) => {
    session.abort("restarted", "a later life");
    session.abort("closed", "again");
    await until("it is cut", () => far.isOver);
    assertEquals([owner.overs, owner.words], [["restarted"], "a later life"]);
  });
});

test("Connection drops and counts data past queueBytesMax, and control still goes", async () => {
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
    await until("all that was not dropped came", () => far.frames.length === sent + 1);
    assertEquals(far.tags.filter((tag) => tag === TAG.ROOM_BROADCAST).length, sent);
    const place = far.tags.indexOf(TAG.PEER_LIST);
    assert(place * data.length < 512 * 1024, `control came behind ${place} of ${sent}`);
    assert(session.sendData(data), "there is room again");
    assertEquals(session.dropped, 11);
  });
});

test("Connection never sends a frame that is larger than the whole queue", async () => {
  await withSession(async ({ session, far }) => {
    assertEquals(session.sendData(encodeRoomBroadcast("r", "x".repeat(1 << 20))), false);
    assertEquals([session.dropped, session.unsent], [1, 0]);
    assert(session.sendData(encodeRoomBroadcast("r", "x")));
    await until("the next one came", () => far.frames.length === 1);
  });
});

test("Connection bounds what a peer can make it remember by pinging without reading", async () => {
  await withSession(async ({ session, far, owner }) => {
    far.stream.pause();
    const ping = encodeFrame(TAG.PING, new Uint8Array(8));
    const flood = joined(...new Array(5000).fill(ping));
    const last = encodeRoomBroadcast("r", "x");
    let most = 0;
    for (let round = 0; round < 100; round++) {
      far.write(flood, last);
      await until("it was read", () => owner.said.length > round);
      most = Math.max(most, session.unsent);
    }
    // 6.5 MB of answers were asked for. What the system buffers is not ours.
    assert(most < 64 * 1024 + ping.length, `${most} bytes`);
    assertEquals(owner.overs, []);
  });
});

test("Connection gives up a peer that neither reads nor speaks, whatever it holds for it", async () => {
  await withSession(async ({ session, far, owner }) => {
    far.stream.pause();
    while (session.sendData(encodeRoomBroadcast("r", "x".repeat(60_000))));
    // The system's own buffers take some of it; go on until they are full.
    await until("nothing more is taken", async () => {
      await new Promise((wake) => setTimeout(wake, 5));
      return !session.sendData(encodeRoomBroadcast("r", "x".repeat(60_000)));
    });
    const from = performance.now();
    for (let ms = 0; ms <= 120_000 && !session.isOver; ms += 1000) session.tick(from + ms);
    assertEquals([owner.overs, owner.words], [["timeout"], "nothing heard for 120000 ms"]);
    assertEquals(session.unsent, 0);
  });
});

test("Connection pings a silent peer, with a new number each time, and any answer will do", async () => {
  await withSession(async ({ session, far, owner }) => {
    let now = performance.now();
    const silence = (ms: number) => {
      for (const end = now + ms; now < end; now += 1000) session.tick(now);
    };
    silence(62_000);
    await until("a ping came", () => far.frames.length === 1);
    assertEquals(far.frames[0]!.body.toHex(), "0100000000000000");
    far.send(0x77); // of a later version
    far.write(encodeRoomBroadcast("r", "x"));
    await until("it was heard", () => owner.said.length === 1);
    silence(62_000);
    await until("another ping came", () => far.frames.length === 2);
    assertEquals(far.frames[1]!.body.toHex(), "0200000000000000");
    assertEquals(far.tags, [TAG.PING, TAG.PING]);
    assertEquals(owner.overs, []);
  });
});
