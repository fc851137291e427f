/**
 * Tests Phoenix's own client, including its Presence, against a Firn server, in this runtime and in
 * Chromium.
 */
import { assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { channel, ChannelError } from "@firn/firn/channels";
import { needsBrowser, openPage, withBrowser } from "../kit/browser.ts";
import { startCheaply } from "../kit/keys.ts";
import { importPackage } from "../kit/npm.ts";
import { test } from "../kit/test.ts";
import { talk } from "./phoenix_client.mjs";

const PACKAGE = "phoenix@1.8.16";

const room = channel("room:*", {
  presence: true,
  join(socket, { name }: { name?: string }) {
    if (socket.topic === "room:secret") throw new ChannelError("unauthorized");
    socket.track(name ?? "none");
    return { welcome: name };
  },
  on: {
    say(payload: { text: string }, socket) {
      socket.broadcast("said", payload);
      return { length: payload.text.length };
    },
    echo: (payload: unknown) => payload,
    refuse: () => {
      throw new ChannelError("nope");
    },
    crash: () => {
      throw new Error("crash requested");
    },
  },
});

const ANSWERS = {
  join: [["ok", { welcome: "one" }], ["ok", { welcome: "two" }]],
  rejected: ["error", { reason: "unauthorized" }],
  unmatched: ["error", { reason: "unmatched topic" }],
  say: ["ok", { length: 5 }],
  refused: ["error", { reason: "nope" }],
  binary: ["ok", [1, 2, 255]],
  observed: [{ text: "hello" }],
  present: ["one", "two"],
  again: ["ok", { length: 5 }],
  back: ["one", "two"],
  left: ["ok", {}],
  state: "closed",
};

/** Fetches the package. Returns `undefined` if it is not available. */
async function phoenix(): Promise<Record<string, unknown> | undefined> {
  try {
    return await importPackage(PACKAGE);
  } catch (error) {
    // deno-lint-ignore no-console -- reports why the test is skipped
    console.log(`skipped, ${PACKAGE} cannot be fetched: ${error}`);
    return undefined;
  }
}

/** The client leaves timers after it has disconnected. */
const LEAVES_TIMERS = { sanitizeOps: false, sanitizeResources: false };

test(
  "channels serve Phoenix's client, which joins, pushes and reconnects",
  LEAVES_TIMERS,
  async () => {
    const client = await phoenix();
    if (client === undefined) return;
    await using node = await startCheaply({ logLevel: "silent" });
    const server = await node.serve({ channels: [room] });
    assertEquals(await talk(client, `${server.url}socket`, WebSocket), ANSWERS);
  },
);

test(
  "channels serve Phoenix's client in a browser",
  needsBrowser("phoenix_client_test.ts"),
  async () => {
    if (await phoenix() === undefined) return;
    const source = readFileSync(new URL(import.meta.resolve(PACKAGE.replace(/^/, "npm:"))));
    const script = readFileSync(new URL("phoenix_client.mjs", import.meta.url));
    await using node = await startCheaply({ logLevel: "silent" });
    const files: Record<string, Uint8Array> = { "/phoenix.mjs": source, "/talk.mjs": script };
    const server = await node.serve({
      channels: [room],
      fetch: (request) => {
        const file = files[new URL(request.url).pathname];
        return file === undefined
          ? new Response("<title>phoenix</title>", { headers: { "content-type": "text/html" } })
          : new Response(file.slice(), { headers: { "content-type": "text/javascript" } });
      },
    });
    await withBrowser(async (browser) => {
      const page = await openPage(browser);
      await page.goto(server.url.replace("ws:", "http:"));
      const answers = await page.evaluate(`(async () => {
      const [client, { talk }] = await Promise.all([import("/phoenix.mjs"), import("/talk.mjs")]);
      return await talk(client, "/socket");
    })()`);
      assertEquals(answers, ANSWERS);
      // The server also serves the script of Firn's own client.
      const reply = await page.evaluate(`(async () => {
      const { Socket } = await import("/socket/client.js");
      const socket = new Socket("/socket");
      const length = await socket.channel("room:own", { name: "own" }).push("say", { text: "four" });
      socket.close();
      return length;
    })()`);
      assertEquals(reply, { length: 4 });
    });
  },
);
