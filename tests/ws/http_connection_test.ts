import { assert, assertEquals } from "@std/assert";
import type { ServeOptions } from "../../lib/ws/options.ts";
import { test } from "../kit/test.ts";
import { HttpConnectionStage, settle } from "./http_connection_stage.ts";

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
}

test("HttpConnection copies up to 64 KiB of input that arrives before a response, and then stops reading", async () => {
  const asked: string[] = [];
  const answers: ((response: Response) => void)[] = [];
  const stage = new HttpConnectionStage({
    fetch: (request) => {
      asked.push(new URL(request.url).pathname);
      return new Promise((resolve) => answers.push(resolve));
    },
  });
  const { stream } = stage;
  stage.receive(get("/a"));
  // No pipelined request has arrived yet, so reading continues and a disconnect is detected.
  assertEquals([asked, stream.isPaused], [["/a"], false]);
  stage.receive(get("/b").slice(0, 9));
  assert(!stream.isPaused);
  stage.receive(
    get("/b").slice(9) + get("/c") + get("/d").repeat(4000),
  );
  assert(stream.isPaused);
  answers[0]!(new Response("A"));
  await settle();
  assertEquals([asked, stage.texts], [["/a", "/b"], ["A"]]);
  answers[1]!(new Response("B"));
  await settle();
  answers[2]!(new Response("C"));
  await settle();
  assertEquals([asked, stage.texts], [["/a", "/b", "/c", "/d"], ["A", "B", "C"]]);
  assertEquals(stage.resting, 0);
  stream.abort();
  assertEquals([stage.resting, stage.ended], [0, 1]);
});

test("HttpConnection is idle while it has no request in progress", async () => {
  const seen: number[] = [];
  const stage: HttpConnectionStage = new HttpConnectionStage({
    fetch: () => {
      seen.push(stage.resting);
      return new Response("x");
    },
  });
  stage.receive(get("/").repeat(40));
  for (let i = 0; i < 10; i++) {
    await settle();
    assertEquals(stage.resting, stage.texts.length === 40 ? 1 : 0);
    stage.turns.shift()?.();
  }
  assertEquals([stage.texts.length, stage.resting], [40, 1]);
  assertEquals(new Set(seen), new Set([0]));
  stage.receive("G");
  assertEquals(stage.resting, 0);
  stage.stream.abort();
});

test("HttpConnection appends further input to the input that waits to be handled", async () => {
  const asked: string[] = [];
  const stage = new HttpConnectionStage({
    fetch: (request) => {
      asked.push(new URL(request.url).pathname);
      return new Response("x");
    },
  });
  const paths = Array.from({ length: 20 }, (_, i) => `/${i}`);
  stage.receive(paths.map((path) => get(path)).join(""));
  await settle();
  // After 16 responses, the connection yields to other connections.
  assertEquals([asked.length, stage.turns.length], [16, 1]);
  stage.receive(get("/last"));
  await stage.turn();
  assertEquals(asked, [...paths, "/last"]);
  stage.stream.abort();
});

test("HttpConnection continues to read a request whose first part arrived before a response", async () => {
  const answers: ((response: Response) => void)[] = [];
  const stage = new HttpConnectionStage({
    fetch: () => new Promise((resolve) => answers.push(resolve)),
  });
  stage.receive(get("/a") + get("/b") + get("/c").slice(0, 10));
  answers[0]!(new Response("A"));
  await settle();
  answers[1]!(new Response("B"));
  await settle();
  // A part of the third request has not been read yet.
  assert(!stage.stream.isPaused);
  stage.receive(get("/c").slice(10));
  assertEquals(answers.length, 3);
  stage.stream.abort();
});

