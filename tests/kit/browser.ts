// deno-lint-ignore-file no-console -- prints why a test is skipped
/**
 * Chromium, for tests of pages. Without it, or without the package that controls it, such tests are
 * skipped with a message.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Browser, BrowserContextOptions, Page, PageScreenshotOptions } from "playwright-core";
import { findProgram } from "../../scripts/cluster/runtimes.ts";
import { runtime } from "./test.ts";

/** Options that disable network access and prompts. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/** Browser options for a window on a desktop screen. */
export const DESK: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };
/** Browser options for a phone in portrait orientation. */
export const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  hasTouch: true,
};

/**
 * The programs, in order of preference. The headless shell needs half the CPU time of Chromium for
 * the same pages.
 */
const PROGRAMS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

const path = PROGRAMS.map(findProgram).find(Boolean);

/** The reason why no browser is available; undefined if one is. */
export const whyNoBrowser: string | undefined = runtime === "bun"
  ? "bun test does not fetch packages; the suite on Deno runs it"
  : path === undefined
  ? "there is no Chromium on the PATH (apt-get install chromium-headless-shell)"
  : undefined;

/** Returns the options of a test that needs a browser, and prints why it is skipped. */
export function needsBrowser(file: string): { ignore: boolean } {
  if (whyNoBrowser !== undefined) console.log(`${file}: skipped, ${whyNoBrowser}`);
  return { ignore: whyNoBrowser !== undefined };
}

/**
 * Timeout of waits in a page, in milliseconds. The default of the package, 30 s, is too short on a
 * busy machine.
 */
const PAGE_MS_MAX = 90_000;

/** Runs `body` with a browser, and closes it. */
export async function withBrowser(body: (browser: Browser) => Promise<void>): Promise<void> {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath: path!, headless: true, args: ARGS });
  try {
    await body(browser);
  } finally {
    await browser.close();
  }
}

/** Opens a page in a new browser context. Its waits end after {@linkcode PAGE_MS_MAX}. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  page.setDefaultTimeout(PAGE_MS_MAX);
  return page;
}

/** The folder for screenshots, if `FIRN_SCREENSHOTS` names one. */
const folder = process.env["FIRN_SCREENSHOTS"];

/** Pixels per CSS pixel: 2 for screenshots, and otherwise 1, which is a quarter of the work. */
export const PIXEL_SCALE: number = folder ? 2 : 1;

/** Takes a screenshot if `FIRN_SCREENSHOTS` is set. */
export async function takePicture(
  page: Page,
  name: string,
  options: PageScreenshotOptions = {},
): Promise<void> {
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled", ...options });
}
