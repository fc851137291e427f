/**
 * Tests clients that disconnect, read slowly or send slowly: what a server detects, and how long it
 * waits.
 */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import net from "node:net";
import type { Connection } from "../../lib/ws/connection.ts";
import type { Server } from "../../lib/ws/server.ts";
import { test, until } from "../kit/test.ts";
import { buildFrame, closePayload, readFrames, upgradeRequest } from "../kit/ws_client.ts";
import { serving } from "./serving.ts";

/** A client socket whose reading and writing the test controls. */
class Peer {
  readonly socket: net.Socket;
  got = Buffer.alloc(0);
  ended = false;
  closed = false;

  constructor(server: Server, first: string | Uint8Array, localAddress?: string) {
    const where = { port: server.port, host: "127.0.0.1", allowHalfOpen: true };
    this.socket = net.connect(localAddress === undefined ? where : { ...where, localAddress });
    this.socket.on("data", (data) => this.got = Buffer.concat([this.got, data]));
    this.socket.on("end", () => this.ended = true);
    this.socket.on("error", () => {});
    this.socket.on("close", () => this.closed = true);
    this.socket.write(first);
  }

  get text(): string {
    return this.got.toString("latin1");
  }

  /** The frames after the 101 response. */
  get frames(): string[] {
    const end = this.got.indexOf("\r\n\r\n");
    if (end < 0) return [];
    return readFrames(this.got.subarray(end + 4)).frames.map(({ opcode, payload }) =>
      `${opcode} ${new TextDecoder().decode(payload)}`
    );
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await until("the socket is closed", () => this.closed);
  }
}

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

test("serve aborts the request's signal when its client closes the connection", async () => {
  for (const how of ["end", "destroy", "resetAndDestroy"] as const) {
    const events: string[] = [];
    const fetch = (request: Request): Response => {
      request.signal.addEventListener("abort", () => events.push("aborted"));
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new Uint8Array([1])),
          cancel: () => void events.push("cancelled"),
        }),
      );
    };
    await serving({ fetch, maxConnections: 1 }, async (server) => {
      const peer = new Peer(server, GET);
      await until("the response is streaming", () => peer.got.length > 0);
      peer.socket[how]();
      await until("the body is cancelled", () => events.length === 2);
      assertEquals([...events].sort(), ["aborted", "cancelled"]);
      await peer.close();
      const next = new Peer(server, GET.replace("1.1", "1.0"));
      await until("the next request is answered", () => next.text.startsWith("HTTP/1.1 200"));
      await next.close();
    });
  }
});

test("serve aborts the request's signal while a hook is running", async () => {
  for (const first of [GET, upgradeRequest()]) {
    const aborted: unknown[] = [];
    let asked = 0;
    const work = (request: Request): Promise<Response> => {
      asked++;
      return new Promise((_, fail) =>
        request.signal.addEventListener("abort", () => {
          aborted.push(request.signal.reason.name);
          fail(request.signal.reason);
        })
      );
    };
    await serving({ fetch: work, upgrade: work }, async (server, log) => {
      const peer = new Peer(server, first);
      await until("the hook is called", () => asked === 1);
      peer.socket.end();
      await until("the signal is aborted", () => aborted.length === 1);
      await until("the server has closed its side too", () => peer.ended || peer.closed);
      assertEquals([aborted, log], [["AbortError"], []]);
      await peer.close();
    });
  }
});

test("serve aborts the signal of a request whose body is incomplete", async () => {
  const post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const bodies = ["Content-Length: 5\r\n\r\nhe", "Transfer-Encoding: chunked\r\n\r\n5\r\nhe"];
  for (const body of bodies) {
    const seen: unknown[] = [];
    const fetch = async (request: Request): Promise<Response> => {
      request.signal.addEventListener("abort", () => seen.push(request.signal.reason.name));
      return new Response(await request.text());
    };
    await serving({ fetch }, async (server, log) => {
      const peer = new Peer(server, post + body);
      peer.socket.end();
      await until("the server has closed its side too", () => peer.ended || peer.closed);
      await until("the signal is aborted", () => seen.length > 0);
      await peer.close();
      assertEquals([seen, log], [["AbortError"], []]);
    });
  }
});