test("HttpConnection closes after its client has ended its side", async () => {
  let answer = (_response: Response): void => {};
  const options: ServeOptions = { fetch: () => new Promise((resolve) => answer = resolve) };
  const before = new HttpConnectionStage(options);
  before.receive(get("/"));
  before.stream.handler.end();
  assert(!before.stream.ended);
  answer(new Response("x"));
  await settle();
  assertEquals([before.texts, before.stream.ended, before.resting], [["x"], true, 0]);

  const after = new HttpConnectionStage(options);
  after.receive(get("/"));
  answer(new Response("x"));
  await settle();
  assert(!after.stream.ended);
  after.stream.handler.end();
  assert(after.stream.ended);

  const within = new HttpConnectionStage(options);
  within.receive(get("/"));
  answer(new Response("x"));
  await settle();
  within.receive("GET /");
  within.stream.handler.end();
  assert(within.stream.ended);
});

test("HttpConnection closes after a response if its server began to stop during the response", async () => {
  let body: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stage = new HttpConnectionStage({
    fetch: () =>
      new Response(new ReadableStream({ start: (controller) => void (body = controller) })),
  });
  stage.receive(get("/"));
  await settle();
  stage.isStopping = true;
  body!.close();
  await settle();
  assertEquals([stage.texts, stage.stream.ended, stage.resting], [[""], true, 0]);
});

test("HttpConnection sends 100 Continue when a hook reads a body for which the client waits", async () => {
  const post = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n";
  for (
    const [request, says] of [
      [`${post}Content-Length: 2\r\n\r\n`, true],
      [`${post}Transfer-Encoding: chunked\r\n\r\n`, true],
      [`${post}Content-Length: 2\r\n\r\na`, false],
      [`${post}Content-Length: 0\r\n\r\n`, false],
      [`${post}\r\n`, false],
      [`${post.replace("1.1", "1.0")}Content-Length: 2\r\n\r\n`, false],
    ] as const
  ) {
    for (const reads of [true, false]) {
      const stage = new HttpConnectionStage({
        fetch: (request) => {
          if (reads) request.text().catch(() => {});
          return new Promise(() => {});
        },
      });
      stage.receive(request);
      await settle();
      assertEquals(stage.stream.writes.length, says && reads ? 1 : 0, request);
      stage.stream.abort();
    }
  }
});

test("HttpConnection.yieldPlace ends the stream in the second after a response, and aborts it later", async () => {
  for (const [ms, isCut] of [[0, false], [999, false], [1000, true]] as const) {
    const stage = new HttpConnectionStage({ fetch: () => new Response("x") });
    stage.now = 500;
    stage.receive(get("/"));
    await settle();
    // The time limit of the idle connection starts at the next tick.
    stage.arrival.tick(stage.now);
    stage.now += ms;
    stage.arrival.yieldPlace();
    assertEquals([stage.stream.aborted, stage.stream.ended], [isCut, !isCut]);
  }
});

test("HttpConnection has timeouts for a request, a response, and the next request", async () => {
  const limits = { handshakeTimeout: 100, keepAliveTimeout: 300, closeTimeout: 50 };
  let answer = (_response: Response): void => {};
  const stage = new HttpConnectionStage({
    ...limits,
    fetch: () => new Promise((resolve) => answer = resolve),
  });
  const { arrival, stream } = stage;
  const tick = (ms: number): void => {
    // The time limit of an idle connection starts at the next tick.
    arrival.tick(stage.now);
    stage.now += ms;
    arrival.tick(stage.now);
  };
  tick(99);
  stage.receive(get("/"));
  tick(99);
  answer(new Response("x"));
  await settle();
  tick(299);
  stage.receive("G");
  // The timeout of a request starts with its first byte, and is not extended by later ones.
  tick(99);
  stage.receive("E");
  assert(!stream.ended);
  tick(1);
  assertEquals([stage.texts.at(-1), stream.ended, stream.aborted], [
    "the request did not arrive in time\n",
    true,
    false,
  ]);
  stream.flush();
  tick(50);
  assert(stream.aborted);

  const idle = new HttpConnectionStage({ ...limits, fetch: () => new Response("x") });
  idle.receive(get("/"));
  await settle();
  idle.arrival.tick(0);
  idle.arrival.tick(299);
  assert(!idle.stream.ended);
  idle.arrival.tick(300);
  // No part of a further request had arrived, so the connection closes without a 408.
  assertEquals([idle.texts, idle.stream.ended], [["x"], true]);
});
