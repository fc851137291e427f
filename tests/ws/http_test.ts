import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { SeededRandom } from "../../lib/base/random.ts";
import { makeAuthority, makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import type { Address } from "../../lib/host/stream.ts";
import type { ServeOptions } from "../../lib/ws/options.ts";
import { serve, type Server } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";
import { test, until } from "../kit/test.ts";
import { RawClient, upgradeRequest } from "../kit/ws_client.ts";
import { serving } from "./serving.ts";

const host = makeHost();

/** Sends a request and waits for the whole response. */
async function ask(server: Server, request: string | Uint8Array): Promise<RawClient> {
  const client = await RawClient.connect(host, server.port);
  client.write(request);
  await client.gone();
  return client;
}

/** A request after whose response the server closes the connection. */
const GET_AND_CLOSE = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

function url(server: Server, path = "/"): string {
  return `http://127.0.0.1:${server.port}${path}`;
}

test("serve answers plain requests with 404 if there is no fetch hook", async () => {
  await serving({}, async (server) => {
    const response = await fetch(url(server));
    assertEquals([response.status, await response.text()], [404, "not found\n"]);
  });
});

test("serve answers HEAD without a hook with the Content-Length of the body, and sends no body", async () => {
  await serving({}, async (server) => {
    for (
      const request of ["HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", upgradeRequest({}, "HEAD / HTTP/1.1")]
    ) {
      const client = await ask(server, request);
      assert(client.status === 404 || client.status === 405, String(client.status));
      assert(Number(client.header("content-length")) > 0);
      assertEquals(client.text, "");
    }
  });
});

test("serve passes a request to the fetch hook, and the hook's response to the client", async () => {
  let seen: unknown[] = [];
  await serving({
    fetch: async (request) => {
      const { method, url } = request;
      seen = [method, new URL(url).pathname, request.headers.get("x-a"), await request.text()];
      return new Response("made", { status: 201, headers: { "X-B": "2", "Set-Cookie": "c=1" } });
    },
  }, async (server) => {
    const response = await fetch(url(server, "/p"), {
      method: "POST",
      headers: { "X-A": "1" },
      body: "é",
    });
    assertEquals([response.status, response.headers.get("x-b")], [201, "2"]);
    assertEquals([response.headers.get("set-cookie"), await response.text()], ["c=1", "made"]);
    assertEquals(seen, ["POST", "/p", "1", "é"]);
  });
});

test("serve passes the client's address to the hooks with and without TLS", async () => {
  const ca = await makeAuthority(new SeededRandom(3).bytes(32));
  const leaf = await makeLeaf(ca, "a@127.0.0.1:9000", new SeededRandom(4).bytes(16));
  for (const secure of [undefined, leaf]) {
    const received: Address[] = [];
    const answer = (_request: Request, remote: Address): Response => {
      received.push(remote);
      return new Response("peer");
    };
    await serving({ fetch: answer, upgrade: answer, tls: secure }, async ({ port }) => {
      const from = { host: "127.0.0.1", port };
      const socket = secure === undefined
        ? connectTcp(from)
        : connectTls({ ...from, ca: ca.pem, servername: SERVER_NAME });
      let got = "";
      socket.setEncoding("latin1").on("data", (text) => got += text);
      const ended = new Promise((end) => socket.on("close", end));
      await new Promise((open) =>
        socket.on(secure === undefined ? "connect" : "secureConnect", open)
      );
      const { localPort } = socket;
      const requests = ["GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"];
      for (const request of [...requests, upgradeRequest()]) {
        const before = received.length;
        socket.write(request);
        await until("the response has arrived", () => got.split("peer").length > before + 1);
      }
      await ended;
      const where = { hostname: "127.0.0.1", port: localPort };
      assertEquals(received, [where, where, where]);
    });
  }
});

test("serve sends no body for HEAD and 204", async () => {
  await serving({
    fetch: ({ method }) =>
      method === "HEAD" ? new Response("unseen") : new Response(null, { status: 204 }),
  }, async (server) => {
    const head = await ask(server, GET_AND_CLOSE.replace("GET", "HEAD"));
    assertEquals([head.status, head.text], [200, ""]);
    const none = await ask(server, GET_AND_CLOSE);
    assertEquals([none.status, none.text, none.header("content-length")], [204, "", undefined]);
  });
});

test("serve streams a body of unknown length in chunks", async () => {
  const pieces = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(50_000, "."));
  const body = (): ReadableStream<Uint8Array> =>
    ReadableStream.from(pieces.map((piece) => new TextEncoder().encode(piece)));
  await serving({ fetch: () => new Response(body()) }, async (server) => {
    const response = await fetch(url(server));
    assertEquals(await response.text(), pieces.join(""));
    const old = await ask(server, "GET / HTTP/1.0\r\n\r\n");
    assertEquals(old.header("transfer-encoding"), undefined);
    assertEquals(old.text, pieces.join(""));
  });
});

