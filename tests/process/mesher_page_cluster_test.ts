/**
 * Tests a Mesher of three nodes in a browser: an event reported to one node is shown on the pages
 * of the others, and pages report a killed node, even their own.
 */
import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { DESK, needsBrowser, withBrowser } from "../kit/browser.ts";
import { accessibilityProblems } from "../kit/accessibility.ts";
import { test } from "../kit/test.ts";
import { withProcesses } from "./mesher_kit.ts";
import { PageUser, report, type RunningMesher } from "./mesher_user.ts";
import { MesherCluster } from "./mesher_cluster.ts";

const needs = needsBrowser("mesher_page_cluster_test");

const CHILD = fileURLToPath(new URL("mesher_sentry_child.mjs", import.meta.url));
const SDK = "npm:@sentry/deno@9.47.1";
/** The exit status of the program with the SDK if the SDK is not available. */
const MISSING = 3;
/** The maximum time in milliseconds until a page reports a killed node: a second on an idle machine. */
const LOST_MS = 60_000;

/** Runs `body` with three nodes, whose pages keep their URLs when restarted. */
async function withThree(
  body: (browser: Browser, cluster: MesherCluster, pages: () => RunningMesher[]) => Promise<void>,
): Promise<void> {
  await withProcesses(async (start, folder) => {
    const ports = await freePorts(6);
    const names = ports.slice(0, 3).map((port, i) => `mesher${i}@127.0.0.1:${port}`);
    const env = { DATABASE_URL: join(folder, "mesher.db") };
    const cluster = new MesherCluster(names, env, (given) => {
      const port = ports[3 + names.indexOf(given["MESHER_NODE_NAME"]!)];
      return start([], { ...given, MESHER_HTTP_PORT: String(port) });
    });
    await cluster.startAll();
    const pages = () => cluster.urls.map((url) => ({ url, firstLogin: cluster.firstLogin }));
    await withBrowser((browser) => body(browser, cluster, pages));
  });
}

/**
 * Runs a program that reports an exception through a real Sentry SDK. Returns whether the SDK was
 * available.
 */
async function reportBySdk({ url, firstLogin }: RunningMesher): Promise<boolean> {
  const dsn = `${url.replace("://", `://${firstLogin.key}@`)}/1`;
  const args = ["run", "-A", "--no-config", "--no-lock", CHILD, SDK, dsn];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const status = await new Promise((resolve) => child.on("close", resolve));
  if (status === MISSING) {
    process.stderr.write(`passed over: ${errors}`);
    return false;
  }
  assertEquals(status, 0, errors);
  return true;
}

/** Tests that an event which a Sentry SDK sent to one node is shown on the pages of the others. */
async function showEvent(
  browser: Browser,
  _cluster: MesherCluster,
  pages: () => RunningMesher[],
): Promise<void> {
  const [first, second, third] = pages() as [RunningMesher, RunningMesher, RunningMesher];
  const ada = await PageUser.inside(browser, second, DESK);
  await ada.goes("#/live");
  await ada.page.locator(".live-note[data-state=open]").waitFor();
  await ada.page.evaluate("document.stillTheSame = true");
  if (!await reportBySdk(first)) return;

  // The page of another node shows the event without a reload.
  await ada.sees("BasketError: cannot empty 3 baskets");
  await ada.shoots("sentry-live");
  await ada.page.getByText("BasketError: cannot empty 3 baskets").click();
  await ada.sees("emptyTheBasket", ".frame-function");
  await ada.sees("throw new BasketError", ".source");
  await ada.sees("pressed the button", ".crumbs");
  await ada.sees("eva@example.org");
  await ada.sees("shop@1.2.3");
  await ada.sees("sentry.javascript.deno");
  assertEquals(await ada.page.evaluate("document.stillTheSame"), true);
  await ada.shoots("sentry-issue");

  // Finds the event on the third node by keyboard.
  const bob = await PageUser.inside(browser, third, DESK);
  await bob.presses("g", "s");
  await bob.page.getByLabel("Search events").waitFor();
  await bob.presses("/");
  await bob.page.keyboard.type("empty baskets");
  await bob.presses("Enter");
  await bob.sees("BasketError: cannot empty 3 baskets");
  assertEquals(await bob.count("a plain message"), 0);
  await bob.presses("j", "Enter");
  await bob.sees("emptyTheBasket", ".frame-function");
  assertEquals([...ada.faults, ...bob.faults], []);
  for (const person of [ada, bob]) await person.leaves();
}

