/**
 * Tests Mesher's list of alerts in a browser: all shown alerts are resolved at once, after a
 * confirmation, and alerts that fire meanwhile remain.
 */
import { assert, assertEquals } from "@std/assert";
import { DESK, needsBrowser, PHONE } from "../kit/browser.ts";
import { accessibilityProblems } from "../kit/accessibility.ts";
import { test, until } from "../kit/test.ts";
import { loggedIn } from "../mesher/end_to_end_kit.ts";
import { crash, PageUser, report, type RunningMesher, withPage } from "./mesher_user.ts";

const needs = needsBrowser("mesher_page_alerts_test");

/** Fires an alert for each name, by an existing rule. */
async function fire(mesher: RunningMesher, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await report(mesher, crash(name, { exception: [{ type: `${name}Error`, value: "a fault" }] }));
  }
}

/** Creates a rule that fires for every new issue. Returns a function that counts alerts. */
async function withRule({ url, firstLogin }: RunningMesher): Promise<() => Promise<number>> {
  const user = await loggedIn(url, firstLogin.email, firstLogin.password);
  const made = await user.post("/api/v1/projects/default/alert-rules", {
    name: "Every new issue",
    condition: { condition_type: "new_issue" },
    cooldown_minutes: 0,
  });
  assertEquals(made.status, 201);
  return async () => (await user.get("/api/v1/projects/default/alerts")).json.length;
}

test(
  "Mesher's list of alerts resolves all shown alerts, but not those that fire meanwhile",
  needs,
  async () => {
    await withPage(async (browser, mesher) => {
      const fired = await withRule(mesher);
      await fire(mesher, "First", "Second", "Third");
      await until("three alerts have fired", async () => await fired() === 3);
      const ada = await PageUser.inside(browser, mesher, DESK);
      const all = ada.page.getByRole("button", { name: "Resolve all", exact: true });
      const dialog = ada.page.getByRole("dialog");
      const yes = dialog.getByRole("button", { name: "Resolve", exact: true });
      const seesRows = async (status: string, count: number): Promise<void> => {
        await ada.goes(`#/alerts?status=${status}`);
        assertEquals([status, await ada.page.locator(".row.alert").count()], [status, count]);
        assertEquals(await all.isVisible(), count > 0 && status !== "resolved", status);
      };
      await ada.goes("#/alerts");
      assert(await all.isVisible());
      await ada.shoots("alerts-resolve-all-desk");
      assertEquals(await accessibilityProblems(ada.page), []);

      // The page asks for confirmation, and resolves nothing if the user cancels.
      await all.click();
      await ada.sees("Resolve 3 alerts?", "dialog");
      await dialog.getByRole("button", { name: "Cancel" }).click();
      await seesRows("active", 3);

      // The button resolves only alerts of the state that the list shows.
      await ada.page.getByRole("button", { name: "Acknowledge" }).first().click();
      await ada.page.locator(".row.alert").nth(2).waitFor({ state: "detached" });
      await seesRows("acknowledged", 1);
      await all.click();
      await ada.sees("Resolve 1 alert?", "dialog");
      await yes.click();
      await ada.sees("1 alert resolved", "#toasts");
      await all.waitFor({ state: "hidden" });
      // When the button disappears, the keyboard focus moves to `#alert-status`.
      await ada.page.locator("#alert-status:focus").waitFor();

      // Another alert fires while the confirmation is open.
      await ada.goes("#/alerts");
      await all.click();
      await ada.sees("Resolve 2 alerts?", "dialog");
      await ada.shoots("alerts-resolve-all-asks");
      await fire(mesher, "Fourth");
      await ada.page.locator(".row.alert").nth(3).waitFor();
      await yes.click();
      await ada.sees("2 alerts resolved", "#toasts");
      await seesRows("active", 1);
      await ada.sees("FourthError");
      await seesRows("resolved", 3);
      assertEquals(ada.faults, []);
      await ada.leaves();

      const eve = await PageUser.inside(browser, mesher, { ...PHONE, colorScheme: "dark" });
      await eve.goes("#/alerts");
      await eve.page.getByRole("button", { name: "Resolve all", exact: true }).waitFor();
      assert(await eve.overflow() <= 0, "the page is wider than a phone");
      assertEquals(await accessibilityProblems(eve.page), []);
      await eve.shoots("alerts-resolve-all-phone");
    });
  },
);
