/**
 * Tests the differences from OTP that `lib/otp/README.md` lists. Each of them has a test here, and
 * each tested difference is listed.
 */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { Call } from "../../lib/actor/call.ts";
import { NoConnectionError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Node } from "../../lib/node.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { startCheaply } from "../kit/keys.ts";
import { cluster, type TestNode, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { CRASH, Family } from "./family.ts";

const PAGE = readFileSync(new URL("../../lib/otp/README.md", import.meta.url), "utf8");

/** Declares the test of a difference, and asserts that the page lists it. */
function difference(name: string, body: () => Promise<void>): void {
  test(`Firn differs from OTP as lib/otp/README.md states: ${name}`, async () => {
    assert(PAGE.includes(`| ${name} `), `lib/otp/README.md does not list it: ${name}`);
    await body();
  });
}

/** Runs `body` with two connected nodes, and stops them. */
async function withTwo(body: (a: Node, b: Node) => Promise<void>): Promise<void> {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    await body(Node.of(a), Node.of(b));
  });
}

const quiet = (_self: Self<unknown>) => (_message: unknown): void => {};

difference("A negative timeout expires at once", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const pid = node.spawn(quiet);
  await assertRejects(() => node.call(pid as never, 1, { timeout: -1 }), Error, "no answer");
  const got = new Promise((came) => {
    const receiver = node.spawn(async (self: Self<string>) => {
      assertEquals(await self.receive({ match: () => false, timeout: -5 }), undefined);
      came(await self.receive());
    });
    node.sendAfter(receiver, "now", -1);
  });
  assertEquals(await got, "now");
});

difference("`whichChildren` lists children in the order of their start", async () => {
  const family = new Family();
  const children = ["a", "b", "c"].map((id) => family.child(id));
  const tree = await family.supervise({ children });
  const found = await family.run(tree.whichChildren());
  assertEquals(found.map(({ id }) => id), ["a", "b", "c"]);
});

difference("Stopping an actor that has exited resolves", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const idle = service<{ state: number }>({ init: () => 0 });
  const pid = await idle.start(node);
  const tree = await Supervisor.start(node, {});
  for (let i = 0; i < 2; i++) {
    await idle.stop(pid);
    await tree.stop();
  }
});

difference("Stopping an unreachable actor rejects", async () => {
  await withTwo(async (a, b) => {
    const idle = service<{ state: number }>({ name: "idle", init: () => 0 });
    b.expose(idle);
    await until("a knows the service", () => a.exposed(b.name).includes("idle"));
    const pid = await idle.startAt(a, { node: b.name, fn: "idle" });
    await a.disconnect(b.name);
    await assertRejects(() => idle.stop(pid), NoConnectionError);
  });
});

difference("A global name is removed with the node that registered it", async () => {
  await withTwo(async (a, b) => {
    b.expose("quiet", quiet);
    await until("a knows the function", () => a.exposed(b.name).includes("quiet"));
    const pid = await a.spawn({ node: b.name, fn: "quiet" });
    assertEquals(await a.global.register("it", pid), true);
    await until("b knows the name", () => b.global.whereis("it") !== undefined);
    await a.stop();
    await until("the name is removed", () => b.global.whereis("it") === undefined);
    assertEquals(b.actors().some((actor) => actor.id === pid.id), true, "the actor is still alive");
  });
});

difference("Sending a message does not connect to a node", async () => {
  await withTwo(async (a, b) => {
    await a.disconnect(b.name);
    const there = { name: "it", node: b.name };
    a.send(there, "hello");
    await assertRejects(() => a.call(there, "hello"), NoConnectionError);
    assertEquals(a.peers(), []);
  });
});

difference("`intensity` is 3 by default", async () => {
  const family = new Family();
  const tree = await family.supervise({ children: [family.child("a")] });
  for (let i = 0; i < 3; i++) await family.end("a", CRASH);
  assertEquals(family.system.isAlive(tree.pid), true);
  await family.end("a", CRASH);
  assertEquals(family.system.isAlive(tree.pid), false);
});

difference("`terminate` is called without trapping exits first", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const reasons: unknown[] = [];
  const kind = service<{ state: number }>({
    init: () => 0,
    terminate: (_state, reason) => void reasons.push(reason),
  });
  const tree = await Supervisor.start(node, {
    children: [{ id: "it", start: (self) => kind.start(self) }],
  });
  await tree.stop();
  assertEquals(reasons, ["shutdown"]);
});

difference("`node.stop()` is bounded in time", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const stuck = async (self: Self): Promise<void> => {
    self.trapExit = true;
    await new Promise(() => {});
  };
  await Supervisor.start(node, {
    children: [{ id: "it", shutdown: Infinity, start: (self) => self.spawnLink(stuck) }],
  });
  await node.stop({ timeout: 50 });
  assertEquals(node.actors(), []);
});

difference("A child may have its own restart limit", async () => {
  const family = new Family();
  const tree = await family.supervise({
    children: [family.child("a", { restartLimit: { intensity: 0 } }), family.child("b")],
  });
  await family.end("a", CRASH);
  assertEquals([family.runs("a"), family.runs("b")], [false, true]);
  assertEquals(family.system.isAlive(tree.pid), true);
});

difference("Inside a node messages are passed by reference", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const message = { a: 1 };
  const got = new Promise((came) => node.send(node.spawn(() => came as never), message));
  assertStrictEquals(await got, message);
});

difference("A failed call that nothing awaits ends its caller", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const ended = new Promise((end) => node.on("exit", ({ reason }) => end(reason)));
  node.spawn(async (self: Self) => {
    self.call("nobody", 1);
    await self.receive();
  });
  assertEquals((await ended as Error).name, "NoProcError");
});

difference("The code of a dead actor runs until it waits", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  let [thrown, uses] = [0, 0];
  const pid = node.spawn(async (self: Self) => {
    await self.receive().catch(() => {});
    for (; uses < 150; uses++) {
      try {
        self.send(self.pid, uses as never);
      } catch {
        thrown++;
      }
    }
    await self.receive().finally(() => uses = -1);
  });
  await until("the actor runs", () => node.actors().length === 1);
  node.exit(pid, "kill");
  await until("the actor has used self 150 times", () => uses === 150);
  assertEquals(thrown, 100);
  await new Promise((turn) => setTimeout(turn, 5));
  assertEquals(uses, 150, "the last receive is pending");
});

difference("A handler that returns no promise may call itself", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const got = new Promise((came) => {
    const pid = node.spawn((self: Self<unknown>) => (message) => {
      if (message instanceof Call) message.reply("itself");
      else self.call(self.pid as never, "who").then(came, came);
    });
    node.send(pid, "go");
  });
  assertEquals(await got, "itself");
});

difference("Sending after the node has stopped throws nothing", async () => {
  const lines: string[] = [];
  const node = await startCheaply({ log: ({ line }) => void lines.push(line) });
  const pid = node.spawn(quiet);
  await node.stop();
  node.send(pid, "late");
  node.send("nobody", "late");
  assert(lines.some((line) => line.includes("stopped")), lines.join("\n"));
});

test("lib/otp/README.md lists only differences from OTP that have a test", () => {
  const source = readFileSync(new URL(import.meta.url), "utf8");
  const rows = [...PAGE.matchAll(/^\| ([^|]+?) +\|/gm)].map(([, first]) => first!);
  const listed = rows.filter((row) => row !== "difference" && !/^-+$/.test(row));
  assert(listed.length >= 12, `${listed.length}`);
  for (const row of listed) assert(source.includes(`difference(${JSON.stringify(row)}`), row);
});