/** Tests that a killed node is shown as such, and as connected when it is back. */
async function showKilledNode(
  browser: Browser,
  cluster: MesherCluster,
  pages: () => RunningMesher[],
): Promise<void> {
  const ada = await PageUser.inside(browser, pages()[1]!, DESK);
  await ada.goes("#/cluster");
  const up = ada.page.locator(".node:not(.gone)");
  const gone = ada.page.locator(".node.gone", { hasText: cluster.names[2]! });
  await up.nth(2).waitFor();
  await cluster.kill(2);
  await gone.waitFor({ timeout: LOST_MS });
  assertEquals(await up.count(), 2);
  // The possible loss is shown in the cluster view, and remains when the node is back.
  await ada.sees("nothing is missing", ".row.loss");
  // Services that run on only one node move to another node. The list of names shows it.
  const registry = ada.page.locator(".row.name", { hasText: cluster.names[2]! });
  await registry.waitFor({ state: "detached" });
  await ada.shoots("cluster-lost");
  await cluster.start(2);
  await gone.waitFor({ state: "detached" });
  assertEquals(await up.count(), 3);
  await ada.sees("mesher2", ".row.loss b");
  assertEquals(ada.faults, []);
  await ada.leaves();
}

/**
 * Tests that a page whose own node is down links to the others, and continues when the node is
 * back.
 */
async function surviveOwnNode(
  browser: Browser,
  cluster: MesherCluster,
  pages: () => RunningMesher[],
): Promise<void> {
  const [first, second] = pages() as [RunningMesher, RunningMesher];
  const ada = await PageUser.inside(browser, second, DESK);
  const bob = await PageUser.inside(browser, second, DESK);
  for (const person of [ada, bob]) {
    await person.goes("#/live");
    await person.page.locator(".live-note[data-state=open]").waitFor();
  }
  await cluster.kill(1);
  for (const person of [ada, bob]) {
    await person.page.locator(".trouble").getByText("This node does not answer")
      .waitFor({ timeout: LOST_MS });
    await person.sees("The connection is lost");
  }
  assertEquals(await accessibilityProblems(ada.page), []);
  await ada.shoots("node-gone");

  // Ada follows a link to another node: it shows the same view without a new login.
  await ada.page.locator(".trouble").getByRole("link", { name: "mesher0" }).click();
  await ada.page.locator(".live-note[data-state=open]").waitFor();
  assert(ada.page.url().startsWith(first.url), ada.page.url());
  assert(ada.page.url().endsWith("#/live"), ada.page.url());
  await report(first, { message: "while it was gone" });
  await ada.sees("while it was gone");

  // Bob waits for his node.
  await cluster.start(1);
  await bob.page.locator(".live-note[data-state=open]").waitFor();
  await bob.page.locator(".trouble").waitFor({ state: "hidden" });
  await bob.sees("Not connected from");
  await report(first, { message: "after it came back" });
  await bob.sees("after it came back");
  assertEquals(await bob.count("while it was gone"), 0);
}

test(
  "Mesher's pages on three nodes show events of all nodes, and report a killed node",
  needs,
  async (context) => {
    await withThree(async (browser, cluster, pages) => {
      await context.step(
        "Mesher's pages on two nodes show an event that a Sentry SDK sent to a third: live, in full, and in search",
        () => showEvent(browser, cluster, pages),
      );
      await context.step(
        "Mesher's cluster view shows a killed node within seconds, and again when it is back",
        () => showKilledNode(browser, cluster, pages),
      );
      await context.step(
        "Mesher's page reports that its own node is down, links to the others, and continues when it is back",
        () => surviveOwnNode(browser, cluster, pages),
      );
    });
  },
);
