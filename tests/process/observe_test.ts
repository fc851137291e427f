/** Tests the tools of operators with nodes in other processes. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Node } from "../../lib/node.ts";
import { observer } from "../../lib/observe/observer.ts";
import { shell } from "../../lib/shell.ts";
import { openPage, whyNoBrowser, withBrowser } from "../kit/browser.ts";
import { COOKIE } from "../kit/keys.ts";
import { PAIRS, pairsInTurn, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

const CHILD = "observe_child.ts";

for (const [one, other] of PAIRS) {
  test(`node.info, node.top, node.tree and node.stats (${one}, ${other}) show the actors of other processes`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a", { observe: "control" }, CHILD);
      const b = await start(other, "b", { seeds: [a.name] }, CHILD);
      await untilWhole(a, b);
      await using node = await Node.start({ cookie: COOKIE, seeds: [a.name], logLevel: "silent" });
      await node.connect(b.name);
      await a.ask("fill", { messages: 3000 });
      for (const { name } of [a, b]) {
        const [tree] = await node.tree({ node: name });
        assertEquals(tree!.children!.map(({ id, state }) => [id, state]), [["hits", "running"]]);
        const info = await node.info(tree!.children![0]!.pid!);
        assertEquals([info.node, info.names, info.child], [name, ["hits"], "hits"]);
      }
      const [full] = await node.top({ node: a.name });
      assertEquals([full!.names, full!.mailbox], [["full"], 3000]);
      const stats = await node.stats({ node: b.name });
      assertEquals(stats.runtime, other);
      assertEquals(stats.sessions.map((each) => each.node).sort(), [a.name, node.name].sort());
      assert(stats.sessions.every(({ roundTripMs }) => roundTripMs! > 0));
      await node.sys.exit(full!.pid);
      assertEquals(await node.top({ node: a.name }), []);
    });
  });
}

/** Runs shell commands on a node. Returns their output. */
async function type(target: string, ...commands: string[]): Promise<string> {
  let text = "";
  const output = new Writable({
    write(chunk, _encoding, done) {
      text += `${chunk}`;
      done();
    },
  });
  await shell({ target, commands, output, node: { cookie: COOKIE } });
  return text;
}

