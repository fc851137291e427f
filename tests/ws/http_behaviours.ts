/**
 * Behaviour of HTTP servers on which programs written for `Deno.serve` or `Bun.serve` rely:
 * requests on the wire, and the expected responses. `http_behaviours_test.ts` runs each row against
 * the runtime's own server and ours.
 */
import { Buffer } from "node:buffer";
import net from "node:net";

/** A behaviour: what the client sends, and what the server must respond. */
export interface Behaviour {
  readonly title: string;
  /** The bytes that the client sends. `h` is the Host header. */
  readonly send: string;
  /** Whether the client ends its side of the connection after `send`. */
  readonly fin?: boolean;
  /** The expected responses, each as one line of {@linkcode brief}. */
  readonly expect: readonly (string | RegExp)[];
  /** How the runtime's own server differs, and why our server does not do the same. */
  readonly differs?: Partial<Record<"deno" | "bun", string>>;
}

const H = "Host: h\r\n";
const form = (): FormData => {
  const data = new FormData();
  data.set("a", "1");
  return data;
};
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
/** Returns a body whose pieces arrive with delays. */
function slow(pieces: readonly string[], events: string[] = []): ReadableStream<Uint8Array> {
  const rest = [...pieces];
  return new ReadableStream({
    async pull(controller) {
      await new Promise((turn) => setTimeout(turn, 5));
      const piece = rest.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(bytes(piece));
    },
    cancel: () => void events.push("cancelled"),
  });
}

/** Returns the fetch hook of all servers. It records aborts and cancellations in `events`. */
export function hook(events: string[]): (request: Request) => Response | Promise<Response> {
  return async (request) => {
    const url = new URL(request.url);
    request.signal.addEventListener("abort", () => events.push("aborted"));
    switch (url.pathname) {
      case "/text":
        return new Response("text");
      case "/empty":
        return new Response(null);
      case "/none":
        return new Response(null, { status: 204 });
      case "/unchanged":
        return new Response(null, { status: 304, headers: { etag: '"x"' } });
      case "/created":
        return new Response("made", { status: 201 });
      case "/json":
        return Response.json({ a: 1 });
      case "/blob":
        return new Response(new Blob(["b{}"], { type: "text/css" }));
      case "/params":
        return new Response(new URLSearchParams({ a: "1" }));
      case "/form":
        return new Response(form());
      case "/typed":
        return new Response("<b>", { headers: { "content-type": "text/html" } });
      case "/stream":
        return new Response(slow(["one", "two"]), { headers: { "content-type": "text/plain" } });
      case "/sized":
        return new Response(slow(["one", "two"]), {
          headers: { "content-length": "6", "content-type": "text/plain" },
        });
      case "/endless": {
        const start = (controller: ReadableStreamDefaultController) => {
          controller.enqueue(bytes("data: 1\n\n"));
        };
        const cancel = (): void => void events.push("cancelled");
        return new Response(new ReadableStream({ start, cancel }), {
          headers: { "content-type": "text/event-stream" },
        });
      }
      case "/never":
        return await new Promise<Response>(() => {});
      case "/echo":
        return new Response(await request.text(), { headers: { "content-type": "text/plain" } });
      case "/pieces": {
        let count = 0;
        for await (const part of request.body ?? []) count += (part as Uint8Array).length;
        return new Response(String(count));
      }
      case "/ignored":
        return new Response("ignored");
      case "/url":
        return new Response(`${url.pathname}${url.search} ${url.host}`);
      case "/method":
        return new Response(request.method);
      case "/cookie":
        return new Response(request.headers.get("cookie"));
      case "/header":
        return new Response(request.headers.get("x-a"));
      case "/body":
        return new Response(String(request.body === null));
      case "/cookies": {
        const response = new Response("set");
        response.headers.append("set-cookie", "a=1");
        response.headers.append("set-cookie", "b=2");
        return response;
      }
      case "/redirect":
        return new Response(null, { status: 302, headers: { location: "/text" } });
      case "/throws":
        throw new Error("oops");
      default:
        return new Response("not found", { status: 404 });
    }
  };
}

const get = (path: string, extra = ""): string => `GET ${path} HTTP/1.1\r\n${H}${extra}\r\n`;
const post = (path: string, body: string, extra = ""): string =>
  `POST ${path} HTTP/1.1\r\n${H}Content-Length: ${body.length}\r\n${extra}\r\n${body}`;

