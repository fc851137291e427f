// deno-lint-ignore-file no-console -- says why a test is skipped, and where pictures are
/**
 * A browser, on Mesher's page: somebody signs in, watches an event arrive, reads it, resolves its issue,
 * and looks at every view, light and dark, at a desk and on a phone.
 *
 * Needs Chromium on the machine, and is skipped without. `FIRN_SCREENSHOTS` says where the pictures
 * go; else they go to a temporary folder.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { findProgram } from "../../scripts/cluster/runtimes.ts";
import { runtime, test } from "../kit/test.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = join(ROOT, "mesher", "page");
/** A slow machine starts Mesher in a few seconds; after this it will not. */
const START_MS = 60_000;

const BROWSER_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

const DESK: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };
const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true };

/** Every view that needs no id, by the name of its picture. */
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
  account: "#/settings/account",
} as const;

const chromiumPath = ["chromium", "chromium-browser", "google-chrome"].map(findProgram).find(
  Boolean,
);

const whyNot = runtime === "bun"
  ? "bun test does not fetch packages; the suite on Deno runs it"
  : chromiumPath === undefined
  ? "there is no Chromium on the PATH (apt-get install chromium)"
  : undefined;
if (whyNot !== undefined) console.log(`mesher_page_test: skipped, ${whyNot}`);

/** A Mesher in a process of its own, that keeps nothing, and what its first start said. */
interface RunningMesher {
  readonly url: string;
  readonly email: string;
  readonly password: string;
  readonly key: string;
  stop(): Promise<void>;
}