test("serve sends Content-Length for every body that is available at once", async () => {
  const bytes = new TextEncoder().encode("whole");
  const bodies = [
    "whole",
    bytes,
    ReadableStream.from([bytes]),
    new URLSearchParams("whole"),
    "whole".repeat(100_000),
    new Blob(["whole"]),
  ];
  for (const [i, body] of bodies.entries()) {
    await serving({ fetch: () => new Response(body) }, async (server) => {
      const client = await ask(server, GET_AND_CLOSE);
      const length = client.header("content-length");
      // A stream may not have all of its bytes at once, and is then sent chunked.
      if (i !== 2) {
        assertEquals([length, client.header("transfer-encoding")], [
          `${client.text.length}`,
          undefined,
        ]);
      }
      assertStringIncludes(client.text, "whole");
    });
  }
});

test("serve sends Content-Length for a HEAD request of HTTP/1.0", async () => {
  let cancelled = false;
  const endless = (): ReadableStream<Uint8Array> =>
    new ReadableStream({ cancel: () => void (cancelled = true) });
  await serving({
    fetch: ({ url }) => new Response(url.endsWith("/endless") ? endless() : "whole".repeat(9_000)),
  }, async (server) => {
    const known = await ask(server, "HEAD / HTTP/1.0\r\n\r\n");
    assertEquals([known.header("content-length"), known.text], ["45000", ""]);
    const unknown = await ask(server, "HEAD /endless HTTP/1.0\r\n\r\n");
    assertEquals([unknown.header("content-length"), unknown.text], [undefined, ""]);
    await until("the stream was cancelled", () => cancelled);
  });
});

test("serve sends each chunk of a body as soon as it is available", async () => {
  let body: ReadableStreamDefaultController<Uint8Array> | undefined;
  let cancelled = false;
  const events = new ReadableStream<Uint8Array>({
    start: (controller) => {
      body = controller;
    },
    cancel: () => {
      cancelled = true;
    },
  });
  await serving({ fetch: () => new Response(events) }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.answered();
    body!.enqueue(new Uint8Array(3).fill(97));
    await until("the first chunk has arrived", () => client.text === "3\r\naaa\r\n");
    await client.abort();
    await until("the body is cancelled", () => {
      // Only a failed write shows that the client has disconnected, and not just closed its side.
      if (!cancelled) body!.enqueue(new Uint8Array(3));
      return cancelled;
    });
  });
});

test("Server.stop waits for a response in progress", async () => {
  let answer = (_response: Response): void => {};
  let asked = 0;
  const options: ServeOptions = {
    fetch: () => {
      asked++;
      return new Promise<Response>((resolve) => answer = resolve);
    },
    upgrade: () => {
      asked++;
      return new Promise(() => {});
    },
  };
  const server = await serve(host, options);
  const asking = await RawClient.connect(host, server.port);
  asking.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const upgrading = await RawClient.connect(host, server.port);
  upgrading.write(upgradeRequest());
  const silent = await RawClient.connect(host, server.port);
  silent.write("GET");
  await until("both hooks are called", () => asked === 2);
  const stopped = server.stop({ timeout: 60_000 });
  await upgrading.gone();
  await silent.gone();
  answer(new Response("late"));
  await asking.gone();
  assertStringIncludes(asking.text, "late");
  await stopped;
});

test("serve uses the Content-Length header of a response", async () => {
  const headers = { "Content-Length": "4" };
  await serving({ fetch: () => new Response("four", { headers }) }, async (server) => {
    for (const [method, text] of [["GET", "four"], ["HEAD", ""]] as const) {
      const client = await ask(server, GET_AND_CLOSE.replace("GET", method));
      assertEquals([client.header("content-length"), client.text], ["4", text]);
      assertEquals(client.header("transfer-encoding"), undefined);
    }
  });
});

