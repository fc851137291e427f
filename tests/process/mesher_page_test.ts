/**
 * Tests Mesher's page in a browser: a user signs in, sees an event arrive, reads it, resolves its
 * issue, and opens every view, light and dark, at desktop and phone sizes.
 *
 * Needs Chromium on the machine, and is skipped otherwise. Screenshots are written to
 * `FIRN_SCREENSHOTS`, if it is set.
 */
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { assert, assertEquals } from "@std/assert";
import { DESK, needsBrowser, PHONE } from "../kit/browser.ts";
import { accessibilityProblems } from "../kit/accessibility.ts";
import { isLong, runtime, test, until } from "../kit/test.ts";
import { crash, PageUser, report, type RunningMesher, withPage } from "./mesher_user.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = join(ROOT, "mesher", "page");

const needs = needsBrowser("mesher_page_test");

const takesAll = isLong || process.env["FIRN_SCREENSHOTS"] !== undefined;

/**
 * The colour schemes tried on each device: both with FIRN_LONG=1 and for screenshots, otherwise one.
 * The width of a view does not depend on its colours.
 */
const SCHEMES: Readonly<Record<"desk" | "phone", readonly ("light" | "dark")[]>> = {
  desk: takesAll ? ["light", "dark"] : ["dark"],
  phone: takesAll ? ["light", "dark"] : ["light"],
};

/** Every view that needs no id, by the name of its screenshot. */
const VIEWS = {
  dashboard: "#/",
  issues: "#/issues",
  search: "#/search?q=cart",
  live: "#/live",
  alerts: "#/alerts",
  rules: "#/alerts/rules",
  cluster: "#/cluster",
  project: "#/settings",
  keys: "#/settings/keys",
  members: "#/settings/members",
  tokens: "#/settings/tokens",
  account: "#/settings/account",
} as const;

/** Returns a zip file that contains these files without compression. */
function zipOf(files: Readonly<Record<string, string>>): Uint8Array {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(files)) {
    const [path, bytes] = [Buffer.from(name), Buffer.from(content)];
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt32LE(crc32(bytes), 10);
    head.writeUInt32LE(bytes.length, 14);
    head.writeUInt32LE(bytes.length, 18);
    head.writeUInt16LE(path.length, 22);
    parts.push(Buffer.from("PK\x03\x04"), head, path, bytes);
    const tail = Buffer.alloc(16);
    tail.writeUInt32LE(at, 12);
    entries.push(Buffer.from("PK\x01\x02\x14\0"), head, tail.subarray(2), path);
    at += 30 + path.length + bytes.length;
  }
  const index = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(index.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, index, end]));
}

