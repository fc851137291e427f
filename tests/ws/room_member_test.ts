/**
 * Tests members of rooms whose sockets another server accepted: the runtime's own server, Hono's
 * `upgradeWebSocket`, and streams of server-sent events. All clients here are the runtime's own
 * `WebSocket` and `fetch`.
 */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { PORTION_COUNT } from "../../lib/base/portions.ts";
import type { EventStream } from "../../lib/ws/event_stream.ts";
import { eventStream, type MessageSocket, roomMember } from "../../lib/ws/room_member.ts";
import { Rooms } from "../../lib/ws/rooms.ts";
import { type Member, RoomError } from "../../lib/ws/room.ts";
import { serve } from "../../lib/serve.ts";
import { importPackage } from "../kit/npm.ts";
import { test, until } from "../kit/test.ts";

const IS_BUN = "Bun" in globalThis;

/** Creates rooms whose turns are ended by the test. */
function newRooms(): { rooms: Rooms; endTurn: () => void } {
  const tasks: (() => void)[] = [];
  const rooms = new Rooms({ atFlush: (task) => tasks.push(task) });
  return { rooms, endTurn: () => tasks.splice(0).forEach((task) => task()) };
}

/** Creates rooms whose turns end in a microtask. */
function liveRooms(): Rooms {
  return new Rooms({ atFlush: queueMicrotask });
}

/** Connects a client and collects its messages, in order; binary ones as `<hex>`. */
async function client(url: string): Promise<{ got: string[]; close: () => Promise<void> }> {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const got: string[] = [];
  socket.onmessage = ({ data }) =>
    got.push(typeof data === "string" ? data : `<${new Uint8Array(data).toHex()}>`);
  const closed = new Promise<void>((resolve) => socket.onclose = () => resolve());
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`no connection to ${url}`));
  });
  return { got, close: () => (socket.close(), closed) };
}

/** Broadcasts to two clients of a server whose sockets join the room "lobby" of `rooms`. */
async function exchange(rooms: Rooms, url: string): Promise<void> {
  const [a, b] = [await client(url), await client(url)];
  await until("both clients have joined", () => rooms.members("lobby").size === 2);
  rooms.broadcast("lobby", "räum");
  rooms.broadcast("lobby", new Uint8Array([1, 2, 255]));
  rooms.broadcast("lobby", "x".repeat(70_000));
  await until("all broadcasts have arrived", () => a.got.length === 3 && b.got.length === 3);
  assertEquals([a.got.slice(0, 2), b.got.slice(0, 2)], [["räum", "<0102ff>"], [
    "räum",
    "<0102ff>",
  ]]);
  assertEquals([a.got[2]!.length, b.got[2]!.length], [70_000, 70_000]);
  const [first] = rooms.members("lobby");
  rooms.broadcastFrom(first!, "lobby", "from one");
  await until(
    "the other client has received the broadcast",
    () => a.got.length + b.got.length === 7,
  );
  await a.close();
  await until("one client has left", () => rooms.members("lobby").size === 1);
  await b.close();
  await until("both clients have left", () => rooms.count === 0);
}

test("roomMember allows sockets of Deno.serve to join rooms", { ignore: IS_BUN }, async () => {
  const rooms = liveRooms();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    const member = roomMember(socket);
    socket.onopen = () => rooms.join("lobby", member);
    socket.onclose = () => rooms.leaveAll(member);
    return response;
  });
  await exchange(rooms, `ws://127.0.0.1:${server.addr.port}`);
  await server.shutdown();
});

test("roomMember allows sockets of Bun.serve to join rooms", { ignore: !IS_BUN }, async () => {
  const rooms = liveRooms();
  const members = new Map<unknown, Member>();
  // deno-lint-ignore no-explicit-any -- Bun's types are not available here
  const server = (globalThis as any).Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    // deno-lint-ignore no-explicit-any -- Bun's types are not available here
    fetch: (request: Request, bun: any) => bun.upgrade(request) ? undefined : new Response("?"),
    websocket: {
      open(ws: MessageSocket) {
        const member = roomMember(ws);
        members.set(ws, member);
        rooms.join("lobby", member);
      },
      message() {},
      close(ws: MessageSocket) {
        rooms.leaveAll(members.get(ws)!);
      },
    },
  });
  await exchange(rooms, `ws://127.0.0.1:${server.port}`);
  await server.stop(true);
});

