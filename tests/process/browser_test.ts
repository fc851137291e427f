/**
 * Tests the pages of the demo cluster in a browser: two users chat across nodes while nodes are
 * killed, including those that the users are connected to.
 *
 * Needs Chromium on the machine, and is skipped otherwise. Screenshots are written to
 * `FIRN_SCREENSHOTS`, if it is set.
 */
import { assert, assertEquals } from "@std/assert";
import type { Browser, Page } from "playwright-core";
import { ChatClient } from "../../scripts/cluster/client.ts";
import { Cluster } from "../../scripts/cluster/cluster.ts";
import { makePlans } from "../../scripts/cluster/plans.ts";
import {
  DESK,
  needsBrowser,
  openPage,
  PIXEL_SCALE,
  takePicture,
  withBrowser,
} from "../kit/browser.ts";
import { test, until } from "../kit/test.ts";
import { isMixed } from "./demo.ts";

/** A user of a page: performs actions and checks what the page shows. */
class Person {
  readonly page: Page;
  /** The errors that the page's script threw. */
  readonly faults: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.faults.push(String(error)));
  }

  static async at(
    browser: Browser,
    url: string,
    name: string,
    dark = false,
  ): Promise<Person> {
    const page = await openPage(browser, {
      ...DESK,
      colorScheme: dark ? "dark" : "light",
      deviceScaleFactor: PIXEL_SCALE,
    });
    const person = new Person(page);
    await person.page.goto(url);
    await person.page.locator("#send:enabled").waitFor();
    await person.page.fill("#name", name);
    return person;
  }

  async says(text: string): Promise<void> {
    await this.page.fill("#text", text);
    await this.page.press("#text", "Enter");
  }

  async sees(words: string, within = "#log"): Promise<void> {
    await this.page.locator(within).getByText(words, { exact: true }).first().waitFor();
  }

  /** Waits until the list of nodes shows a node as up or down. */
  async seesNode(name: string, state: "up" | "down"): Promise<void> {
    const up = state === "up";
    await this.page.locator(`#nodes [data-name="${name}"][data-up="${up}"]`).waitFor();
  }

  /** Waits until the list of people shows exactly these. */
  async seesPeople(people: readonly string[]): Promise<void> {
    const words = people.map((each) => each.replace(" ", "")).join("|");
    await until(`${people} are shown`, async () => {
      const shown = await this.page.locator("#people li").allTextContents();
      return shown.join("|") === words;
    });
  }

  /** Returns the messages in the active room. */
  texts(): Promise<string[]> {
    return this.page.locator("#log .message p").allTextContents();
  }

  async joins(room: string): Promise<void> {
    await this.page.fill("#new-room", room);
    await this.page.press("#new-room", "Enter");
    await this.page.locator(".chip.active", { hasText: room }).waitFor();
  }

  async picks(room: string): Promise<void> {
    await this.page.locator(".chip .pick", { hasText: room }).click();
    await this.page.locator(".chip.active", { hasText: room }).waitFor();
  }

  async holdsPhone(): Promise<void> {
    await this.page.setViewportSize({ width: 390, height: 844 });
  }

  async sitsDown(): Promise<void> {
    await this.page.setViewportSize({ width: 1280, height: 800 });
  }

  async shoots(name: string): Promise<void> {
    await takePicture(this.page, name);
  }
}

const needs = needsBrowser("browser_test");

test(
  "the demo page chats across nodes, and shows that a node stops and returns",
  needs,
  async () => {
    const options = { nodes: 3, once: false, json: false, bun: isMixed, port: 0 };
    const { plans } = await makePlans(options);
    const cluster = new Cluster(plans);
    try {
      for (const node of cluster.nodes) cluster.start(node);
      await cluster.until(() => cluster.running.length === 3 && cluster.isWhole);
      await withBrowser((browser) => chat(browser, cluster));
    } finally {
      await cluster.stop();
    }
  },
);

