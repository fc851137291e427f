import { Buffer } from "node:buffer";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  encodeRoomBroadcast,
  ROOM_BYTES_MAX,
  ROOM_MESSAGE_BYTES_MAX,
  TAG,
} from "../../lib/mesh/message.ts";
import { encodeInterestList, INTEREST } from "../../lib/mesh/room_interest.ts";
import { hashOf } from "../../lib/cluster/rendezvous.ts";
import { ROOM_MESSAGE_BYTES_MAX as ALONE_BYTES_MAX } from "../../lib/ws/rooms.ts";
import { type Member, RoomError } from "../../lib/ws/room.ts";
import { joinAs, type Raw } from "../mesh/wire.ts";
import { cluster, freePort, type TestNode, untilWhole, warnings, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

/** A member of a room that records each WebSocket frame as `opcode:payload`. */
class Listener implements Member {
  readonly observed: string[] = [];
  bytes = 0;

  constructor(node: TestNode, room: string = "room") {
    node.rooms.join(room, this);
  }

  sendShared(frames: Uint8Array): void {
    const view = new DataView(frames.buffer, frames.byteOffset, frames.length);
    for (let at = 0; at < frames.length;) {
      const short = view.getUint8(at + 1);
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      const length = short < 126
        ? short
        : short === 126
        ? view.getUint16(at + 2)
        : Number(view.getBigUint64(at + 2));
      const payload = frames.subarray(at + head, at + head + length);
      this.bytes += length;
      const text = length > 1000 ? `${length} bytes` : new TextDecoder().decode(payload);
      this.observed.push(
        view.getUint8(at) === 0x81 ? text : `${view.getUint8(at).toString(16)} ${payload.toHex()}`,
      );
      at += head + length;
    }
  }
}

/** Waits until all nodes know the rooms of all others. */
async function announced(...nodes: readonly TestNode[]): Promise<void> {
  for (const { rooms } of nodes) assertEquals(await rooms.announced(), { missing: [] });
}

test("Rooms.broadcast reaches the members on every node, text as text and bytes as bytes", async () => {
  await withNodes(async (start) => {
    const nodes = await cluster(start, 3);
    const listeners = nodes.map((node) => new Listener(node));
    const elsewhere = new Listener(nodes[1]!, "another room");
    await announced(...nodes);
    nodes[0]!.rooms.broadcast("room", "héllo");
    nodes[0]!.rooms.broadcast("room", new Uint8Array([0xff, 0x00, 0xc3]));
    nodes[0]!.rooms.broadcast("room", "");
    for (const { observed } of listeners) {
      await until("all broadcasts have arrived", () => observed.length === 3);
      assertEquals(observed, ["héllo", "82 ff00c3", ""]);
    }
    assertEquals(elsewhere.observed, []);
  });
});

test("Rooms.broadcast reaches a member that has just joined on another node once and in order", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    await announced(a!, b!);
    a!.rooms.broadcast("other", "for another room");
    const first = new Listener(b!);
    a!.rooms.broadcast("room", "one");
    a!.rooms.broadcast("room", "two");
    await announced(b!);
    a!.rooms.broadcast("room", "three");
    await until("all broadcasts have arrived", () => first.observed.length >= 3);
    // The last member leaves, and a new one joins before the departure is announced.
    b!.rooms.leave("room", first);
    const second = new Listener(b!);
    a!.rooms.broadcast("room", "four");
    await until("the last broadcast has arrived", () => second.observed.at(-1) === "four");
    await announced(b!);
    assertEquals(first.observed, ["one", "two", "three"]);
    assertEquals(second.observed, ["four"]);
  });
});

test("Rooms.broadcastFrom skips the sending member, and reaches all other members on every node", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    const [one, other, far] = [new Listener(a!), new Listener(a!), new Listener(b!)];
    await announced(b!);
    a!.rooms.broadcastFrom(one, "room", "from one");
    a!.rooms.broadcast("room", "to all");
    await until(
      "all broadcasts have arrived",
      () => far.observed.length === 2 && one.observed.length === 1,
    );
    assertEquals([one.observed, other.observed], [["to all"], ["from one", "to all"]]);
    assertEquals(far.observed, ["from one", "to all"]);
  });
});

