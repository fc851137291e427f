import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { connect as dialTls } from "node:tls";
import { utf8, utf8Text } from "../../lib/base/bytes.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { makeAuthority, makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { ListenError } from "../../lib/host/host.ts";
import { IGNORE, type Stream } from "../../lib/host/stream.ts";
import type { Connection } from "../../lib/ws/connection.ts";
import { OptionError, type ServeOptions } from "../../lib/ws/options.ts";
import { Rooms } from "../../lib/ws/rooms.ts";
import { serve } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";
import { test, until } from "../kit/test.ts";
import {
  buildFrame,
  closePayload,
  type FrameShape,
  hex,
  join,
  RawClient,
  upgradeRequest,
} from "../kit/ws_client.ts";
import { serving } from "./serving.ts";

const host = makeHost();

const ECHO: ServeOptions = { message: (conn, data) => conn.send(data) };

/** The runtime's own WebSocket client. */
class Client {
  readonly socket: WebSocket;
  readonly got: (string | Uint8Array)[] = [];
  closed: { code: number; reason: string; clean: boolean } | undefined;

  constructor(url: string, protocols: string[] = []) {
    this.socket = new WebSocket(url, protocols);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) =>
      this.got.push(typeof data === "string" ? data : new Uint8Array(data));
    this.socket.onclose = ({ code, reason, wasClean }) =>
      this.closed = { code, reason, clean: wasClean };
    this.socket.onerror = () => {};
  }

  static async open(url: string, protocols?: string[]): Promise<Client> {
    const client = new Client(url, protocols);
    await until("the socket is open", () => client.socket.readyState === WebSocket.OPEN);
    return client;
  }

  async until(count: number): Promise<void> {
    await until(`${count} messages have arrived`, () => this.got.length >= count);
  }

  async close(code?: number, reason?: string): Promise<void> {
    this.socket.close(code, reason);
    await this.gone();
  }

  gone(): Promise<void> {
    return until("the socket is closed", () => this.closed !== undefined);
  }
}

test("serve echoes text and binary messages of every length form", async () => {
  await serving(ECHO, async (server) => {
    const client = await Client.open(server.url);
    const messages: (string | Uint8Array<ArrayBuffer>)[] = [
      "",
      "hi",
      "é€😀\ufeff",
      new Uint8Array(0),
    ];
    for (const length of [125, 126, 65_535, 65_536, 1_000_000]) {
      messages.push("é".repeat(length / 2), new Uint8Array(length).fill(length));
    }
    for (const message of messages) client.socket.send(message);
    await client.until(messages.length);
    messages.forEach((message, i) => {
      assertEquals(typeof client.got[i], typeof message);
      assert(String(client.got[i]) === String(message), `message ${i}`);
    });
    await client.close(1000, "bye");
    assertEquals(client.closed?.code, 1000);
  });
});

test("serve calls open, message and close in the order of events", async () => {
  const received: string[] = [];
  await serving({
    open: (conn) => received.push(`open ${conn.id} ${conn.state}`),
    message: (_conn, data) => received.push(String(data)),
    close: (conn, code, reason) => received.push(`close ${code} ${reason} ${conn.state}`),
  }, async (server) => {
    const client = await Client.open(server.url);
    assertEquals(server.connections, 1);
    for (const each of ["1", "2", "3", "4", "5"]) client.socket.send(each);
    await client.close(4001, "done");
    await until("all handlers have been called", () => received.length === 7);
    assertEquals(received, ["open 1 open", "1", "2", "3", "4", "5", "close 4001 done closed"]);
    await until("the connection is not counted", () => server.connections === 0);
  });
});

test("serve calls close with 1006 when the client's connection breaks", async () => {
  const codes: number[] = [];
  await serving({ ...ECHO, close: (_conn, code) => codes.push(code) }, async (server) => {
    const client = await RawClient.open(host, server.port);
    await client.abort();
    await until("the close handler has been called", () => codes.length === 1);
    assertEquals(codes, [1006]);
    const other = await RawClient.open(host, server.port);
    other.send({ payload: "still there" });
    assertEquals(await other.nextText(), "still there");
  });
});