async function chat(browser: Browser, cluster: Cluster): Promise<void> {
  const [first, second, third] = cluster.nodes;
  const ada = await Person.at(browser, first!.plan.page, "Ada");
  const grace = await Person.at(browser, third!.plan.page, "Grace", true);
  assertEquals(await ada.page.locator("#here").textContent(), "node1");
  assertEquals(await grace.page.locator("#here").textContent(), "node3");
  for (const name of ["node1", "node2", "node3"]) await ada.seesNode(name, "up");
  await ada.shoots("quiet-light");

  await ada.says("Hello from node1! Is anybody out there?");
  await grace.sees("Hello from node1! Is anybody out there?");
  await grace.says("Loud and clear, over on node3.");
  await ada.sees("Loud and clear, over on node3.");
  await ada.says("<img src=x onerror=alert(1)> is only text, I hope");
  await grace.sees("<img src=x onerror=alert(1)> is only text, I hope");

  // Connects a user who has no page open.
  const guest = await ChatClient.open(second!.plan.name, second!.url);
  guest.say({ type: "broadcast", room: "lobby", data: "A plain text, from a program on node2." });
  guest.say({ type: "broadcast", room: "lobby", data: { load: 0.25 } });
  await guest.close();
  await ada.sees("A plain text, from a program on node2.");
  await ada.sees('{"load":0.25}');

  // Opens a second room, in which a broadcast must not be sent to its sender.
  for (const person of [ada, grace]) await person.joins("workshop");
  await ada.picks("lobby");
  await grace.page.getByLabel("all but me").check({ force: true });
  await grace.says("psst");
  await ada.page.locator(".chip", { hasText: "workshop" }).locator(".unread").waitFor();
  await ada.picks("workshop");
  await ada.sees("psst");
  await grace.sees("to the others");
  assertEquals(await grace.page.locator("#log").getByText("psst", { exact: true }).count(), 1);
  await grace.page.getByLabel("everyone").check({ force: true });
  // Joins a room that has no messages.
  await ada.joins("kitchen");
  for (const person of [ada, grace]) await person.picks("lobby");

  cluster.kill(second!);
  await ada.seesNode("node2", "down");
  await grace.seesNode("node2", "down");
  await grace.says("node2 is gone. Did you notice?");
  await ada.sees("node2 is gone. Did you notice?");
  await ada.says("At once. We go on without it.");
  await grace.sees("At once. We go on without it.");
  await ada.shoots("down-light");
  await grace.shoots("down-dark");

  cluster.start(second!);
  await ada.seesNode("node2", "up");
  await grace.seesNode("node2", "up");
  await ada.holdsPhone();
  await ada.shoots("phone-light");
  await grace.holdsPhone();
  await grace.shoots("phone-dark");

  await ada.sitsDown();
  await grace.sitsDown();

  // When its node is killed, a page reconnects to another node, and no message is missing.
  for (const person of [ada, grace]) await person.seesPeople(["Ada node1", "Grace node3"]);
  await ada.says("I am about to lose my node.");
  await grace.sees("I am about to lose my node.");
  cluster.kill(first!);
  for (let i = 1; i <= 5; i++) await grace.says(`said without node1: ${i}`);
  await ada.says("I keep talking.");
  await ada.sees("goes on with this page");
  await grace.sees("I keep talking.");
  await ada.sees("said without node1: 5");
  assertEquals(await ada.texts(), await grace.texts());
  assert(await ada.page.locator("#here").textContent() !== "node1");
  const there = await ada.page.locator("#here").textContent();
  for (const person of [ada, grace]) await person.seesPeople([`Ada ${there}`, "Grace node3"]);
  await ada.shoots("moved-light");
  await ada.holdsPhone();
  await ada.shoots("moved-phone-light");
  await grace.shoots("moved-dark");

  for (const node of cluster.nodes) cluster.kill(node);
  await ada.page.locator("#trouble").getByText("No node answers").waitFor();
  await ada.shoots("trouble-phone");
  await ada.sitsDown();
  await ada.shoots("trouble-light");
  await ada.says("Sent later.");
  for (const node of cluster.nodes) cluster.start(node);
  await grace.sees("Sent later.");
  await ada.sees("Sent later.");
  assertEquals([...ada.faults, ...grace.faults], []);
}