test("Rooms.broadcast reaches other nodes from a node without members", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    const far = new Listener(b!);
    await announced(b!);
    a!.rooms.broadcast("room", "hello");
    await until("the broadcast has arrived", () => far.observed.length === 1);
    assertEquals(a!.rooms.count, 0);
  });
});

test("Rooms delivers each message once and in the order of its sender while two nodes send", async () => {
  await withNodes(async (start) => {
    const nodes = await cluster(start, 3);
    const far = new Listener(nodes[2]!);
    await announced(nodes[2]!);
    for (let round = 0; round < 50; round++) {
      for (const sender of [0, 1]) {
        for (let i = round * 20; i < round * 20 + 20; i++) {
          nodes[sender]!.rooms.broadcast("room", `${sender} ${i}`);
        }
      }
      await new Promise((wake) => setTimeout(wake));
    }
    await until("all broadcasts have arrived", () => far.observed.length >= 2000);
    for (const sender of [0, 1]) {
      const own = far.observed.filter((text) => text.startsWith(`${sender} `));
      assertEquals(own, Array.from({ length: 1000 }, (_, i) => `${sender} ${i}`));
    }
    assertEquals(far.observed.length, 2000);
  });
});

test("RoomRelay does not forward the broadcasts that it receives", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    // Connects two peers that the test controls. What one of them broadcasts must not reach the
    // other.
    const name = (short: string, port: number) => `${short}@127.0.0.1:${port}`;
    const one = await joinAs(name("x", await freePort()), a!.name);
    const other = await joinAs(name("y", await freePort()), a!.name);
    const [here, there] = [new Listener(a!), new Listener(b!)];
    await until(
      "a knows b's room",
      () => a!.mesh.session(b!.name)!.rooms?.has(hashOf("room") >>> 14) === true,
    );
    for (let i = 0; i < 10; i++) one.write(encodeRoomBroadcast("room", `${i}`));
    one.write(encodeRoomBroadcast("room", new Uint8Array([1])));
    await until("a's member has received all broadcasts", () => here.observed.length === 11);
    // This broadcast arrives after all broadcasts that `a` may have forwarded.
    a!.rooms.broadcast("room", "last");
    const rooms = (raw: Raw) =>
      raw.frames.filter(({ tag }) =>
        tag === TAG.ROOM_BROADCAST || tag === TAG.ROOM_BROADCAST_BINARY
      ).length;
    await until(
      "all members have received the last broadcast",
      () => rooms(one) > 0 && rooms(other) > 0 && there.observed.length > 0,
    );
    assertEquals([rooms(one), rooms(other), there.observed], [1, 1, ["last"]]);
    one.stream.abort();
    other.stream.abort();
  });
});

test("RoomRelay writes frames in the documented layout", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const member = await joinAs(`x@127.0.0.1:${await freePort()}`, a.name);
    await until("a knows the member", () => a.received.length === 1);
    a.rooms.broadcast("räum", "hé");
    await until(
      "the broadcast has arrived",
      () => member.frames.at(-1)?.tag === TAG.ROOM_BROADCAST,
    );
    assertEquals(member.frames.at(-1)!.body.toHex(), "050072c3a4756d" + "03000000" + "68c3a9");
    a.rooms.broadcast("r", "lone \ud800 surrogate");
    await until("the second broadcast has arrived", () => member.frames.at(-1)!.body[0] === 1);
    assertEquals(
      new TextDecoder().decode(member.frames.at(-1)!.body.subarray(7)),
      "lone \ufffd surrogate",
    );
    member.stream.abort();
  });
});

