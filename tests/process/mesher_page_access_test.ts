/** Tests access to Mesher in a browser: tokens, sessions and members. */
import { assertEquals } from "@std/assert";
import { DESK, needsBrowser } from "../kit/browser.ts";
import { test, until } from "../kit/test.ts";
import { Client } from "../mesher/end_to_end_kit.ts";
import { PageUser, withPage } from "./mesher_user.ts";

const needs = needsBrowser("mesher_page_access_test");

test("Mesher's page creates a token that works, and revokes it", needs, async () => {
  await withPage(async (browser, mesher) => {
    const ada = await PageUser.inside(browser, mesher, DESK);
    await ada.goes("#/settings/tokens");
    await ada.sees("No tokens");
    await ada.page.getByLabel("What it is for").fill("release notes");
    await ada.clicks("Make a token");
    const token = await ada.page.locator(".once code").textContent();
    const program = new Client(mesher.url, { authorization: `Bearer ${token}` });
    assertEquals((await program.get("/api/v1/me")).status, 200);

    await ada.goes("#/settings/account");
    await ada.goes("#/settings/tokens");
    await ada.sees("release notes");
    assertEquals((await ada.page.content()).includes(token!), false);
    await ada.clicks("Revoke release notes");
    await ada.page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await ada.sees("No tokens");
    assertEquals((await program.get("/api/v1/me")).status, 401);
    assertEquals(ada.faults, []);
  });
});

test(
  "Mesher's page lists the user's sessions, and can end a session",
  needs,
  async () => {
    await withPage(async (browser, mesher) => {
      const lost = await PageUser.inside(browser, mesher, DESK);
      const ada = await PageUser.inside(browser, mesher, DESK);
      await ada.goes("#/settings/account");
      await ada.sees("This one");
      const other = ada.page.locator(".row.session", { hasNot: ada.page.getByText("This one") });
      await other.getByRole("button", { name: "Sign out" }).click();
      await ada.page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
      await other.waitFor({ state: "detached" });
      // The server ends the stream of the other session, whose page then shows the login.
      await lost.sees("Sign in to Mesher");
      assertEquals(ada.faults, []);
    });
  },
);

test(
  "Mesher's page invites a member who joins through the link",
  needs,
  async () => {
    await withPage(async (browser, mesher) => {
      const ada = await PageUser.inside(browser, mesher, DESK);
      await ada.goes("#/settings/members");
      await ada.page.getByLabel("E-mail").fill("grace@example.com");
      await ada.clicks("Invite");
      await ada.sees("Pass this link on");
      const link = await ada.page.locator(".once code").textContent();
      const grace = await PageUser.at(browser, mesher, DESK);
      await grace.page.goto(link!);
      await grace.sees("Join Default");
      await grace.page.getByLabel("Your name").fill("Grace");
      await grace.page.getByLabel("Password").fill("a long enough password");
      await grace.clicks("Join");
      await grace.sees("Unresolved issues");
      assertEquals(grace.page.url().includes("invitation"), false);
      await ada.goes("#/settings/account");
      await ada.goes("#/settings/members");
      await ada.sees("grace@example.com");
      await grace.goes("#/settings/keys");
      assertEquals(
        await grace.page.getByRole("button", { name: "Make a key" }).isDisabled(),
        true,
      );
      await ada.page.locator(".row.member", { hasText: "Grace" })
        .getByRole("button", { name: "Remove" }).click();
      await ada.page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
      await until("the member is removed", async () => await ada.count("grace@example.com") === 0);
      await grace.page.reload();
      await grace.sees("Welcome to Mesher");
      assertEquals([...ada.faults, ...grace.faults], []);
    });
  },
);
