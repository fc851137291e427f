/**
 * Tests hostile input in every field that Mesher shows, in a browser: it is rendered as text
 * everywhere, and never executed.
 */
import { assert, assertEquals } from "@std/assert";
import { DESK, needsBrowser } from "../kit/browser.ts";
import { test } from "../kit/test.ts";
import { loggedIn } from "../mesher/end_to_end_kit.ts";
import { PageUser, report, type RunningMesher, withPage } from "./mesher_user.ts";

const needs = needsBrowser("mesher_page_hostile_test");

/** Scripts that set `hacked` if they are executed. `mark` identifies the field. */
const SCRIPTS: readonly ((mark: string) => string)[] = [
  (mark) => `<img src=x onerror="hacked='${mark}'">${mark}`,
  (mark) => `"><script>hacked='${mark}'</script>${mark}`,
  (mark) => `'-(hacked='${mark}')-'<svg onload="hacked='${mark}'">${mark}`,
];
/** Links that execute code if they are followed. */
const LINKS: readonly string[] = [
  "javascript:void(hacked='link')",
  "\tjava\nscript:void(hacked='link')",
  "data:text/html,<script>hacked='link'</script>",
  "https://example.com/\"onmouseover=\"hacked='link'",
];

/** Returns an event with a script in every field. */
function hostileEvent(script: (mark: string) => string, link: string): Record<string, unknown> {
  return {
    message: script("message"),
    level: "error",
    environment: script("environment"),
    release: script("release"),
    platform: script("platform"),
    server_name: script("server"),
    transaction: script("transaction"),
    logger: script("logger"),
    tags: { [script("tagkey")]: script("tagvalue"), url: link },
    user: {
      id: script("userid"),
      email: script("email"),
      username: script("user"),
      ip_address: link,
    },
    request: {
      url: link,
      method: script("method"),
      headers: { referer: link },
      data: script("data"),
    },
    contexts: { [script("context")]: { [script("key")]: script("value"), link } },
    extra: { [script("extrakey")]: script("extra"), link, deep: { link: [script("deep")] } },
    sdk: { name: script("sdk"), version: script("version") },
    exception: [{
      type: script("type"),
      value: script("value"),
      stacktrace: {
        frames: [{
          filename: script("file"),
          function: script("function"),
          module: script("module"),
          lineno: 3,
          in_app: true,
          pre_context: [script("before")],
          context_line: script("line"),
          post_context: [script("after")],
        }, { filename: link, function: link, in_app: false }],
      },
    }],
    breadcrumbs: [{
      type: script("crumbtype"),
      category: script("category"),
      message: script("crumb"),
      data: { [script("crumbkey")]: script("crumbdata"), url: link },
    }],
  };
}

/** Creates one object of every kind that users can name, with hostile names. */
async function nameAll({ url, firstLogin }: RunningMesher, script: (mark: string) => string) {
  const user = await loggedIn(url, firstLogin.email, firstLogin.password);
  const { organisations: [org] } = (await user.get("/api/v1/me")).json;
  const [project] = (await user.get(`/api/v1/orgs/${org.id}/projects`)).json;
  const at = `/api/v1/projects/${project.id}`;
  const done = await Promise.all([
    user.post(`${at}/settings`, { name: script("project"), platform: script("p").slice(0, 64) }),
    user.post(`${at}/api-keys`, { label: script("key") }),
    user.post(`${at}/alert-rules`, {
      name: script("rule"),
      condition: { condition_type: "new_issue" },
      cooldown_minutes: 0,
    }),
    user.post("/api/v1/orgs", { name: `Other ${script("organisation")}` }),
    user.post("/api/v1/tokens", { label: script("token") }),
    user.post(`/api/v1/orgs/${org.id}/users`, {
      email: "mallory@example.com",
      display_name: script("member"),
      password: "a long enough password",
    }),
  ]);
  for (const { status, json } of done) assert(status < 300, JSON.stringify(json));
}

/** Finds executed scripts and dangerous elements on the current page. */
const WRONG = `(() => {
  const bad = [];
  if ("hacked" in window) bad.push("it ran: " + window.hacked);
  for (const one of document.querySelectorAll("main, .side, #toasts, dialog")) {
    const theirs = "script, iframe, object, img:not(.mark), [onerror], [onload]";
    for (const e of one.querySelectorAll(theirs)) {
      bad.push("an element of theirs: " + e.outerHTML.slice(0, 80));
    }
    for (const a of one.querySelectorAll("a[href], form[action]")) {
      const to = a.href ?? a.action;
      if (!/^https?:/.test(to)) bad.push("a link that runs: " + to.slice(0, 80));
      if ([...a.attributes].some(({ name }) => name.startsWith("on"))) bad.push("a handler: " + to);
    }
  }
  return bad;
})()`;

