/** Tests the observer page: the requests that it answers, and what it shows in a browser. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Page } from "playwright-core";
import type { Self } from "../../lib/actor/self.ts";
import type { Node } from "../../lib/node.ts";
import { observer, type ObserverOptions } from "../../lib/observe/observer.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { DESK, needsBrowser, openPage, PHONE, takePicture, withBrowser } from "../kit/browser.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

const counter = service<{ state: number; call: { get(): number }; cast: { add(n: number): void } }>(
  {
    name: "counter",
    init: () => 0,
    call: { get: (n) => [n, n] },
    cast: { add: (sum, n) => sum + n },
  },
);

/** Runs `body` with two nodes and the page of the first. */
async function withPage(
  options: ObserverOptions,
  body: (base: string, a: Node, b: Node) => Promise<void>,
): Promise<void> {
  const common = { cookie: COOKIE, logLevel: "silent", observe: "control" } as const;
  await using a = await startCheaply({ ...common, name: "alpha@127.0.0.1:0" });
  await using b = await startCheaply({ ...common, name: "beta@127.0.0.1:0", seeds: [a.name] });
  await until("the nodes are connected", () => a.peers().length === 1);
  for (const node of [a, b]) {
    await Supervisor.start(node, {
      children: [{ id: "hits", start: (self) => counter.startAs("hits", self) }],
    });
  }
  a.rooms.join("lobby", { sendShared() {} });
  await a.global.register("all hits", a.whereis("hits")!);
  const server = await a.serve({ fetch: observer(a, options) });
  await body(server.url.replace("ws:", "http:"), a, b);
}

