// deno-lint-ignore-file no-console -- reports why a test is skipped
/**
 * Tests keep-alive connections of third-party HTTP clients, each in its own process: Node's agent, the
 * `fetch` of Node, Deno and Bun, npm's undici, Python's aiohttp, and curl. Clients that are not
 * installed are reported.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import { serve, type Server } from "../../lib/ws/server.ts";
import { findProgram } from "../../scripts/cluster/runtimes.ts";
import { makeHost } from "../kit/host.ts";
import { outputOf } from "../kit/run.ts";
import { test } from "../kit/test.ts";

const SCRIPT = fileURLToPath(new URL("./http_script.mjs", import.meta.url));
const PYTHON_SCRIPT = fileURLToPath(new URL("./http_script.py", import.meta.url));
const [deno, bun, node, curl] = ["deno", "bun", "node", "curl"].map(findProgram);

/** Returns whether a program exits with status 0. */
function works(command: string | undefined, args: readonly string[]): boolean {
  if (command === undefined) return false;
  return spawnSync(command, args, { stdio: "ignore", timeout: 60_000 }).status === 0;
}

const DENO_ARGS = ["run", "-A", "-q", "--no-config", "--no-lock"];
const python = ["/usr/bin/python3", findProgram("python3")]
  .find((each) => works(each, ["-c", "import aiohttp"]));
const hasUndici = works(deno, [
  "eval",
  "--no-config",
  "--no-lock",
  "-q",
  'await import("npm:undici@6")',
]);

/** Answers a request to the server. */
async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  switch (pathname) {
    case "/none":
      return new Response(null, { status: 204 });
    case "/stream":
      return new Response(
        ReadableStream.from(["a ", "stream"].map((piece) => new TextEncoder().encode(piece))),
      );
    case "/unread":
      return new Response("not read");
    case "/missing":
      return new Response("nothing there", { status: 404 });
    default:
      return new Response(`${request.method} ${pathname} ${await request.text()}`.trim());
  }
}

const ANSWERS = [
  [200, "GET /a"],
  [200, "POST /b counted"],
  [200, "PUT /chunks in chunks"],
  [200, ""],
  [204, ""],
  [200, "a stream"],
  [200, "not read"],
  [404, "nothing there"],
  [200, "GET /last"],
];

/** Runs `body` with a server, on a host that counts its connections. */
async function serving(
  body: (server: Server, connections: () => number) => Promise<void>,
): Promise<void> {
  const host = makeHost();
  let count = 0;
  const listen = host.listen.bind(host);
  host.listen = (options, accept) =>
    listen(options, (stream) => {
      count++;
      accept(stream);
    });
  const server = await serve(host, { fetch: answer });
  try {
    await body(server, () => count);
  } finally {
    await server.stop({ timeout: 500 });
  }
}

const CANDIDATES: readonly {
  readonly name: string;
  readonly command: string | undefined;
  readonly args: readonly string[];
  readonly how: "agent" | "fetch" | "undici";
  readonly script?: string;
  /** The maximum number of connections for 59 requests. Node's `fetch` may open a second one. */
  readonly most: number;
}[] = [
  { name: "Node's agent", command: node, args: [], how: "agent", most: 1 },
  { name: "Node's fetch", command: node, args: [], how: "fetch", most: 4 },
  {
    name: "Deno's fetch",
    command: deno,
    args: DENO_ARGS,
    how: "fetch",
    most: 2,
  },
  { name: "Bun's fetch", command: bun, args: [], how: "fetch", most: 2 },
  {
    name: "npm's undici",
    command: hasUndici ? deno : undefined,
    args: DENO_ARGS,
    how: "undici",
    most: 4,
  },
  {
    name: "Python's aiohttp",
    command: python,
    args: [],
    how: "agent",
    script: PYTHON_SCRIPT,
    most: 1,
  },
];

for (const { name, command, args, how, script = SCRIPT, most } of CANDIDATES) {
  if (command === undefined) console.log(`skipped: ${name}: not installed`);
  test(`serve keeps the connection of ${name} open`, {
    ignore: command === undefined,
    timeout: 60_000,
  }, async () => {
    await serving(async (server, connections) => {
      const url = server.url.replace("ws:", "http:").replace(/\/$/, "");
      const seen = JSON.parse(await outputOf(command!, [...args, script, how, url]));
      assertEquals(seen.answers, ANSWERS);
      assertEquals(seen.many, Array.from({ length: 50 }, (_, i) => `GET /many/${i}`));
      assert(connections() <= most, `${connections()} connections`);
    });
  });
}

if (curl === undefined) console.log("skipped: curl: not installed");
test("serve keeps curl connections open", { ignore: curl === undefined }, async () => {
  await serving(async (server, connections) => {
    const url = server.url.replace("ws:", "http:");
    const line = ["-w", " %{num_connects}\\n"];
    const received = await outputOf(curl!, [
      ...["-sS", ...line, `${url}a`],
      ...["--next", "-sS", ...line, "-d", "counted", `${url}b`],
      ...["--next", "-sS", ...line, "-H", "Transfer-Encoding: chunked", "-d", "chunks", `${url}c`],
      ...["--next", "-sS", ...line, "-I", "-o", "/dev/null", `${url}d`],
      ...["--next", "-sS", ...line, `${url}stream`],
      ...["--next", "-sS", ...line, "-H", "Connection: close", `${url}e`],
      ...["--next", "-sS", ...line, `${url}f`],
    ]);
    assertEquals(received.trimEnd().split("\n"), [
      "GET /a 1",
      "POST /b counted 0",
      "POST /c chunks 0",
      " 0",
      "a stream 0",
      "GET /e 0",
      "GET /f 1",
    ]);
    assertEquals(connections(), 2);
  });
});
