import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ServeOptions } from "../../lib/ws/options.ts";
import { serve } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";
import { type HttpAnswer, readAnswers } from "../kit/http_answers.ts";
import { test, until } from "../kit/test.ts";
import { makeTls } from "../rfc6455/judge.ts";
import { buildFrame, bytesOf, join, RawClient, upgradeRequest } from "../kit/ws_client.ts";
import { serving } from "./serving.ts";

const host = makeHost();

/** Responds with the method, the path and the body of the request. */
async function describe(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  return new Response(`${request.method} ${pathname} ${await request.text()}`.trim());
}

function get(path: string, headers = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: h\r\n${headers}\r\n`;
}

function post(path: string, body: string): string {
  const { length } = body;
  return `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

/** Returns the responses received so far. */
function answersOf(client: RawClient, methods?: readonly string[]): HttpAnswer[] {
  return client.head === undefined
    ? []
    : readAnswers(`${client.head}\r\n\r\n${client.text}`, methods).answers;
}

/** Waits for `count` responses. Returns the texts of all responses received. */
async function texts(client: RawClient, count: number): Promise<string[]> {
  await until(
    `${count} responses have arrived`,
    () => answersOf(client).length >= count || client.ended,
  );
  return answersOf(client).map(({ text }) => text);
}

test("serve answers several requests on one connection", async () => {
  await serving({ fetch: describe }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.write(get("/a"));
    assertEquals(await texts(client, 1), ["GET /a"]);
    client.write(post("/b", "two"));
    await texts(client, 2);
    client.write(
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nthr\r\n2\r\nee\r\n0\r\n\r\n",
    );
    await texts(client, 3);
    client.write(get("/d", "Connection: close\r\n"));
    await client.gone();
    assertEquals(await texts(client, 4), ["GET /a", "POST /b two", "POST /c three", "GET /d"]);
    const connections = answersOf(client).map(({ headers }) => headers.get("connection"));
    assertEquals(connections, ["keep-alive", "keep-alive", "keep-alive", "close"]);
    assertEquals(answersOf(client)[0]!.headers.get("keep-alive"), "timeout=75");
  });
});

test("serve answers pipelined requests one at a time and in order", async () => {
  let asked = 0;
  let most = 0;
  const slow = async (request: Request): Promise<Response> => {
    most = Math.max(most, ++asked);
    // The first response takes the longest.
    const turns = request.url.endsWith("/0") ? 20 : 1;
    for (let i = 0; i < turns; i++) await new Promise((wake) => setTimeout(wake, 1));
    asked--;
    return await describe(request);
  };
  await serving({ fetch: slow }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    const requests = Array.from(
      { length: 20 },
      (_, i) => i % 3 ? get(`/${i}`) : post(`/${i}`, "é"),
    );
    client.write(requests.join("").replaceAll("é", "e"));
    const expected = requests.map((_, i) => i % 3 ? `GET /${i}` : `POST /${i} e`);
    assertEquals(await texts(client, 20), expected);
    assertEquals(most, 1);
    // After the pipelined requests, the connection continues to read requests.
    client.write(get("/20"));
    assertEquals((await texts(client, 21)).at(-1), "GET /20");
    await client.abort();
  });
});

test("serve answers requests that arrive byte by byte", async () => {
  await serving({ fetch: describe }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    const all = bytesOf(get("/a") + post("/b", "bb") + "\r\n" + get("/c", "Connection: close\r\n"));
    for (let at = 0; at < all.length; at++) {
      client.stream.write(all.subarray(at, at + 1));
      await until("all bytes are sent", () => client.stream.unsent === 0);
    }
    await client.gone();
    assertEquals(await texts(client, 3), ["GET /a", "POST /b bb", "GET /c"]);
  });
});

