/**
 * Takes the pictures of the README: the demo's page while a node is down, its live page, and
 * Mesher's issues.
 *
 *     deno run -A scripts/pictures/take.ts [folder]      (default: this one)
 *
 * Requires Deno and Chromium.
 *
 * @module
 */
import { statSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { sampleEvent } from "../../mesher/load/sample.ts";
import { whyNoBrowser, withBrowser } from "../../tests/kit/browser.ts";
import { withProcesses } from "../../tests/process/mesher_kit.ts";
import { PageUser, report } from "../../tests/process/mesher_user.ts";
import { Cluster } from "../cluster/cluster.ts";
import { makePlans } from "../cluster/plans.ts";
import { ownRuntime } from "../cluster/runtimes.ts";
import { givenArguments } from "../command_arguments.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "");
/** The size of the window, about twice as wide as high. */
const WINDOW = { viewport: { width: 1120, height: 600 }, deviceScaleFactor: 1.2 };
/** Maximum size of a picture, so that the page loads quickly. */
const BYTES_MAX = 150 * 1024;
const EVENTS = 120;
/** Time in milliseconds for a page to finish loading. */
const WARM_MS = 1_500;
/** Time in milliseconds for a message to reach the other page. */
const CALM_MS = 250;

/** The messages on the demo's page: the index of the sender's node, and the text. */
const WORDS: readonly (readonly [number, string])[] = [
  [0, "Hello from node1! Is anybody out there?"],
  [2, "Loud and clear, over on node3."],
  [0, "No broker, no Redis: we are in one room."],
];
const LAST_WORDS: readonly (readonly [number, string])[] = [
  [2, "node2 is gone. Nobody else noticed a thing."],
  [0, "Bring it back, then."],
];

/**
 * Takes a picture of the demo's page at the first node: two people chat, and the second node has
 * just been killed.
 */
async function shootCluster(browser: Browser, path: string): Promise<void> {
  const { plans } = await makePlans({ nodes: 3, once: false, json: false, bun: false, port: 0 });
  const cluster = new Cluster(plans);
  try {
    for (const node of cluster.nodes) cluster.start(node);
    await cluster.until(() => cluster.running.length === 3 && cluster.isWhole);
    const pages = new Map<number, Page>();
    for (const [at, name] of [[0, "Ada"], [2, "Grace"]] as const) {
      const page = await open(browser, cluster.nodes[at]!.plan.page, { colorScheme: "dark" });
      await page.locator("#send:enabled").waitFor();
      await page.fill("#name", name);
      pages.set(at, page);
    }
    const first = pages.get(0)!;
    await first.waitForTimeout(WARM_MS);
    const say = async (words: typeof WORDS): Promise<void> => {
      for (const [at, text] of words) {
        await pages.get(at)!.fill("#text", text);
        await pages.get(at)!.press("#text", "Enter");
        // Waits before the search, because a page receives messages late while it is being
        // searched.
        await first.waitForTimeout(CALM_MS);
        await first.locator("#log").getByText(text, { exact: true }).waitFor();
      }
    };
    await say(WORDS);
    cluster.kill(cluster.nodes[1]!);
    await first.locator('#nodes [data-name="node2"][data-up="false"]').waitFor();
    await say(LAST_WORDS);
    await first.screenshot({ path, animations: "disabled" });
  } finally {
    await cluster.stop();
  }
}

/** Takes a picture of the live page of the demo's cluster. */
async function shootObserver(browser: Browser, path: string): Promise<void> {
  const { plans } = await makePlans({ nodes: 3, once: false, json: false, bun: false, port: 0 });
  const cluster = new Cluster(plans);
  try {
    for (const node of cluster.nodes) cluster.start(node);
    await cluster.until(() => cluster.running.length === 3 && cluster.isWhole);
    const page = await open(browser, `${cluster.nodes[0]!.plan.page}observer/`, {
      colorScheme: "light",
    });
    await page.locator("#main").getByText("node3").first().waitFor();
    await page.waitForTimeout(WARM_MS);
    await page.screenshot({ path, animations: "disabled" });
  } finally {
    await cluster.stop();
  }
}

/** Takes a picture of Mesher's issues, with many errors. */
async function shootMesher(browser: Browser, path: string): Promise<void> {
  await withProcesses(async (start) => {
    const one = start(["--memory"], {});
    const mesher = { url: await one.ready(), firstLogin: one.firstLogin };
    const random = dice();
    await report(mesher, ...Array.from({ length: EVENTS }, () => sampleEvent(random)));
    const person = await PageUser.inside(browser, mesher, { ...WINDOW, colorScheme: "light" });
    await person.goes("#/issues");
    await person.sees("ValidationError");
    await person.page.mouse.move(0, 0);
    await person.page.screenshot({ path, animations: "disabled" });
  });
}

async function open(browser: Browser, url: string, more: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext({ ...WINDOW, ...more });
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** Returns a function that returns the same sequence of random numbers in [0, 1) every time. */
function dice(): () => number {
  let seed = 1;
  return () => (seed = Math.imul(seed, 48_271) >>> 0) / 2 ** 32;
}

async function main([folder = HERE, ...more]: readonly string[]): Promise<number> {
  if (folder.startsWith("-") || more.length > 0) {
    process.stderr.write("pictures: the only argument is a folder\n");
    return 2;
  }
  if (whyNoBrowser !== undefined) {
    const why = ownRuntime === "deno" ? whyNoBrowser : "run it on Deno";
    process.stderr.write(`pictures: ${why}\n`);
    return 1;
  }
  const [cluster, observer, mesher] = ["cluster", "observer", "mesher"]
    .map((name) => `${folder}/${name}.png`) as [string, string, string];
  await withBrowser(async (browser) => {
    await shootCluster(browser, cluster);
    await shootObserver(browser, observer);
    await shootMesher(browser, mesher);
  });
  let status = 0;
  for (const path of [cluster, observer, mesher]) {
    const { size } = statSync(path);
    process.stdout.write(`${path}: ${Math.ceil(size / 1024)} KiB\n`);
    if (size <= BYTES_MAX) continue;
    process.stderr.write(`pictures: ${path} is larger than ${BYTES_MAX / 1024} KiB\n`);
    status = 1;
  }
  return status;
}

process.exit(await main(givenArguments()));