test("serve closes a connection with 1011 when its handler throws", async () => {
  await serving({
    message: (conn, data) => {
      if (data === "bad") throw new Error("oops");
      conn.send(data);
    },
  }, async (server, log) => {
    const [good, bad] = [await Client.open(server.url), await Client.open(server.url)];
    bad.socket.send("bad");
    await bad.gone();
    assertEquals([bad.closed?.code, bad.closed?.reason], [1011, "internal error"]);
    assertStringIncludes(log[0]!, "oops");
    good.socket.send("good");
    await good.until(1);
    await good.close();
  });
});

/** Frames that a hostile client sends, and the code of the close frame that it receives. */
const HOSTILE_FRAMES:
  readonly (readonly [what: string, frames: readonly FrameShape[], code: number])[] = [
    ["an unmasked frame", [{ payload: "x", mask: false }], 1002],
    ["a reserved bit", [{ payload: "x", reserved: 4 }], 1002],
    ["a reserved opcode", [{ opcode: 3 }], 1002],
    ["a fragmented ping", [{ opcode: 9, fin: false }], 1002],
    ["a long ping", [{ opcode: 9, payload: "x".repeat(126) }], 1002],
    ["a continuation without a message", [{ opcode: 0 }], 1002],
    ["a message within a message", [{ fin: false }, { opcode: 1 }], 1002],
    ["a length in a longer form than necessary", [{ payload: "x", form: 64 }], 1002],
    ["a negative length", [{ opcode: 2, claims: -1n & 0xffff_ffff_ffff_ffffn, form: 64 }], 1002],
    ["a text that is not UTF-8", [{ payload: hex("61 ff") }], 1007],
    ["a frame length over the limit", [{ opcode: 2, claims: 1001 }], 1009],
    ["fragments over the limit", [
      { payload: "x".repeat(900), fin: false },
      { opcode: 0, claims: 101 },
    ], 1009],
    ["a close with a reserved code", [{ opcode: 8, payload: closePayload(1005) }], 1002],
    ["a close of one byte", [{ opcode: 8, payload: "x" }], 1002],
  ];

for (const [what, frames, code] of HOSTILE_FRAMES) {
  test(`serve closes with ${code} after ${what}`, async () => {
    await serving({ ...ECHO, maxPayloadLength: 1000 }, async (server) => {
      const client = await RawClient.open(host, server.port);
      for (const frame of frames) client.send(frame);
      assertEquals((await client.closeFrame()).code, code);
      await client.gone();
    });
  });
}