/** Loads Hono and its adapter for this runtime. Resolves to undefined if npm is unreachable. */
// deno-lint-ignore no-explicit-any -- the package may be absent
async function hono(): Promise<any> {
  try {
    const adapter = IS_BUN ? "hono@4.13.19/bun" : "hono@4.13.19/deno";
    return { ...await importPackage("hono@4.13.19"), ...await importPackage(adapter) };
  } catch (error) {
    // deno-lint-ignore no-console -- says why the test is skipped
    console.warn(`room_member_test: without Hono: ${(error as Error).message}`);
    return undefined;
  }
}

const HONO = await hono();

test("roomMember allows sockets of Hono's upgradeWebSocket to join rooms", {
  ignore: HONO === undefined,
}, async () => {
  const { Hono, upgradeWebSocket, websocket } = HONO;
  const rooms = liveRooms();
  const app = new Hono();
  app.get(
    "/ws",
    upgradeWebSocket(() => {
      let member: Member;
      return {
        onOpen(_event: unknown, ws: MessageSocket) {
          member = roomMember(ws);
          rooms.join("lobby", member);
        },
        onClose: () => rooms.leaveAll(member),
      };
    }),
  );
  if (IS_BUN) {
    // deno-lint-ignore no-explicit-any -- Bun's types are not available here
    const { Bun } = globalThis as any;
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: app.fetch, websocket });
    await exchange(rooms, `ws://127.0.0.1:${server.port}/ws`);
    await server.stop(true);
  } else {
    const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
    const server = Deno.serve(options, app.fetch);
    await exchange(rooms, `ws://127.0.0.1:${server.addr.port}/ws`);
    await server.shutdown();
  }
});

test("roomMember closes a socket that does not read, or drops its messages with the policy drop", () => {
  const { rooms, endTurn } = newRooms();
  class Slow {
    readonly readyState = 1;
    bufferedAmount = 0;
    sent = 0;
    closed: number | undefined;
    send(message: string | Uint8Array): void {
      this.sent++;
      this.bufferedAmount += message.length;
    }
    close(code: number): void {
      this.closed = code;
    }
  }
  const [close, drop, limited] = [new Slow(), new Slow(), new Slow()];
  const options = { backpressureLimit: 2_000 };
  rooms.join("r", roomMember(close, options));
  rooms.join("r", roomMember(drop, { ...options, backpressurePolicy: "drop" }));
  rooms.join("s", roomMember(limited, options));
  rooms.limit("s", { backpressureLimit: 100_000 });
  for (let i = 0; i < 20; i++) {
    rooms.broadcast("r", "x".repeat(500));
    rooms.broadcast("s", "x".repeat(500));
    endTurn();
  }
  assertEquals([close.closed, drop.closed, limited.closed], [1013, undefined, undefined]);
  assert(drop.sent < 5 && limited.sent === 20, `${drop.sent}, ${limited.sent}`);
  drop.bufferedAmount = 0;
  rooms.broadcast("r", "again");
  const before = drop.sent;
  endTurn();
  assertEquals(drop.sent, before + 1);
  assertThrows(() => roomMember(close, { backpressureLimit: 0 }), RoomError, "backpressureLimit");
});

test("roomMember isolates other members from a socket that throws", () => {
  const { rooms, endTurn } = newRooms();
  const got: unknown[] = [];
  const fails = {
    send() {
      throw new Error("closed");
    },
    close() {},
  };
  rooms.join("r", roomMember(fails));
  rooms.join("r", roomMember({ ...fails, readyState: 3 }));
  rooms.join("r", roomMember({ send: (message) => got.push(message), close() {} }));
  rooms.broadcast("r", "one");
  rooms.broadcast("r", "two");
  endTurn();
  assertEquals(got, ["one", "two"]);
});

test("RoomTerms.messages decodes a batch once for all members", () => {
  const { rooms, endTurn } = newRooms();
  const seen: (readonly unknown[])[] = [];
  for (let i = 0; i < 3; i++) {
    rooms.join("r", { sendShared: (frames, room) => seen.push(room.messages(frames)) });
  }
  for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
    rooms.broadcast("r", "é".repeat(length));
    rooms.broadcast("r", new Uint8Array(length).fill(7));
  }
  endTurn();
  const all = seen.flat() as (string | Uint8Array)[];
  assert(seen.every((messages) => seen.filter((other) => other === messages).length === 3));
  assertEquals(all.filter((message) => typeof message === "string").length, 18);
  const lengths = [...new Set(all.map((message) => message.length))];
  assertEquals(lengths, [0, 1, 125, 126, 65_535, 65_536]);
});

