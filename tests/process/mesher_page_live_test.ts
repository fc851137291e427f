/**
 * Tests Mesher's live stream in a browser: filters, pause, and the number of events that it keeps.
 */
import { assert, assertEquals } from "@std/assert";
import { DESK, needsBrowser } from "../kit/browser.ts";
import { test, until } from "../kit/test.ts";
import { senderTo } from "./mesher_kit.ts";
import { PageUser, report, withPage } from "./mesher_user.ts";

const needs = needsBrowser("mesher_page_live_test");

/** The number of events that the page keeps. */
const EVENTS_MAX = 200;

test(
  "Mesher's live stream shows only events that match its filters",
  needs,
  async () => {
    await withPage(async (browser, mesher) => {
      const ada = await PageUser.inside(browser, mesher, DESK);
      // The page's own stream receives all events; the stream of the view receives only events that
      // match.
      const observed: string[] = [];
      ada.page.on("websocket", (socket) => {
        socket.on("framereceived", ({ payload }) => observed.push(String(payload)));
      });
      await ada.page.reload();
      await ada.goes("#/live");
      await ada.page.locator(".live-note[data-state=open]").waitFor();
      const say = (message: string, level: string, environment: string) =>
        report(mesher, { message, level, environment, tags: { shop: "lisbon" } });
      await say("alpha fails", "error", "production");
      await say("beta fails", "error", "staging");
      await say("gamma waits", "warning", "production");
      await ada.sees("gamma waits");

      // The filters also apply to events that are already shown.
      await ada.page.getByLabel("Level").selectOption("error");
      assertEquals(await ada.count("gamma waits"), 0);
      await ada.page.getByLabel("Environment").fill("production");
      await ada.page.getByLabel("Environment").press("Enter");
      await until("beta is not shown any more", async () => await ada.count("beta fails") === 0);
      await say("delta fails", "error", "staging");
      await say("epsilon waits", "warning", "production");
      await say("zeta fails", "error", "production");
      await ada.sees("zeta fails");
      assertEquals(await ada.page.locator(".live-rows .row").count(), 2);
      const times = (words: string): number => observed.filter((one) => one.includes(words)).length;
      await until("both streams have received it", () => times("zeta fails") === 2);
      assertEquals(
        [times("delta fails"), times("epsilon waits")],
        [1, 1],
        "the server filters the events",
      );

      await ada.page.getByLabel("Filter by text").fill("LISBON zeta");
      assertEquals(await ada.page.locator(".live-rows .row").count(), 1);
      await say("eta fails", "error", "production");
      await say("zeta fails again", "error", "production");
      await ada.sees("zeta fails again");
      assertEquals(await ada.count("eta fails", ".live-rows .row:first-child"), 1);
      assertEquals(await ada.page.locator(".live-rows .row").count(), 2);

      // The filters are in the URL.
      await ada.page.reload();
      await ada.page.locator(".live-note[data-state=open]").waitFor();
      assertEquals(await ada.page.getByLabel("Environment").inputValue(), "production");
      assertEquals(await ada.page.getByLabel("Filter by text").inputValue(), "LISBON zeta");
      assertEquals(ada.faults, []);
    });
  },
);

test(
  "Mesher's live stream shows no new events while it is paused",
  needs,
  async () => {
    await withPage(async (browser, mesher) => {
      const ada = await PageUser.inside(browser, mesher, DESK);
      await ada.goes("#/live");
      await ada.page.locator(".live-note[data-state=open]").waitFor();
      await ada.presses("p");
      await report(mesher, { message: "while it is paused" });
      await ada.sees("Paused · 1 event waiting");
      assertEquals(await ada.count("while it is paused"), 0);
      await ada.presses("p");
      await ada.sees("while it is paused");

      const sender = senderTo(mesher.url, mesher.firstLogin);
      const send = async (from: number): Promise<void> => {
        for (let i = from; i < from + 300; i += 100) {
          const batch = Array.from({ length: 100 }, (_, k) => ({ message: `burst ${i + k}` }));
          assertEquals((await sender.post("/api/v1/events/bulk", batch)).status, 202);
        }
      };
      await send(0);
      await ada.sees("Listening · 301 events so far");
      assert(await ada.page.locator(".live-rows .row").count() <= EVENTS_MAX);
      await ada.clicks("Pause");
      await send(300);
      await ada.sees("Paused · 200 events waiting · ");
      await ada.clicks("Continue");
      await ada.sees("burst 599");
      assertEquals(await ada.page.locator(".live-rows .row").count(), EVENTS_MAX);
      assertEquals(ada.faults, []);
    });
  },
);