test("serve yields to other clients during a thousand pipelined requests", async () => {
  let answered = 0;
  const fetch = (request: Request): Response => {
    answered++;
    return new Response(request.url.endsWith("/other") ? String(answered) : null);
  };
  await serving({ fetch, maxRequestsPerConnection: 5000 }, async (server) => {
    const [greedy, other] = [
      await RawClient.connect(host, server.port),
      await RawClient.connect(host, server.port),
    ];
    greedy.write(get("/").repeat(1500));
    await until("the first request is answered", () => answered > 0);
    other.write(get("/other"));
    const [before] = await texts(other, 1);
    assert(Number(before) < 1400, `${before} requests were answered before`);
    await texts(greedy, 1500);
    assertEquals(answered, 1501);
    await Promise.all([greedy.abort(), other.abort()]);
  });
});

test("serve does not parse the unread body of a request as the next request", async () => {
  const asked: string[] = [];
  const fetch = (request: Request): Response => {
    asked.push(new URL(request.url).pathname);
    return new Response("seen");
  };
  await serving({ fetch }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    const inner = get("/smuggled");
    const chunk = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
    client.write(
      post("/a", inner) +
        `POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}` + get("/c"),
    );
    assertEquals(await texts(client, 3), ["seen", "seen", "seen"]);
    assertEquals(asked, ["/a", "/b", "/c"]);
    await client.abort();
  });
});

/** Requests after which the connection closes, and their statuses. */
const LAST_REQUESTS: readonly (readonly [string, string, number])[] = [
  ["Connection: close", get("/", "Connection: close\r\n"), 200],
  ["Connection: close in a list", get("/", "Connection: x, Close\r\n"), 200],
  ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 200],
  ["HTTP/1.0 with Connection: keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200],
  ["a response with Connection: close", get("/close"), 200],
  ["a malformed request", "GET /\r\n\r\n", 400],
  ["a body that is too large", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", 413],
  [
    "a Content-Length with a chunked body",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  ["a WebSocket that the hook rejects", upgradeRequest(), 401],
  ["a WebSocket of another version", upgradeRequest({ "Sec-WebSocket-Version": "8" }), 426],
];

for (const [what, request, status] of LAST_REQUESTS) {
  test(`serve ignores input after ${what}, and closes the connection`, async () => {
    const asked: string[] = [];
    const options: ServeOptions = {
      maxRequestBodySize: 100,
      upgrade: () => new Response("no", { status: 401 }),
      fetch: (request) => {
        const { pathname } = new URL(request.url);
        asked.push(pathname);
        return pathname === "/close"
          ? new Response("ok", { headers: { Connection: "close" } })
          : new Response("ok");
      },
    };
    await serving(options, async (server) => {
      const client = await RawClient.connect(host, server.port);
      client.write(get("/first") + request + get("/behind"));
      await client.gone();
      const answers = answersOf(client);
      assertEquals(answers.map((answer) => answer.status), [200, status]);
      const connection = status === 426 ? "upgrade, close" : "close";
      assertEquals(answers[1]!.headers.get("connection"), connection);
      assertEquals(asked.includes("/behind"), false);
    });
  });
}

test("serve opens a WebSocket on a connection that has carried requests", async () => {
  const options: ServeOptions = { fetch: describe, message: (conn, data) => conn.send(data) };
  for (const upgrade of [undefined, async () => await Promise.resolve({})]) {
    await serving(upgrade === undefined ? options : { ...options, upgrade }, async (server) => {
      const client = await RawClient.connect(host, server.port);
      const requests = get("/a") + post("/b", "x") + upgradeRequest();
      client.write(join(bytesOf(requests), buildFrame({ payload: "early" })));
      await until("the frame has come back", () => endsEarly(client));
      assertStringIncludes(client.text, "HTTP/1.1 101 Switching Protocols");
      assertEquals(server.connections, 1);
      await client.abort();
    });
  }
});

/** Returns whether the received bytes end with an unmasked text frame "early". */
function endsEarly(client: RawClient): boolean {
  const { body } = client;
  return body.length > 7 && body[body.length - 7] === 0x81 && body[body.length - 6] === 5;
}

test("serve closes a connection that is idle for keepAliveTimeout", async () => {
  await serving({ fetch: describe, keepAliveTimeout: 100 }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    const start = performance.now();
    client.write(get("/"));
    await client.gone();
    assert(performance.now() - start >= 90);
    assertEquals(await texts(client, 1), ["GET /"]);
    // A timeout below one second is not announced in a Keep-Alive header.
    assertEquals(answersOf(client)[0]!.headers.has("keep-alive"), false);
  });
});

test("serve closes each connection after one request if keepAliveTimeout is 0", async () => {
  await serving({ fetch: describe, keepAliveTimeout: 0 }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.write(get("/"));
    await client.gone();
    assertEquals(answersOf(client)[0]!.headers.get("connection"), "close");
  });
});

