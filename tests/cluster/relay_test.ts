/**
 * Tests the option `relay` with a transport in memory. The interface of the transport states its
 * requirements.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { decodeRelayed, encodeRelayed, RELAYED } from "../../lib/cluster/relay_message.ts";
import type { RelayPort, RelayTransport } from "../../lib/cluster/relay_transport.ts";
import { type NatsConnection, natsRelay } from "../../lib/cluster/nats_relay.ts";
import { SendWindow } from "../../lib/cluster/send_window.ts";
import { channel } from "../../lib/channel/channel.ts";
import { startHub } from "../../lib/channel/start.ts";
import { Node } from "../../lib/node.ts";
import { type Member, RoomError } from "../../lib/ws/room.ts";
import { messagesIn } from "../../lib/ws/frame.ts";
import { fuzzCount, mutated } from "../kit/fuzz.ts";
import {
  hostWithDelay,
  type Start,
  type TestNode,
  untilWhole,
  warnings,
  withNodes,
} from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

/** A broker in memory. Like NATS, it delivers to the sender too. */
class Broker {
  readonly transports = new Set<MemoryTransport>();
  published = 0;

  transport(mesh?: string): MemoryTransport {
    return new MemoryTransport(this, mesh);
  }
}

class MemoryTransport implements RelayTransport {
  readonly messageBytesMax = 10_000;
  readonly mesh: string | undefined;
  readonly keys = new Set<number>();
  port: RelayPort | undefined;
  isReceiver = false;
  readonly #broker: Broker;

  constructor(broker: Broker, mesh: string | undefined) {
    this.#broker = broker;
    this.mesh = mesh;
  }

  start(port: RelayPort): Promise<void> {
    this.port = port;
    this.#broker.transports.add(this);
    return Promise.resolve();
  }

  publish(key: number, message: Uint8Array): void {
    this.#broker.published++;
    queueMicrotask(() => {
      for (const { keys, port } of this.#broker.transports) {
        if (keys.has(key)) port!.received(message.slice());
      }
    });
  }

  publishEvent(message: Uint8Array): void {
    queueMicrotask(() => {
      for (const { isReceiver, port } of this.#broker.transports) {
        if (isReceiver) port!.receivedEvent(message.slice()).catch(() => {});
      }
    });
  }

  subscribe(key: number): void {
    assert(!this.keys.has(key));
    this.keys.add(key);
  }

  unsubscribe(key: number): void {
    assert(this.keys.delete(key));
  }

  receiveEvents(isReceiver: boolean): void {
    this.isReceiver = isReceiver;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#broker.transports.delete(this);
    return Promise.resolve();
  }
}

/** A member of a room that records texts, and bytes as hex. */
class Listener implements Member {
  readonly observed: string[] = [];

  sendShared(frames: Uint8Array): void {
    for (const message of messagesIn(frames)) {
      this.observed.push(typeof message === "string" ? message : message.toHex());
    }
  }
}

function member(node: TestNode, room = "room"): Listener {
  const listener = new Listener();
  node.rooms.join(room, listener);
  return listener;
}

/** Starts two nodes in one mesh, and one in another, all with a relay. */
async function meshes(start: Start, broker: Broker, name = (mesh: string) => mesh) {
  const relay = (mesh: string) => ({ relay: broker.transport(name(mesh)) });
  const a1 = await start("a1", relay("a"));
  const a2 = await start("a2", { ...relay("a"), seeds: [a1.name] });
  const b = await start("b", relay("b"));
  await untilWhole([a1, a2]);
  return { a1, a2, b, all: [a1, a2, b] };
}

const settled = async (nodes: readonly TestNode[]) => {
  for (const { rooms } of nodes) assertEquals(await rooms.announced(), { missing: [] });
};

test("RelayLink delivers each broadcast once and in order to the members in both meshes", async () => {
  await withNodes(async (start) => {
    const broker = new Broker();
    const { a1, a2, b, all } = await meshes(start, broker);
    const members = all.map((node) => member(node));
    await settled(all);
    for (let i = 0; i < 20; i++) a1.rooms.broadcast("room", `a${i}`);
    b.rooms.broadcast("room", new Uint8Array([0xff, 1]));
    for (const { observed } of members) {
      await until("all messages have arrived", () => observed.length >= 21);
      const texts = Array.from({ length: 20 }, (_, i) => `a${i}`);
      assertEquals(observed.filter((text) => text !== "ff01"), texts);
      assertEquals(observed.length, 21);
    }
    assertEquals(broker.published, 21, "a received broadcast is not published again");
    a2.rooms.broadcastFrom(members[1]!, "room", "all but one");
    await until(
      "the broadcast has arrived",
      () => members[2]!.observed.length === 22 && members[0]!.observed.length === 22,
    );
    assertEquals(members[1]!.observed.length, 21);
    assertEquals(all.flatMap(warnings), []);
  });
});

