/**
 * Tests clients that cannot open a WebSocket, and use event streams and requests instead, on two
 * nodes of one process.
 */
import { assert, assertEquals } from "@std/assert";
import { channel } from "@firn/firn/channels";
import { Socket, type SocketEvents } from "@firn/firn/client";
import type { Node, Server } from "@firn/firn";
import type { ServeOptions } from "../../lib/ws/options.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

const room = channel("room:*", {
  presence: { grace: 2_000 },
  history: true,
  join(socket, { name }: { name: string }) {
    socket.track(name);
    return { user: socket.user ?? "" };
  },
  on: {
    say: (text: string, socket) => socket.broadcast("said", text),
    echo: (payload: unknown) => payload,
    bytes: (_payload: unknown, socket) => void socket.push("bytes", new Uint8Array([0, 255, 10])),
    bye: (_payload: unknown, socket) => void socket.leave(),
  },
  events: {} as { said: string; bytes: Uint8Array },
});

/** A channel without history, whose broadcasts are batched until the end of the turn. */
const plain = channel("plain:*", { join: () => {}, events: {} as { said: string } });

/** Rejects WebSockets, like a proxy that removes their headers. */
const BLOCKED: ServeOptions<{ user: string }> = {
  upgrade: (request) => {
    const user = new URL(request.url).searchParams.get("user") ?? "";
    if (request.method === "GET") return new Response("blocked", { status: 400 });
    return user === "mallory" ? new Response("no entry", { status: 401 }) : { data: { user } };
  },
};

async function withTwo(
  options: ServeOptions<{ user: string }>,
  body: (
    servers: [Server, Server],
    connect: (at: 0 | 1, user?: string) => Socket,
    nodes: [Node, Node],
  ) => Promise<void>,
): Promise<void> {
  const start = (name: string, seeds: string[]) =>
    startCheaply({ name: `${name}@127.0.0.1:0`, cookie: COOKIE, seeds, logLevel: "silent" });
  await using a = await start("a", []);
  await using b = await start("b", [a.name]);
  const [one, other] = await Promise.all([a, b].map((node) =>
    node.serve<{ user: string }>({
      ...BLOCKED,
      ...options,
      channels: [room, plain],
      channelUser: ({ user }) => user || undefined,
    })
  ));
  const sockets: Socket[] = [];
  const connect = (at: 0 | 1, user = ""): Socket => {
    const { url } = [one!, other!][at]!;
    const socket = new Socket(`${url}socket`, { params: { user }, maxDelay: 100 });
    sockets.push(socket);
    return socket;
  };
  try {
    await body([one!, other!], connect, [a, b]);
  } finally {
    for (const socket of sockets) socket.close();
    for (const reader of readers.splice(0)) await reader.cancel().catch(() => {});
  }
}

/** The streams opened by a test. */
const readers: ReadableStreamDefaultReader<string>[] = [];

const httpOf = ({ url }: Server): string => `${url.replace("ws:", "http:")}socket`;

function post(url: string, body?: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: "POST", body: body ?? null, headers });
}

/**
 * Opens an event stream by plain requests, without Firn's client. Returns the id of the session,
 * and a function that resolves to the next message of the stream.
 */
async function open(server: Server): Promise<{ id: string; next(): Promise<unknown[]> }> {
  const response = await post(`${httpOf(server)}/websocket?vsn=2.0.0`);
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  readers.push(reader);
  let rest = "";
  const next = async (): Promise<unknown[]> => {
    while (!rest.includes("\n\n")) {
      const { done, value } = await reader.read();
      if (done) return ["over"];
      rest += value;
    }
    const at = rest.indexOf("\n\n");
    const event = rest.slice(0, at);
    rest = rest.slice(at + 2);
    return event.startsWith("data: [") ? JSON.parse(event.slice(6)) : await next();
  };
  const [, , , event, payload] = await next();
  assertEquals(event, "firn_session");
  return { id: (payload as { id: string }).id, next };
}

const join = '["1","1","room:1","phx_join",{"name":"raw"}]';
const say = (ref: number, text: string): string =>
  JSON.stringify(["1", String(ref), "room:1", "say", text]);