const VIEWS = [
  "#/",
  "#/issues",
  "#/issues?status=all",
  "#/search?q=message",
  "#/alerts",
  "#/alerts/rules",
  "#/cluster",
  "#/settings",
  "#/settings/keys",
  "#/settings/members",
  "#/settings/tokens",
  "#/settings/account",
  "#/search?q=%22%3E%3Cimg%20src%3Dx%20onerror%3D%22hacked%3D1%22%3E",
  "#/issues/%3Cimg%20src=x%20onerror=hacked=1%3E",
  "#/live?environment=%3Cimg%20src=x%20onerror=hacked=1%3E&q=%3Cimg%20src=x%20onerror=hacked=1%3E",
];

test(
  "Mesher's page shows hostile content as text in every view",
  needs,
  async () => {
    await withPage(async (browser, mesher) => {
      await nameAll(mesher, SCRIPTS[0]!);
      const ada = await PageUser.inside(browser, mesher, DESK);
      await ada.goes("#/live");
      await ada.page.locator(".live-note[data-state=open]").waitFor();
      for (const [i, link] of LINKS.entries()) {
        await report(mesher, hostileEvent(SCRIPTS[i % SCRIPTS.length]!, link));
      }
      const right = async (where: string): Promise<void> =>
        assertEquals(await ada.page.evaluate(WRONG), [], where);
      const issues = ada.page.locator(".live-rows a.row-title");
      await issues.nth(LINKS.length - 1).waitFor();
      await right("#/live");
      const hrefs = await ada.page.evaluate<string[]>(
        "[...document.querySelectorAll('.live-rows a.row-title')].map((link) => link.hash)",
      );
      assertEquals(new Set(hrefs).size, LINKS.length);
      for (const hash of hrefs) {
        await ada.goes(hash);
        await ada.sees("hacked='line'", ".source");
        await ada.sees("hacked='deep'");
        // Checks the page with everything expanded.
        await ada.page.evaluate(
          "document.querySelectorAll('details').forEach((d) => d.open = true)",
        );
        for (const show of await ada.page.getByText(/^Show \d+ library/).all()) await show.click();
        await right(hash);
        const issue = hash.split("/").slice(0, 3).join("/");
        for (const tab of ["events", "tags"]) {
          await ada.goes(`${issue}/${tab}`);
          await right(`${issue}/${tab}`);
        }
      }
      for (const view of VIEWS) {
        await ada.goes(view);
        await right(view);
      }
      const refused = /^Failed to load resource: the server responded with a status of 40[04]/;
      assertEquals(ada.faults.filter((fault) => !refused.test(fault)), []);
    });
  },
);

test(
  "Mesher's page has a policy that forbids inline scripts and other origins",
  needs,
  async () => {
    await withPage(async (browser, mesher) => {
      const ada = await PageUser.inside(browser, mesher, DESK);
      const { page } = ada;
      await page.evaluate(`(() => {
      const add = (name, make) => {
        const one = document.createElement(name);
        make(one);
        document.body.append(one);
        one.click();
      };
      const tries = [
        () => add("script", (one) => one.append("window.hacked = 'inline'")),
        () => add("script", (one) => one.src = "data:text/javascript,window.hacked = 'data'"),
        () => add("div", (one) => one.innerHTML = "<img src=x onerror=hacked=1>"),
        () => add("b", (one) => one.setAttribute("onclick", "window.hacked = 'handler'")),
        () => add("a", (one) => one.href = "javascript:void(window.hacked = 'link')"),
        () => setTimeout("window.hacked = 'timer'"),
      ];
      for (const one of tries) {
        try {
          one();
        } catch {
          // The content security policy may also make the attempt throw an error, which is ignored.
        }
      }
    })()`);
      const elsewhere = await page.evaluate(`Promise.all([
      fetch("http://localhost:9/").then(() => "open", () => "shut"),
      new Promise((say) => {
        const socket = new WebSocket("ws://localhost:9/");
        addEventListener("securitypolicyviolation", () => say("shut"));
        socket.onopen = () => say("open");
      }),
    ])`);
      assertEquals(elsewhere, ["shut", "shut"]);
      assertEquals(await page.evaluate("'hacked' in window"), false);
      assert(ada.faults.some((fault) => fault.includes("Content Security Policy")));
    });
  },
);