test("RelayLink without the option mesh sends all broadcasts through the transport", async () => {
  await withNodes(async (start) => {
    const broker = new Broker();
    const a = await start("a", { relay: broker.transport() });
    const b = await start("b", { relay: broker.transport(), seeds: [a.name] });
    await untilWhole([a, b]);
    const members = [member(a), member(b)];
    a.rooms.broadcast("room", "once");
    b.rooms.broadcast("room", "twice");
    await until(
      "all messages have arrived",
      () => members.every(({ observed }) => observed.length === 2),
    );
    await settled([a, b]);
    assertEquals(members.map(({ observed }) => observed.toSorted()), [["once", "twice"], [
      "once",
      "twice",
    ]]);
  });
});

test("RelayLink.stop resolves although the transport hangs, throws or rejects", async () => {
  const failed = (): Error => new Error("fails as requested");
  const stops: readonly (() => Promise<void>)[] = [
    () => new Promise(() => {}),
    () => Promise.reject(failed()),
    () => {
      throw failed();
    },
  ];
  await withNodes(async (start) => {
    for (const [i, stop] of stops.entries()) {
      const relay = new Broker().transport("a");
      relay.stop = stop;
      const node = await start(`a${i}`, { relay }, hostWithDelay(50));
      await Node.of(node).stop();
      assertEquals(
        warnings(node).filter((line) => line.includes("the relay did not stop")).length,
        1,
      );
    }
  });
});

test("RelayLink subscribes once to the key of each room that has members", async () => {
  await withNodes(async (start) => {
    const broker = new Broker();
    const transport = broker.transport("a");
    const a = await start("a", { relay: transport });
    const [one, other] = [new Listener(), new Listener()];
    a.rooms.join("r", one);
    a.rooms.join("r", other);
    a.rooms.join("s", one);
    assertEquals(transport.keys.size, 2);
    a.rooms.leaveAll(one);
    assertEquals(transport.keys.size, 1);
    a.rooms.leaveAll(other);
    assertEquals(transport.keys.size, 0);
    assertThrows(() => a.rooms.broadcast("r", "x".repeat(9_485)), RoomError, "the most is 9484");
    a.rooms.broadcast("r", "x".repeat(9_484));
    const { code } = assertThrows(() => a.rooms.broadcast("", "x"), RoomError);
    assertEquals([code, broker.published], ["badroom", 1]);
  });
});

test("Hub relays broadcasts to all nodes, and events with history to one node of each mesh", async () => {
  await withNodes(async (start) => {
    const broker = new Broker();
    const { a1, a2, b, all } = await meshes(start, broker);
    const hubs = all.map((parts) => {
      const hub = startHub({ ...parts, turn: parts.host });
      hub.define(channel("plain"));
      hub.define(channel("kept", { history: { size: 10 } }));
      return hub;
    });
    await until(
      "the hubs of a know each other",
      () => hubs[0]!.peers.size + hubs[1]!.peers.size === 2,
    );
    const receivers = () => [...broker.transports].filter(({ isReceiver }) => isReceiver).length;
    await until("one node of each mesh receives events", () => receivers() === 2);
    const clients = all.map((_, i) => {
      const listener = new Listener();
      const client = { topic: "plain", id: 1, member: listener };
      void hubs[i]!.subscribe(client as never, undefined, () => {});
      hubs[i]!.rooms.join("plain", listener);
      return listener;
    });
    const size = () => a1.groups.members("\0channel topics", "plain").length;
    await until("a1 knows of the client of a2", () => size() === 2);
    await hubs[0]!.broadcast("plain", "said", { n: 1 });
    await hubs[2]!.broadcast("plain", "said", { n: 2 });
    for (const { observed } of clients) {
      await until("both broadcasts have arrived", () => observed.length >= 2);
      assertEquals(observed.toSorted(), [
        '[null,null,"plain","said",{"n":1}]',
        '[null,null,"plain","said",{"n":2}]',
      ]);
    }
    const kept = new Listener();
    void hubs[2]!.subscribe({ topic: "kept", id: 2, member: kept } as never, undefined, () => {});
    hubs[2]!.rooms.join("kept", kept);
    const position = await hubs[1]!.broadcast("kept", "said", { n: 3 });
    assertEquals(position?.offset, 1);
    await until("the event has arrived in the other mesh", () => kept.observed.length > 0);
    assert(kept.observed[0]!.includes('"said",{"n":3}'), kept.observed[0]);
    await hubs[2]!.broadcast("kept", "said", { n: 4 });
    await until("the next event has arrived", () => kept.observed.length === 2);
    assertEquals([a2, b].flatMap(warnings), []);
  });
});