test("serve accepts a request and frames that arrive byte by byte", async () => {
  await serving(ECHO, async (server) => {
    const client = await RawClient.connect(host, server.port);
    const all = join(utf8(upgradeRequest()), buildFrame({ payload: "slow" }));
    for (const byte of all) {
      client.write(Uint8Array.of(byte));
      await until("all bytes are sent", () => client.stream.unsent === 0);
    }
    assertEquals(await client.nextText(), "slow");
    assertEquals(client.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });
});

test("serve reads frames that arrive in the same chunk as the request", async () => {
  for (const upgrade of [undefined, () => ({}), () => Promise.resolve({})]) {
    const options = upgrade === undefined ? ECHO : { ...ECHO, upgrade };
    await serving(options, async (server) => {
      const client = await RawClient.connect(host, server.port);
      client.write(join(
        utf8(upgradeRequest()),
        buildFrame({ payload: "early" }),
        buildFrame({ payload: "bird" }),
      ));
      assertEquals([await client.nextText(), await client.nextText()], ["early", "bird"]);
    });
  }
});

test("serve rejects an invalid upgrade request with the right status", async () => {
  await serving(ECHO, async (server) => {
    const requests: [string, number][] = [
      [upgradeRequest({ "Sec-WebSocket-Version": "8" }), 426],
      [upgradeRequest({ "Sec-WebSocket-Key": "short" }), 400],
      [upgradeRequest({ Connection: undefined }), 400],
      [upgradeRequest({}, "POST / HTTP/1.1"), 405],
    ];
    for (const [request, status] of requests) {
      const client = await RawClient.connect(host, server.port);
      client.write(request);
      await client.gone();
      assertEquals(client.status, status);
      if (status !== 426) continue;
      assertEquals(client.header("sec-websocket-version"), "13");
      assertEquals(client.header("upgrade"), "websocket");
      assertEquals(client.header("connection"), "upgrade, close");
    }
  });
});

test("serve calls the upgrade hook, and uses the data, protocol and headers that it returns", async () => {
  const seen: string[] = [];
  await serving<{ user: string }>({
    upgrade: async (request, remote) => {
      await Promise.resolve();
      seen.push(remote.hostname, new URL(request.url).search, request.headers.get("x-token") ?? "");
      return { data: { user: "ann" }, protocol: "chat", headers: { "X-Node": "a" } };
    },
    open: (conn) => conn.send(`${conn.data.user} ${conn.protocol}`),
    message: (conn, data) => conn.send(data),
  }, async (server) => {
    const client = await RawClient.open(host, server.port, {
      "Sec-WebSocket-Protocol": "chat, other",
      "X-Token": "t",
    }, "GET /room?a=1 HTTP/1.1");
    assertEquals(await client.nextText(), "ann chat");
    assertEquals([client.header("sec-websocket-protocol"), client.header("x-node")], ["chat", "a"]);
    assertEquals(seen, ["127.0.0.1", "?a=1", "t"]);
    client.send({ payload: "and on" });
    assertEquals(await client.nextText(), "and on");
  });
});

test("serve rejects with the Response of the upgrade hook", async () => {
  let opened = 0;
  await serving({
    upgrade: () => new Response("who are you?", { status: 401, headers: { "X-Why": "token" } }),
    open: () => opened++,
  }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.write(upgradeRequest());
    await client.gone();
    assertEquals([client.status, client.header("x-why")], [401, "token"]);
    assertStringIncludes(client.text, "who are you?");
    assertEquals([opened, server.connections], [0, 0]);
  });
});

test("serve answers 500 when the upgrade hook fails or returns invalid values", async () => {
  const hooks: ServeOptions["upgrade"][] = [
    () => {
      throw new Error("oops");
    },
    () => Promise.reject(new Error("oops")),
    () => ({ protocol: "not offered" }),
    () => ({ headers: { "Sec-WebSocket-Accept": "mine" } }),
    () => ({ headers: { "X-A": "split\r\nX-B: 1" } }),
  ];
  for (const upgrade of hooks) {
    await serving({ upgrade: upgrade! }, async (server, log) => {
      const client = await RawClient.connect(host, server.port);
      client.write(upgradeRequest());
      await client.gone();
      assertEquals([client.status, log.length], [500, 1]);
    });
  }
});

test("serve opens no WebSocket if the upgrade hook answers too late", async () => {
  let opened = 0;
  let answer = (): void => {};
  await serving({
    upgrade: () => new Promise<void>((resolve) => answer = resolve),
    open: () => opened++,
    handshakeTimeout: 60,
  }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.write(upgradeRequest());
    await client.gone();
    answer();
    const other = await RawClient.connect(host, server.port);
    await other.gone();
    assertEquals([client.status, opened, server.connections], [503, 0, 0]);
  });
});

test("serve accepts pages of the given origins, and clients without an origin", async () => {
  await serving({ ...ECHO, origins: ["https://good.example"] }, async (server) => {
    const grid: [string | undefined, number][] = [
      ["https://good.example", 101],
      [undefined, 101],
      ["https://bad.example", 403],
      ["http://good.example", 403],
      ["null", 403],
    ];
    for (const [origin, status] of grid) {
      const client = await RawClient.connect(host, server.port);
      client.write(upgradeRequest({ Origin: origin }));
      await client.answered();
      assertEquals(client.status, status, origin);
    }
  });
});