test("serve removes headers of the connection from responses", async () => {
  const headers = {
    "Transfer-Encoding": "gzip",
    Connection: "keep-alive, x",
    "Keep-Alive": "1",
    X: "y",
  };
  await serving({ fetch: () => new Response(null, { headers }) }, async (server) => {
    const client = await ask(server, GET_AND_CLOSE);
    assertEquals(client.header("connection"), "close");
    assertEquals([client.header("transfer-encoding"), client.header("keep-alive")], [
      undefined,
      undefined,
    ]);
    assertEquals([client.header("x"), client.header("content-length")], ["y", "0"]);
  });
});

test("serve reads the body of a response only as fast as its client reads", async () => {
  let pulled = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(100_000));
      if (++pulled === 300) controller.close();
    },
  }, { highWaterMark: 0 });
  await serving({ fetch: () => new Response(body) }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.stream.pause();
    client.write(GET_AND_CLOSE);
    let before = -1;
    await until("the body is no longer read", async () => {
      const still = pulled > 0 && pulled === before;
      before = pulled;
      await new Promise((wake) => setTimeout(wake, 100));
      return still;
    });
    assert(pulled < 200, `${pulled} of 300 pieces`);
    client.stream.resume();
    await client.gone();
    assertEquals(pulled, 300);
  });
});

test("serve aborts the connection of a client that does not read its response", async () => {
  let cancelled = false;
  const body = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(1 << 20)),
      cancel: () => {
        cancelled = true;
      },
    });
  await serving({ fetch: () => new Response(body()), sendTimeout: 200 }, async (server) => {
    const client = await RawClient.connect(host, server.port);
    client.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.stream.pause();
    await until("the body is cancelled", () => cancelled);
    client.stream.resume();
    await client.gone();
  });
});

const POST = GET_AND_CLOSE.replace("GET", "POST").slice(0, -2);
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;

