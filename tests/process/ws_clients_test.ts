// deno-lint-ignore-file no-console -- reports why a test is skipped
/**
 * Tests third-party clients, each in its own process, with this server: echo of every length,
 * fragments, compression with all negotiated parameters, subprotocols, and closing from either
 * side.
 *
 * Chromium, Node, Deno, Bun, npm's `ws`, Python's `websockets` and `aiohttp` are tried if
 * installed; missing ones are reported.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import type { DeflateOptions } from "../../lib/ws/options.ts";
import { serve, type Server } from "../../lib/ws/server.ts";
import { findProgram } from "../../scripts/cluster/runtimes.ts";
import { openPage, whyNoBrowser, withBrowser } from "../kit/browser.ts";
import { makeHost } from "../kit/host.ts";
import { outputOf } from "../kit/run.ts";
import { test, until } from "../kit/test.ts";

const host = makeHost();
const SCRIPT = fileURLToPath(new URL("./ws_script.mjs", import.meta.url));
const AIOHTTP_SCRIPT = fileURLToPath(new URL("./ws_script_aiohttp.py", import.meta.url));
const PYTHON_SCRIPT = fileURLToPath(new URL("./ws_script.py", import.meta.url));

/** The observations of a client. */
interface Seen {
  readonly echoed: number;
  /** The echo of a fragmented message; empty if the client cannot send one. */
  readonly fragments: string;
  readonly extensions: string;
  readonly protocol: string;
  /**
   * The close event of the connection that the server closes. `ownClose` is that of the connection
   * that the client closes.
   */
  readonly received: { code: number; reason: string; wasClean: boolean };
  readonly ownClose: { code: number; reason: string; wasClean: boolean };
}

/** A client to test, if it is available. */
interface Candidate {
  readonly name: string;
  /** The reason why the client is not available; undefined if it is available. */
  readonly missing?: string | undefined;
  /** Whether the client can send fragmented messages. */
  readonly fragments: boolean;
  /** Whether the client offers compression. */
  readonly deflates: boolean;
  talk(url: string): Promise<Seen>;
}

/** Runs a program that prints one line of JSON. */
async function run(command: string, args: readonly string[]): Promise<Seen> {
  return JSON.parse(await outputOf(command, args));
}

/** Returns whether a program exits with status 0. */
function works(command: string | undefined, args: readonly string[]): boolean {
  if (command === undefined) return false;
  return spawnSync(command, args, { stdio: "ignore", timeout: 60_000 }).status === 0;
}

const [deno, bun, node] = ["deno", "bun", "node"].map(findProgram);
const DENO_ARGS = ["run", "-A", "-q", "--no-config", "--no-lock"];

/** The flags with which Node has its own `WebSocket`: none since version 22. */
const nodeFlags = [[], ["--experimental-websocket"]]
  .find((flags) =>
    works(node, [...flags, "-e", "new WebSocket('ws://127.0.0.1:9').onerror = () => {}"])
  );

const python = ["/usr/bin/python3", findProgram("python3")]
  .find((each) => works(each, ["-c", "import websockets"]));

const aiohttp = ["/usr/bin/python3", findProgram("python3")]
  .find((each) => works(each, ["-c", "import aiohttp"]));

const hasWs = works(deno, ["eval", "--no-config", "--no-lock", "-q", 'await import("npm:ws@8")']);

const CANDIDATES: readonly Candidate[] = [
  {
    name: "Deno's own WebSocket",
    missing: deno === undefined ? "Deno" : undefined,
    fragments: false,
    deflates: false,
    talk: (url) => run(deno!, [...DENO_ARGS, SCRIPT, url]),
  },
  {
    name: "Bun's own WebSocket",
    missing: bun === undefined ? "Bun" : undefined,
    // Bun's own client has `terminate` and `ping`, like npm's `ws`. It ignores `fin`, so it cannot
    // send fragments.
    fragments: false,
    deflates: true,
    talk: (url) => run(bun!, [SCRIPT, url]),
  },
  {
    name: "Node's own WebSocket",
    missing: nodeFlags === undefined ? "a Node that has one" : undefined,
    fragments: false,
    deflates: false,
    talk: (url) => run(node!, [...nodeFlags!, SCRIPT, url]),
  },
  {
    name: "npm's ws",
    missing: hasWs ? undefined : "Deno with npm's ws",
    fragments: true,
    deflates: true,
    talk: (url) => run(deno!, [...DENO_ARGS, SCRIPT, url, "npm:ws@8"]),
  },
  {
    name: "Python's websockets",
    missing: python === undefined ? "python3 with websockets" : undefined,
    fragments: true,
    deflates: true,
    talk: (url) => run(python!, [PYTHON_SCRIPT, url, "deflate"]),
  },
  {
    name: "Python's websockets that offers no compression",
    missing: python === undefined ? "python3 with websockets" : undefined,
    fragments: true,
    deflates: false,
    talk: (url) => run(python!, [PYTHON_SCRIPT, url]),
  },
  {
    name: "Python's aiohttp",
    missing: aiohttp === undefined ? "python3 with aiohttp" : undefined,
    fragments: false,
    deflates: true,
    talk: (url) => run(aiohttp!, [AIOHTTP_SCRIPT, url, "deflate"]),
  },
  {
    name: "Chromium",
    missing: whyNoBrowser === undefined ? undefined : `a browser (${whyNoBrowser})`,
    fragments: false,
    deflates: true,
    talk: inChromium,
  },
];