test("serve answers 503 over maxConnections until a client disconnects", async () => {
  await serving({ ...ECHO, maxConnections: 2 }, async (server) => {
    const first = await RawClient.open(host, server.port);
    await RawClient.open(host, server.port);
    const third = await RawClient.connect(host, server.port);
    await third.gone();
    assertEquals(third.status, 503);
    await first.abort();
    await until("the connection has ended", () => server.connections === 1);
    await until("a client is accepted", async () => {
      const client = await RawClient.connect(host, server.port);
      client.write(upgradeRequest());
      await client.answered();
      return client.status === 101;
    });
  });
});

test("serve accepts a client at the limit while rejected clients are still connected", async () => {
  await serving({ ...ECHO, maxConnections: 2 }, async (server) => {
    const first = await RawClient.open(host, server.port);
    await RawClient.open(host, server.port);
    const all: Stream[] = [];
    for (let i = 0; i < 5; i++) {
      const lingering = await host.connect({
        hostname: server.hostname,
        port: server.port,
        timeoutMs: 5000,
      });
      all.push(lingering);
      let answer = "";
      lingering.handler = { ...IGNORE, data: (bytes) => void (answer += utf8Text(bytes)) };
      await until("the client is rejected", () => answer.startsWith("HTTP/1.1 503 "));
    }
    await first.abort();
    await until("the connection has ended", () => server.connections === 1);
    await RawClient.open(host, server.port);
    assertEquals(server.connections, 2);
    for (const lingering of all) lingering.abort();
  });
});

test("serve lets connections join rooms, and Rooms.broadcast reaches them", async () => {
  const rooms = new Rooms(host);
  await serving({
    rooms,
    open: (conn) => conn.join("lobby"),
    message: (conn, data) => rooms.broadcastFrom(conn, "lobby", data),
  }, async (server) => {
    const clients = [
      await Client.open(server.url),
      await Client.open(server.url),
      await RawClient.open(host, server.port),
    ] as const;
    server.rooms.broadcast("lobby", "all");
    clients[0].socket.send("not me");
    await clients[1].until(2);
    assertEquals(clients[1].got, ["all", "not me"]);
    assertEquals([await clients[2].nextText(), await clients[2].nextText()], ["all", "not me"]);
    await clients[0].close();
    assertEquals(clients[0].got, ["all"]);
    await until("the client has left the room", () => server.rooms.members("lobby").size === 2);
    await clients[1].close();
  });
});

test("serve keeps the order of broadcasts and messages of one turn", async () => {
  const rooms = new Rooms(host);
  await serving({
    rooms,
    message(conn) {
      conn.join("r");
      rooms.broadcast("r", "1");
      conn.send("2");
      rooms.broadcast("r", "3");
      conn.leave("r");
      rooms.broadcast("r", "never");
      conn.send("4");
      conn.close(1000, "5");
    },
  }, async (server) => {
    const client = await RawClient.open(host, server.port);
    client.send({ payload: "go" });
    const texts = [];
    for (let i = 0; i < 4; i++) texts.push(await client.nextText());
    assertEquals(texts, ["1", "2", "3", "4"]);
    assertEquals(await client.closeFrame(), { code: 1000, reason: "5" });
  });
});

test("serve may share rooms with another server", async () => {
  const shared = new Rooms(host);
  const options: ServeOptions = { rooms: shared, open: (conn) => conn.join("r") };
  await serving(options, async (one) => {
    await serving(options, async (two) => {
      const [a, b] = [
        await RawClient.open(host, one.port),
        await RawClient.open(host, two.port),
      ];
      shared.broadcast("r", "both");
      assertEquals([await a.nextText(), await b.nextText()], ["both", "both"]);
    });
  });
});