test("observer without authorize allows reading by local clients only", async () => {
  await withPage({}, async (base, a) => {
    const page = await fetch(`${base}observer`);
    assertEquals([page.status, page.url], [200, `${base}observer/`]);
    assertStringIncludes(page.headers.get("content-security-policy")!, "default-src 'none'");
    const text = await page.text();
    assertStringIncludes(text, "<title>Firn");
    assert(!text.includes("NONCE"));
    assertEquals(text.match(/https?:\/\/[^"]*/g), ["http://www.w3.org/2000/svg"]);
    const handler = observer(a);
    const ask = async (
      headers: Record<string, string>,
      hostname: string,
      path = "/observer/api/cluster",
      method = "GET",
    ): Promise<number> => {
      const request = new Request(`http://127.0.0.1:8080${path}`, { method, headers });
      const response = await handler(request, { hostname, port: 1 });
      await response.body?.cancel();
      return response.status;
    };
    const near = { host: "127.0.0.1:8080" };
    assertEquals(await ask(near, "127.0.0.1"), 200);
    assertEquals(await ask({ host: "localhost" }, "::1"), 200);
    assertEquals(await ask(near, "10.0.0.7"), 403);
    assertEquals(await ask({ host: "evil.example:8080" }, "127.0.0.1"), 403);
    assertEquals(await ask({ ...near, "x-forwarded-for": "10.0.0.7" }, "127.0.0.1"), 403);
    // Control is not granted by default, nor to a request that a page of another site could send.
    const kill = "/observer/api/kill?id=1";
    assertEquals(await ask({ ...near, "x-firn": "1" }, "127.0.0.1", kill, "POST"), 403);
    assertEquals(await ask(near, "127.0.0.1", kill), 405);
    for (const path of ["/", "/observers", "/observer/nothing", "/observer/api/constructor"]) {
      assertEquals(await ask(near, "127.0.0.1", path), 404, path);
    }
    assertEquals(await ask(near, "127.0.0.1", "/observer/api/actor?id=99999"), 404);
  });
});

test("observer with authorize requires POST with the header x-firn for control", async () => {
  const access = { value: "none" as "none" | "read" | "control" };
  await withPage({ authorize: () => access.value }, async (base, a) => {
    const pid = a.whereis("hits")!;
    const api = `${base}observer/api/`;
    const status = async (url: string, init?: RequestInit): Promise<number> => {
      const response = await fetch(url, init);
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await status(`${base}observer/`), 403);
    access.value = "read";
    const kill = `${api}kill?id=${pid.id}`;
    const signed = { method: "POST", headers: { "x-firn": "1" } };
    assertEquals(await status(`${api}tree`), 200);
    assertEquals(await status(`${api}trace?id=${pid.id}`), 403);
    assertEquals(await status(kill, signed), 403);
    const seen = await (await fetch(`${api}actor?id=${pid.id}`)).json();
    assertEquals([seen.info.names, seen.state], [["hits"], undefined]);
    access.value = "control";
    assertEquals((await (await fetch(`${api}actor?id=${pid.id}`)).json()).state, "0");
    assertEquals(await status(kill, { method: "POST" }), 403);
    assertEquals(await status(kill, signed), 200);
    await until("the actor is restarted", () => ![undefined, pid].includes(a.whereis("hits")));
    const metrics = await fetch(`${base}observer/metrics`);
    assertStringIncludes(await metrics.text(), "firn_restarts_total");
    const headers = { accept: "application/openmetrics-text" };
    assertStringIncludes(
      await (await fetch(`${base}observer/metrics`, { headers })).text(),
      "# EOF",
    );
  });
});

const needs = needsBrowser("observer_test");

test(
  "the page of observer shows nodes, trees, actors and logs, and can kill an actor",
  needs,
  async () => {
    await withPage({ authorize: () => "control" }, async (base, a, b) => {
      const stuck = a.spawnWith({ name: "stuck" }, async (self: Self<number>) => {
        await self.receive({ match: (n) => n < 0 });
      });
      for (let n = 0; n < 12_000; n++) a.send(stuck, n);
      const work = setInterval(() => counter.cast(counter.at(a, "hits")).add(1), 5);
      try {
        await withBrowser(async (browser) => {
          const faults: string[] = [];
          const page = await openPage(browser, { ...DESK, colorScheme: "light" });
          page.on("pageerror", (error) => faults.push(`${error}`));
          page.on("console", (line) => line.type() === "error" && faults.push(line.text()));
          await page.goto(`${base}observer/`);
          const sees = (text: string) => page.locator("#main").getByText(text).first().waitFor();
          await sees(b.name);
          await sees("mailbox 1");
          const shot = (page: Page, name: string) => takePicture(page, `observer-${name}`);
          await shot(page, "cluster-light");

          await page.locator("#main").click({ position: { x: 2, y: 2 } });
          // Opens the supervision trees by keyboard. They include those of the other node.
          await page.keyboard.press("2");
          await page.getByRole("link", { name: "hits" }).waitFor();
          await page.selectOption("#node", b.name);
          await sees(`Supervision trees of ${b.name}`);
          await page.selectOption("#node", a.name);

          await page.keyboard.press("Escape");
          await page.getByRole("link", { name: "Actors" }).click();
          await sees("stuck");
          await shot(page, "actors-light");
          await page.getByRole("link", { name: "Trees" }).click();
          await page.getByRole("link", { name: "hits" }).click();
          await sees("all hits");
          const before = a.whereis("hits");
          await page.getByRole("button", { name: "Trace messages" }).click();
          await sees("cast add");
          await shot(page, "actor-light");
          await page.getByRole("button", { name: /^Kill/ }).click();
          await until(
            "the actor is restarted",
            () => ![undefined, before].includes(a.whereis("hits")),
          );
          await page.getByRole("link", { name: "Log" }).click();
          await sees("the mailbox of");
          await page.getByRole("link", { name: "Sockets" }).click();
          await sees("lobby");
          await page.getByRole("link", { name: "Names" }).click();
          await sees("Global names");
          await page.getByRole("link", { name: "Charts" }).click();
          await sees("messages/s");
          await page.context().close();

          const small = await openPage(browser, { ...PHONE, colorScheme: "dark" });
          small.on("pageerror", (error) => faults.push(`${error}`));
          await small.goto(`${base}observer/#/charts`);
          await small.getByText("messages/s").first().waitFor();
          const wide = await small.evaluate("document.documentElement.scrollWidth > innerWidth");
          assertEquals(wide, false, "the page is wider than a phone");
          await shot(small, "charts-dark-phone");
          await small.context().close();
          assertEquals(faults.filter((fault) => !fault.includes("404")), []);
        });
      } finally {
        clearInterval(work);
      }
    });
  },
);