test('serve sends "connection: close" if a hook answers without reading a long body', async () => {
  const ignore = (): Response => new Response("ignored");
  const rows = [
    [ignore, 300_000, "close"],
    [ignore, 1_000, "keep-alive"],
    [describe, 300_000, "keep-alive"],
  ] as const;
  for (const [hook, length, expected] of rows) {
    await serving({ fetch: hook }, async (server) => {
      const client = await RawClient.connect(host, server.port);
      const body = "x".repeat(length);
      // Only a part of the body has arrived when the hook answers.
      client.write(post("/read", body).slice(0, hook === ignore ? 500 : undefined));
      await texts(client, 1);
      assertEquals(answersOf(client)[0]!.headers.get("connection"), expected, `${length}`);
      await client.abort();
    });
  }
});

test("serve answers 408 to a later request that is not complete in time", async () => {
  await serving(
    { fetch: describe, handshakeTimeout: 1000, requestBodyTimeout: 1000 },
    async (server) => {
      for (const start of ["G", "\r\n", post("/", "abc").slice(0, -1)]) {
        const client = await RawClient.connect(host, server.port);
        client.write(get("/") + start);
        await client.gone();
        assertEquals(answersOf(client).map(({ status }) => status), [200, 408]);
      }
    },
  );
});

test("serve does not extend the deadline of later requests for a slow client", async () => {
  await serving(
    { fetch: describe, handshakeTimeout: 1000, requestBodyTimeout: 1000, keepAliveTimeout: 60_000 },
    async (server) => {
      for (const request of [get("/", `X: ${"y".repeat(5000)}\r\n`), post("/", "a".repeat(5000))]) {
        const client = await RawClient.connect(host, server.port);
        client.write(get("/"));
        await texts(client, 1);
        let at = 0;
        await until("the request is rejected", () => {
          client.write(request.slice(at, ++at));
          return client.ended;
        });
        assertEquals(answersOf(client).map(({ status }) => status), [200, 408]);
      }
    },
  );
});

test("serve answers other clients while many connections send slowly", async () => {
  const limits = {
    handshakeTimeout: 3000,
    maxConnections: 51,
    maxRequestsPerConnection: 1e6,
  };
  await serving({ fetch: describe, ...limits }, async (server) => {
    const slowClients = await Promise.all(
      Array.from({ length: 50 }, () => RawClient.connect(host, server.port)),
    );
    for (const client of slowClients) client.write(get("/"));
    for (const client of slowClients) await texts(client, 1);
    const honest = await RawClient.connect(host, server.port);
    const request = get("/", `X: ${"y".repeat(10_000)}\r\n`);
    let [at, answered, slowest] = [0, 0, 0];
    await until("all slow clients are rejected", async () => {
      at++;
      for (const client of slowClients) if (!client.ended) client.write(request.slice(at - 1, at));
      const start = performance.now();
      honest.write(get(`/${++answered}`));
      await texts(honest, answered);
      slowest = Math.max(slowest, performance.now() - start);
      return slowClients.every((client) => client.ended);
    });
    // The responses are faster than the timeout of the slow connections.
    assert(answered > 1 && slowest < 3000, `${answered} answered, the slowest in ${slowest} ms`);
    for (const client of slowClients) {
      assertEquals(answersOf(client).map(({ status }) => status), [200, 408]);
    }
    // New connections are accepted when the server has noticed that the slow clients disconnected.
    await honest.abort();
    await until(
      "the slow connections are closed",
      () => slowClients.every((client) => client.closed !== undefined),
    );
    const next: RawClient[] = [];
    while (next.length < 50) {
      const client = await RawClient.connect(host, server.port);
      client.write(get("/next"));
      assertEquals(await texts(client, 1), ["GET /next"]);
      next.push(client);
    }
    assertEquals(next.filter((client) => client.ended).length, 0);
    await Promise.all(next.map((client) => client.abort()));
  });
});