/** Uploads a minified file and its map for a release, as `sentry-cli` does. */
async function uploadMap({ url, firstLogin }: RunningMesher, release: string): Promise<void> {
  const { email, password } = firstLogin;
  const login = await fetch(`${url}/api/v1/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  await login.body?.cancel();
  const headers = { cookie: login.headers.get("set-cookie")!.split(";")[0]! };
  const [org] = await (await fetch(`${url}/api/v1/orgs`, { headers })).json();
  const manifest = {
    release,
    files: {
      "a.js": {
        type: "minified_source",
        url: "~/a.min.js",
        headers: { sourcemap: "a.min.js.map" },
      },
      "a.map": { type: "source_map", url: "~/a.min.js.map" },
    },
  };
  const map = {
    version: 3,
    sources: ["src/basket.ts"],
    sourcesContent: ["// The basket.\nexport const total = basket.items.length;\n"],
    names: [],
    mappings: "AACA",
  };
  const zip = zipOf({
    "manifest.json": JSON.stringify(manifest),
    "a.js": "x",
    "a.map": JSON.stringify(map),
  });
  const checksum = createHash("sha1").update(zip).digest("hex");
  const form = new FormData();
  form.set("file", new Blob([zip as BlobPart]), checksum);
  const api = `${url}/api/0/organizations/${org.slug}`;
  const sent = await fetch(`${api}/chunk-upload/`, { method: "POST", headers, body: form });
  assertEquals(sent.status, 200, await sent.text());
  const made = await fetch(`${api}/artifactbundle/assemble/`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ checksum, chunks: [checksum], projects: ["default"] }),
  });
  assertEquals((await made.json()).state, "ok");
}

test(
  "Mesher's page shows the original frame and the minified place of minified code",
  needs,
  async () => {
    await withPage(async (browser, mesher) => {
      await uploadMap(mesher, "shop@1");
      const ada = await PageUser.inside(browser, mesher, DESK);
      const frames = [{
        file: "https://shop.example/a.min.js",
        function: "t",
        line: 1,
        column: 1,
        in_app: true,
      }];
      const exception = { type: "TypeError", value: "no basket", stacktrace: frames };
      await report(mesher, { release: "shop@1", exception });
      await until("the issue is listed", async () => {
        await ada.goes("#/search");
        await ada.goes("#/issues");
        return await ada.count("no basket") > 0;
      });
      await ada.page.getByRole("link", { name: /no basket/ }).first().click();
      await ada.sees("src/basket.ts:2:1");
      await ada.sees("export const total = basket.items.length;");
      await ada.sees("// The basket.");
      await ada.sees("https://shop.example/a.min.js:1:1");
      await ada.shoots("original-frame");
      assertEquals(ada.faults, []);
    });
  },
);

test("Mesher's page shows a new event, its stack and its issue", needs, async () => {
  await withPage(async (browser, mesher) => {
    const ada = await PageUser.at(browser, mesher, DESK);
    await ada.signsIn();
    await ada.sees("Unresolved issues");

    // The live view shows only events that match the filter.
    await ada.goes("#/live?level=error");
    await ada.page.locator(".live-note[data-state=open]").waitFor();
    await report(mesher, { message: "a warning nobody asked for", level: "warning" });
    await report(mesher, crash("<img src=x onerror=alert(1)> is no total"));
    await ada.sees("TypeError: <img src=x onerror=alert(1)> is no total");
    assertEquals(await ada.page.getByText("a warning nobody asked for").count(), 0);
    assertEquals(await ada.page.locator("main img").count(), 0);

    // Opens the event by keyboard.
    await ada.page.locator(".live-rows").waitFor();
    await ada.page.keyboard.press("j");
    await ada.page.keyboard.press("Enter");
    await ada.sees("computeTotal");
    await ada.sees("return cart.lines.reduce(sum, 0);");
    await ada.sees("button#pay");
    await ada.sees("eu-west-1");
    await ada.page.getByRole("button", { name: "Show 1 library line" }).click();
    await ada.sees("node_modules/express/router.js");

    // Assigns, resolves, and reopens the issue.
    await ada.page.getByLabel("Assigned to").selectOption({ label: "Admin" });
    await ada.page.getByRole("button", { name: "Resolve", exact: true }).click();
    await ada.sees("Resolved", ".issue-head .status");
    await ada.goes("#/issues");
    await ada.sees("a warning nobody asked for");
    await until(
      "the resolved issue is not listed",
      async () => await ada.page.getByText("is no total").count() === 0,
    );
    await ada.goes("#/issues?status=resolved");
    await ada.sees("is no total");
    await report(mesher, crash("<img src=x onerror=alert(1)> is no total"));
    await ada.page.getByRole("button", { name: "New events came" }).click();
    await ada.sees("No issues here");

    // Signing out ends the session.
    await ada.page.getByRole("button", { name: "Sign out" }).click();
    await ada.sees("Sign in to Mesher");
    assertEquals(ada.faults, []);
    await ada.signsIn("not the password");
    await ada.sees("do not belong together");
    await ada.leaves();
  });
});

test("Mesher's page fits a desktop and a phone in every view, light and dark", needs, async () => {
  await withPage(async (browser, mesher) => {
    for (let i = 0; i < 30; i++) {
      await report(mesher, crash(i % 3 === 0 ? "the cart has no total" : "rates is not iterable"));
      await report(mesher, { message: "Slow query: 2.4 s for GET /orders", level: "warning" });
    }
    for (const [device, options] of [["desk", DESK], ["phone", PHONE]] as const) {
      for (const colorScheme of SCHEMES[device]) {
        const name = (view: string): string => `${view}-${device}-${colorScheme}`;
        const person = await PageUser.at(browser, mesher, { ...options, colorScheme });
        await person.sees("Sign in to Mesher");
        assertEquals(await accessibilityProblems(person.page), [], name("login"));
        await person.shoots(name("login"));
        await person.signsIn();
        await person.sees("Unresolved issues");
        for (const [view, hash] of Object.entries(VIEWS)) {
          await person.goes(hash);
          assert(await person.overflow() <= 0, `${name(view)} is wider than its window`);
          assertEquals(await accessibilityProblems(person.page), [], name(view));
          await person.shoots(name(view));
        }
        await person.goes("#/issues");
        await person.page.getByText("the cart has no total").first().click();
        await person.sees("return cart.lines.reduce(sum, 0);", ".source");
        assert(await person.overflow() <= 0, `${name("issue")} is wider than its window`);
        assertEquals(await accessibilityProblems(person.page), [], name("issue"));
        await person.shoots(name("issue"));
        assertEquals(person.faults, [], name("faults"));
        await person.leaves();
      }
    }
  });
});

test("Mesher's page scripts pass the type check", { ignore: runtime === "bun" }, async () => {
  const scripts = readdirSync(PAGE, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js")).map((name) => join(PAGE, name));
  assert(scripts.length > 0);
  const config = join(PAGE, "jsconfig.json");
  const child = spawn(process.execPath, ["check", "--config", config, ...scripts], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const complaints: string[] = [];
  createInterface(child.stderr).on("line", (line) => complaints.push(line));
  const status = await new Promise((resolve) => child.once("close", resolve));
  assertEquals(status, 0, complaints.join("\n"));
});