test("serve stops reading from a client while its handler runs", async () => {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => release = resolve);
  let handled = 0;
  await serving({
    message: async () => {
      handled++;
      await gate;
    },
  }, async (server) => {
    const client = await RawClient.open(host, server.port);
    const frame = buildFrame({ opcode: 2, payload: new Uint8Array(100_000) });
    const count = 300;
    for (let i = 0; i < count; i++) client.write(frame);
    await until("the client's data is not read", async () => {
      const before = client.stream.unsent;
      await new Promise((wake) => setTimeout(wake, 150));
      return handled === 1 && before > 0 && client.stream.unsent === before;
    });
    release();
    await until("all messages are handled", () => handled === count);
  });
});

test("serve closes a connection with 1013 when the data queued for a slow reader exceeds the limit", async () => {
  const codes: string[] = [];
  await serving({
    open: (conn) => conn.join("r"),
    close: (_conn, code, reason) => codes.push(`${code} ${reason}`),
    backpressureLimit: 1 << 20,
    closeTimeout: 200,
  }, async (server) => {
    const slow = await RawClient.open(host, server.port);
    const fast = await RawClient.open(host, server.port);
    slow.stream.pause();
    const message = "x".repeat(100_000);
    let sent = 0;
    while (codes.length === 0) {
      server.rooms.broadcast("r", message);
      await until(
        "the fast client has received the broadcast",
        () => fast.frames.length > sent,
      );
      sent++;
      assert(sent < 1000);
    }
    assertEquals(codes, ["1013 over backpressureLimit"]);
    assertEquals([fast.frames.length, server.connections], [sent, 1]);
    await slow.abort();
  });
});

test("serve sends a slow reader the close code 1013, which it receives when it continues to read", async () => {
  let conn: Connection | undefined;
  await serving({
    open: (each) => {
      conn = each;
    },
    upgrade: () => ({ backpressure: { backpressureLimit: 1 << 20 } }),
  }, async (server) => {
    const slow = await RawClient.open(host, server.port);
    slow.stream.pause();
    await until("the limit is exceeded", () => conn!.send(new Uint8Array(200_000)) === "closed");
    assert(conn!.buffered < 2 << 20, `${conn!.buffered} bytes wait`);
    slow.stream.resume();
    assertEquals(await slow.closeFrame(), { code: 1013, reason: "over backpressureLimit" });
    await slow.gone();
  });
});

test("serve with the policy drop drops messages for a slow reader, and later calls drain", async () => {
  let drained = 0;
  let conn: Connection | undefined;
  await serving({
    open: (each) => {
      conn = each;
    },
    drain: () => drained++,
    backpressureLimit: 1 << 20,
    backpressurePolicy: "drop",
  }, async (server) => {
    const slow = await RawClient.open(host, server.port);
    slow.stream.pause();
    const message = new Uint8Array(200_000);
    await until("a message is dropped", () => conn!.send(message) === "dropped");
    const dropped = drained;
    slow.stream.resume();
    await until("the client has caught up", () => drained > dropped);
    assertEquals([conn!.buffered, conn!.send("again")], [0, "sent"]);
    await until("the last message has arrived", () => slow.frames.at(-1)?.opcode === 1);
  });
});

test("serve pings a silent client, and aborts one that does not answer", async () => {
  const codes: string[] = [];
  await serving({
    idleTimeout: 0.4,
    close: (_conn, code, reason) => codes.push(`${code} ${reason}`),
  }, async (server) => {
    const silent = await RawClient.open(host, server.port);
    const lively = await Client.open(server.url);
    assertEquals((await silent.next()).opcode, 9);
    await silent.gone();
    assertEquals(codes, ["1006 idle timeout"]);
    assertEquals([lively.closed, server.connections], [undefined, 1]);
    await lively.close();
  });
});