test("serve sends the whole response to a client that reads slowly but steadily", async () => {
  const size = 6_000_000;
  // The send timeout is shorter than the whole transfer, but longer than the pauses of the client.
  const limits = { sendTimeout: 1500, closeTimeout: 400, handshakeTimeout: 500 };
  const fetch = (): Response => new Response(new Uint8Array(size));
  await serving({ fetch, ...limits }, async (server) => {
    const peer = new Peer(server, GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    peer.socket.pause();
    const timer = setInterval(() => {
      peer.socket.resume();
      setTimeout(() => peer.socket.pause(), 2);
    }, 150);
    await until("the whole response has arrived", () => peer.ended);
    clearInterval(timer);
    assert(peer.got.length > size, `${peer.got.length} bytes`);
    await peer.close();
  });
});

test("Connection.close sends all earlier messages to a slow reader before the close frame", async () => {
  let conn: Connection | undefined;
  const limits = { closeTimeout: 300, sendTimeout: 20_000, backpressureLimit: 64 << 20 };
  await serving({ open: (each) => void (conn = each), ...limits }, async (server) => {
    const peer = new Peer(server, upgradeRequest());
    await until("the connection is open", () => conn !== undefined);
    peer.socket.pause();
    const size = 12 << 20;
    conn!.send(new Uint8Array(size));
    conn!.close(1000, "done");
    const timer = setInterval(() => {
      peer.socket.resume();
      setTimeout(() => peer.socket.pause(), 2);
    }, 100);
    await until("all messages have arrived", () => peer.ended);
    clearInterval(timer);
    assertEquals(
      peer.got.subarray(-8).toString("hex"),
      `8806${"03e8"}${Buffer.from("done").toString("hex")}`,
    );
    assert(peer.got.length > size);
    await peer.close();
  });
});

test("serve accepts a slow but steady upload, and rejects an upload that stalls", async () => {
  const fetch = async (request: Request): Promise<Response> => {
    let count = 0;
    for await (const part of request.body ?? []) count += part.length;
    return new Response(`${count}`);
  };
  await serving({ fetch, handshakeTimeout: 300, requestBodyTimeout: 600 }, async (server) => {
    const size = 20_000;
    const head = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`;
    const slow = new Peer(server, head);
    for (let sent = 0; sent < size; sent += 2000) {
      slow.socket.write(new Uint8Array(2000));
      await new Promise((wait) => setTimeout(wait, 150));
    }
    await until("the upload is answered", () => slow.text.endsWith("20000"));
    await slow.close();
    for (const drips of [false, true]) {
      const late = new Peer(server, head);
      const timer = setInterval(() => drips && late.socket.write("x"), 50);
      await until("the slow upload is rejected", () => late.text.startsWith("HTTP/1.1 408"));
      clearInterval(timer);
      await late.close();
    }
  });
});

test("serve reads the body of a request with backpressure", async () => {
  const parts: number[] = [];
  let failure: unknown;
  let go = (): void => {};
  const gate = new Promise<void>((open) => go = open);
  const fetch = async (request: Request): Promise<Response> => {
    await gate;
    try {
      for await (const part of request.body!) parts.push(part.length);
    } catch (error) {
      failure = error;
    }
    return new Response("late");
  };
  await serving({ fetch, maxRequestBodySize: 64 << 20 }, async (server) => {
    const size = 32 << 20;
    const peer = new Peer(
      server,
      `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${size + 1}\r\n\r\n`,
    );
    peer.socket.write(new Uint8Array(size));
    await new Promise((wait) => setTimeout(wait, 300));
    // The kernel buffers some bytes; the server must not have read the remaining ones.
    assert(
      peer.socket.writableLength > 0 || peer.socket.bytesWritten < size,
      "the server has read all of the body",
    );
    go();
    await until(
      "the whole body is read",
      () => parts.reduce((sum, each) => sum + each, 0) === size,
    );
    peer.socket.destroy();
    await until("the body has failed", () => failure !== undefined);
    assertEquals((failure as Error).name, "AbortError");
    await peer.close();
  });
});

test("serve may answer before it has read the body of a request", async () => {
  await serving({ fetch: () => new Response("no", { status: 401 }) }, async (server) => {
    const post = (length: number): string =>
      `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\nab`;
    const short = new Peer(server, post(10));
    await until("the request is answered", () => short.text.endsWith("no"));
    short.socket.write(`cdefghij${GET}`);
    await until(
      "the next request is answered",
      () => short.text.split("HTTP/1.1 401").length === 3,
    );
    await short.close();
    const long = new Peer(server, post(1_000_000));
    await until(
      "the request is answered and the connection is closed",
      () => long.ended && long.text.endsWith("no"),
    );
    await long.close();
  });
});

test("Connection answers pings and close frames while a handler runs", async () => {
  const received: string[] = [];
  let go = (): void => {};
  const gate = new Promise<void>((open) => go = open);
  let signal: AbortSignal | undefined;
  await serving({
    message: async (conn, data) => {
      received.push(`begin ${data}`);
      signal = conn.signal;
      await gate;
      received.push(`end ${data}`);
    },
    close: (_conn, code) => received.push(`close ${code}`),
  }, async (server) => {
    const peer = new Peer(server, upgradeRequest());
    const send = (...shapes: Parameters<typeof buildFrame>[0][]): void => {
      for (const shape of shapes) peer.socket.write(buildFrame(shape));
    };
    send({ payload: "a" }, { payload: "b" }, { opcode: 9, payload: "1" }, { payload: "c" });
    await until("the ping is answered", () => peer.frames.join() === "10 1");
    send({ opcode: 9, payload: "2" }, { opcode: 2, payload: new Uint8Array(100_000) });
    send({ opcode: 9, payload: "3" }, { opcode: 8, payload: closePayload(1000, "bye") });
    await until("the close frame is answered", () => peer.ended);
    assertEquals(peer.frames.slice(1, 3), ["10 2", "10 3"]);
    assertEquals([received, signal!.aborted], [["begin a"], true]);
    peer.socket.end();
    go();
    await until("all messages are handled", () => received.at(-1) === "close 1000");
    assertEquals(
      received.filter((each) => each.startsWith("end")).map((each) => each.slice(0, 5)),
      [
        ...["end a", "end b", "end c", "end 0"],
      ],
    );
    await peer.close();
  });
});

test("Connection closes soon after its peer disconnects although a handler's promise never settles", async () => {
  const received: string[] = [];
  await serving({
    message: () => new Promise(() => {}),
    close: (_conn, code) => received.push(`close ${code}`),
    closeTimeout: 200,
  }, async (server) => {
    for (const rest of [[], [{ payload: "more" }]]) {
      received.length = 0;
      const peer = new Peer(server, upgradeRequest());
      for (const shape of [{ payload: "a" }, ...rest]) peer.socket.write(buildFrame(shape));
      await until("the connection is open", () => server.connections === 1 && peer.got.length > 0);
      peer.socket.end();
      await until(
        "the connection is closed",
        () => received.join() === "close 1006" && server.connections === 0,
      );
      await peer.close();
    }
  });
});

test("serve accepts WebSockets from pages of its own host or of the given origins", async () => {
  const rows:
    readonly (readonly [origin: string, host: string, origins: unknown, status: number])[] = [
      ["https://example.org", "example.org", undefined, 101],
      ["https://EXAMPLE.org", "Example.ORG", undefined, 101],
      ["http://example.org:8080", "example.org:8080", undefined, 101],
      ["https://example.org", "example.org:443", undefined, 101],
      ["https://evil.org", "example.org", undefined, 403],
      ["https://example.org.evil.org", "example.org", undefined, 403],
      ["https://example.org:8443", "example.org", undefined, 403],
      ["null", "example.org", undefined, 403],
      ["https://evil.org", "example.org", "*", 101],
      ["https://App.example.org", "x", ["https://app.EXAMPLE.org"], 101],
      ["https://example.org", "example.org", ["https://app.example.org"], 403],
    ];
  for (const [origin, name, origins, status] of rows) {
    await serving({ origins: origins as "*" }, async (server) => {
      const request = upgradeRequest().replace(
        /Host: .*\r\n/i,
        `Host: ${name}\r\nOrigin: ${origin}\r\n`,
      );
      const peer = new Peer(server, request);
      await until("the request is answered", () => peer.got.length > 0);
      assertEquals(peer.text.slice(9, 12), String(status), `${origin} at ${name}`);
      await peer.close();
    });
  }
});

test("serve limits the connections of each address, and behind a proxy of each forwarded address", async () => {
  const limits = { maxConnectionsPerAddress: 2, trustedProxies: ["127.0.0.3"] };
  const seen: string[] = [];
  await serving(
    { ...limits, open: (conn) => seen.push(conn.remoteAddress.hostname) },
    async (server) => {
      const open = async (from: string, by?: string): Promise<Peer> => {
        const extra = by === undefined ? "" : `X-Forwarded-For: 6.6.6.6, ${by}\r\n`;
        const peer = new Peer(server, upgradeRequest().replace(/Host:/i, `${extra}Host:`), from);
        await until("the request is answered", () => peer.got.length > 0);
        return peer;
      };
      const peers: Peer[] = [];
      const statuses: string[] = [];
      for (
        const [from, by] of [
          ...[["127.0.0.1"], ["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"]],
          ...[["127.0.0.3", "9.9.9.9"], ["127.0.0.3", "9.9.9.9"], ["127.0.0.3", "9.9.9.9"]],
          ...[["127.0.0.3", "8.8.8.8"], ["127.0.0.2", "7.7.7.7"]],
        ] as [string, string?][]
      ) {
        const peer = await open(from, by);
        peers.push(peer);
        statuses.push(peer.text.slice(9, 12));
      }
      assertEquals(statuses.join(), "101,101,503,101,101,101,503,101,101");
      assertEquals(seen, [
        ...["127.0.0.1", "127.0.0.1", "127.0.0.2", "9.9.9.9", "9.9.9.9", "8.8.8.8", "127.0.0.2"],
      ]);
      await peers[0]!.close();
      await until("a connection has ended", () => server.connections === 6);
      const again = await open("127.0.0.1");
      assertEquals(again.text.slice(9, 12), "101");
      for (const peer of [...peers.slice(1), again]) await peer.close();
    },
  );
});

test("serve accepts other clients while one address holds all of its connections with silent sockets", async () => {
  await serving({ maxConnections: 10, fetch: () => new Response("ok") }, async (server) => {
    const silent = Array.from({ length: 10 }, () => new Peer(server, "GET /", "127.0.0.4"));
    await new Promise((wait) => setTimeout(wait, 100));
    for (let i = 0; i < 5; i++) {
      const other = new Peer(server, GET, "127.0.0.5");
      await until("the request is answered", () => other.text.endsWith("ok"));
      await other.close();
    }
    for (const peer of silent) await peer.close();
  });
});

test("serve reads the client's address from the PROXY protocol of trusted proxies", async () => {
  const two = Buffer.from("0d0a0d0a000d0a515549540a2111000c0102030405060708123400500a", "hex");
  const heads: readonly (readonly [string | Uint8Array, string])[] = [
    ["PROXY TCP4 192.0.2.1 192.0.2.9 5123 443\r\n", "192.0.2.1:5123"],
    ["PROXY TCP6 2001:db8::1 ::1 5123 443\r\n", "2001:db8::1:5123"],
    [two.subarray(0, -1), "1.2.3.4:4660"],
    ["PROXY UNKNOWN\r\n", "127.0.0.1"],
    ["PROXY TCP4 x y 1 2\r\n", "400"],
    ["", "400"],
  ];
  const fetch = (_request: Request, { hostname, port }: { hostname: string; port: number }) =>
    new Response(`${hostname}:${port}`);
  const options = { fetch, proxyProtocol: true, trustedProxies: ["127.0.0.1/32"] };
  await serving(options, async (server) => {
    for (const [head, expected] of heads) {
      const peer = new Peer(server, Buffer.concat([Buffer.from(head as string), Buffer.from(GET)]));
      await until("the request is answered", () => peer.text.includes("\r\n\r\n"));
      assert(peer.text.includes(expected), `${head}: ${peer.text}`);
      await peer.close();
    }
    const other = new Peer(
      server,
      `PROXY TCP4 192.0.2.1 192.0.2.9 5123 443\r\n${GET}`,
      "127.0.0.2",
    );
    await until("the connection is closed", () => other.ended || other.closed);
    assertEquals(other.got.length, 0);
    await other.close();
  });
});

test("serve handles edge cases of HTTP in the same way on both runtimes", async () => {
  const fetch = async (request: Request): Promise<Response> =>
    new Response(
      `${request.method} ${request.url} ${request.headers.get("host")} ${await request.text()}`,
    );
  const rows: readonly (readonly [string, RegExp])[] = [
    ["GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", /200[^]*GET http:\/\/h\/a h $/],
    [
      "GET http://other:81/a HTTP/1.1\r\nHost: h\r\n\r\n",
      /200[^]*GET http:\/\/other:81\/a other:81 $/,
    ],
    ["FOO /a HTTP/1.1\r\nHost: h\r\n\r\n", /200[^]*FOO http:\/\/h\/a h $/],
    ["GET /a HTTP/1.1\r\nHost: h\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n", /200/],
    [upgradeRequest().replace("Upgrade: websocket", "Upgrade: h2c, websocket"), /101/],
    [upgradeRequest().replace(/Host:/i, "Sec-WebSocket-Protocol: a b\r\nHost:"), /400/],
    [upgradeRequest().replace(/Host:/i, "Sec-WebSocket-Protocol: a, b\r\nHost:"), /101/],
  ];
  await serving({ fetch }, async (server) => {
    for (const [request, expected] of rows) {
      const peer = new Peer(server, request);
      await until(`${request} is answered with ${expected}`, () => expected.test(peer.text));
      await peer.close();
    }
  });
  const upgrade = (): { protocol: string } => ({ protocol: "a b" });
  await serving({ upgrade }, async (server) => {
    const peer = new Peer(server, upgradeRequest());
    await until("the request is answered", () => peer.text.startsWith("HTTP/1.1 500"));
    await peer.close();
  });
});