async function inChromium(url: string): Promise<Seen> {
  let seen: Seen | undefined;
  await withBrowser(async (browser) => {
    const page = await openPage(browser);
    // The page comes from the server itself, so its origin is accepted.
    await page.goto(url.replace("ws:", "http:"));
    const script = readFileSync(SCRIPT, "utf8").replace("export async", "async")
      .replace(/if \(typeof process[^]*$/, "");
    seen = await page.evaluate(`${script}; talk(${JSON.stringify(url)}, WebSocket)`);
  });
  return seen!;
}

/** Runs `body` with a server for the scripts. */
async function serving(
  perMessageDeflate: boolean | DeflateOptions,
  body: (server: Server, codes: string[]) => Promise<void>,
): Promise<void> {
  const codes: string[] = [];
  const server = await serve(host, {
    perMessageDeflate,
    upgrade: (request) => {
      const offered = request.headers.get("sec-websocket-protocol") ?? "";
      return { protocol: offered.includes("firn.1") ? "firn.1" : undefined };
    },
    fetch: () => new Response("<p>a page</p>", { headers: { "Content-Type": "text/html" } }),
    message: (conn, data) => {
      const order = typeof data === "string" ? /^close (\d+) (.*)$/.exec(data) : null;
      if (order === null) conn.send(data);
      else conn.close(Number(order[1]), order[2]);
    },
    close: (_conn, code, reason) => codes.push(`${code} ${reason}`),
  });
  try {
    await body(server, codes);
  } finally {
    await server.stop({ timeout: 1000 });
  }
}

/** The server's compression options. */
const AGREEMENTS: readonly (readonly [name: string, option: boolean | DeflateOptions])[] = [
  ["without compression", false],
  ["with compression without context takeover", { threshold: 0 }],
  [
    "with compression and context takeover",
    { threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false },
  ],
  [
    "with compression in small windows",
    {
      threshold: 0,
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 9,
      clientMaxWindowBits: 9,
    },
  ],
];

for (const candidate of CANDIDATES) {
  const { name, missing, fragments, deflates } = candidate;
  if (missing !== undefined) {
    console.log(`ws_clients_test: ${name} skipped: it needs ${missing}`);
  }
  for (const [agreement, option] of AGREEMENTS) {
    // With a client that never offers compression, the other options make no difference.
    if (!deflates && option !== false && option !== AGREEMENTS[1]![1]) continue;
    test(`serve ${agreement} works with ${name}`, { ignore: missing !== undefined }, async () => {
      await serving(option, async (server, codes) => {
        const seen = await candidate.talk(server.url);
        assert(seen.echoed >= 24, `${seen.echoed}`);
        assertEquals(seen.fragments, fragments ? "fragments" : seen.fragments);
        assertEquals(seen.protocol, "firn.1");
        if (deflates && seen.extensions !== undefined) {
          assertEquals(seen.extensions.includes("permessage-deflate"), option !== false);
        }
        assertEquals(seen.received, { code: 4002, reason: "enough", wasClean: true });
        assertEquals(seen.ownClose.code, 4001);
        assertEquals(seen.ownClose.wasClean, true);
        await until("the server has reported both closes", () => codes.length === 2);
        // Node echoes our close code without the reason.
        assertEquals(codes.map((each) => each.slice(0, 4)), ["4002", "4001"]);
        assertEquals(codes[1], "4001 done");
      });
    });
  }
}
