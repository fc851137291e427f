import { assert, assertEquals } from "@std/assert";
import {
  acceptAnswer,
  acceptKey,
  checkUpgrade,
  type HeadProgress,
  HeadReader,
  offeredProtocols,
  type RequestHead,
  wantsWebSocket,
} from "../../lib/ws/handshake.ts";
import { bytesOf, SAMPLE_KEY, upgradeRequest } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";
import { byteByByte } from "./recorder.ts";

function push(...chunks: readonly (string | Uint8Array)[]): HeadProgress {
  const reader = new HeadReader();
  let progress: HeadProgress = { state: "more" };
  for (const chunk of chunks) {
    progress = reader.push(typeof chunk === "string" ? latin1(chunk) : chunk);
    if (progress.state !== "more") return progress;
  }
  return progress;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function head(text: string): RequestHead {
  const progress = push(text);
  assert(progress.state === "head", JSON.stringify(progress));
  return progress.head;
}

/** Returns the status with which a request is rejected, or "head" if it is complete, or "more". */
function verdict(text: string | Uint8Array): number | string {
  const progress = push(text);
  return progress.state === "refused" ? progress.refusal.status : progress.state;
}

test("HeadReader reads the method, target, version and headers of a request", () => {
  assertEquals(head("GET /a?b=c HTTP/1.1\r\nHost: h:1\r\nX-Y:  v w \t\r\nEmpty:\r\n\r\n"), {
    method: "GET",
    target: "/a?b=c",
    version: "1.1",
    headers: [["host", "h:1"], ["x-y", "v w"], ["empty", ""]],
  });
});

test("HeadReader reads a head in pieces, and returns where the next bytes begin", () => {
  const request = latin1(upgradeRequest());
  const early = latin1("early");
  for (let cut = 1; cut < request.length; cut++) {
    const progress = push(request.subarray(0, cut), latin1(upgradeRequest().slice(cut) + "early"));
    assert(progress.state === "head");
    assertEquals(progress.rest, request.length - cut);
  }
  const progress = push(...byteByByte(request));
  assertEquals(progress.state === "head" && progress.rest, 1);
  const whole = push(new Uint8Array([...request, ...early]));
  assertEquals(whole.state === "head" && whole.rest, request.length);
});

test("HeadReader skips up to two empty lines before the request", () => {
  assertEquals(verdict("\r\n\r\nGET / HTTP/1.0\r\n\r\n"), "head");
  assertEquals(verdict("\r\n\r\n\r\n"), 400);
});

/** Request heads: a description, the bytes, and the expected result of `verdict`. */
const HEADS: readonly (readonly [string, string, number | string])[] = [
  ["HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "head"],
  ["an absolute target", "GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n", "head"],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "head"],
  ["non-ASCII bytes in a value", "GET / HTTP/1.0\r\nX: \xe9\xff\r\n\r\n", "head"],
  ["a bare line feed at the end", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400],
  ["a bare line feed in the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400],
  ["a bare carriage return", "GET / HTTP/1.1\rHost: h\r\n\r\n", 400],
  ["a carriage return within a value", "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400],
  ["a NUL in the request line", "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a NUL in a value", "GET / HTTP/1.1\r\nHost: h\0\r\n\r\n", 400],
  ["a control character in a value", "GET / HTTP/1.1\r\nHost: h\r\nX: \x07\r\n\r\n", 400],
  ["a folded line", "GET / HTTP/1.1\r\nHost: h\r\n more\r\n\r\n", 400],
  ["a line that is folded by a tab", "GET / HTTP/1.1\r\nHost: h\r\n\tmore\r\n\r\n", 400],
  ["a first header that is folded", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400],
  ["a space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400],
  ["a header without a colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", 400],
  ["a header without a name", "GET / HTTP/1.1\r\n: h\r\n\r\n", 400],
  ["a request line of two words", "GET /\r\n\r\n", 400],
  ["a request line of four words", "GET / x HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a target that is not a path", "GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a non-ASCII target", "GET /\xe9 HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a method with a bracket", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["another protocol", "GET / FTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["lower-case http", "GET / http/1.1\r\nHost: h\r\n\r\n", 400],
  ["HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505],
  ["HTTP/1.1 without Host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400],
  ["a Host with a path", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400],
  ["a Host with a user", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400],
  ["a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
  [
    "Content-Length and Transfer-Encoding",
    post("Content-Length: 1\r\nTransfer-Encoding: chunked"),
    400,
  ],
  ["a chunked body", post("Transfer-Encoding: chunked"), "head"],
  ["chunked in any case, between white space", post("Transfer-Encoding: \t Chunked "), "head"],
  ["chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
  ["gzip before chunked", post("Transfer-Encoding: gzip, chunked"), 501],
  ["an empty coding before chunked", post("Transfer-Encoding: , chunked"), 501],
  ["gzip after chunked", post("Transfer-Encoding: chunked, gzip"), 400],
  ["chunked twice", post("Transfer-Encoding: chunked, chunked"), 400],
  ["gzip without chunked", post("Transfer-Encoding: gzip"), 400],
  ["identity as a coding", post("Transfer-Encoding: identity"), 400],
  ["an unknown coding that ends in chunked", post("Transfer-Encoding: xchunked"), 400],
  ["chunked with a parameter", post("Transfer-Encoding: chunked;a=b"), 400],
  ["an empty Transfer-Encoding", post("Transfer-Encoding:"), 400],
  ["chunked after a vertical tab", post("Transfer-Encoding: \x0bchunked"), 400],
  ["a negative Content-Length", post("Content-Length: -1"), 400],
  ["a Content-Length with a sign", post("Content-Length: +1"), 400],
  ["a list as Content-Length", post("Content-Length: 1, 1"), 400],
  ["an endless Content-Length", post(`Content-Length: ${"9".repeat(16)}`), 400],
  ["two equal headers that may repeat", post("X: 1\r\nX: 1"), "head"],
];

function post(headers: string): string {
  return `POST / HTTP/1.1\r\nHost: h\r\n${headers}\r\n\r\n`;
}

for (const [what, text, expected] of HEADS) {
  const outcome = expected === "head" ? "accepts" : `answers ${expected} to`;
  test(`HeadReader ${outcome} a head with ${what}`, () => {
    assertEquals(verdict(text), expected);
    const progress = push(...byteByByte(latin1(text)));
    assertEquals(progress.state === "refused" ? progress.refusal.status : progress.state, expected);
  });
}

const ONCE = [
  "Content-Length: 0",
  "Host: h",
  "Origin: https://a.example",
  `Sec-WebSocket-Key: ${SAMPLE_KEY}`,
  "Sec-WebSocket-Version: 13",
  "Transfer-Encoding: chunked",
];

for (const header of ONCE) {
  test(`HeadReader rejects a head that contains ${header.split(":")[0]} twice`, () => {
    const first = header.startsWith("Host") ? "" : "Host: h\r\n";
    const lines = `${first}${header}\r\n${header.replace(/^\w/, (letter) => letter.toLowerCase())}`;
    assertEquals(verdict(`GET / HTTP/1.1\r\n${first}${header}\r\n\r\n`), "head");
    assertEquals(verdict(`GET / HTTP/1.1\r\n${lines}\r\n\r\n`), 400);
  });
}

test("HeadReader accepts a request at each limit, and rejects a request over a limit", () => {
  const line = (length: number): string => {
    const target = "/".padEnd(length - "GET  HTTP/1.0\r\n".length, "x");
    return `GET ${target} HTTP/1.0\r\n\r\n`;
  };
  assertEquals([verdict(line(8192)), verdict(line(8200))], ["head", 414]);
  const count = (headers: number): string => `GET / HTTP/1.0\r\n${"x:\r\n".repeat(headers)}\r\n`;
  assertEquals([verdict(count(100)), verdict(count(101))], ["head", 431]);
  const total = (length: number): string => {
    const start = "GET / HTTP/1.0\r\nx: ";
    return `${start}${"y".repeat(length - start.length - 4)}\r\n\r\n`;
  };
  assertEquals([verdict(total(16384)), verdict(total(16385))], ["head", 431]);
});

test("HeadReader rejects an invalid byte when it arrives", () => {
  for (const start of ["GET / HTTP/1.1\n", "GET / HTTP/1.1\rH", "GET /\0"]) {
    assertEquals([verdict(start.slice(0, -1)), verdict(start)], ["more", 400]);
  }
});

test("HeadReader rejects a line over the limit before its end", () => {
  assertEquals(verdict("x".repeat(9000)), 414);
  assertEquals(verdict("GET / HTTP/1.1\r\nX: " + "x".repeat(20_000)), 431);
  assertEquals(verdict("GET / HTTP/1.1\r\nHost: h"), "more");
});

test("checkUpgrade accepts the sample request of RFC 6455", () => {
  assertEquals(checkUpgrade(head(upgradeRequest())), undefined);
  const headers = { Upgrade: "foo, WebSocket", Connection: "keep-alive, UPGRADE" };
  assertEquals(checkUpgrade(head(upgradeRequest(headers))), undefined);
  const lists = upgradeRequest({ Upgrade: "foo" }).replace(
    "\r\n\r\n",
    "\r\nupgrade: websocket\r\n\r\n",
  );
  assertEquals(checkUpgrade(head(lists)), undefined);
});

/** Headers of upgrade requests that are missing or wrong, and the status of the response. */
const UPGRADES: readonly (readonly [Record<string, string | undefined>, number])[] = [
  [{ Connection: undefined }, 400],
  [{ Connection: "keep-alive" }, 400],
  [{ Connection: "upgrades" }, 400],
  [{ Upgrade: undefined }, 400],
  [{ Upgrade: "h2c" }, 400],
  [{ "Sec-WebSocket-Key": undefined }, 400],
  [{ "Sec-WebSocket-Key": "" }, 400],
  [{ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=" }, 400],
  [{ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQAA" }, 400],
  [{ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZ===" }, 400],
  [{ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j!Q==" }, 400],
  [{ "Sec-WebSocket-Version": undefined }, 426],
  [{ "Sec-WebSocket-Version": "8" }, 426],
  [{ "Sec-WebSocket-Version": "14" }, 426],
  [{ "Sec-WebSocket-Version": "13, 8" }, 426],
  [{ "Content-Length": "5" }, 400],
  [{ "Transfer-Encoding": "chunked" }, 400],
];

for (const [headers, status] of UPGRADES) {
  const lines = Object.entries(headers).map(([name, value]) =>
    value === undefined ? `no ${name}` : `${name}: ${value}`
  );
  test(`checkUpgrade answers ${status} to a request with ${lines.join(", ")}`, () => {
    const request = head(upgradeRequest(headers));
    assertEquals(wantsWebSocket(request), true);
    const refusal = checkUpgrade(request);
    assertEquals(refusal?.status, status);
    if (status === 426) assertEquals(refusal?.headers?.["Sec-WebSocket-Version"], "13");
  });
}

test("checkUpgrade answers 405 to other methods, and 400 to HTTP/1.0", () => {
  for (const method of ["POST", "HEAD", "PUT", "get"]) {
    assertEquals(checkUpgrade(head(upgradeRequest({}, `${method} / HTTP/1.1`)))?.status, 405);
  }
  assertEquals(checkUpgrade(head(upgradeRequest({}, "GET / HTTP/1.0")))?.status, 400);
});

test("wantsWebSocket returns false for an ordinary request", () => {
  for (const headers of ["", "Connection: Upgrade\r\n", "Upgrade: h2c\r\n"]) {
    assertEquals(wantsWebSocket(head(`GET / HTTP/1.1\r\nHost: h\r\n${headers}\r\n`)), false);
  }
});

test("acceptKey returns RFC 6455's example", () => {
  assertEquals(acceptKey(SAMPLE_KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

test("acceptAnswer writes the accept key, the protocol and further headers", () => {
  const answer = acceptAnswer(head(upgradeRequest()), "chat", "x", new Headers({ "X-Node": "a" }));
  assertEquals(
    answer.join(),
    bytesOf(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x\r\nx-node: a\r\n\r\n",
    ).join(),
  );
});

test("offeredProtocols reads a list of protocols from one or several headers", () => {
  const request = upgradeRequest({ "Sec-WebSocket-Protocol": "a, b" })
    .replace("\r\n\r\n", "\r\nsec-websocket-protocol: c\r\n\r\n");
  assertEquals(offeredProtocols(head(request)), ["a", "b", "c"]);
  assertEquals(offeredProtocols(head(upgradeRequest())), []);
});
