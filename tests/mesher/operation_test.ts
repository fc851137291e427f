/**
 * Tests how a node is operated: on one port, under a path prefix behind a proxy, and with the
 * counters of nodes that have ended.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startApp } from "../../mesher/app.ts";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import { test, until } from "../kit/test.ts";
import { Client, loggedIn, onStage, testConfig } from "./end_to_end_kit.ts";

/** Opens a stream. Resolves to whether the server accepted it. */
function opens(url: string): Promise<boolean> {
  const socket = new WebSocket(url);
  return new Promise((resolve) => {
    socket.onopen = () => {
      socket.onclose = () => resolve(true);
      socket.close();
    };
    socket.onerror = () => resolve(false);
  });
}

test("Mesher serves the page, the API and streams on one port", () =>
  onStage(async ({ app, first, user }) => {
    assertEquals(app.mesher.ports.ws, app.mesher.ports.http);
    assertEquals((await new Client(app.url).get("/")).status, 200);
    assertEquals((await user.get("/api/v1/me")).status, 200);
    const url = app.url.replace("http:", "ws:");
    assert(await opens(`${url}/ingest?sentry_key=${first.key}`));
  }, { wsPort: null }));

test("MESHER_PUBLIC_URL with a path serves all routes with and without the path", () =>
  onStage(async ({ app, first, user }) => {
    const anybody = new Client(app.url);
    const bare = await fetch(`${app.url}/mesher?a=b`, { redirect: "manual" });
    await bare.body?.cancel();
    assertEquals([bare.status, bare.headers.get("location")], [302, "/mesher/"]);
    for (const base of ["", "/mesher"]) {
      const page = await anybody.get(`${base}/`);
      assertEquals(page.status, 200);
      // No URL in the page begins with "/", because the page is served under a path prefix.
      assert(!/(?:src|href)="\//.test(page.json as string));
      assertEquals((await anybody.get(`${base}/main.js`)).status, 200);
      assertEquals((await user.get(`${base}/api/v1/me`)).status, 200);
      assertEquals((await user.get(`${base}/observer/`)).status, 200);
      const sent = await anybody.post(
        `${base}/api/1/store/?sentry_key=${first.key}`,
        { message: "hello" },
      );
      assertEquals(sent.status, 200);
      const stream = app.url.replace("http:", "ws:") + `${base}/ingest?sentry_key=${first.key}`;
      assert(await opens(stream));
    }
    assertEquals((await anybody.get("/other/main.js")).status, 404);
    // The server accepts the origin of its public URL, from which the page is loaded.
    const changed = await user.as({ ...user.headers, origin: "https://errors.example" })
      .post("/mesher/api/v1/projects/default/settings", {});
    assertEquals(changed.status, 200);
  }, { publicUrl: "https://errors.example/mesher", wsPort: null }));

test("The totals of the cluster include nodes that have ended", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mesher-totals-"));
  const path = join(folder, "mesher.db");
  try {
    let login: { email: string; password: string; key: string } | undefined;
    for (const expected of [3, 6]) {
      const storage = await openSqlite({ path, fullSync: false });
      const app = await startApp(testConfig(), { log: () => {}, storage });
      login ??= app.first!;
      const sender = new Client(app.url, { "x-api-key": login.key });
      for (let i = 0; i < 3; i++) await sender.post("/api/v1/events", { message: `m${i}` });
      await sender.post("/api/v1/events", "no event");
      await until("all events are stored", () => app.mesher.counters.get("stored") === 3);
      const user = await loggedIn(app.url, login.email, login.password);
      const { json } = await user.get("/api/v1/cluster");
      assertEquals(json.totals.counters.stored, expected);
      assertEquals(json.nodes[0].counters.stored, 3);
      assertEquals(json.totals.rejected, { invalid_body: expected / 3 });
      assertMatch(json.nodes[0].name, /./);
      await app.stop();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
