import { assertEquals } from "@std/assert";
import { isRead, takeStaticBody } from "../../lib/ws/static_body.ts";
import { test } from "../kit/test.ts";
import { serving } from "./serving.ts";

const BYTES = Uint8Array.of(0, 0xff, 0x80);

/** Responses with a body in memory, and the bytes of the body. */
const BODIES: readonly (readonly [name: string, () => Response, Uint8Array<ArrayBuffer>])[] = [
  ["ascii", () => new Response("text"), new TextEncoder().encode("text")],
  ["empty", () => new Response(""), new Uint8Array()],
  [
    "beyond",
    () => new Response("h\u00e9\u{1f600}\ud800"),
    new TextEncoder().encode("h\u00e9\u{1f600}\ufffd"),
  ],
  ["long", () => new Response("x".repeat(100_000)), new Uint8Array(100_000).fill(0x78)],
  ["bytes", () => new Response(BYTES, { status: 201, headers: { a: "\u00e9" } }), BYTES],
  ["json", () => Response.json({ a: 1 }), new TextEncoder().encode('{"a":1}')],
];

test("serve sends an available body with its length, and no body for HEAD", async () => {
  await serving({
    fetch: (request) => BODIES.find(([name]) => request.url.endsWith(name))![1](),
  }, async ({ port }) => {
    for (const [name, make, bytes] of BODIES) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await fetch(`http://127.0.0.1:${port}/${name}`, { method });
        const body = new Uint8Array(await answer.arrayBuffer());
        assertEquals(answer.headers.get("content-length"), String(bytes.length), name);
        assertEquals(answer.headers.get("a"), make().headers.get("a"));
        assertEquals(body, method === "GET" ? bytes : new Uint8Array(), name);
      }
    }
  });
});

test("serve answers 500 for a response that was already sent, or whose body a hook has read", async () => {
  const once = new Response("once");
  await serving({
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/once") return once;
      const response = new Response("read", { headers: { a: "b" } });
      if (pathname === "/read") await response.text();
      else response.body!.getReader();
      return response;
    },
  }, async ({ port }, log) => {
    const status = async (path: string): Promise<number> => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      await answer.arrayBuffer();
      return answer.status;
    };
    assertEquals(await status("/once"), 200);
    assertEquals(await status("/once"), 500);
    assertEquals(await status("/read"), 500);
    assertEquals(await status("/locked"), 500);
    assertEquals(log.length, 3);
  });
});

test("takeStaticBody rejects streams, blobs, and bodies that were already read", () => {
  const seen = (response: Response): string | Uint8Array | undefined => {
    void response.headers;
    return takeStaticBody(response);
  };
  // Bun's `Response` exposes its body only as a stream.
  const text = "Deno" in globalThis ? "a" : undefined;
  assertEquals(seen(new Response("a")), text);
  assertEquals(seen(new Response(new ReadableStream())), undefined);
  assertEquals(seen(new Response(new Blob(["a"]))), undefined);
  assertEquals(seen(new Response(null)), undefined);
  const asked = new Response("a");
  void asked.body;
  assertEquals([seen(asked), isRead(asked)], [undefined, false]);
  const twice = new Response("a");
  void twice.headers;
  assertEquals([isRead(twice), seen(twice), seen(twice)], [false, text, undefined]);
  assertEquals(isRead(twice), text !== undefined);
});