for (const [one, other] of pairsInTurn(0)) {
  test(`shell and page (${one}, ${other}) show a full mailbox, a deadlock and a slow link`, async () => {
    await withNodes(async (start) => {
      const limits = {
        observe: "control",
        warnings: { mailbox: 1_000, longCall: 500 },
        queueBytesMax: 1024 * 1024,
        // On a busy machine, the suspended node must not be lost before the page shows it.
        pingTimeout: 180_000,
      } as const;
      const a = await start(one, "a", limits, CHILD);
      const b = await start(other, "b", { ...limits, seeds: [a.name] }, CHILD);
      const c = await start(one, "c", { ...limits, seeds: [a.name] }, CHILD);
      await untilWhole(a, b, c);

      await a.ask("fill", { messages: 3000 });
      await a.ask("leak");
      await a.ask("deadlock", { name: "orders", other: "stock", node: b.name });
      await b.ask("deadlock", { name: "stock", other: "orders", node: a.name });
      await Promise.all([a.ask("tell", { name: "orders" }), b.ask("tell", { name: "stock" })]);
      await b.ask("loop", { times: 12 });

      await using node = await Node.start({
        cookie: COOKIE,
        seeds: [a.name],
        logLevel: "silent",
        joinTimeout: 1000,
      });
      await node.connect(b.name);

      // 1. Warnings show which node has which problem.
      await until("all warnings are reported", async () => {
        const both = await Promise.all([a, b].map(({ name }) => node.stats({ node: name })));
        const kinds = both.flatMap(({ warnings }) => Object.keys(warnings));
        return ["mailbox", "deadlock", "slowTurn"].every((kind) => kinds.includes(kind));
      });
      let text = await type(a.name, "stats a", "stats b");
      for (const kind of ["mailbox", "deadlock", "slowTurn"]) {
        assertStringIncludes(text, `${kind}:`);
      }

      // 2. The shell shows the full mailbox, and the activity of its actor.
      text = await type(a.name, "top mailbox 1", "info full");
      assertStringIncludes(text, "full");
      assertStringIncludes(text, "3000");
      // 3. The shell shows the timers that are never cancelled.
      await until("many timers are set", async () => {
        const [most] = await node.top({ node: a.name, by: "timers" });
        return most?.names.includes("reminders") ?? false;
      });
      assertStringIncludes(await type(a.name, "top timers 1"), "reminders");
      // 4. The log shows the deadlock: both actors, and what each waits for.
      text = await type(a.name, "log 100", "info orders", "use b", "log 100");
      const line = text.split("\n").find((each) => each.includes("deadlock: "));
      assert(line !== undefined, text);
      assertStringIncludes(line, "orders");
      assertStringIncludes(line, "stock");
      // 5. The log shows the busy loop: the actor that blocked the event loop.
      assertStringIncludes(text, "report blocked the event loop");

      // 6. A warning shows the slow connection: c is suspended, and messages for it are queued.
      c.signal("SIGSTOP");
      await a.ask("flood", { node: c.name });
      await until("the slow connection is reported", async () => {
        const { warnings } = await node.stats({ node: a.name });
        return (warnings["busyLink"] ?? 0) > 0;
      });
      assertStringIncludes(await type(a.name, "log 100"), `${c.name} reads slowly`);

      // The page shows the same problems.
      const server = await node.serve({ fetch: observer(node, { authorize: () => "read" }) });
      const page = `${server.url.replace("ws:", "http:")}observer/`;
      const get = async (path: string): Promise<string> =>
        await (await fetch(`${page}api/${path}`)).text();
      const nodes = JSON.parse(await get("cluster")).nodes as {
        node: string;
        warnings: Record<string, number>;
        sessions: { node: string; queued: number; roundTripMs?: number }[];
      }[];
      const seen = nodes.find((each) => each.node === a.name)!;
      for (const kind of ["mailbox", "deadlock", "busyLink"]) {
        assert(seen.warnings[kind]! > 0, kind);
      }
      const slow = seen.sessions.find((each) => each.node === c.name)!;
      assertEquals(slow.roundTripMs, undefined);
      assert(slow.queued > 500_000, `${slow.queued} bytes`);
      assertStringIncludes(await get(`top?by=timers&node=${a.name}`), "reminders");
      assertStringIncludes(await get(`top?by=mailbox&node=${a.name}`), "full");
      assertStringIncludes(await get(`recent?node=${b.name}`), "report blocked the event loop");
      if (whyNoBrowser === undefined) {
        await withBrowser(async (browser) => {
          const tab = await openPage(browser);
          await tab.goto(page);
          const main = tab.locator("#main");
          await main.getByText("deadlock").first().waitFor();
          await main.getByText("over 300 ms").first().waitFor();
          await tab.selectOption("#node", a.name);
          await tab.getByRole("link", { name: "Actors" }).click();
          await main.getByText("full").first().waitFor();
          await tab.getByRole("link", { name: "Log" }).click();
          await main.getByText("deadlock: ").first().waitFor();
        });
      }
      await server.stop();
      c.signal("SIGCONT");

      // Kills the actors, which their supervisor restarts.
      await type(a.name, "kill orders", "kill full");
      await until(
        "no actor waits",
        async () =>
          (await node.top({ node: a.name })).every(({ names }) => !names.includes("full")),
      );
    });
  });
}

for (const [runtime] of PAIRS) {
  test(`scripts/shell.ts (${runtime}) exits with the status of its commands`, async () => {
    await withNodes(async (start) => {
      const a = await start(runtime, "a", {}, CHILD);
      const file = fileURLToPath(new URL("../../scripts/shell.ts", import.meta.url));
      const args = runtime === "deno" ? ["run", "-A", "--no-check", file] : [file];
      const run = (...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
        new Promise((done) => {
          const env = { ...process.env, FIRN_COOKIE: COOKIE };
          execFile(
            runtime,
            [...args, ...words],
            { env },
            (error, stdout, stderr) => done({ code: Number(error?.code ?? 0), stdout, stderr }),
          );
        });
      const tree = await run(a.name, "--json", "tree");
      assertEquals([tree.code, JSON.parse(tree.stdout)[0].children[0].id], [0, "hits"]);
      assertEquals((await run(a.name, "info nothing")).code, 1);
      const unreachable = await run("none@127.0.0.1:9", "nodes");
      assertEquals(unreachable.code, 1);
      assertStringIncludes(unreachable.stderr, "shell: ");
    });
  });

  test(`the option recorderFile (${runtime}) writes the flight recorder at SIGUSR1 and after a crash`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "firn-recorder-"));
    const recorderFile = join(folder, "recorder.jsonl");
    const written = (): string =>
      existsSync(recorderFile) ? readFileSync(recorderFile, "utf8") : "";
    try {
      await withNodes(async (start) => {
        const a = await start(runtime, "a", { recorderFile, warnings: { mailbox: 100 } }, CHILD);
        await a.ask("fill", { messages: 200 });
        assertEquals(written(), "");
        process.kill(Number(a.received.find(({ event }) => event === "ready")!.pid), "SIGUSR1");
        await until("the recorder is written", () => written().includes("holds 100 messages"));
        rmSync(recorderFile);
        await a.ask("crash");
        await until(
          "the recorder is written again",
          () => written().includes("crash requested"),
        );
        for (const line of written().trim().split("\n")) assert(JSON.parse(line).time > 0);
        assert(!written().includes("a secret"), "contents of messages are not recorded");
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