test("decodeRelayed decodes what encodeRelayed returns, and rejects malformed bytes", () => {
  const random = new SeededRandom(7);
  const origin = new TextEncoder().encode("mesh é");
  const samples = [
    encodeRelayed(RELAYED.ROOM, origin, "rööm", "text é"),
    encodeRelayed(RELAYED.TOPIC, origin, "t", new Uint8Array([0xff])),
    encodeRelayed(RELAYED.EVENT, origin, "t", ""),
  ];
  const { kind, name, message, isText } = decodeRelayed(samples[1]!)!;
  assertEquals([kind, name, message.toHex(), isText], [RELAYED.TOPIC, "t", "ff", false]);
  assertEquals(decodeRelayed(samples[0]!)!.origin, "mesh é");
  // The text is not valid UTF-8.
  assertEquals(decodeRelayed(samples[1]!.with(1, RELAYED.TOPIC)), undefined);
  let decoded = 0;
  for (let i = 0; i < fuzzCount(20_000); i++) {
    const sample = samples[i % 3]!;
    const bytes = i % 2 === 0 ? random.bytes(random.below(60)) : mutated(random, sample);
    const result = decodeRelayed(bytes);
    if (result === undefined) continue;
    decoded++;
    assert(result.name.length > 0 && result.name.length <= 255 && result.origin.length > 0);
    assert(result.message.length <= bytes.length);
  }
  assert(decoded > 0);
});

test("RelayLink drops malformed messages, and logs the first one", async () => {
  await withNodes(async (start) => {
    const transport = new Broker().transport("a");
    const a = await start("a", { relay: transport });
    const here = member(a);
    const { port } = transport;
    port!.received(new Uint8Array([9, 9, 9]));
    port!.received(new Uint8Array(0));
    port!.received(encodeRelayed(RELAYED.EVENT, new Uint8Array([66]), "room", "no broadcast"));
    await port!.receivedEvent(
      encodeRelayed(RELAYED.ROOM, new Uint8Array([66]), "room", "no event"),
    );
    port!.received(encodeRelayed(RELAYED.ROOM, new Uint8Array([66]), "room", "of b"));
    port!.received(encodeRelayed(RELAYED.ROOM, new Uint8Array([97]), "room", "of a itself"));
    await until("the valid message has arrived", () => here.observed.length === 1);
    assertEquals([here.observed, warnings(a).length, a.link!.malformed], [["of b"], 1, 4]);
  });
});

test("SendWindow queues messages in order while the connection is lost or unconfirmed", async () => {
  const sent: string[] = [];
  let fulls = 0;
  let confirm: () => void = () => {};
  const window = new SendWindow({
    send: (subject) => void sent.push(subject),
    flush: () => new Promise<void>((resolve) => confirm = resolve),
    full: () => fulls++,
  }, 3 * 1024 * 1024);
  const payload = new Uint8Array(300_000);
  window.isConnected = false;
  for (let i = 0; i < 12; i++) window.push(`${i}`, payload);
  assertEquals([sent.length, window.dropped, fulls], [0, 2, 1]);
  window.isConnected = true;
  // Sending pauses while 1 MiB or more is unconfirmed, which four of these messages reach.
  assertEquals(sent, ["0", "1", "2", "3"]);
  for (let i = 0; i < 10; i++) {
    confirm();
    await new Promise((turn) => setTimeout(turn));
  }
  assertEquals(sent, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  assertEquals(window.bytes, 0);
  window.push("more", payload);
  assertEquals([sent.at(-1), window.dropped], ["more", 2]);
});

test("natsRelay.stop waits at most one second until all queued messages are sent", async () => {
  let isAnswering = true;
  let published = 0;
  const connection: NatsConnection = {
    publish: () => void published++,
    subscribe: () => ({ unsubscribe: () => {} }),
    flush: () => new Promise((flushed) => isAnswering && setTimeout(flushed)),
    status: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }),
    isClosed: () => false,
  };
  const port: RelayPort = {
    origin: "a",
    received: () => {},
    receivedEvent: () => Promise.resolve(),
    warn: () => {},
    after: (ms, task) => {
      assertEquals(ms, 1_000);
      const timer = setTimeout(task, isAnswering ? ms : 0);
      return { cancel: () => clearTimeout(timer) };
    },
  };
  for (const [answers, expected] of [[true, 60], [false, 60 + 11]] as const) {
    isAnswering = answers;
    const relay = natsRelay(connection);
    await relay.start(port);
    for (let i = 0; i < 60; i++) relay.publish(i, new Uint8Array(100_000));
    assertEquals(published, answers ? 11 : 60 + 11);
    await relay.stop();
    assertEquals(published, expected);
  }
});