test("serve answers several requests on one TLS connection", async () => {
  const tls = await makeTls();
  await serving({ fetch: describe, tls: tls.server }, async (server) => {
    const client = new RawClient(
      await host.connect({
        hostname: "127.0.0.1",
        port: server.port,
        tls: tls.client,
        timeoutMs: 10_000,
      }),
    );
    client.write(get("/a") + post("/b", "x".repeat(100_000)) + get("/c"));
    assertEquals((await texts(client, 3)).map((text) => text.slice(0, 7)), [
      "GET /a",
      "POST /b",
      "GET /c",
    ]);
    client.write(get("/d", "Connection: close\r\n"));
    await client.gone();
    assertEquals((await texts(client, 4)).at(-1), "GET /d");
  });
});

test("serve cancels the body of a response whose client has disconnected", async () => {
  let answer: ((response: Response) => void) | undefined;
  let cancelled = false;
  const fetch = (): Promise<Response> => new Promise((resolve) => answer = resolve);
  await serving({ fetch, responseTimeout: 1000 }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.write(get("/"));
    await until("the hook is called", () => answer !== undefined);
    await client.gone();
    assertEquals(client.status, 503);
    answer!(new Response(new ReadableStream({ cancel: () => void (cancelled = true) })));
    await until("the body is cancelled", () => cancelled);
  });
});

test("serve accepts at most maxRequestsPerConnection requests per connection", async () => {
  await serving({ fetch: describe, maxRequestsPerConnection: 3 }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.write(get("/").repeat(5));
    await client.gone();
    const connections = answersOf(client).map(({ headers }) => headers.get("connection"));
    assertEquals(connections, ["keep-alive", "keep-alive", "close"]);
  });
});

test("serve at its limit closes an idle connection to accept a new client", async () => {
  let answer: ((response: Response) => void) | undefined;
  const fetch = (request: Request): Response | Promise<Response> =>
    request.url.endsWith("/slow") ? new Promise((resolve) => answer = resolve) : new Response("ok");
  await serving({ fetch, maxConnections: 2 }, async (server) => {
    const [first, second, third, fourth] = [
      await RawClient.connect(host, server.port),
      await RawClient.connect(host, server.port),
      await RawClient.connect(host, server.port),
      await RawClient.connect(host, server.port),
    ];
    // The first two clients wait for their responses, so neither connection can be closed for a new
    // one.
    for (const client of [third, fourth]) {
      await client.gone();
      assertEquals(client.status, 503);
    }
    // The second client becomes idle first, but then sends a request.
    second.write(get("/"));
    await texts(second, 1);
    first.write(get("/"));
    await texts(first, 1);
    second.write(get("/slow"));
    await until("the hook is called", () => answer !== undefined);
    const fifth = await RawClient.connect(host, server.port);
    await first.gone();
    fifth.write(get("/"));
    assertEquals(await texts(fifth, 1), ["ok"]);
    answer!(new Response("slow"));
    assertEquals(await texts(second, 2), ["ok", "slow"]);
    await Promise.all([second.abort(), fifth.abort()]);
  });
});

test("Server.stop closes idle connections at once", async () => {
  let answer: ((response: Response) => void) | undefined;
  const server = await serve(host, {
    keepAliveTimeout: 600_000,
    fetch: (request) =>
      request.url.endsWith("/slow")
        ? new Promise<Response>((resolve) => answer = resolve)
        : new Response("ok"),
  });
  const [idle, busy] = [
    await RawClient.connect(host, server.port),
    await RawClient.connect(host, server.port),
  ];
  idle.write(get("/"));
  await texts(idle, 1);
  busy.write(get("/slow") + get("/behind"));
  await until("the hook is called", () => answer !== undefined);
  const stopped = server.stop({ timeout: 60_000 });
  await idle.gone();
  assertEquals(busy.ended, false);
  answer!(new Response("late"));
  await busy.gone();
  assertEquals(await texts(busy, 1), ["late"]);
  assertEquals(answersOf(busy)[0]!.headers.get("connection"), "close");
  await stopped;
});

