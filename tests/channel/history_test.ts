/**
 * Tests history and recovery on nodes of one process, with clients over real WebSockets that record
 * every message.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { channel, ChannelError } from "@firn/firn/channels";
import { Socket } from "@firn/firn/client";
import type { Node } from "@firn/firn";
import { isAhead, TopicLog } from "../../lib/channel/topic_log.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

const log = channel("log:*", {
  history: { size: 100, copies: 2 },
  on: {
    add: (payload: number, socket) => socket.broadcast("added", payload),
    others: (payload: number, socket) => socket.broadcastFrom("added", payload),
  },
});

interface Cluster {
  readonly nodes: Node[];
  readonly urls: string[];
  /** Connects a user to one node. With several nodes, the client fails over between them. */
  connect(user: string, ...at: number[]): Socket;
}

/** Runs `body` with connected nodes that serve a channel with history. */
async function withNodes(count: number, body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const nodes: Node[] = [];
  const sockets: Socket[] = [];
  try {
    const urls: string[] = [];
    for (let i = 0; i < count; i++) {
      const node = await startCheaply({
        name: `n${i}@127.0.0.1:0`,
        cookie: COOKIE,
        seeds: nodes.map(({ name }) => name),
        logLevel: "silent",
      });
      nodes.push(node);
      urls.push(`${
        (await node.serve<string>({
          channels: [log],
          upgrade: ({ url }) => ({ data: new URL(url).searchParams.get("user")! }),
          channelUser: (user) => user,
        })).url
      }socket`);
    }
    await until(
      "all nodes are connected",
      () => nodes.every((node) => node.peers().length === count - 1),
    );
    const connect = (user: string, ...at: number[]): Socket => {
      const socket = new Socket(at.map((i) => urls[i]!), { maxDelay: 50, params: { user } });
      sockets.push(socket);
      return socket;
    };
    await body({ nodes, urls, connect });
  } finally {
    for (const socket of sockets) socket.close();
    for (const node of nodes) await node.stop({ timeout: 2_000 });
  }
}

/** Joins a topic and records what the client receives. */
function receiver(socket: Socket, topic: string, recent = 0) {
  const got: number[] = [];
  const lost: string[] = [];
  const joined: (boolean | undefined)[] = [];
  const each = socket.channel<typeof log>(topic, undefined, { recent });
  each.on("added", (payload) => got.push(payload as number));
  each.when("lost", ({ reason }) => lost.push(reason));
  each.when("joined", ({ recovered }) => joined.push(recovered));
  return { channel: each, got, lost, joined };
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

test("channel with history delivers messages in one order to all clients, and the latest to new ones", async () => {
  await withNodes(3, async ({ connect }) => {
    const clients = [0, 1, 2].map((i) => receiver(connect(`${i}`, i), "log:a"));
    await Promise.all(clients.map(({ channel }) => channel.ready()));
    const pushes = upTo(30).map((i) => clients[i % 3]!.channel.push("add", i));
    const places = await Promise.all(pushes) as { epoch: string; offset: number }[];
    assertEquals(places.map(({ offset }) => offset).sort((a, b) => a - b), upTo(30));
    await until(
      "all clients have all messages",
      () => clients.every(({ got }) => got.length === 30),
    );
    for (const { got } of clients) assertEquals(got, clients[0]!.got);
    const late = receiver(connect("late", 1), "log:a", 10);
    await until("the new client has the last messages", () => late.got.length === 10);
    assertEquals(late.got, clients[0]!.got.slice(-10));
    await clients[0]!.channel.push("others", 31);
    await until("the new client has the next message", () => late.got.length === 11);
    assertEquals(clients[0]!.got.length, 30);
  });
});

test("channel with history rejects a message that is too large for other nodes without storing it", async () => {
  await withNodes(2, async ({ nodes, connect }) => {
    const one = receiver(connect("one", 1), "log:large");
    await one.channel.ready();
    // The maximum length of a message to a room, minus one byte: with its position, the message
    // does not fit.
    const large = "x".repeat(16 * 1024 * 1024 - 400);
    const error = await assertRejects(
      () => nodes[0]!.channels.broadcast("log:large", "added", large),
      ChannelError,
    );
    assertEquals(error.code, "toolarge");
    const place = await nodes[0]!.channels.broadcast("log:large", "added", 1);
    assertEquals(place!.offset, 1);
    await until("the next message has arrived", () => one.got.length === 1);
  });
});

test("channel with history sends a client that reconnects to another node exactly the missed messages", async () => {
  await withNodes(3, async ({ nodes, connect }) => {
    const one = receiver(connect("one", 0, 1), "log:b");
    const other = receiver(connect("other", 2), "log:b");
    await Promise.all([one.channel.ready(), other.channel.ready()]);
    let sent = 0;
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 5; i++) await other.channel.push("add", ++sent);
      await until("the client has all messages", () => one.got.length === sent);
      nodes[2]!.channels.user("one").disconnect();
      for (let i = 0; i < 5; i++) await other.channel.push("add", ++sent);
      await until("the client has received the missed messages", () => one.got.length >= sent);
      assertEquals(one.got, upTo(sent));
    }
    assertEquals(one.lost, []);
    assertEquals(one.joined.slice(1), Array(one.joined.length - 1).fill(true));
  });
});