test("serve aborts a client that does not answer the close frame", async () => {
  const codes: number[] = [];
  await serving({
    closeTimeout: 60,
    open: (conn) => conn.close(4000),
    close: (_conn, code) => codes.push(code),
  }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.polite = false;
    client.write(upgradeRequest());
    assertEquals((await client.closeFrame()).code, 4000);
    await client.gone();
    await until("the close handler has been called", () => codes.length === 1);
    assertEquals(codes, [1006]);
  });
});

test("Server.stop closes all connections with 1001, and rejects new connections", async () => {
  const codes: string[] = [];
  const server = await serve(host, { ...ECHO, close: (_conn, code) => codes.push(`${code}`) });
  const clients = [await Client.open(server.url), await Client.open(server.url)];
  const stopped = server.stop({ reason: "moving" });
  // A second call of `stop` returns a promise that resolves at the same time.
  const again = server.stop();
  await stopped;
  await again;
  assertEquals(server.connections, 0);
  for (const client of clients) {
    await client.gone();
    assertEquals([client.closed?.code, client.closed?.reason], [1001, "moving"]);
  }
  assertEquals(codes, ["1001", "1001"]);
  await assertRejects(() => RawClient.connect(host, server.port));
});

test("Server.stop sends earlier messages before the close frame", async () => {
  const server = await serve(host, { open: (conn) => conn.join("r") });
  const client = await RawClient.open(host, server.port);
  server.rooms.broadcast("r", "last words");
  const stopped = server.stop({ code: 1012, timeout: 100 });
  assertEquals(await client.nextText(), "last words");
  assertEquals((await client.closeFrame()).code, 1012);
  await stopped;
});

test("Server.stop sends close frames in batches, oldest connections first", async () => {
  const server = await serve(host);
  const clients: RawClient[] = [];
  for (let i = 0; i < 5; i++) clients.push(await RawClient.open(host, server.port));
  let over = false;
  const stopped = server.stop({ batchSize: 2, batchInterval: 60, code: 1012, timeout: 5000 })
    .then(() => over = true);
  const received = (): number => clients.filter(({ frames }) => frames.length > 0).length;
  const seen = new Set<number>();
  await until("all clients have received a close frame", () => {
    seen.add(received());
    return seen.has(5);
  });
  for (const [i, client] of clients.entries()) {
    assertEquals((await client.closeFrame()).code, 1012, `${i}`);
  }
  assert(seen.has(2) || seen.has(4), `${[...seen]}`);
  await stopped;
  assertEquals(over, true);
});

test("Server.stop rejects invalid options", async () => {
  await using server = await serve(host);
  for (const wrong of [{ batchSize: 0 }, { batchInterval: -1 }, { timeout: NaN }]) {
    await assertRejects(() => Promise.try(() => server.stop(wrong)), OptionError);
  }
});

test("Server.stop aborts connections that do not close in time", async () => {
  let code = 0;
  let asked = false;
  const server = await serve(host, {
    // The close timeout is so long that only `stop` can end the connections within the test.
    closeTimeout: 600_000,
    handshakeTimeout: 600_000,
    fetch: () => {
      asked = true;
      return new Promise(() => {});
    },
    close: (_conn, each) => {
      code = each;
    },
  });
  const client = await RawClient.open(host, server.port);
  client.polite = false;
  const waiting = await RawClient.connect(host, server.port);
  waiting.write("GET / HTTP/1.0\r\n\r\n");
  await until("the hook is called", () => asked);
  await server.stop({ timeout: 30 });
  await client.gone();
  await waiting.gone();
  assertEquals([server.connections, code], [0, 1006]);
});

test("Server stops at the end of its await using block", async () => {
  let port: number;
  {
    await using server = await serve(host);
    port = server.port;
    assertEquals(server.url, `ws://127.0.0.1:${port}/`);
    assertEquals(server.hostname, "127.0.0.1");
  }
  await assertRejects(() => RawClient.connect(host, port));
});