test("serve answers all complete requests of a client that has ended its side", async () => {
  await serving({ fetch: describe }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.write(get("/a") + get("/b") + "GET /c HT");
    client.stream.end();
    await client.gone();
    assertEquals(await texts(client, 2), ["GET /a", "GET /b"]);
  });
});

test("serve delimits each response so that the client can find the next response", async () => {
  const body = (): ReadableStream<Uint8Array> =>
    ReadableStream.from(["stre", "", "am"].map((piece) => new TextEncoder().encode(piece)));
  const length = { "Content-Length": "4" };
  const responses: readonly (readonly [string, Response, string])[] = [
    ["GET", new Response("text"), "text"],
    ["HEAD", new Response("text"), ""],
    ["HEAD", new Response(null, { headers: length }), ""],
    ["HEAD", new Response("four", { headers: length }), ""],
    ["GET", new Response(null, { status: 204, headers: length }), ""],
    ["GET", new Response(null, { status: 304, headers: length }), ""],
    ["GET", new Response(null, { status: 304 }), ""],
    ["GET", new Response(null, { status: 205 }), ""],
    ["GET", new Response(null), ""],
    ["GET", new Response(null, { headers: length }), ""],
    ["GET", new Response(""), ""],
    ["GET", new Response("four", { headers: length }), "four"],
    ["GET", new Response(body()), "stream"],
    ["GET", new Response(body(), { headers: { "Content-Length": "6" } }), "stream"],
    ["GET", new Response("last", { status: 404 }), "last"],
  ];
  const left = responses.map(([, response]) => response);
  await serving({ fetch: () => left.shift()! }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    const methods = responses.map(([method]) => method);
    client.write(methods.map((method) => get("/").replace("GET", method)).join(""));
    await until(
      "all responses have arrived",
      () => answersOf(client, methods).length === methods.length,
    );
    const answers = answersOf(client, methods);
    assertEquals(answers.map(({ text }) => text), responses.map(([, , text]) => text));
    assertEquals(answers[4]!.headers.has("content-length"), false);
    assertEquals(answers[6]!.headers.has("transfer-encoding"), false);
    await client.abort();
  });
});

test("serve aborts a response whose body does not have its announced length", async () => {
  for (const text of ["longer than four", "4"]) {
    const fetch = (): Response => new Response(text, { headers: { "Content-Length": "4" } });
    await serving({ fetch }, async (server, log) => {
      const client = await RawClient.connect(host, server.port);
      client.write(get("/a") + get("/b"));
      await until("the connection is closed", () => client.closed !== undefined || client.ended);
      assertEquals(answersOf(client), []);
      assertStringIncludes(log[0]!, "than its Content-Length");
    });
  }
});

test("serve answers 500 when a hook returns a Response whose body is already read", async () => {
  const read = new Response("text");
  await read.text();
  await serving({ fetch: () => read }, async (server, log) => {
    const client = await RawClient.connect(host, server.port);
    // The connection stays open, because behind a proxy other clients use it as well.
    client.write(get("/") + get("/"));
    await until("both requests are answered", () => answersOf(client).length === 2);
    assertEquals(answersOf(client).map(({ status }) => status), [500, 500]);
    await client.abort();
    assertStringIncludes(log[0]!, "whose body has not been read");
  });
});

test("serve stops reading requests of a client that does not read its responses", async () => {
  let asked = 0;
  const fetch = (): Response => {
    asked++;
    return new Response(null, { headers: { "X-Long": "x".repeat(8000) } });
  };
  const limits = { sendTimeout: 500, maxConnections: 1, maxRequestsPerConnection: 1e6 };
  await serving({ fetch, ...limits }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.stream.pause();
    // All responses together would take 160 MB if they were queued.
    client.write(get("/").repeat(20_000));
    await until("the client is disconnected and not counted", async () => {
      const other = await RawClient.connect(host, server.port);
      other.write(get("/", "Connection: close\r\n"));
      await other.answered();
      await other.abort();
      return other.status === 200;
    });
    assert(asked > 1 && asked < 10_000, `${asked} requests were answered`);
    await client.abort();
  });
});