/** All behaviours that the tests check. */
export const BEHAVIOURS: readonly Behaviour[] = [
  { title: "a string", send: get("/text"), expect: ["200 text/plain 4 text"] },
  { title: "no body", send: get("/empty"), expect: ["200 - 0"] },
  { title: "204", send: get("/none") + get("/text"), expect: ["204 - -", "200 text/plain 4 text"] },
  {
    title: "304",
    send: get("/unchanged") + get("/text"),
    expect: [/^304 - [-0]$/, "200 text/plain 4 text"],
  },
  { title: "another status", send: get("/created"), expect: ["201 text/plain 4 made"] },
  { title: "JSON", send: get("/json"), expect: ['200 application/json 7 {"a":1}'] },
  {
    title: "a blob with a type",
    send: get("/blob"),
    expect: [/^200 text\/css (3|chunked) b\{\}$/],
  },
  {
    title: "URLSearchParams",
    send: get("/params"),
    expect: ["200 application/x-www-form-urlencoded 3 a=1"],
  },
  {
    title: "FormData with its boundary",
    send: get("/form"),
    expect: [/^200 multipart\/form-data (\d+|chunked) --/],
  },
  { title: "an explicit content type", send: get("/typed"), expect: ["200 text/html 3 <b>"] },
  { title: "a stream", send: get("/stream"), expect: ["200 text/plain chunked onetwo"] },
  {
    title: "a stream with a length",
    send: get("/sized"),
    expect: [/^200 text\/plain (6|chunked) onetwo$/],
  },
  {
    title: "a stream, followed by another request",
    send: get("/stream") + get("/text"),
    expect: ["200 text/plain chunked onetwo", "200 text/plain 4 text"],
    differs: { bun: "closes the connection between them" },
  },
  {
    title: "HEAD has the Content-Length of GET, and no body",
    send: `HEAD /text HTTP/1.1\r\n${H}\r\n` + get("/text"),
    expect: [/^200 (text\/plain|-) 4$/, "200 text/plain 4 text"],
  },
  {
    title: "HEAD of a stream, followed by another request",
    send: `HEAD /stream HTTP/1.1\r\n${H}\r\n` + get("/text"),
    expect: [/^200 (text\/plain|-) /, "200 text/plain 4 text"],
  },
  { title: "a POST", send: post("/echo", "hello"), expect: ["200 text/plain 5 hello"] },
  {
    title: "a POST in chunks",
    send:
      `POST /echo HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`,
    expect: ["200 text/plain 5 hello"],
  },
  {
    title: "a PUT whose body is read in chunks",
    send: post("/pieces", "x".repeat(5000)).replace("POST", "PUT"),
    expect: ["200 text/plain 4 5000"],
  },
  {
    title: "a body that the hook does not read is not parsed as a request",
    send: post("/ignored", get("/throws")) + get("/text"),
    expect: ["200 text/plain 7 ignored", "200 text/plain 4 text"],
  },
  {
    title: "a GET with a body, which is discarded",
    send: get("/echo", "Content-Length: 5\r\n") + "hello" + get("/text"),
    expect: [/^200 (text\/plain|-) 0$/, "200 text/plain 4 text"],
  },
  {
    title: "a request without a body has body null",
    send: get("/body"),
    expect: ["200 text/plain 4 true"],
  },
  {
    title: "Expect: 100-continue",
    send: `POST /echo HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
    expect: ["100 - -"],
  },
  {
    title: "Expect: 100-continue, when the client sends the body without waiting",
    send: post("/echo", "ab", "Expect: 100-continue\r\n"),
    expect: ["200 text/plain 2 ab"],
    differs: { deno: "sends the 100 first", bun: "sends the 100 first" },
  },
  {
    title: "path and query",
    send: get("/url?a=%20b"),
    expect: ["200 text/plain 13 /url?a=%20b h"],
  },
  {
    title: "an unusual method",
    send: get("/method").replace("GET", "PROPFIND"),
    expect: ["200 text/plain 8 PROPFIND"],
  },
  {
    title: "an unknown method",
    send: get("/method").replace("GET", "FOO"),
    expect: ["200 text/plain 3 FOO"],
    differs: { bun: "hangs up" },
  },
  {
    title: "cookies in two lines become one list",
    send: get("/cookie", "Cookie: a=1\r\nCookie: b=2\r\n"),
    expect: ["200 text/plain 8 a=1; b=2"],
  },
  {
    title: "a header in two lines becomes one list",
    send: get("/header", "X-A: 1\r\nX-A: 2\r\n"),
    expect: ["200 text/plain 4 1, 2"],
  },
  {
    title: "two Set-Cookie headers stay separate",
    send: get("/cookies"),
    expect: ["200 text/plain 3 set set-cookie=a=1 set-cookie=b=2"],
  },
  { title: "a redirect", send: get("/redirect"), expect: ["302 - 0"] },
  { title: "a missing path", send: get("/x"), expect: ["404 text/plain 9 not found"] },
  { title: "a hook that throws", send: get("/throws"), expect: [/^500 /] },
  {
    title: "two pipelined requests",
    send: get("/text") + get("/json"),
    expect: ["200 text/plain 4 text", '200 application/json 7 {"a":1}'],
  },
  {
    title: "Connection: close",
    send: get("/text", "Connection: close\r\n") + get("/text"),
    expect: ["200 text/plain 4 text", "closed"],
  },
  {
    title: "HTTP/1.0",
    send: "GET /text HTTP/1.0\r\nHost: h\r\n\r\n",
    expect: ["200 text/plain 4 text", "closed"],
  },
  {
    title: "HTTP/1.1 without a Host header",
    send: "GET /text HTTP/1.1\r\n\r\n",
    expect: [/^400 /, "closed"],
    differs: { deno: "answers it" },
  },
  { title: "bytes that are not HTTP", send: "hello\r\n\r\n", expect: [/^400 /, "closed"] },
  {
    title: "two different Content-Length headers",
    send: `POST /echo HTTP/1.1\r\n${H}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
    expect: [/^400 /, "closed"],
  },
  {
    title: "Content-Length with a chunked body",
    send:
      `POST /echo HTTP/1.1\r\n${H}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    expect: [/^400 /, "closed"],
  },
  {
    title: "an upgrade to another protocol is handled as a plain request",
    send: get(
      "/text",
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    ),
    expect: ["200 text/plain 4 text"],
  },
  {
    title: "a client that disconnects while the hook runs aborts the signal",
    send: get("/never"),
    fin: true,
    expect: ["aborted"],
  },
  {
    title: "a client that disconnects during an endless response cancels it",
    send: get("/endless"),
    fin: true,
    expect: ["aborted", "cancelled"],
  },
];

/**
 * Runs one row. Returns the responses in short form, or the events if the client closes its side.
 */
export async function exchange(
  port: number,
  row: Behaviour,
  events: string[],
): Promise<string[]> {
  const text = await new Promise<string>((settle) => {
    let got = "";
    let quiet: ReturnType<typeof setTimeout>;
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => {
      socket.write(row.send, "latin1");
      if (row.fin) {
        // Ends the client's side after the first byte of a response, or after the hook was called.
        setTimeout(() => socket.end(), 150);
      }
    });
    const done = (): void => {
      clearTimeout(quiet);
      socket.destroy();
      settle(got);
    };
    // An exchange ends when nothing has arrived for a while, since some rows expect no further
    // bytes.
    const wait = (): void => {
      clearTimeout(quiet);
      quiet = setTimeout(done, row.fin ? 2000 : 400);
    };
    wait();
    socket.on("data", (data) => {
      got += Buffer.from(data).toString("latin1");
      wait();
    });
    socket.on("error", () => {});
    socket.on("end", () => {
      got += "\0closed";
      done();
    });
  });
  const [answers = "", closed] = text.split("\0");
  const lines = row.fin ? [] : brief(answers);
  if (!row.fin) return closed === undefined ? lines : [...lines, "closed"];
  await new Promise((turn) => setTimeout(turn, 50));
  return [...new Set(events)].sort();
}

/** Returns each response as its status, type, framing and body. */
function brief(text: string): string[] {
  const lines: string[] = [];
  for (let rest = text; rest.length > 0;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) return [...lines, `broken ${JSON.stringify(rest.slice(0, 80))}`];
    const [first = "", ...headers] = rest.slice(0, end).split("\r\n");
    rest = rest.slice(end + 4);
    const of = (name: string): string | undefined =>
      headers.find((line) => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1)
        .trim();
    const status = first.split(" ")[1];
    const isChunked = of("transfer-encoding") === "chunked";
    const isBare = !rest || rest.startsWith("HTTP/1.1 ");
    let body = "";
    if (isChunked && !isBare) {
      for (let size = -1; size !== 0;) {
        const line = rest.indexOf("\r\n");
        size = parseInt(rest.slice(0, line), 16);
        if (!(size >= 0)) return [...lines, `broken chunk ${JSON.stringify(rest.slice(0, 80))}`];
        body += rest.slice(line + 2, line + 2 + size);
        rest = rest.slice(line + 2 + size + 2);
      }
    } else if (!isBare) {
      const length = Number(of("content-length") ?? rest.length);
      body = rest.slice(0, length);
      rest = rest.slice(length);
    }
    const framing = isChunked ? "chunked" : of("content-length") ?? "-";
    const type = of("content-type")?.split(";")[0] ?? "-";
    const cookies = headers.filter((line) => /^set-cookie:/i.test(line))
      .map((line) => ` set-cookie=${line.slice(11).trim()}`).join("");
    lines.push(`${status} ${type} ${framing} ${body}`.trim() + cookies);
  }
  return lines;
}
