import { assert, assertEquals } from "@std/assert";
import { BodyReader } from "../../lib/ws/body.ts";
import type { RequestHead } from "../../lib/ws/handshake.ts";
import { test } from "../kit/test.ts";
import { bytesOf } from "../kit/ws_client.ts";

function head(...headers: [string, string][]): RequestHead {
  return { method: "POST", target: "/", version: "1.1", headers: [["host", "h"], ...headers] };
}

test("BodyReader reads as many bytes as Content-Length says, and leaves the rest", () => {
  const reader = new BodyReader(head(["content-length", "5"]), 100);
  assert(reader.isAwaited && reader.refusal === undefined);
  assertEquals(reader.push(bytesOf("ab")), { state: "more" });
  assertEquals(reader.push(bytesOf("")), { state: "more" });
  const progress = reader.push(bytesOf("cdefg"));
  assert(progress.state === "body");
  assertEquals([new TextDecoder().decode(progress.body), progress.rest], ["abcde", 3]);
});

test("BodyReader has no body without Content-Length and chunks, and one of none with 0", () => {
  for (const given of [head(), head(["content-length", "0"])]) {
    const reader = new BodyReader(given, 0);
    assert(!reader.isAwaited);
    const progress = reader.push(bytesOf("GET"));
    assert(progress.state === "body" && progress.body.length === 0 && progress.rest === 0);
  }
});

test("BodyReader refuses a Content-Length over the limit before any of it has come", () => {
  assertEquals(new BodyReader(head(["content-length", "101"]), 100).refusal?.status, 413);
  assertEquals(new BodyReader(head(["content-length", "100"]), 100).refusal, undefined);
});

test("BodyReader takes a body byte by byte in no more than a moment, and holds it once", () => {
  const length = 300_000;
  for (const [name, value] of [["content-length", `${length}`], ["transfer-encoding", "chunked"]]) {
    const reader = new BodyReader(head([name!, value!]), length);
    const chunked = name === "transfer-encoding";
    if (chunked) reader.push(bytesOf(`${length.toString(16)}\r\n`));
    const byte = Uint8Array.of(7);
    const start = performance.now();
    let progress = reader.push(byte);
    for (let i = 1; i < length; i++) progress = reader.push(byte);
    if (chunked) progress = reader.push(bytesOf("\r\n0\r\n\r\n"));
    assert(progress.state === "body" && progress.body.length === length);
    assert(progress.body.buffer.byteLength <= 2 * length);
    // Copied anew for each byte, it would be 45 GB.
    assert(performance.now() - start < 2000);
  }
});
