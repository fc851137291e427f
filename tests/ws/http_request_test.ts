import { assert, assertEquals } from "@std/assert";
import { type HeadProgress, HeadReader, type RequestHead } from "../../lib/ws/handshake.ts";
import {
  buildRequest,
  hangUp,
  type HttpRequest,
  type RequestContent,
  RequestOrigins,
} from "../../lib/ws/http_request.ts";
import { bytesOf } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";
import { serving } from "./serving.ts";

function headOf(line: string, headers: readonly string[] = []): RequestHead {
  const text = [`${line} HTTP/1.1`, "Host: h.example:8080", ...headers, "", ""].join("\r\n");
  const progress: HeadProgress = new HeadReader().push(bytesOf(text));
  assert(progress.state === "head", JSON.stringify(progress));
  return progress.head;
}

function build(line: string, headers?: readonly string[], content?: RequestContent): HttpRequest {
  const request = buildRequest(headOf(line, headers), "http", content, new RequestOrigins());
  assert(request !== undefined);
  return request;
}

test("buildRequest returns the same URL as the platform's Request", () => {
  const targets = [
    ..."/ /a /a/b.c?d=e/f?g //a /a//b /%7Ea /a?'b /a/../b /./a /..a /a/.b /a%2e%2E/b /%2e/a".split(
      " ",
    ),
    ...'/a#b /a|b /a^b /a{b} /a"b /a\\b /a?b"c /~!$&()*+,;=:@ http://Other.example/x?y'.split(" "),
    ..."http://h.example:80/ * /a/%2e%2e/b /a/.. /a/. /a.?./..".split(" "),
  ];
  for (const target of targets) {
    const method = target === "*" ? "OPTIONS" : "GET";
    const base = "http://h.example:8080";
    const plain = target.startsWith("/") ? base + target : target === "*" ? `${base}/*` : target;
    assertEquals(build(`${method} ${target}`).url, new Request(plain).url, target);
  }
  const host = (text: string): string =>
    build("GET /", []).url && new RequestOrigins().of("https", text)!;
  for (const each of ["A.example:443", "0x7f.1", "[::1]:80", "a.example:0080"]) {
    assertEquals(`${host(each)}/`, new Request(`https://${each}/`).url);
  }
});

test("buildRequest returns an object that the platform accepts as a Request", async () => {
  const line = "PUT /a?b=c";
  const headers = ["X-A: 1", "Cookie: a=1", "Cookie: b=2", "Content-Type: application/json"];
  const request = build(line, headers, bytesOf('{"d":1}'));
  assert(request instanceof Request);
  assertEquals([request.method, request.url], ["PUT", "http://h.example:8080/a?b=c"]);
  assertEquals(request.bodyUsed, false);
  request.headers.set("x-a", "2");
  request.headers.append("x-b", "3");
  const copy = new Request(request.clone());
  assertEquals(copy.headers.get("cookie"), "a=1; b=2");
  assertEquals([copy.headers.get("x-a"), copy.headers.get("x-b")], ["2", "3"]);
  assertEquals(await copy.json(), { d: 1 });
  const other = new Request("http://other.example/", request);
  assertEquals([other.method, other.headers.get("x-a")], ["PUT", "2"]);
  assertEquals(await other.text(), '{"d":1}');
  const form = build(line, ["Content-Type: application/x-www-form-urlencoded"], bytesOf("e=f"));
  assertEquals((await form.formData()).get("e"), "f");
  assertEquals(await build(line, [], bytesOf("text")).text(), "text");
  assertEquals(build("GET /").body, null);
  assertEquals(build("delete /").method, new Request("http://h/", { method: "delete" }).method);
});

test("buildRequest returns a GET request that can be copied, changed and sent", async () => {
  await serving({
    fetch: (request) => new Response(request.headers.get("x-a")),
  }, async ({ port }) => {
    const get = (): Request => build("GET /a?b=c", ["X-A: 1", "Range: bytes=0-4"]);
    const request = get();
    assert(request instanceof Request);
    assertEquals([request.bodyUsed, request.redirect, request.body], [false, "follow", null]);
    assertEquals(await request.text(), "");
    const changed = new Request(get(), { headers: { "x-a": "2" } });
    assertEquals([changed.method, changed.url], ["GET", request.url]);
    assertEquals(changed.headers.get("x-a"), "2");
    for (const each of [new Request(get()), get().clone(), new Request("http://h/", get())]) {
      assertEquals([each.headers.get("x-a"), each.headers.get("range")], ["1", "bytes=0-4"]);
    }
    const target = `http://127.0.0.1:${port}/`;
    const own = build(`GET ${target}`, ["X-A: 3"]);
    assertEquals(await (await fetch(own)).text(), "3");
    own.headers.set("x-a", "4");
    assertEquals(await (await fetch(own)).text(), "4");
    assertEquals(await (await fetch(new Request(target, get()))).text(), "1");
  });
});

test("fetch sends a request that a hook forwards", async () => {
  await serving({
    fetch: async (request) => new Response(`${request.method} ${await request.text()}`),
  }, async (inner) => {
    const target = `http://127.0.0.1:${inner.port}`;
    await serving({
      fetch: (request) => {
        const { pathname } = new URL(request.url);
        return fetch(pathname === "/whole" ? new Request(`${target}/`, request) : target, request);
      },
    }, async (outer) => {
      for (const path of ["/whole", "/init"]) {
        const url = `http://127.0.0.1:${outer.port}${path}`;
        const answer = await fetch(url, { method: "POST", body: "passed on" });
        assertEquals(await answer.text(), "POST passed on");
      }
    });
  });
});

test("hangUp aborts the request's signal once", () => {
  for (const asksBefore of [true, false]) {
    const request = build("GET /");
    const reasons: unknown[] = [];
    const listen = (): void =>
      request.signal.addEventListener("abort", () => reasons.push(request.signal.reason.message));
    if (asksBefore) listen();
    hangUp(request, new Error("first"));
    hangUp(request, new Error("second"));
    assertEquals([request.signal.aborted, request.signal.reason.message], [true, "first"]);
    assertEquals(request.clone().signal.aborted, true);
    assertEquals(reasons, asksBefore ? ["first"] : []);
  }
});