test("serve supports wss and https with a certificate", async () => {
  const random = new SeededRandom(5);
  const ca = await makeAuthority(random.bytes(32));
  const leaf = await makeLeaf(ca, "a@127.0.0.1:9000", random.bytes(16));
  const tls = { cert: leaf.cert, key: leaf.key };
  const fetch = (request: Request): Response => new Response(request.url);
  await serving({ ...ECHO, tls, fetch }, async (server) => {
    assertEquals(server.url, `wss://127.0.0.1:${server.port}/`);
    const dial = async (): Promise<RawClient> =>
      new RawClient(
        await host.connect({
          hostname: "127.0.0.1",
          port: server.port,
          tls: { ca: ca.pem, serverName: SERVER_NAME },
          timeoutMs: 5000,
        }),
      );
    const socket = await dial();
    socket.write(upgradeRequest());
    socket.send({ payload: "secret" });
    assertEquals(await socket.nextText(), "secret");
    const plain = await dial();
    plain.write("GET /x HTTP/1.0\r\nHost: h\r\n\r\n");
    await plain.gone();
    assertEquals(plain.text, "https://h/x");
  });
});

test("serve supports TLS 1.2 and 1.3, and no older version", async () => {
  const random = new SeededRandom(12);
  const ca = await makeAuthority(random.bytes(32));
  const leaf = await makeLeaf(ca, "a@127.0.0.1:9000", random.bytes(16));
  await serving({ tls: leaf }, async (server) => {
    const speaks = (version: "TLSv1.1" | "TLSv1.2" | "TLSv1.3"): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = dialTls({
          host: "127.0.0.1",
          port: server.port,
          ca: ca.pem,
          servername: SERVER_NAME,
          minVersion: version,
          maxVersion: version,
        });
        socket.once("secureConnect", () => {
          resolve(true);
          socket.destroy();
        });
        socket.once("error", () => resolve(false));
      });
    for (let round = 0; round < 2; round++) {
      assertEquals([await speaks("TLSv1.2"), await speaks("TLSv1.3")], [true, true]);
      assertEquals(await speaks("TLSv1.1"), false);
      server.reload({ tls: leaf });
    }
  });
});

test("serve rejects an invalid option or an unavailable port with a message", async () => {
  await assertRejects(() => serve(host, { port: -1 }), OptionError, "option port");
  await using server = await serve(host);
  const error = await assertRejects(() => serve(host, { port: server.port }), ListenError);
  assertEquals((error as ListenError).code, "EADDRINUSE");
});

test("Server.reload sends the new certificate to later clients, and keeps open connections", async () => {
  const random = new SeededRandom(11);
  const made = await Promise.all([1, 2].map(async () => {
    const ca = await makeAuthority(random.bytes(32));
    return { ca, leaf: await makeLeaf(ca, "a@127.0.0.1:9000", random.bytes(16)) };
  }));
  const [before, after] = made;
  await serving({ ...ECHO, tls: before!.leaf }, async (server) => {
    const dial = async ({ ca }: typeof made[0]): Promise<RawClient> => {
      const tls = { ca: ca.pem, serverName: SERVER_NAME };
      const { port } = server;
      const client = new RawClient(
        await host.connect({ hostname: "127.0.0.1", port, tls, timeoutMs: 5000 }),
      );
      client.write(upgradeRequest());
      await client.answered();
      return client;
    };
    const old = await dial(before!);
    await assertRejects(() => dial(after!));
    assertThrows(() => server.reload({ tls: { cert: "", key: "" } }), OptionError);
    server.reload({ tls: after!.leaf });
    const fresh = await dial(after!);
    await assertRejects(() => dial(before!));
    for (const client of [old, fresh]) {
      client.send({ payload: "still here" });
      assertEquals(await client.nextText(), "still here");
    }
  });
  await serving({}, (server) => {
    assertThrows(() => server.reload({ tls: after!.leaf }), OptionError, "started without it");
    return Promise.resolve();
  });
});