test("Socket offers its whole API over events and requests if no WebSocket can be opened", async () => {
  await withTwo({}, async (_servers, connect, [a]) => {
    const sockets = [connect(0, "ann"), connect(1, "bob")];
    const opened: SocketEvents["open"][] = [];
    for (const socket of sockets) socket.on("open", (event) => opened.push(event));
    const [ann, bob] = sockets.map((socket, i) =>
      socket.channel<typeof room>("room:1", { name: ["ann", "bob"][i]! })
    ) as [ReturnType<typeof typed>, ReturnType<typeof typed>];
    const observed: unknown[][] = [[], []];
    [ann, bob].forEach((each, i) => each.on("said", (text) => observed[i]!.push(text)));
    assertEquals(await Promise.all([ann.ready(), bob.ready()]), [{ user: "ann" }, { user: "bob" }]);
    assertEquals(opened.map(({ transport }) => transport), ["events", "events"]);
    // The pushes arrive in order, although several requests carry them.
    const numbers = Array.from({ length: 200 }, (_, i) => String(i));
    await Promise.all(numbers.map((each) => ann.push("say", each)));
    await until(
      "both clients have received all messages",
      () => observed.every(({ length }) => length === 200),
    );
    assertEquals(observed, [numbers, numbers]);
    const long = "ä\n\r\n€".repeat(30_000);
    assertEquals(await bob.push("echo", long), long);
    assertEquals(await bob.push("echo", new Uint8Array([1, 2, 255])), new Uint8Array([1, 2, 255]));
    const bytes: unknown[] = [];
    bob.on("bytes", (each) => bytes.push(each));
    await bob.push("bytes");
    await until("the bytes have arrived", () => bytes.length === 1);
    assertEquals(bytes, [new Uint8Array([0, 255, 10])]);
    await until(
      "both clients see both users",
      () => [ann, bob].every(({ presence }) => presence.size === 2),
    );
    assertEquals(await a.channels.user("bob").count(), { count: 1, missing: [] });
    const invited: string[] = [];
    sockets[1]!.on("invite", ({ topic }) => invited.push(topic));
    a.channels.user("bob").invite("room:2");
    await until("bob has received the invitation", () => invited[0] === "room:2");
    // A disconnected client reconnects without a WebSocket, and misses no message.
    const closed: number[] = [];
    sockets[1]!.on("close", ({ code }) => closed.push(code));
    a.channels.user("bob").disconnect({ code: 4001 });
    await until("bob is disconnected", () => closed.length === 1);
    await ann.push("say", "meanwhile");
    await until("bob has received the message", () => observed[1]!.at(-1) === "meanwhile");
    assertEquals([closed, opened.length, observed[1]!.length], [[4001], 3, 201]);
    await bob.push("bye").catch(() => {});
    await until("bob has been removed", () => bob.state === "left");
    await until("bob is not present", () => !ann.presence.has("bob"));
    // The leave is sent before the connection ends.
    sockets[0]!.close();
    await until(
      "ann has left",
      () => Object.keys(a.channels.presence("room:1")).length === 0,
      1_500,
    );
  });
});

/** Used only for its return type. */
function typed(socket: Socket) {
  return socket.channel<typeof room>("room:1", { name: "x" });
}

test("Socket emits close with the reason of the upgrade hook if the hook rejects the client", async () => {
  await withTwo({}, async (_servers, connect) => {
    const socket = connect(0, "mallory");
    const { code, reason } = await new Promise<SocketEvents["close"]>((close) =>
      socket.on("close", close)
    );
    assertEquals([code, reason], [1006, "401 no entry"]);
  });
});

test("Socket reconnects with a WebSocket first if a WebSocket worked before", async () => {
  let isBlocked = false;
  await using node = await startCheaply({ logLevel: "silent" });
  const server = await node.serve({
    channels: [room],
    channelUser: () => "ann",
    upgrade: ({ method }) =>
      isBlocked && method === "GET" ? new Response("blocked", { status: 400 }) : undefined,
  });
  const socket = new Socket(`${server.url}socket`, { maxDelay: 20 });
  try {
    const used: string[] = [];
    socket.on("open", ({ transport }) => used.push(transport));
    const one = socket.channel("room:1", { name: "one" });
    await one.ready();
    for (const blocks of [true, false]) {
      isBlocked = blocks;
      const before = used.length;
      node.channels.user("ann").disconnect();
      await until("the client has rejoined", () => used.length > before && one.state === "joined");
    }
    assertEquals(used, ["websocket", "events", "websocket"]);
  } finally {
    socket.close();
  }
});