async function startMesher(): Promise<RunningMesher> {
  const { DATABASE_URL: _, MESHER_NODE_NAME: __, MESHER_COOKIE: ___, ...env } = process.env;
  const child = spawn(process.execPath, ["run", "-A", "mesher/main.ts", "--memory"], {
    cwd: ROOT,
    env: { ...env, MESHER_PEERS: "", MESHER_HTTP_PORT: "0", MESHER_WS_PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await gone;
  };
  try {
    return { ...await firstWords(child), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads what a first start says, until it is ready. */
function firstWords(child: ChildProcess): Promise<Omit<RunningMesher, "stop">> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const late = setTimeout(() => fail("is not ready in time"), START_MS);
    const fail = (why: string): void => {
      clearTimeout(late);
      reject(new Error(`Mesher ${why}; it said:\n${said.join("\n")}`));
    };
    child.once("close", () => fail("ended"));
    // Two streams, so that "ready" may be heard before the password.
    const hear = (line: string): void => {
      said.push(line);
      const find = (pattern: RegExp): string => pattern.exec(said.join("\n"))?.[1] ?? "";
      const url = find(/Mesher is ready: (http:\/\/\S+)/);
      const email = find(/^\s*email\s+(\S+)/m);
      const password = find(/^\s*password\s+(\S+)/m);
      const key = find(/^\s*key\s+(\S+)/m);
      if ([url, email, password, key].includes("")) return;
      clearTimeout(late);
      resolve({ url, email, password, key });
    };
    createInterface(child.stdout!).on("line", hear);
    createInterface(child.stderr!).on("line", hear);
  });
}

/** Sends an event as a program does. */
async function report(mesher: RunningMesher, event: Record<string, unknown>): Promise<void> {
  const response = await fetch(`${mesher.url}/api/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": mesher.key },
    body: JSON.stringify(event),
  });
  assertEquals(response.status, 202, await response.text());
}

/** An exception with a stack, breadcrumbs and tags. */
function crash(value: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    level: "error",
    environment: "production",
    release: "shop@4.12.0",
    tags: { browser: "Firefox 133", region: "eu-west-1" },
    user: { id: "u-7" },
    exception: [{
      type: "TypeError",
      value,
      handled: false,
      stacktrace: {
        frames: [
          { filename: "node_modules/express/router.js", function: "handle", in_app: false },
          {
            filename: "src/cart.ts",
            function: "computeTotal",
            lineno: 48,
            colno: 18,
            in_app: true,
            pre_context: ["  const rate = rates.get(cart.currency);"],
            context_line: "  return cart.lines.reduce(sum, 0);",
            post_context: ["}"],
          },
        ],
      },
    }],
    breadcrumbs: [
      { category: "ui.click", message: "button#pay", level: "info" },
      { category: "http", message: "POST /payments", level: "error", data: { status: 502 } },
    ],
    extra: { attempt: 2 },
    ...more,
  };
}

/** Somebody at the page, with what a person does and sees. */
class Person {
  readonly page: Page;
  readonly #mesher: RunningMesher;
  /** What the page's scripts threw, complained about, or were forbidden. */
  readonly faults: string[] = [];

  constructor(page: Page, mesher: RunningMesher) {
    this.page = page;
    this.#mesher = mesher;
    page.on("pageerror", (error) => this.faults.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        this.faults.push(message.text());
      }
    });
  }

  static async at(
    browser: Browser,
    mesher: RunningMesher,
    options: BrowserContextOptions,
  ): Promise<Person> {
    const context = await browser.newContext({ deviceScaleFactor: 2, ...options });
    const person = new Person(await context.newPage(), mesher);
    await person.page.goto(mesher.url);
    return person;
  }

  async signsIn(password: string = this.#mesher.password): Promise<void> {
    await this.page.getByLabel("E-mail").fill(this.#mesher.email);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  async goes(hash: string): Promise<void> {
    await this.page.goto(`${this.#mesher.url}/${hash}`);
    await this.page.locator("main:not(:has([aria-busy]))").waitFor();
  }

  async sees(words: string, within = "main"): Promise<void> {
    await this.page.locator(within).getByText(words).first().waitFor();
  }

  async shoots(folder: string, name: string): Promise<void> {
    const path = join(folder, `mesher-${name}.png`);
    await this.page.screenshot({ path, fullPage: true, animations: "disabled" });
  }

  /** By how many pixels the page is wider than its window. */
  async overflow(): Promise<number> {
    return await this.page.evaluate("document.documentElement.scrollWidth - innerWidth");
  }
}

async function withPage(
  body: (browser: Browser, mesher: RunningMesher) => Promise<void>,
): Promise<void> {
  const { chromium } = await import("playwright-core");
  const mesher = await startMesher();
  try {
    const browser = await chromium.launch({
      executablePath: chromiumPath!,
      headless: true,
      args: BROWSER_ARGS,
    });
    try {
      await body(browser, mesher);
    } finally {
      await browser.close();
    }
  } finally {
    await mesher.stop();
  }
}

test("Mesher's page shows an event live, its stack, and its issue resolved", {
  ignore: whyNot !== undefined,
}, async () => {
  await withPage(async (browser, mesher) => {
    const ada = await Person.at(browser, mesher, DESK);
    await ada.signsIn();
    await ada.sees("Unresolved issues");

    // Live, and only what the filter lets through.
    await ada.goes("#/live?level=error");
    await ada.page.locator(".live-note[data-state=open]").waitFor();
    await report(mesher, { message: "a warning nobody asked for", level: "warning" });
    await report(mesher, crash("<img src=x onerror=alert(1)> is no total"));
    await ada.sees("TypeError: <img src=x onerror=alert(1)> is no total");
    assertEquals(await ada.page.getByText("a warning nobody asked for").count(), 0);
    assertEquals(await ada.page.locator("main img").count(), 0);

    // The event, by keyboard.
    await ada.page.locator(".live-rows").waitFor();
    await ada.page.keyboard.press("j");
    await ada.page.keyboard.press("Enter");
    await ada.sees("computeTotal");
    await ada.sees("return cart.lines.reduce(sum, 0);");
    await ada.sees("button#pay");
    await ada.sees("eu-west-1");
    await ada.page.getByRole("button", { name: "Show 1 library line" }).click();
    await ada.sees("node_modules/express/router.js");

    // The issue: assigned, resolved, and come back.
    await ada.page.getByLabel("Assigned to").selectOption({ label: "Admin" });
    await ada.page.getByRole("button", { name: "Resolve" }).click();
    await ada.sees("Resolved", ".issue-head .status");
    await ada.goes("#/issues");
    await ada.sees("a warning nobody asked for");
    assertEquals(await ada.page.getByText("is no total").count(), 0);
    await ada.goes("#/issues?status=resolved");
    await ada.sees("is no total");
    await report(mesher, crash("<img src=x onerror=alert(1)> is no total"));
    await ada.page.getByRole("button", { name: "New events came" }).click();
    await ada.sees("No issues here");

    // Signing out ends it.
    await ada.page.getByRole("button", { name: "Sign out" }).click();
    await ada.sees("Sign in to Mesher");
    assertEquals(ada.faults, []);
    await ada.signsIn("not the password");
    await ada.sees("do not belong together");
    await ada.page.context().close();
  });
});

test("Mesher's page fits every view, light and dark, at a desk and on a phone", {
  ignore: whyNot !== undefined,
}, async () => {
  const folder = process.env["FIRN_SCREENSHOTS"] ?? mkdtempSync(join(tmpdir(), "firn-mesher-"));
  mkdirSync(folder, { recursive: true });
  await withPage(async (browser, mesher) => {
    for (let i = 0; i < 30; i++) {
      await report(mesher, crash(i % 3 === 0 ? "the cart has no total" : "rates is not iterable"));
      await report(mesher, { message: "Slow query: 2.4 s for GET /orders", level: "warning" });
    }
    for (const [device, options] of [["desk", DESK], ["phone", PHONE]] as const) {
      for (const colorScheme of ["light", "dark"] as const) {
        const name = (view: string): string => `${view}-${device}-${colorScheme}`;
        const person = await Person.at(browser, mesher, { ...options, colorScheme });
        await person.sees("Sign in to Mesher");
        await person.shoots(folder, name("login"));
        await person.signsIn();
        await person.sees("Unresolved issues");
        for (const [view, hash] of Object.entries(VIEWS)) {
          await person.goes(hash);
          assert(await person.overflow() <= 0, `${name(view)} is wider than its window`);
          await person.shoots(folder, name(view));
        }
        await person.goes("#/issues");
        await person.page.getByText("the cart has no total").first().click();
        await person.sees("computeTotal");
        assert(await person.overflow() <= 0, `${name("issue")} is wider than its window`);
        await person.shoots(folder, name("issue"));
        assertEquals(person.faults, [], name("faults"));
        await person.page.context().close();
      }
    }
  });
  console.log(`mesher_page_test: screenshots are in ${folder}`);
});

test("Mesher's page has scripts whose types hold", { ignore: runtime === "bun" }, async () => {
  const scripts = readdirSync(PAGE, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js")).map((name) => join(PAGE, name));
  assert(scripts.length > 0);
  const config = join(PAGE, "jsconfig.json");
  const child = spawn(process.execPath, ["check", "-q", "--config", config, ...scripts], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const complaints: string[] = [];
  createInterface(child.stderr).on("line", (line) => complaints.push(line));
  const status = await new Promise((resolve) => child.once("close", resolve));
  assertEquals(status, 0, complaints.join("\n"));
});