test("channel with history loses no message when the topic's home node leaves", async () => {
  await withNodes(3, async ({ nodes, connect }) => {
    const one = receiver(connect("one", 0), "log:c");
    await one.channel.ready();
    let sent = 0;
    const add = async (): Promise<void> => {
      await one.channel.push("add", ++sent);
    };
    while (sent < 10) await add();
    // The nodes without clients leave one after another, one of which may be the home of the topic.
    for (const node of nodes.splice(1)) {
      const left = node.leave({ timeout: 5_000 });
      while (sent % 10 !== 9) await add();
      await left;
      await add();
    }
    while (sent < 40) await add();
    await until("the client has all messages", () => one.got.length >= sent);
    assertEquals(one.got, upTo(sent));
    assertEquals(one.lost, []);
  });
});

test("TopicLog.after reports positions that are expired, of another epoch or beyond the end", () => {
  const limits = { size: 5, ttl: 1_000 };
  const made = new TopicLog({ epochs: [], entries: [], last: 0 }, limits, 0);
  made.begin("a");
  for (let i = 1; i <= 7; i++) made.append(`m${i}`, i * 10, undefined);
  const missed = (epoch: string, offset: number, log = made, now = 100): unknown => {
    const answer = log.after({ epoch, offset }, log.last, now);
    return answer.recovered ? answer.missed.map(({ frame }) => frame) : answer.reason;
  };
  assertEquals(missed("a", 5), ["m6", "m7"]);
  assertEquals(missed("a", 7), []);
  assertEquals(missed("a", 2), ["m3", "m4", "m5", "m6", "m7"]);
  assertEquals([missed("a", 1), missed("b", 7), missed("a", 8)], ["expired", "lost", "diverged"]);
  // Another node takes over from a copy that lacks the last message.
  const copy = new TopicLog({ ...made.state(100), last: 0, entries: [] }, limits, 5_000);
  copy.extend(made.state(100).entries.slice(0, 4).map((e, i) => ({ ...e, offset: i + 1 })), 5_000);
  assertEquals(copy.last, 4);
  copy.begin("b");
  assertEquals(copy.append("n5", 5_010, undefined).offset, 5);
  assertEquals(copy.epoch, { id: "b", number: 2, from: 5 });
  assertEquals(missed("a", 4, copy, 5_020), ["n5"]);
  assertEquals(missed("a", 5, copy, 5_020), "diverged");
  assertEquals(isAhead(copy.state(5_020), made.state(100)), true);
  // The age of entries is kept when a log moves to a node whose clock differs.
  assertEquals(missed("b", 4, copy, 7_000), "expired");
});

test("channel with history accepts a ttl that is longer than the longest timer", async () => {
  await using node = await startCheaply({ cookie: COOKIE, logLevel: "silent" });
  for (const ttl of [30 * 86_400_000, Infinity]) {
    node.channels.define(channel(`kept:${ttl}`, { history: { ttl } }));
    assertEquals((await node.channels.broadcast(`kept:${ttl}`, "event"))?.offset, 1);
  }
});
