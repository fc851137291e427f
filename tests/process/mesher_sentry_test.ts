/**
 * Tests real Sentry SDKs with a Mesher process: for Deno, Node and browsers. They are installed
 * from npm; if it is unreachable, the tests are skipped with a message. A relay between SDK and
 * Mesher records what the SDK sends.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { idOf } from "../../mesher/domain/id.ts";
import { findProgram } from "../../scripts/cluster/runtimes.ts";
import { needsBrowser, openPage, withBrowser } from "../kit/browser.ts";
import { test, until } from "../kit/test.ts";
import { type Client, loggedIn } from "../mesher/end_to_end_kit.ts";
import { withProcesses } from "./mesher_kit.ts";

const CHILD = fileURLToPath(new URL("mesher_sentry_child.mjs", import.meta.url));
const DENO_SDK = "npm:@sentry/deno@9.47.1";
const NODE_SDK = "@sentry/node@10.75.2";
const BROWSER_SDK = "@sentry/browser@10.75.2";
const MISSING = 3;

const deno = "Bun" in globalThis ? process.env["DENO_BIN"] ?? "deno" : process.execPath;
const DENO_ARGS = ["run", "-A", "--no-config", "--no-lock"];

/** The result of a program. */
interface Ended {
  readonly status: number | null;
  readonly printed: string;
  readonly errors: string;
}

function run(command: string, args: readonly string[], cwd?: string): Promise<Ended> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], cwd });
  let [printed, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => printed += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ status: null, printed, errors: String(error) }));
    child.on("close", (status) => resolve({ status, printed, errors }));
  });
}

/**
 * Installs a package where Node finds it, through Deno and its cache. Returns `false` if it is not
 * available.
 */
async function install(folder: string, specifier: string): Promise<boolean> {
  const at = specifier.lastIndexOf("@");
  const dependencies = { [specifier.slice(0, at)]: specifier.slice(at + 1) };
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ dependencies }));
  const { status, errors } = await run(deno, ["install", "-q"], folder);
  if (status !== 0) process.stderr.write(`skipped, ${specifier} is not available: ${errors}`);
  return status === 0;
}

/** A relay to a port that records what clients send. */
interface Relay {
  readonly port: number;
  /** Returns everything sent to the port, as Latin-1. */
  readonly observed: () => string;
  close(): Promise<void>;
}

