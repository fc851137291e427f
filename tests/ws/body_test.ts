import { assert, assertEquals } from "@std/assert";
import { BodyBudget, BodyReader } from "../../lib/ws/body.ts";
import type { RequestHead } from "../../lib/ws/handshake.ts";
import { test } from "../kit/test.ts";
import { bytesOf } from "../kit/ws_client.ts";

function head(...headers: [string, string][]): RequestHead {
  return { method: "POST", target: "/", version: "1.1", headers: [["host", "h"], ...headers] };
}

test("BodyReader reads exactly as many bytes as Content-Length announces", () => {
  const reader = new BodyReader(head(["content-length", "5"]), 100, new BodyBudget(100));
  assert(reader.isAwaited && reader.refusal === undefined);
  assertEquals(reader.push(bytesOf("ab")), { state: "more" });
  assertEquals(reader.push(bytesOf("")), { state: "more" });
  const progress = reader.push(bytesOf("cdefg"));
  assert(progress.state === "body");
  assertEquals([new TextDecoder().decode(progress.body), progress.rest], ["abcde", 3]);
});

test("BodyReader returns no body without Content-Length, and an empty body for a length of 0", () => {
  for (const given of [head(), head(["content-length", "0"])]) {
    const reader = new BodyReader(given, 0, new BodyBudget(0));
    assert(!reader.isAwaited);
    const progress = reader.push(bytesOf("GET"));
    assert(progress.state === "body" && progress.body.length === 0 && progress.rest === 0);
  }
});

test("BodyReader rejects a Content-Length over the limit before the body arrives", () => {
  assertEquals(
    new BodyReader(head(["content-length", "101"]), 100, new BodyBudget(100)).refusal?.status,
    413,
  );
  assertEquals(
    new BodyReader(head(["content-length", "100"]), 100, new BodyBudget(100)).refusal,
    undefined,
  );
});

test("BodyReader reads a body byte by byte in linear time, and stores it once", () => {
  const length = 300_000;
  for (const [name, value] of [["content-length", `${length}`], ["transfer-encoding", "chunked"]]) {
    const reader = new BodyReader(head([name!, value!]), length, new BodyBudget(length));
    const chunked = name === "transfer-encoding";
    if (chunked) reader.push(bytesOf(`${length.toString(16)}\r\n`));
    const byte = Uint8Array.of(7);
    const start = performance.now();
    let progress = reader.push(byte);
    for (let i = 1; i < length; i++) progress = reader.push(byte);
    if (chunked) progress = reader.push(bytesOf("\r\n0\r\n\r\n"));
    assert(progress.state === "body" && progress.body.length === length);
    assert(progress.body.buffer.byteLength <= 2 * length);
    // Copying the body again for each byte would copy 45 GB.
    assert(performance.now() - start < 2000);
  }
});

test("BodyReader rejects a body that exceeds the memory budget", () => {
  const budget = new BodyBudget(250);
  const body = (length: number): BodyReader => {
    const reader = new BodyReader(head(["content-length", `${length}`]), 1000, budget);
    assertEquals(reader.refusal, undefined);
    return reader;
  };
  const bytes = new Uint8Array(200);
  const first = body(200);
  assertEquals(first.push(bytes).state, "body");
  const second = body(200);
  assertEquals(second.push(bytes.subarray(0, 50)), { state: "more" });
  const progress = second.push(bytes.subarray(0, 1));
  assert(progress.state === "refused");
  assertEquals(progress.refusal.status, 503);
  assertEquals(progress.refusal.headers, { "Retry-After": "1" });
  second.free();
  first.free();
  assertEquals(body(200).push(bytes).state, "body");
  const chunked = new BodyReader(head(["transfer-encoding", "chunked"]), 1000, budget);
  const refused = chunked.push(bytesOf(`c8\r\n${"x".repeat(200)}\r\n0\r\n\r\n`));
  assert(refused.state === "refused" && refused.refusal.status === 503);
});