test("Rooms.broadcast delivers a message of the maximum length, and throws for a longer one", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    const room = "r".repeat(ROOM_BYTES_MAX);
    const [here, there] = [new Listener(a!, room), new Listener(b!, room)];
    await announced(b!);
    assertEquals(ALONE_BYTES_MAX, ROOM_MESSAGE_BYTES_MAX, "a node alone has the same limit");
    a!.rooms.broadcast(room, "x".repeat(ROOM_MESSAGE_BYTES_MAX));
    await until("the longest message has arrived", () => there.observed.length === 1);
    assertEquals(there.bytes, ROOM_MESSAGE_BYTES_MAX);
    for (
      const data of [
        "x".repeat(ROOM_MESSAGE_BYTES_MAX + 1),
        "é".repeat(ROOM_MESSAGE_BYTES_MAX / 2 + 1),
        new Uint8Array(ROOM_MESSAGE_BYTES_MAX + 1),
      ]
    ) {
      const error = assertThrows(() => a!.rooms.broadcast(room, data), RoomError);
      assertEquals(error.code, "toolarge");
      assertMatch(error.message, /was not sent: the most is 16776954$/);
    }
    a!.rooms.broadcast(room, "short");
    await until(
      "the next broadcast has arrived",
      () => there.observed.length === 2 && here.observed.length === 2,
    );
    assertEquals([there.observed[1], here.observed[1]], ["short", "short"]);
    assertEquals([warnings(a!), warnings(b!), b!.received.length], [[], [], 1]);
  });
});

test("RoomRelay ends the session of a peer that sends a text that is not UTF-8", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    const here = new Listener(a!);
    const name = `x@127.0.0.1:${await freePort()}`;
    const member = await joinAs(name, a!.name);
    await until("the member is connected", () => a!.received.length === 2);
    const frame = encodeRoomBroadcast("room", new Uint8Array([0xc3, 0x28]));
    member.write(frame.with(4, TAG.ROOM_BROADCAST), encodeRoomBroadcast("room", "behind it"));
    await until("the member's session has ended", () => a!.received.length === 3);
    assertEquals(a!.received.at(-1), `down ${name} protocol`);
    assertEquals(warnings(a!), [
      `${a!.name}: ${name} is down: protocol (it sent a ROOM_BROADCAST that is not UTF-8)`,
    ]);
    b!.rooms.broadcast("room", "from b");
    await until("b's broadcast has arrived", () => here.observed.length > 0);
    assertEquals(here.observed, ["from b"]);
    await until("the member is disconnected", () => member.isOver);
    member.stream.abort();
  });
});

test("RoomRelay drops broadcasts for a node that does not read, without delaying other nodes", async () => {
  await withNodes(async (start) => {
    const a = await start("a", { queueBytesMax: 1 << 20 });
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    const name = `x@127.0.0.1:${await freePort()}`;
    const raw = await joinAs(name, a.name);
    await until("the raw node is connected", () => a.received.length === 2);
    raw.stream.pause();
    const there = new Listener(b);
    await until(
      "a knows b's room",
      () => a.mesh.session(b.name)!.rooms?.has(hashOf("room") >>> 14) === true,
    );
    const session = a.mesh.session(name)!;
    const text = "x".repeat(50_000);
    let sent = 0;
    await until("the queue to it is full", async () => {
      for (let i = 0; i < 5; i++, sent++) a.rooms.broadcast("room", text);
      const at = sent;
      await until("b has received all broadcasts", () => there.observed.length === at);
      return session.dropped > 0;
    });
    assert(session.unsent <= 1 << 20, `${session.unsent}`);
    assertEquals(a.mesh.session(b.name)!.dropped, 0);
    assertEquals(a.mesh.peers().length, 2);
    raw.stream.abort();
    await until("the session has ended", () => a.mesh.session(name) === undefined);
  });
});