async function relayTo(port: number): Promise<Relay> {
  let observed = "";
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const there = connect(port, "127.0.0.1");
    for (const socket of [client, there]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("data", (bytes) => observed += bytes.toString("latin1"));
    client.pipe(there).pipe(client);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    port: (server.address() as AddressInfo).port,
    observed: () => observed,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** The fixtures of a test: a DSN, a logged-in client, the recording, and a folder. */
interface Place {
  readonly dsn: string;
  readonly user: Client;
  readonly relay: Relay;
  readonly folder: string;
}

/** Runs `body` with a Mesher process. */
async function withMesher(body: (place: Place) => Promise<void>): Promise<void> {
  await withProcesses(async (start, folder) => {
    const mesher = start([], { DATABASE_URL: join(folder, "mesher.db") });
    const url = await mesher.ready();
    const relay = await relayTo(Number(new URL(url).port));
    try {
      const { email, password, key } = mesher.firstLogin;
      const user = await loggedIn(url, email, password);
      await body({ dsn: `http://${key}@127.0.0.1:${relay.port}/1`, user, relay, folder });
    } finally {
      await relay.close();
    }
  });
}

/** Returns the event as it is stored. */
// deno-lint-ignore no-explicit-any -- arbitrary JSON
async function stored(user: Client, id: string): Promise<any> {
  let got = await user.get(`/api/v1/events/${idOf(id)}`);
  await until("the event is stored", async () => {
    got = await user.get(`/api/v1/events/${idOf(id)}`);
    return got.status === 200;
  });
  return got.json.event;
}

/** Checks the data that every SDK must report for the same program. */
async function checkReports(
  { status, printed, errors }: Ended,
  { user }: Place,
  sdk: string,
): Promise<void> {
  assertEquals(status, 0, errors);
  const { id, message, long, isFlushed } = JSON.parse(printed);
  assert(isFlushed, errors);
  const event = await stored(user, id);
  assertEquals(event.title, "BasketError: cannot empty 3 baskets");
  const frame = event.exception.at(-1).frames.at(-1);
  assertEquals(frame.function, "emptyTheBasket");
  assertMatch(frame.file, /mesher_sentry_child\.mjs$/);
  assert(frame.line > 0);
  assertEquals([event.release, event.environment], ["shop@1.2.3", "staging"]);
  assertEquals([event.tags.checkout, event.user_context.id], ["yes", "42"]);
  const trail = event.breadcrumbs.map((crumb: { message: string }) => crumb.message);
  const [opened, pressed] = ["opened the shop", "pressed the button"].map((each) =>
    trail.indexOf(each)
  );
  assert(opened! >= 0 && pressed! > opened!, trail.join("; "));
  assertEquals(event.sdk_name, sdk);
  const plain = await stored(user, message);
  assertEquals([plain.level, plain.message], ["warning", "a plain message"]);
  assertEquals((await stored(user, long)).title, "BasketError: a long one");
}

test("mesher: Sentry's SDK for Deno reports an exception with its stack and breadcrumbs", {
  timeout: 180_000,
}, async () => {
  await withMesher(async (place) => {
    const ended = await run(deno, [...DENO_ARGS, CHILD, DENO_SDK, place.dsn]);
    if (ended.status === MISSING) {
      process.stderr.write(`skipped: ${ended.errors}`);
      return;
    }
    await checkReports(ended, place, "sentry.javascript.deno");
    assertStringIncludes(place.relay.observed(), "POST /api/1/envelope/");
  });
});

test(
  "mesher: Sentry's SDK for Node reports an exception in a chunked and in a compressed request",
  {
    timeout: 180_000,
  },
  async () => {
    await withMesher(async (place) => {
      const folder = join(place.folder, "sdk");
      if (!await install(folder, NODE_SDK)) return;
      const node = findProgram("node");
      const args = [CHILD, join(folder, "package.json"), place.dsn];
      // Without Node, Deno loads the SDK by its name.
      const ended = node !== undefined
        ? await run(node, args)
        : await run(deno, [...DENO_ARGS, CHILD, `npm:${NODE_SDK}`, place.dsn]);
      await checkReports(ended, place, "sentry.javascript.node");
      const observed = place.relay.observed();
      assertMatch(observed, /^transfer-encoding: chunked\r$/im);
      assertMatch(observed, /^content-encoding: gzip\r$/im);
    });
  },
);

/** A page that reports the errors of its script. */
const PAGE =
  `<!doctype html><meta charset="utf-8"><title>Shop</title><script src="/shop.js"></script>
<button id="buy">Buy</button>`;

function shopScript(dsn: string): string {
  return `import * as sentry from "@sentry/browser";
sentry.init({ dsn: ${JSON.stringify(dsn)}, release: "shop@1.2.3", environment: "staging" });
document.addEventListener("click", function buyTheLot() {
  sentry.addBreadcrumb({ category: "ui", message: "pressed the button" });
  throw new TypeError("there is no basket");
});
globalThis.flushed = () => sentry.flush(10000).then((done) => ({ done, id: sentry.lastEventId() }));
`;
}

/** Returns a script that reports an event with the key in a header, and reads the response. */
function reportByHand(dsn: string): string {
  const { username, origin } = new URL(dsn);
  const lines = [{}, { type: "event" }, { message: "by hand" }].map((each) => JSON.stringify(each));
  const init = {
    method: "POST",
    headers: {
      "content-type": "application/x-sentry-envelope",
      "x-sentry-auth": `Sentry sentry_version=7, sentry_key=${username}`,
    },
    body: lines.join("\n"),
  };
  return `fetch("${origin}/api/1/envelope/", ${JSON.stringify(init)})
    .then(async (response) => ({ status: response.status, ...await response.json() }))`;
}

test("mesher: Sentry's SDK for browsers reports an exception from a page of another origin", {
  timeout: 180_000,
  ...needsBrowser("mesher_sentry_test.ts"),
}, async () => {
  await withMesher(async ({ dsn, user, relay, folder }) => {
    const sdk = join(folder, "sdk");
    const bun = findProgram("bun");
    if (bun === undefined) {
      return void process.stderr.write("skipped: Bun is needed to bundle the script\n");
    }
    if (!await install(sdk, BROWSER_SDK)) return;
    writeFileSync(join(sdk, "shop.mjs"), shopScript(dsn));
    const built = await run(bun, ["build", "shop.mjs", "--target=browser", "--format=iife"], sdk);
    assertEquals(built.status, 0, built.errors);
    const shop = createHttpServer((request, response) => {
      const isScript = request.url === "/shop.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? built.printed : PAGE);
    });
    await new Promise<void>((listening) => shop.listen(0, "127.0.0.1", listening));
    try {
      await withBrowser(async (browser) => {
        const page = await openPage(browser);
        await page.goto(`http://127.0.0.1:${(shop.address() as AddressInfo).port}/`);
        await page.click("#buy");
        const { done, id } = await page.evaluate("flushed()") as { done: boolean; id: string };
        assert(done);
        // A key in the URL needs no preflight request, but a key in a header does.
        const asked = await page.evaluate(reportByHand(dsn)) as { status: number; id: string };
        assertEquals(asked.status, 200);
        assertStringIncludes(relay.observed(), "OPTIONS /api/1/envelope/");
        assertEquals((await stored(user, asked.id)).message, "by hand");
        const event = await stored(user, id);
        assertEquals(event.title, "TypeError: there is no basket");
        assertStringIncludes(event.exception.at(-1).frames.at(-1).function, "buyTheLot");
        assertEquals(event.sdk_name, "sentry.javascript.browser");
        const trail = event.breadcrumbs.map((crumb: { message: string }) => crumb.message);
        assert(trail.includes("pressed the button"), trail.join("; "));
        assertMatch(relay.observed(), /^origin: http:\/\/127\.0\.0\.1:\d+\r$/im);
      });
    } finally {
      await new Promise((closed) => {
        shop.close(closed);
        shop.closeAllConnections();
      });
    }
  });
});