test("EventSessions handles each request of a session once and in order", async () => {
  await withTwo({}, async ([server, other]) => {
    const { id, next } = await open(server);
    const url = `${httpOf(server)}/send`;
    const status = async (body: string, to = url): Promise<number> => {
      const response = await post(to, body);
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await status(`${id} 1\n${join}`), 204);
    assertEquals((await next())[3], "phx_reply");
    assertEquals((await next())[3], "presence_state");
    // Sends the first request twice, as a browser may, and once more through the other node, as a
    // load balancer may.
    const [request, second] = [
      `${id} 2\n${say(2, "one")}\n${say(3, "two")}`,
      `${id} 3\n${say(4, "three")}`,
    ];
    const through = `${httpOf(other)}/send`;
    assertEquals(await Promise.all([status(request), status(request), status(request, through)]), [
      204,
      204,
      204,
    ]);
    assertEquals(await status(second, through), 204);
    const observed: unknown[] = [];
    while (observed.length < 3) {
      const [, , , event, payload] = await next();
      if (event === "said") observed.push(payload);
    }
    assertEquals(observed, ["one", "two", "three"]);
    const forged = id.slice(0, -1) + (id.endsWith("0") ? "1" : "0");
    for (
      const [body, expected] of [
        [`${forged} 4\n${say(9, "forged")}`, 410],
        [`${id.slice(0, id.lastIndexOf("."))} 4\n`, 400],
        [`zzzzzz.1.${"0".repeat(36)} 1\n`, 410],
        ["", 400],
        ["[1]", 400],
        [`${id} -1\n`, 400],
      ] as const
    ) assertEquals([body, await status(body)], [body, expected]);
    assertEquals(await status(`${forged} 4\n${say(9, "forged")}`, through), 410);
    // A gap in the numbers of requests ends the session.
    assertEquals(await status(`${id} 9\n${say(9, "late")}`), 409);
    let last: unknown[] = [];
    while (last[3] !== "firn_close") last = await next();
    assertEquals(await next(), ["over"]);
    assertEquals(await status(`${id} 10\n${say(9, "later")}`), 410);
  });
});

test("EventSessions ends the session of a malformed message with the code 1008", async () => {
  await withTwo({}, async ([server], connect) => {
    const other = connect(0).channel("room:1", { name: "other" });
    await other.ready();
    for (const bad of ["", "{}", "[1]", "AAk=", "["]) {
      const { id, next } = await open(server);
      const response = await post(`${httpOf(server)}/send`, `${id} 1\n${bad}`);
      await response.body?.cancel();
      const [, , topic, event, payload] = await next();
      const reason = "not a channel message";
      assertEquals([topic, event, payload], ["phoenix", "firn_close", { code: 1008, reason }]);
      assertEquals(await next(), ["over"]);
    }
    assertEquals(await other.push("echo", 1), 1);
  });
});

test("EventSessions accepts requests from the allowed origins of WebSockets, and rejects others", async () => {
  const origins = ["https://app.example"];
  await withTwo({ origins }, async ([server]) => {
    const url = httpOf(server);
    const { id } = await open(server);
    for (const [to, body] of [[`${url}/websocket?vsn=2.0.0`], [`${url}/send`, `${id} 1\n`]]) {
      for (const origin of ["https://evil.example", "null", "https://app.example.evil"]) {
        const response = await post(to!, body, { origin });
        await response.body?.cancel();
        assertEquals(response.status, 403);
        assertEquals(response.headers.get("access-control-allow-origin"), null);
      }
      const response = await post(to!, body, { origin: origins[0]! });
      await response.body?.cancel();
      assert(response.ok);
      assertEquals(response.headers.get("access-control-allow-origin"), origins[0]);
      assertEquals(response.headers.get("access-control-allow-credentials"), "true");
    }
  });
});