test("RoomRelay sends broadcasts to each node from its connect until its disconnect", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    const second = new Listener(b!);
    await announced(b!);
    a!.rooms.broadcast("room", "one");
    await until("the broadcast has arrived", () => second.observed.length === 1);
    const c = await start("c", { seeds: [a!.name] });
    await untilWhole([a!, b!, c]);
    const third = new Listener(c);
    await announced(c);
    await b!.mesh.disconnect(a!.name);
    await until("a has lost b", () => a!.mesh.session(b!.name) === undefined);
    a!.rooms.broadcast("room", "two");
    await until("the broadcast has arrived", () => third.observed.length === 1);
    // c has a session with b, over which a's messages must not have been forwarded.
    c.rooms.broadcast("room", "three");
    await until("c's broadcast has arrived", () => second.observed.length === 2);
    assertEquals([second.observed, third.observed], [["one", "three"], ["two", "three"]]);
  });
});

/** Counts the broadcasts to rooms that nodes receive from others. */
function received(nodes: readonly TestNode[]): number[] {
  const counts = nodes.map(() => 0);
  for (const [at, { mesh }] of nodes.entries()) {
    const sink = mesh.roomSink!;
    mesh.roomSink = {
      roomMessage(...args) {
        counts[at]!++;
        sink.roomMessage(...args);
      },
    };
  }
  return counts;
}

test("RoomRelay sends broadcasts to the nodes that have members in the room, and to no others", async () => {
  await withNodes(async (start) => {
    const nodes = await cluster(start, 3);
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    const counts = received(nodes);
    const there = new Listener(b);
    await announced(b, c);
    for (let i = 0; i < 10; i++) a.rooms.broadcast("room", `${i}`);
    await until("all broadcasts have arrived", () => there.observed.length === 10);
    assertEquals(counts, [0, 10, 0]);

    const d = await start("d", { seeds: [a.name] });
    await untilWhole([...nodes, d]);
    const late = received([d]);
    const other = new Listener(d, "other");
    await d.rooms.announced();
    a.rooms.broadcast("other", "for d");
    d.rooms.broadcast("room", "of d");
    await until(
      "both broadcasts have arrived",
      () => other.observed.length === 1 && there.observed.length === 11,
    );
    assertEquals([counts, late], [[0, 11, 0], [1]]);

    b.rooms.leaveAll(there);
    const again = new Listener(b, "again");
    await announced(b);
    await until("a sends no broadcasts for the room to b", () => {
      const before = counts[1]!;
      a.rooms.broadcast("room", "too late");
      a.rooms.broadcast("again", "a mark");
      const marks = again.observed.length;
      return until("the marker has arrived", () => again.observed.length > marks).then(() =>
        counts[1]! === before + 1
      );
    });
    assertEquals(there.observed.length, 11);
  });
});

test("RoomRelay announces a bucket until the last of its rooms is empty", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    // Joins two rooms of the same bucket, with one member each.
    const [one, other] = sameBucket();
    const [first, second] = [new Listener(b!, one), new Listener(b!, other)];
    await b!.rooms.announced();
    b!.rooms.leaveAll(first);
    const mark = new Listener(b!, "mark");
    // Waits for longer than the delay after which a departure is announced.
    const hasLeft = b!.host.clock.now() + 1_300;
    await until("the departure would have been announced", () => b!.host.clock.now() > hasLeft);
    await b!.rooms.announced();
    a!.rooms.broadcast(other, "still");
    a!.rooms.broadcast("mark", "after it");
    await until("the marker has arrived", () => mark.observed.length === 1);
    assertEquals([first.observed, second.observed], [[], ["still"]]);
  });
});

