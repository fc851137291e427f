/**
 * Tests random pipelined requests on one connection, in random pieces. Valid requests are all
 * answered, in order. Damaged ones are answered up to a rejection, and the requests passed to the
 * fetch hook do not depend on the pieces. `FIRN_FUZZ` and `FIRN_FUZZ_SEED` are explained in
 * `tests/kit/fuzz.ts`.
 */
import { assert, assertEquals } from "@std/assert";
import type { SeededRandom } from "../../lib/base/random.ts";
import { fuzzCount, mutated, roundsInTurn } from "../kit/fuzz.ts";
import { pick } from "../kit/seeds.ts";
import { test } from "../kit/test.ts";
import { bytesOf, join } from "../kit/ws_client.ts";
import { HttpConnectionStage } from "../ws/http_connection_stage.ts";

const ROUNDS = Math.ceil(fuzzCount(10_000) / 50);
/** The content of bodies. The server must never parse it as a request. */
const TRAP = "GET /trap HTTP/1.1\r\nHost: h\r\n\r\n";

/** A request, and the request that the fetch hook must receive. */
interface Sent {
  readonly method: string;
  readonly bytes: Uint8Array;
  readonly seen: string;
}

function randomRequest(random: SeededRandom, number: number): Sent {
  const method = pick(random, ["GET", "HEAD", "POST", "PUT", "OPTIONS"] as const);
  const hasBody = method === "POST" || method === "PUT";
  const body = hasBody ? TRAP.repeat(random.below(3)) + "x".repeat(random.below(100)) : "";
  const path = `/${number}`;
  let head = `${random.below(5) ? "" : "\r\n"}${method} ${path} HTTP/1.1\r\nHost: h\r\n`;
  for (let i = random.below(3); i > 0; i--) head += `X-${i}: ${"y".repeat(random.below(30))}\r\n`;
  let sent = body;
  if (hasBody && random.below(2) === 0) {
    head += "Transfer-Encoding: chunked\r\n";
    sent = "";
    for (let at = 0; at < body.length;) {
      const part = body.slice(at, at + 1 + random.below(80));
      sent += `${part.length.toString(16)}${random.below(4) ? "" : ";a=b"}\r\n${part}\r\n`;
      at += part.length;
    }
    sent += `0\r\n${random.below(3) ? "" : "T: r\r\n"}\r\n`;
  } else if (hasBody || random.below(4) === 0) head += `Content-Length: ${body.length}\r\n`;
  return { method, bytes: bytesOf(`${head}\r\n${sent}`), seen: `${method} ${path} ${body.length}` };
}

/**
 * Feeds bytes to a connection. Returns the requests of its fetch hook, the responses, and whether
 * the connection ended.
 */
async function run(random: SeededRandom, bytes: Uint8Array, methods?: readonly string[]) {
  const asked: string[] = [];
  const stage = new HttpConnectionStage({
    maxRequestBodySize: 2000,
    fetch: async (request) => {
      const { length } = await request.text();
      asked.push(`${request.method} ${new URL(request.url).pathname} ${length}`);
      const text = `${asked.length}`;
      return pick(random, [
        () => new Response(text),
        () => new Response(text, { headers: { "Content-Length": `${text.length}` } }),
        () => new Response(ReadableStream.from([bytesOf(text)])),
      ])();
    },
  });
  const most = random.below(2) ? 20 : bytes.length;
  for (let at = 0; at < bytes.length;) {
    // A paused host delivers no further bytes.
    if (stage.stream.isPaused || random.below(3) === 0) await stage.turn();
    if (stage.stream.isPaused && !stage.stream.ended) continue;
    const end = at + 1 + random.below(most);
    stage.receive(bytes.slice(at, end));
    at = end;
  }
  do await stage.turn(); while (stage.stream.isPaused && !stage.stream.ended);
  const { ended } = stage.stream;
  stage.stream.abort();
  assertEquals([stage.ended, stage.resting], [1, 0]);
  return { asked, ended, answers: stage.answers(methods) };
}

test("HttpConnection answers all valid requests in order, however the requests are split", async () => {
  await roundsInTurn(ROUNDS, async (random) => {
    const sent = Array.from({ length: 1 + random.below(6) }, (_, i) => randomRequest(random, i));
    const methods = sent.map(({ method }) => method);
    const got = await run(random, join(...sent.map(({ bytes }) => bytes)), methods);
    assertEquals(got.asked, sent.map(({ seen }) => seen));
    const texts = sent.map(({ method }, i) => method === "HEAD" ? "" : `${i + 1}`);
    assertEquals(got.answers.map(({ text }) => text), texts);
    assert(!got.ended);
  });
});

test("HttpConnection answers damaged requests in the same way, however the requests are split", async () => {
  await roundsInTurn(ROUNDS, async (random) => {
    const sent = Array.from({ length: 1 + random.below(4) }, (_, i) => {
      // Skips HEAD, because the responses can only be parsed if the methods of the requests are
      // known.
      for (;;) {
        const request = randomRequest(random, i);
        if (request.method !== "HEAD") return request;
      }
    });
    const bytes = mutated(random, join(...sent.map((each) => each.bytes)));
    const [one, other] = [await run(random, bytes), await run(random, bytes)];
    assertEquals(other.asked, one.asked);
    assertEquals(
      other.answers.map(({ status }) => status),
      one.answers.map(({ status }) => status),
    );
    assertEquals(other.ended, one.ended);
    for (const { status } of one.answers.slice(0, -1)) assertEquals(status, 200);
  });
});