test("EventSessions enforces the limits on connections per address and on request bodies", async () => {
  const limits = { maxConnectionsPerAddress: 2, trustedProxies: ["127.0.0.1"] };
  await withTwo({ ...limits, maxRequestBodySize: 1_000 }, async ([server]) => {
    const url = `${httpOf(server)}/websocket?vsn=2.0.0`;
    const from = { "x-forwarded-for": "203.0.113.7" };
    const status = async (response: Response): Promise<number> => {
      await response.body?.cancel();
      return response.status;
    };
    const open = [await post(url, undefined, from), await post(url, undefined, from)];
    assertEquals(await status(await post(url, undefined, from)), 503);
    await open[0]!.body!.cancel();
    await until("a session of the address has ended", async () => {
      const response = await post(url, undefined, from);
      if (response.ok) open[0] = response;
      else await response.body?.cancel();
      return response.ok;
    });
    for (const each of open) await each.body!.cancel();
    assertEquals(await status(await post(`${httpOf(server)}/send`, "x".repeat(2_000))), 413);
    assertEquals(await status(await post(url.replace("2.0.0", "1.0.0"))), 400);
    const plain = await fetch(url);
    assertEquals(plain.status, 426);
    assert((await plain.text()).includes("a proxy"));
  });
});

test("EventSessions disconnects a client that does not read, without delaying others", async () => {
  await withTwo({ backpressureLimit: 100_000 }, async ([server], connect, [a]) => {
    const { id } = await open(server);
    const response = await post(`${httpOf(server)}/send`, `${id} 1\n${join}`);
    await response.body?.cancel();
    const other = connect(0).channel<typeof room>("room:1", { name: "other" });
    await other.ready();
    const count = async (): Promise<number> => (await a.channels.count("room:1")).count;
    assertEquals(await count(), 2);
    let observed = 0;
    other.on("said", () => observed++);
    await until("the session has ended", async () => {
      await a.channels.broadcast("room:1", "said", "x".repeat(90_000));
      return await count() === 1;
    });
    await a.channels.broadcast("room:1", "said", "last");
    const before = observed;
    assert(before > 0);
    assertEquals(await other.push("echo", 1), 1);
  });
});

test("Server.stop closes sessions in batches with the given code", async () => {
  await withTwo({}, async ([server], connect) => {
    const socket = connect(0);
    const closed: [number, string][] = [];
    socket.on("close", ({ code, reason }) => closed.push([code, reason]));
    await socket.channel("room:1", { name: "one" }).ready();
    const sessions = await Promise.all([open(server), open(server), open(server)]);
    const began = performance.now();
    await server.stop({ code: 1012, reason: "reconnect", batchSize: 1, batchInterval: 50 });
    const took = performance.now() - began;
    assert(took >= 150 && took < 4_000, `${took} ms`);
    for (const { next } of sessions) {
      const payload = { code: 1012, reason: "reconnect" };
      assertEquals(await next(), [null, null, "phoenix", "firn_close", payload]);
      assertEquals(await next(), ["over"]);
    }
    await until("the client was disconnected", () => closed.length > 0);
    assertEquals(closed[0], [1012, "reconnect"]);
  });
});

test("Server.stop and disconnect first deliver the broadcasts that were made before", async () => {
  const upgrade = () => ({ data: { user: "ann" } });
  await withTwo({ upgrade }, async (servers, connect, nodes) => {
    const join = '["1","1","plain:1","phx_join",{}]';
    for (const at of [0, 1] as const) {
      const [server, node] = [servers[at], nodes[at]];
      const received: unknown[] = [];
      const channel = connect(at).channel("plain:1");
      channel.on("said", (text) => received.push(text));
      await channel.ready();
      const { id, next } = await open(server);
      assertEquals((await post(`${httpOf(server)}/send`, `${id} 1\n${join}`)).status, 204);
      assertEquals((await next())[3], "phx_reply");
      node.channels.broadcast("plain:1", "said", "goodbye");
      const events = (async () => [await next(), await next()])();
      if (at === 0) await server.stop();
      else node.channels.user("ann").disconnect();
      assertEquals((await events).map(([, , , event]) => event), ["said", "firn_close"]);
      await until("the WebSocket has received the broadcast", () => received.length > 0);
    }
  });
});