test("eventStream sends the text and binary messages of its room until its client disconnects", async () => {
  const rooms = liveRooms();
  const fetchHook = () => eventStream(rooms, ["news", "all"], { keepAlive: 20 });
  await using server = await serve({ port: 0, fetch: fetchHook });
  const response = await fetch(`http://127.0.0.1:${server.port}/`);
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assertEquals(response.headers.get("x-accel-buffering"), "no");
  assertEquals([rooms.members("news").size, rooms.members("all").size], [1, 1]);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const read = async (end: string): Promise<void> => {
    while (!text.includes(end)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the stream ended after ${JSON.stringify(text)}`);
      text += value;
    }
  };
  rooms.broadcast("news", "one\ntwo\r\nthree\rfour");
  rooms.broadcast("all", new Uint8Array([1, 255]));
  await read("event: binary");
  await read("Af8=\n\n");
  const events = text.replaceAll(":\n\n", "");
  assertEquals(
    events,
    "data: one\ndata: two\ndata: three\ndata: four\n\nevent: binary\ndata: Af8=\n\n",
  );
  text = "";
  await read(":\n\n");
  await reader.cancel();
  await until("the stream has left its room", () => rooms.count === 0);
});

test("eventStream ends when its client does not read", async () => {
  const { rooms, endTurn } = newRooms();
  const slow = eventStream(rooms, ["r"], { backpressureLimit: 1_000, keepAlive: 0 });
  const loses = eventStream(rooms, ["r"], {
    backpressureLimit: 1_000,
    backpressurePolicy: "drop",
    keepAlive: 0,
  });
  for (let i = 0; i < 10; i++) {
    rooms.broadcast("r", "x".repeat(300));
    endTurn();
  }
  await until("the slow client has left the room", () => rooms.members("r").size === 1);
  const error = await slow.text().catch((error) => error);
  assertMatch(String(error), /does not read fast enough/);
  await loses.body!.cancel();
  assertEquals(rooms.count, 0);
  assertThrows(() => eventStream(rooms, ["fine", ""]), RoomError, "no room can be called");
  assertThrows(() => eventStream(rooms, ["r"], { keepAlive: -1 }), RoomError, "keepAlive");
  assertEquals(rooms.count, 0);
});

test("A broadcast reaches thousands of event streams in portions, before later messages to each of them", async () => {
  const tasks: (() => void)[] = [];
  const yields: (() => void)[] = [];
  const rooms = new Rooms({
    atFlush: (task) => tasks.push(task),
    yieldToIo: (task) => yields.push(task),
  });
  const endTurn = async (): Promise<void> => {
    for (const task of tasks.splice(0)) task();
    await new Promise((turn) => setTimeout(turn, 0));
  };
  const texts: string[] = [];
  const count = 2 * PORTION_COUNT + 10;
  const readers = Array.from({ length: count }, (_, i) => {
    texts.push("");
    const { body } = eventStream(rooms, ["news"], { keepAlive: 0 });
    const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
    const read = async (): Promise<void> => {
      for (let got = await reader.read(); !got.done; got = await reader.read()) {
        texts[i] += got.value;
      }
    };
    void read();
    return reader;
  });
  const reached = (): number => texts.filter((text) => text !== "").length;
  rooms.broadcast("news", "1");
  await endTurn();
  assertEquals(reached(), PORTION_COUNT);
  const [...members] = rooms.members("news") as Set<EventStream>;
  members.at(-1)!.send("own");
  await endTurn();
  assertEquals([reached(), texts.at(-1)], [PORTION_COUNT + 1, "data: 1\n\ndata: own\n\n"]);
  rooms.broadcast("news", "2");
  await endTurn();
  members.at(-2)!.end();
  await endTurn();
  yields.shift()!();
  await endTurn();
  assertEquals(reached(), 2 * PORTION_COUNT + 2);
  while (yields.length > 0) yields.shift()!();
  await endTurn();
  const all = "data: 1\n\ndata: 2\n\n";
  assertEquals(texts.slice(0, -2).every((text) => text === all), true);
  assertEquals(texts.slice(-2), [all, "data: 1\n\ndata: own\n\ndata: 2\n\n"]);
  await Promise.all(readers.map((reader) => reader.cancel()));
});
