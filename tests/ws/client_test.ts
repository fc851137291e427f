import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { SeededRandom } from "../../lib/base/random.ts";
import { System } from "../../lib/actor/system.ts";
import { makeAuthority, makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { ConnectError } from "../../lib/host/host.ts";
import type { Stream } from "../../lib/host/stream.ts";
import { type ClientChange, HandshakeError } from "../../lib/ws/client.ts";
import { connect } from "../../lib/ws/websocket_client.ts";
import { Delay, ReconnectError, retryAfterMs } from "../../lib/ws/reconnect.ts";
import { acceptKey } from "../../lib/ws/handshake.ts";
import { Masker } from "../../lib/ws/masker.ts";
import { OptionError, type ServeOptions } from "../../lib/ws/options.ts";
import { serve } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";
import { HOME } from "../kit/system.ts";
import { test, until } from "../kit/test.ts";
import { buildFrame, bytesOf, hex, join, toHex } from "../kit/ws_client.ts";
import { serving } from "./serving.ts";

const host = makeHost();
const QUICK = { minDelay: 5, maxDelay: 20 };

const ECHO: ServeOptions = { message: (conn, data) => conn.send(data) };

test("Masker masks each frame with its own key", () => {
  const masker = new Masker({ bytes: () => hex("37 fa 21 3d 01 02 03 04"), next: () => 0 });
  assertEquals(
    toHex(masker.mask(join(hex("81 05 48 65 6c 6c 6f"), hex("8a 01 00")))),
    "81 85 37 fa 21 3d 7f 9f 4d 51 58 8a 81 01 02 03 04 01",
  );
  const random = new SeededRandom(1);
  for (const length of [0, 125, 126, 65_535, 65_536]) {
    const mask = [0, 0, 0, 0];
    const payload = random.bytes(length);
    const plain = buildFrame({ opcode: 2, payload, mask: false });
    const masked = new Masker({ bytes: (count) => new Uint8Array(count), next: () => 0 });
    assertEquals(masked.mask(plain), buildFrame({ opcode: 2, payload, mask }));
  }
});

test("connect opens a WebSocket that sends and receives messages of every length form", async () => {
  for (const perMessageDeflate of [false, true, { serverNoContextTakeover: false }]) {
    await serving({ ...ECHO, perMessageDeflate }, async (server) => {
      const got: (string | Uint8Array)[] = [];
      const client = await connect(host, server.url, {
        perMessageDeflate,
        message: (_conn, data) => got.push(data),
      });
      const sent: (string | Uint8Array)[] = ["", "é".repeat(3000), new Uint8Array(0)];
      for (const length of [125, 126, 65_535, 65_536, 300_000]) {
        sent.push("x".repeat(length), new Uint8Array(length).fill(length));
      }
      for (const each of sent) client.send(each);
      await until("all messages have come back", () => got.length === sent.length);
      assertEquals(got.map(String).join() === sent.map(String).join(), true);
      await client.close();
      assertEquals(client.state, "closed");
    });
  }
});

test("connect negotiates a protocol, sends headers, and receives the server's close code", async () => {
  const received: string[] = [];
  let header: string | null = null;
  await serving({
    upgrade: (request) => {
      header = request.headers.get("x-who");
      return { protocol: "b" };
    },
    open: (conn) => conn.close(4001, "go"),
  }, async (server) => {
    const client = await connect(host, `${server.url}path?x=1`, {
      protocols: ["a", "b"],
      headers: { "X-Who": "me" },
      reconnect: false,
      data: 7,
      open: (conn) => received.push(`open ${conn.protocol} ${conn.data}`),
      close: (_conn, code, reason) => received.push(`close ${code} ${reason}`),
    });
    await until("the connection is closed", () => client.state === "closed");
    assertEquals([received, header], [["open b 7", "close 4001 go"], "me"]);
    assertEquals(client.send("x"), "closed");
    await client.close();
  });
});

test("connect rejects with an error that names the cause", async () => {
  const wrongs = ["http://127.0.0.1/", "ws://", "ws://127.0.0.1/#x", "x"];
  for (const url of wrongs) await assertRejects(() => connect(host, url), OptionError);
  const options = [{ reconnect: { minDelay: 0 } }, { maxPayloadLength: 0 }, {
    message: 1 as never,
  }];
  for (const wrong of options) {
    await assertRejects(() => connect(host, "ws://127.0.0.1:1/", wrong), OptionError);
  }
  let port = 0;
  await serving({ upgrade: () => new Response("no", { status: 403 }) }, async (server) => {
    port = server.port;
    const error = await assertRejects(() => connect(host, server.url), HandshakeError, "403");
    assertEquals((error as HandshakeError).status, 403);
  });
  await assertRejects(() => connect(host, `ws://127.0.0.1:${port}/`), ConnectError);
});

/** Starts a server that answers each request with `answer`. */
async function answering(
  answer: (key: string) => string | Uint8Array,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const streams: Stream[] = [];
  const listener = await host.listen({ hostname: "127.0.0.1", port: 0 }, (stream) => {
    streams.push(stream);
    stream.handler = {
      data: (bytes) => {
        const key = /Sec-WebSocket-Key: (\S+)/.exec(new TextDecoder().decode(bytes))?.[1];
        if (key !== undefined) stream.write(bytesOf(answer(key)));
      },
      drain() {},
      end: () => stream.end(),
      close() {},
    };
  });
  await body(`ws://127.0.0.1:${listener.address.port}/`);
  for (const stream of streams) stream.abort();
  await listener.close();
}

const HEAD = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

/** Returns a valid response. */
function accept(key: string): string {
  return `${HEAD}Sec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`;
}

/** Responses that a client must reject. */
const INVALID: readonly (readonly [title: string, answer: string, says: string])[] = [
  ["no accept key", `${HEAD}\r\n`, "does not match"],
  [
    "a wrong accept key",
    `${HEAD}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`,
    "not match",
  ],
  ["no Upgrade header", "HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n", "Upgrade: websocket"],
  ["no Connection header", "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n", "Connection: Upgrade"],
  ["another protocol", "hello\r\n\r\n", "not HTTP/1.1"],
  ["another status", "HTTP/1.1 200 OK\r\n\r\n", "200 OK"],
  ["a malformed header", `${HEAD}x y\r\n\r\n`, "malformed"],
  ["a NUL in a header", `${HEAD}x: a\0b\r\n\r\n`, "malformed"],
  ["an endless head", `${HEAD}X: ${"x".repeat(20_000)}`, "too long"],
];

for (const [title, answer, says] of INVALID) {
  test(`connect rejects a response with ${title}`, async () => {
    await answering(() => answer, async (url) => {
      await assertRejects(() => connect(host, url), HandshakeError, says);
    });
  });
}

test("connect rejects if the server does not answer in time", async () => {
  await answering(() => "", async (url) => {
    await assertRejects(
      () => connect(host, url, { handshakeTimeout: 30 }),
      HandshakeError,
      "the server did not answer in time",
    );
  });
});

test("connect closes the connection when the server sends a masked or invalid frame", async () => {
  const frames: readonly (readonly [Uint8Array, number])[] = [
    [buildFrame({ payload: "x" }), 1002],
    [buildFrame({ payload: "x", mask: false, reserved: 4 }), 1002],
    [buildFrame({ payload: Uint8Array.of(0xff), mask: false }), 1007],
    [buildFrame({ payload: "xx", mask: false }), 1009],
  ];
  for (const [frame, expected] of frames) {
    const codes: number[] = [];
    await answering((key) => join(bytesOf(accept(key)), frame), async (url) => {
      const client = await connect(host, url, {
        reconnect: false,
        maxPayloadLength: 1,
        closeTimeout: 100,
        close: (_conn, code) => codes.push(code),
      });
      await until("the connection is closed", () => client.state === "closed");
    });
    assertEquals(codes, [expected]);
  }
});

test("Client reconnects when it loses its server, with the same handlers", async () => {
  const opened: number[] = [];
  let server = await serve(host, ECHO);
  const { port } = server;
  const client = await connect(host, server.url, {
    reconnect: QUICK,
    open: (conn) => opened.push(conn.id),
  });
  await server.stop({ code: 1012 });
  await until("the client has lost its connection", () => client.state !== "open");
  assertEquals(client.send("lost"), "closed");
  server = await serve(host, { ...ECHO, port });
  await until("the client is connected again", () => client.state === "open");
  assertEquals(opened, [1, 2]);
  await client.close();
  await until("the server has no connections", () => server.connections === 0);
  await server.stop();
});

test("Client fails with a ReconnectError after the maximum number of failed attempts", async () => {
  const server = await serve(host, ECHO);
  const changes: ClientChange[] = [];
  const log: string[] = [];
  const client = await connect(host, server.url, {
    reconnect: { ...QUICK, attempts: 3 },
    stateChange: (_client, change) => changes.push(change),
    log: ({ line }) => log.push(line),
  });
  await server.stop();
  const error = await client.ended;
  assert(error instanceof ReconnectError);
  assertEquals([client.state, client.error, client.send("x")], ["failed", error, "closed"]);
  assertEquals(
    changes.map(({ state }) => state).join(),
    [
      ...[
        "open",
        "waiting",
        "connecting",
        "waiting",
        "connecting",
        "waiting",
        "connecting",
        "failed",
      ],
    ].join(),
  );
  assertEquals(changes.map(({ failures }) => failures), [0, 0, 0, 1, 1, 2, 2, 3]);
  assertEquals(changes.at(-1)!.error, error);
  assertStringIncludes(log.join(), "gave up connecting to ws://127.0.0.1:");
  await client.close();
});

test("Client retries after failures, except after 401, a stop code or an invalid URL", async () => {
  for (const status of [401, 403, 404, 500] as const) {
    let refuses = false;
    let asked = 0;
    const upgrade = (): Response | undefined => {
      asked++;
      return refuses ? new Response("no", { status }) : undefined;
    };
    await serving({ upgrade }, async (server) => {
      const client = await connect(host, server.url, { reconnect: QUICK, log: () => {} });
      refuses = true;
      client.connection.close(4000);
      await until("the client has tried again", () => asked > (status === 500 ? 3 : 1));
      if (status !== 500) {
        const error = await client.ended as ReconnectError;
        assertEquals((error.cause as HandshakeError).status, status);
      }
      assertEquals([client.state === "failed", asked > 2], [status !== 500, status === 500]);
      await client.close();
    });
  }
  await serving({ message: (conn) => conn.close(4001, "go") }, async (server) => {
    const client = await connect(host, server.url, {
      reconnect: { ...QUICK, stopCodes: [4001] },
      log: () => {},
    });
    client.send("x");
    assertStringIncludes(String((await client.ended)?.message), "closed with 4001: go");
  });
});

test("Client waits for the time in the Retry-After header", async () => {
  let busy = false;
  const upgrade = (): Response | undefined =>
    busy ? new Response("busy", { status: 503, headers: { "Retry-After": "7" } }) : undefined;
  await serving({ upgrade }, async (server) => {
    const delays: (number | undefined)[] = [];
    const client = await connect(host, server.url, {
      reconnect: QUICK,
      stateChange: (_client, { state, delay }) => void (state === "waiting" && delays.push(delay)),
    });
    busy = true;
    client.connection.close(4000);
    await until("the client waits for the second time", () => delays.length === 2);
    assertEquals(delays[1], 7000);
    await client.close();
  });
  assertEquals(retryAfterMs("Thu, 01 Jan 1970 00:00:09 GMT", 4000), 5000);
  // A wait of more than an hour is shortened to an hour, and not ignored.
  assertEquals(
    new Delay({ maxDelay: 1 }, () => 0).next(0, retryAfterMs("9".repeat(400), 0)),
    3_600_000,
  );
  assertEquals([retryAfterMs("soon", 0), retryAfterMs(undefined, 0)], [0, 0]);
  const delay = new Delay({ attempts: 2 }, () => 0);
  assertEquals(delay.next(0, 1e12), 3_600_000);
  delay.opened();
  assertEquals([delay.failures, delay.next(0)], [0, 250]);
});

test("Client calls the functions for the URL, headers and protocols at each attempt", async () => {
  const shown: string[] = [];
  const upgrade = (request: Request): { protocol: string } => {
    const protocol = request.headers.get("sec-websocket-protocol")!;
    shown.push(
      `${new URL(request.url).pathname} ${request.headers.get("authorization")} ${protocol}`,
    );
    return { protocol };
  };
  await serving({ upgrade }, async (server) => {
    let attempt = 0;
    const client = await connect(host, () => `${server.url}${++attempt}`, {
      reconnect: QUICK,
      headers: async () => {
        await Promise.resolve();
        return { authorization: `Bearer ${attempt}` };
      },
      protocols: () => [`v${attempt}`],
    });
    client.connection.close(4000);
    await until(
      "the client is connected again",
      () => shown.length === 2 && client.state === "open",
    );
    assertEquals(shown, ["/1 Bearer 1 v1", "/2 Bearer 2 v2"]);
    assertEquals(client.url, `${server.url}2`);
    await client.close();
  });
  const broken = (): never => {
    throw new Error("no token");
  };
  await assertRejects(
    () => connect(host, "ws://127.0.0.1:1/", { headers: broken }),
    Error,
    "no token",
  );
});

test("Client sends the credentials of its URL in a header", async () => {
  const shown: (string | null)[] = [];
  await serving(
    { upgrade: (request) => void shown.push(request.headers.get("authorization")) },
    async (server) => {
      const url = server.url.replace("ws://", "ws://us%C3%A9r:p%40ss@");
      const client = await connect(host, url);
      assertEquals(client.url, server.url);
      await client.close();
      assertEquals(shown, [`Basic ${Buffer.from("usér:p@ss").toString("base64")}`]);
      const both = { headers: { Authorization: "Bearer x" } };
      await assertRejects(() => connect(host, url, both), OptionError, "credentials");
      for (const name of ["Host", "upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol"]) {
        await assertRejects(() => connect(host, url, { headers: { [name]: "x" } }), OptionError);
      }
      await assertRejects(() => connect(host, url, { protocols: ["a b"] }), OptionError);
      await assertRejects(() => connect(host, url, { protocols: ["a", "a"] }), OptionError);
    },
  );
});

test("Client closes when its signal is aborted", async () => {
  const early = new AbortController();
  const going = answering(() => "", async (url) => {
    const client = connect(host, url, { signal: early.signal });
    early.abort(new Error("enough"));
    await assertRejects(() => client, Error, "enough");
  });
  await going;
  await assertRejects(
    () => connect(host, "ws://127.0.0.1:1/", { signal: early.signal }),
    Error,
    "enough",
  );
  await serving(ECHO, async (server) => {
    const late = new AbortController();
    const client = await connect(host, server.url, { signal: late.signal });
    late.abort(new Error("enough"));
    assertEquals((await client.ended)?.message, "enough");
    assertEquals(client.state, "closed");
  });
});

test("Client.send buffers messages up to sendBufferLimit while the client is disconnected", async () => {
  const got: (string | Uint8Array)[] = [];
  const options: ServeOptions = { message: (_conn, data) => got.push(data) };
  let server = await serve(host, options);
  const { port } = server;
  const client = await connect(host, server.url, { reconnect: QUICK, sendBufferLimit: 6 });
  await server.stop({ code: 1012 });
  await until("the client has lost its connection", () => client.state !== "open");
  const bytes = new Uint8Array([1, 2]);
  assertEquals(["abc", bytes, "é", "", "d"].map((each) => client.send(each)), [
    ...["held", "held", "dropped", "held", "held"],
  ]);
  bytes.fill(9);
  server = await serve(host, { ...options, port });
  await until("all messages have arrived", () => got.length === 4);
  assertEquals(got, ["abc", new Uint8Array([1, 2]), "", "d"]);
  await client.close();
  await server.stop();
});

test("Client.close ends a client that waits to reconnect", async () => {
  const server = await serve(host, ECHO);
  const client = await connect(host, server.url, {
    reconnect: { minDelay: 60_000, maxDelay: 60_000 },
  });
  await server.stop();
  await until("the client waits to reconnect", () => client.state === "waiting");
  await client.close();
  assertEquals(client.state, "closed");
  await client.close();
});

test("Client closes the connection of a server that is silent or sends no close frame", async () => {
  await answering(accept, async (url) => {
    let received = "";
    const options = {
      reconnect: false,
      idleTimeout: 0.1,
      closeTimeout: 50,
      close: (_conn: unknown, code: number, reason: string) => {
        received = `${code} ${reason}`;
      },
    };
    const silent = await connect(host, url, options);
    await until("the client is closed", () => silent.state === "closed");
    assertEquals(received, "1006 idle timeout");
    const rude = await connect(host, url, { ...options, idleTimeout: 0 });
    await rude.close();
    assertEquals(rude.state, "closed");
  });
});

test("Client supports wss, and trusts the given certificates", async () => {
  const random = new SeededRandom(5);
  const [ca, other] = await Promise.all([1, 2].map(() => makeAuthority(random.bytes(32))));
  const leaf = await makeLeaf(ca!, "a@127.0.0.1:9000", random.bytes(16));
  await serving({ ...ECHO, tls: leaf }, async (server) => {
    const got: unknown[] = [];
    const client = await connect(host, server.url, {
      tls: { ca: ca!.pem, serverName: SERVER_NAME },
      message: (_conn, data) => got.push(data),
    });
    client.send("secret");
    await until("the message has come back", () => got.length === 1);
    await client.close();
    const tls = { ca: other!.pem, serverName: SERVER_NAME };
    await assertRejects(() => connect(host, server.url, { tls }), ConnectError);
  });
});

test("Client's connection is an actor if the client belongs to an actor system", async () => {
  const system = new System(HOME, host);
  await serving(ECHO, async (server) => {
    const got: unknown[] = [];
    const client = await connect(host, server.url, {
      info: (conn, message) => conn.send(String(message)),
      message: (_conn, data) => got.push(data),
    }, system);
    system.sendTo(client.connection.pid!, "through an actor");
    await until("the message has come back", () => got.length === 1);
    await client.close();
    assertEquals([got, system.size], [["through an actor"], 0]);
  });
  system.stop();
});

test("Delay.next doubles the delay up to its limit, and shortens it at random by up to half", () => {
  const delay = (chance: number) =>
    new Delay({ minDelay: 100, maxDelay: 350, attempts: 5 }, () => chance);
  const whole = delay(1);
  assertEquals([0, 0, 0, 0, 0].map((ms) => whole.next(ms)), [100, 200, 350, 350, undefined]);
  const half = delay(0);
  assertEquals([0, 350, 351, 0].map((ms) => half.next(ms)), [50, 100, 50, 100]);
});
