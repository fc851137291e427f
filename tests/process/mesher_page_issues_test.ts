/**
 * Tests Mesher's list of issues in a browser: several are selected and changed at once, and the
 * change is undone.
 */
import { assertEquals } from "@std/assert";
import { DESK, needsBrowser } from "../kit/browser.ts";
import { accessibilityProblems } from "../kit/accessibility.ts";
import { test } from "../kit/test.ts";
import { crash, PageUser, report, withPage } from "./mesher_user.ts";

const needs = needsBrowser("mesher_page_issues_test");

const TITLES = ["first", "second", "third", "fourth", "fifth"];

/** Runs `body` with a user who has opened a list of five issues. */
async function withFive(body: (ada: PageUser) => Promise<void>): Promise<void> {
  await withPage(async (browser, mesher) => {
    // The issue of the last event is the first in the list.
    for (const name of TITLES) {
      const exception = [{ type: `${name}Error`, value: `the ${name} fault` }];
      await report(mesher, crash(name, { exception }));
    }
    const ada = await PageUser.inside(browser, mesher, DESK);
    await ada.goes("#/issues");
    await ada.page.locator("[data-issue]").nth(4).waitFor();
    await body(ada);
    assertEquals(ada.faults, []);
  });
}

/** Returns the checkbox of an issue. */
const box = (ada: PageUser, name: string) => ada.page.getByLabel(`Select ${name}Error`);
/** Waits until the list has this many issues. */
const seesRows = async (ada: PageUser, count: number): Promise<void> => {
  const rows = ada.page.locator("[data-issue]");
  if (count > 0) await rows.nth(count - 1).waitFor();
  await rows.nth(count).waitFor({ state: "detached" });
};

test(
  "Mesher's list of issues resolves several issues together, and can undo the change",
  needs,
  async () => {
    await withFive(async (ada) => {
      await box(ada, "fourth").click();
      await box(ada, "second").click({ modifiers: ["Shift"] });
      await ada.sees("3 issues selected");
      assertEquals(await accessibilityProblems(ada.page), []);
      await ada.page.getByRole("toolbar").getByRole("button", { name: "Resolve", exact: true })
        .click();
      await ada.sees("3 issues resolved", "#toasts");
      await seesRows(ada, 2);
      await ada.clicks("Undo");
      await seesRows(ada, 5);

      await ada.page.getByLabel("Select all that are shown").click();
      await ada.sees("5 issues selected");
      await ada.page.getByRole("toolbar").getByRole("button", { name: "Ignore" }).click();
      await ada.sees("No unresolved issues");
      await ada.goes("#/issues?status=archived");
      await seesRows(ada, 5);
    });
  },
);

test(
  "Mesher's list of issues can be used with the keyboard alone",
  needs,
  async () => {
    await withFive(async (ada) => {
      // Selects the first two issues and resolves them by keys, then undoes it.
      await ada.presses("j", "s", "j", "s");
      await ada.sees("2 issues selected");
      await ada.presses("Escape");
      assertEquals(await ada.count("selected"), 0);
      await ada.presses("s", "k", "s", "e");
      await ada.sees("2 issues resolved", "#toasts");
      await seesRows(ada, 3);
      await ada.presses("z");
      await seesRows(ada, 5);

      await box(ada, "third").click();
      const toolbar = ada.page.getByRole("toolbar");
      await toolbar.getByRole("button", { name: "Discard" }).click();
      await ada.page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      await seesRows(ada, 5);
      await toolbar.getByRole("button", { name: "Discard" }).click();
      await ada.page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
      await seesRows(ada, 4);
      await ada.goes("#/issues?status=discarded");
      await ada.sees("the third fault");

      // Shows the list of keys, and uses the key "/".
      await ada.presses("?");
      await ada.sees("Select the issue", "dialog");
      await ada.presses("Escape", "/");
      assertEquals(await ada.page.locator(":focus").getAttribute("id"), "filter-words");
    });
  },
);