test("RoomRelay announces thousands of rooms as a bitmap to connected and to new nodes", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    const member = new Listener(b!, "r0");
    for (let i = 1; i < 20_000; i++) b!.rooms.join(`r${i}`, new Listener(b!, `r${i}`));
    assertEquals(await b!.rooms.announced(), { missing: [] });
    const c = await start("c", { seeds: [a!.name] });
    await untilWhole([a!, b!, c]);
    const counts = received([b!]);
    const far = new Listener(b!, "r19999");
    a!.rooms.broadcast("r0", "from a");
    c.rooms.broadcast("r0", "from c");
    c.rooms.broadcast("r19999", "from c");
    await until(
      "all broadcasts have arrived",
      () => member.observed.length === 2 && far.observed.length === 1,
    );
    for (let i = 0; i < 1000; i++) a!.rooms.broadcast(`none ${i}`, "x");
    a!.rooms.broadcast("r0", "last");
    await until("the last broadcast has arrived", () => member.observed.length === 3);
    // 20,000 rooms occupy 7 % of the buckets, so about 70 of the 1,000 broadcasts to other rooms
    // are sent to `b`.
    assert(counts[0]! >= 4 && counts[0]! < 150, `${counts[0]}`);
  });
});

test("RoomRelay sends a delayed broadcast unchanged to a node that announces its rooms as a bitmap", async () => {
  /** Whether the announcement arrived while broadcasts are kept, which is for 100 ms. */
  let isInTime = false;
  const attempt = (): Promise<void> =>
    withNodes(async (start) => {
      const [a, b] = await cluster(start, 2);
      await announced(a!, b!);
      const others = Array.from({ length: 20 }, (): Member => ({ sendShared: () => {} }));
      const member = new Listener(b!);
      for (let i = 0; i < 20_000; i++) b!.rooms.join(`r${i}`, others[i / 1000 | 0]!);
      // The announcement is sent at the end of this turn.
      const bytes = Buffer.from([1, 2, 3]);
      const sentAt = a!.host.clock.now();
      a!.rooms.broadcast("room", "text");
      a!.rooms.broadcast("room", bytes);
      bytes.fill(9);
      await announced(b!);
      isInTime = a!.host.clock.now() - sentAt < 100;
      if (!isInTime) return;
      a!.rooms.broadcast("room", "last");
      await until("the last broadcast has arrived", () => member.observed.at(-1) === "last");
      assertEquals(member.observed, ["text", "82 010203", "last"]);
    });
  await until("an announcement arrives in time", () => attempt().then(() => isInTime));
});

test("RoomRelay sends all broadcasts to a peer that has not announced its rooms", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const raw = await joinAs(`x@127.0.0.1:${await freePort()}`, a.name);
    await until("the announcement has arrived", () => raw.tags.includes(TAG.ROOM_INTEREST));
    a.rooms.broadcast("room", "one");
    await until("the broadcast has arrived", () => raw.tags.at(-1) === TAG.ROOM_BROADCAST);
    // Once the peer has announced rooms, it receives only broadcasts to rooms that it has
    // announced.
    raw.write(encodeInterestList(INTEREST.JOINED, [], 0));
    raw.send(TAG.PING, new Uint8Array(8));
    await until("a has read the announcement", () => raw.tags.includes(TAG.PONG));
    a.rooms.broadcast("room", "two");
    a.mesh.session(a.mesh.peers()[0]!)!.rooms!.apply(
      encodeInterestList(INTEREST.JOINED, [hashOf("room") >>> 14], 1).subarray(5),
    );
    a.rooms.broadcast("room", "three");
    await until("the broadcast has arrived", () => raw.tags.at(-1) === TAG.ROOM_BROADCAST);
    const texts = raw.frames.filter(({ tag }) => tag === TAG.ROOM_BROADCAST)
      .map(({ body }) => new TextDecoder().decode(body.subarray(10)));
    assertEquals(texts, ["one", "three"]);
    raw.stream.abort();
  });
});

/** Returns two rooms of the same bucket. */
function sameBucket(): [string, string] {
  const seen = new Map<number, string>();
  for (let i = 0;; i++) {
    const bucket = hashOf(`room ${i}`) >>> 14;
    const known = seen.get(bucket);
    if (known !== undefined) return [known, `room ${i}`];
    seen.set(bucket, `room ${i}`);
  }
}