/** Requests and their statuses. The fetch hook would answer 200. */
const REQUESTS: readonly (readonly [string, string, number])[] = [
  ["a GET", GET_AND_CLOSE, 200],
  ["a GET in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 200],
  ["OPTIONS *", GET_AND_CLOSE.replace("GET /", "OPTIONS *"), 200],
  ["a body", `${POST}Content-Length: 3\r\n\r\nabc`, 200],
  [
    "a body of exactly the limit",
    `${POST}Content-Length: 100\r\n\r\n${"x".repeat(100)}`,
    200,
  ],
  ["a body over the limit", `${POST}Content-Length: 101\r\n\r\n`, 413],
  ["a chunked body", `${CHUNKED}3\r\nabc\r\n0\r\n\r\n`, 200],
  ["a chunked body of exactly the limit", `${CHUNKED}64\r\n${"x".repeat(100)}\r\n0\r\n\r\n`, 200],
  ["a chunk size over the limit", `${CHUNKED}65`, 413],
  ["a chunked body whose sum is over the limit", `${CHUNKED}1\r\na\r\n64\r\n`, 413],
  ["a malformed chunked body", `${CHUNKED}3\nabc\n0\n\n`, 400],
  [
    "a chunked body in HTTP/1.0",
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  [
    "Content-Length with a chunked body",
    `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    400,
  ],
  ["gzip before chunked", `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
  ["TRACE", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  ["bytes that are not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\n", 400],
  ["an endless head", `GET / HTTP/1.1\r\nHost: h\r\n${"X: y\r\n".repeat(5000)}`, 431],
];

test("serve passes the method of a request to the hook, and answers 501 if the runtime does not know the method", async () => {
  const methods: string[] = [];
  const fetch = ({ method }: Request): Response => {
    methods.push(method);
    return new Response();
  };
  await serving({ fetch }, async (server) => {
    for (const method of ["get", "PATCH", "PROPFIND"]) {
      const client = await ask(server, GET_AND_CLOSE.replace("GET", method));
      assertEquals([client.status, method], [200, method]);
    }
    assertEquals(methods, ["GET", "PATCH", "PROPFIND"]);
    const brew = await ask(server, GET_AND_CLOSE.replace("GET", "BREW"));
    // Bun's `Request` turns an unknown method into GET.
    assertEquals(
      [brew.status, methods.slice(3)],
      brew.status === 200 ? [200, ["BREW"]] : [501, []],
    );
  });
});

test("serve adds the Date header to every answer unless the hook sets it", async () => {
  const date = "Tue, 15 Nov 1994 08:12:31 GMT";
  const fetch = (request: Request): Response =>
    new Response("", request.url.endsWith("/own") ? { headers: { Date: date } } : {});
  await serving({ fetch }, async (server) => {
    const dateOf = async (request: string): Promise<string> => {
      const date = (await ask(server, request)).header("date");
      return date!;
    };
    assertEquals(await dateOf(GET_AND_CLOSE.replace("/", "/own")), date);
    for (const request of [GET_AND_CLOSE, "nonsense\r\n\r\n"]) {
      const date = await dateOf(request);
      assertEquals(new Date(date).toUTCString(), date);
      assert(Math.abs(Date.parse(date) - Date.now()) < 60_000);
    }
  });
});

test("serve limits the memory of all request bodies to maxRequestBodiesSize", async () => {
  const answers: (() => void)[] = [];
  const fetch = (): Promise<Response> =>
    new Promise((answer) => answers.push(() => answer(new Response("ok"))));
  const body = "x".repeat(60);
  const post =
    `POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 60\r\n\r\n${body}`;
  await serving({ fetch, maxRequestBodiesSize: 100 }, async (server) => {
    const first = ask(server, post);
    await until("the first hook is called", () => answers.length === 1);
    const second = await ask(server, post);
    assertEquals([second.status, second.header("retry-after")], [503, "1"]);
    answers[0]!();
    assertEquals((await first).status, 200);
    const third = ask(server, post);
    await until("the third hook is called", () => answers.length === 2);
    answers[1]!();
    assertEquals((await third).status, 200);
  });
});

for (const [what, request, status] of REQUESTS) {
  test(`serve answers ${what} with ${status}`, async () => {
    await serving({ fetch: () => new Response("ok"), maxRequestBodySize: 100 }, async (server) => {
      const client = await ask(server, request);
      assertEquals([client.status, client.header("connection")], [status, "close"]);
      assertEquals(await fetch(url(server)).then((response) => response.text()), "ok");
    });
  });
}

test("serve answers 500 when a hook throws, rejects or returns no Response", async () => {
  const hooks = [
    () => {
      throw new Error("oops");
    },
    () => Promise.reject(new Error("oops")),
    () => "no response" as unknown as Response,
  ];
  for (const hook of hooks) {
    await serving({ fetch: hook }, async (server, log) => {
      for (let i = 1; i <= 2; i++) {
        const response = await fetch(url(server));
        assertEquals([response.status, await response.text()], [500, "internal error\n"]);
        assertEquals(log.length, i);
        assertStringIncludes(log[0]!, "ws: a hook failed");
      }
    });
  }
});

test("serve aborts a response whose body fails", async () => {
  const body = (): ReadableStream<Uint8Array> => {
    let pulled = 0;
    return new ReadableStream({
      pull(controller) {
        if (++pulled < 3) controller.enqueue(new Uint8Array(10));
        else controller.error(new Error("no more"));
      },
    });
  };
  await serving({ fetch: () => new Response(body()) }, async (server, log) => {
    const client = await ask(server, GET_AND_CLOSE);
    assertEquals(client.text.endsWith("0\r\n\r\n"), false);
    assertStringIncludes(log[0]!, "no more");
  });
});

test("serve sends 100 Continue when a hook reads a body for which the client waits", async () => {
  await serving(
    { fetch: async (request) => new Response(await request.text()) },
    async (server) => {
      const client = await RawClient.connect(host, server.port);
      client.write(
        `${POST}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n`,
      );
      await client.answered();
      assertEquals(client.status, 100);
      client.write("ok");
      await client.gone();
      assertStringIncludes(client.text, "HTTP/1.1 200 OK");
      assert(client.text.endsWith("\r\n\r\nok"));
    },
  );
});

test("serve answers 408 when a client does not finish its request in time", async () => {
  const fetch = async (request: Request): Promise<Response> => new Response(await request.text());
  await serving({ fetch, handshakeTimeout: 60, requestBodyTimeout: 60 }, async (server) => {
    for (
      const start of ["", "GET /", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab"]
    ) {
      const client = await ask(server, start);
      assertEquals(client.status, 408, start);
    }
  });
});

test("serve answers 503 when a hook does not answer in time", async () => {
  const never = (): Promise<Response> => new Promise(() => {});
  await serving(
    { fetch: never, upgrade: never, handshakeTimeout: 600, responseTimeout: 60 },
    async (server) => {
      for (const request of ["GET / HTTP/1.0\r\n\r\n", upgradeRequest()]) {
        assertEquals((await ask(server, request)).status, 503);
      }
    },
  );
});
