/**
 * A user of Mesher's page in a browser, who performs actions and checks what the page shows; and
 * functions that report crashes as a program does.
 */
import { assertEquals } from "@std/assert";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { openPage, PIXEL_SCALE, takePicture, withBrowser } from "../kit/browser.ts";
import { type FirstLogin, withProcesses } from "./mesher_kit.ts";

/** A running node, and the login that its first start wrote. */
export interface RunningMesher {
  readonly url: string;
  readonly firstLogin: FirstLogin;
}

/** Runs `body` with a browser and a Mesher of one node in memory. */
export async function withPage(
  body: (browser: Browser, mesher: RunningMesher) => Promise<void>,
): Promise<void> {
  await withProcesses(async (start) => {
    const one = start(["--memory"], {});
    const mesher = { url: await one.ready(), firstLogin: one.firstLogin };
    await withBrowser((browser) => body(browser, mesher));
  });
}

/**
 * The warning of Chromium when a page closes a socket before it is open, which pages do on purpose
 * and mostly on slow machines.
 */
const CLOSED_EARLY = "WebSocket is closed before the connection is established";

/** A user of a node's page. */
export class PageUser {
  readonly page: Page;
  readonly mesher: RunningMesher;
  /** Errors of the page's scripts, console messages, and policy violations. */
  readonly faults: string[] = [];

  private constructor(page: Page, mesher: RunningMesher) {
    this.page = page;
    this.mesher = mesher;
    page.on("pageerror", (error) => this.faults.push(String(error)));
    page.on("console", (message) => {
      const isFault = message.type() === "error" || message.type() === "warning";
      if (isFault && !message.text().includes(CLOSED_EARLY)) this.faults.push(message.text());
    });
  }

  /** Opens the page in a new browser context. */
  static async at(
    browser: Browser,
    mesher: RunningMesher,
    options: BrowserContextOptions,
  ): Promise<PageUser> {
    const page = await openPage(browser, { deviceScaleFactor: PIXEL_SCALE, ...options });
    const person = new PageUser(page, mesher);
    await person.page.goto(mesher.url);
    return person;
  }

  /** Opens the page and signs in. */
  static async inside(
    browser: Browser,
    mesher: RunningMesher,
    options: BrowserContextOptions,
  ): Promise<PageUser> {
    const person = await PageUser.at(browser, mesher, options);
    await person.signsIn();
    await person.sees("Unresolved issues");
    return person;
  }

  async signsIn(password: string = this.mesher.firstLogin.password): Promise<void> {
    await this.page.getByLabel("E-mail").fill(this.mesher.firstLogin.email);
    await this.page.getByLabel("Password").fill(password);
    await this.clicks("Sign in");
  }

  /** Opens a view, and waits until it has loaded completely. */
  async goes(hash: string): Promise<void> {
    await this.page.goto(`${this.mesher.url}/${hash}`);
    const there = JSON.stringify(await this.page.evaluate("location.hash"));
    await this.page.locator(`main[data-place=${there}]:not(:has([aria-busy]))`).waitFor();
  }

  async clicks(button: string): Promise<void> {
    await this.page.getByRole("button", { name: button, exact: true }).click();
  }

  async sees(words: string, within: string = "main"): Promise<void> {
    try {
      await this.page.locator(within).getByText(words).first().waitFor();
    } catch (error) {
      const text = await this.page.locator("body").innerText();
      throw new Error(`${(error as Error).message}\nText of the page:\n${text}`);
    }
  }

  /** Returns how many times a text is on the page. */
  count(words: string, within: string = "main"): Promise<number> {
    return this.page.locator(within).getByText(words).count();
  }

  async presses(...keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Takes a screenshot of the whole page if `FIRN_SCREENSHOTS` is set. */
  async shoots(name: string): Promise<void> {
    await takePicture(this.page, `mesher-${name}`, { fullPage: true });
  }

  /** Returns by how many pixels the page is wider than its window. */
  async overflow(): Promise<number> {
    return await this.page.evaluate("document.documentElement.scrollWidth - innerWidth");
  }

  /** Closes the browser context. */
  async leaves(): Promise<void> {
    await this.page.context().close();
  }
}

/** Sends events as a program does. */
export async function report(
  { url, firstLogin }: RunningMesher,
  ...events: readonly Record<string, unknown>[]
): Promise<void> {
  for (const event of events) {
    const response = await fetch(`${url}/api/v1/events`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": firstLogin.key },
      body: JSON.stringify(event),
    });
    assertEquals(response.status, 202, await response.text());
  }
}

/** Returns an exception with a stack, breadcrumbs and tags. */
export function crash(value: string, more: Record<string, unknown> = {}): Record<string, unknown> {
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
