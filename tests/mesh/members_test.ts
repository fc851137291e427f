/**
 * Tests attacks by an authenticated member: exhausting the memory of a node, filling its sessions
 * and mailboxes, and actions that the option `authorize` forbids.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MailboxFullError } from "../../lib/actor/errors.ts";
import { type Call, type Node, NodeOptionError, type Pid, type Self } from "../../mod.ts";
import { concat } from "../../lib/base/bytes.ts";
import { encodeFrame } from "../../lib/mesh/frame.ts";
import { SESSIONS_PER_ADDRESS_MAX } from "../../lib/mesh/mesh.ts";
import { TAG } from "../../lib/mesh/message.ts";
import { type Holder, ReceiveBudget } from "../../lib/base/receive_budget.ts";
import type { NodeOptions } from "../../lib/node_options.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { joinAs, type Raw } from "./wire.ts";

function u32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

/** Begins a message of 16 MiB and sends this many bytes of it. */
function sendIncomplete(raw: Raw, bytes: number): void {
  raw.send(TAG.BULK, concat([u32(1), u32(16 * 1024 * 1024), new Uint8Array([0x10, 0, 0])]));
  const piece = encodeFrame(TAG.FRAGMENT, concat([u32(1), new Uint8Array(32 * 1024)]));
  for (let sent = 0; sent + 32 * 1024 <= bytes; sent += 32 * 1024) raw.write(piece);
}

test("Mesh ends the session that uses most memory when the incomplete messages of an address exceed the limit", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const raws: Raw[] = [];
    for (let i = 0; i < 20; i++) {
      raws.push(await joinAs(`invented${i}@127.0.0.1:1`, a.name, i + 1));
      sendIncomplete(raws[i]!, 15 * 1024 * 1024);
    }
    await until(
      "some sessions were ended",
      () => a.received.some((line) => line.endsWith("overload")),
    );
    await until(
      "all data has been read",
      () => raws.every((raw) => raw.isOver || raw.stream.unsent === 0),
    );
    const open = raws.filter((raw) => !raw.isOver).length;
    assert(open <= 9, `${open} sessions hold 15 MiB each`);
    for (const raw of raws) raw.stream.abort();
  });
});

test("ReceiveBudget ends the session that uses most memory when an address or the node exceeds its limit", () => {
  const budget = new ReceiveBudget(1600, 800);
  const ended: string[] = [];
  const make = (address: string): Holder => {
    const holder: Holder = {
      address,
      bytes: 0,
      end: () => {
        ended.push(address);
        budget.hold(holder, 0);
      },
    };
    return holder;
  };
  const [one, two, three] = [make("x"), make("x"), make("y")];
  budget.hold(one, 500);
  budget.hold(two, 300);
  assertEquals([budget.bytes, ended.length], [800, 0]);
  // The limit is exceeded by `two`, but `one` uses more memory, so `one` is ended.
  budget.hold(two, 301);
  assertEquals([budget.bytes, one.bytes, ended], [301, 0, ["x"]]);
  budget.hold(three, 800);
  budget.hold(one, 499);
  assertEquals([budget.bytes, ended], [1600, ["x"]]);
  const four = make("z");
  budget.hold(four, 1);
  assertEquals([budget.bytes, ended], [801, ["x", "y"]]);
  for (const holder of [one, two, four]) budget.hold(holder, 0);
  assertEquals(budget.bytes, 0);
});

test("Mesh rejects a session over the limit of an address until another session has ended", async () => {
  await withNodes(async (start) => {
    // The raw sessions answer no pings, so the timeout of pings is long.
    const a = await start("a", { logLevel: "silent", pingTimeout: 600_000 });
    const raws: Raw[] = [];
    for (let i = 0; i < SESSIONS_PER_ADDRESS_MAX; i++) {
      raws.push(await joinAs(`invented${i}@127.0.0.1:1`, a.name));
    }
    const error = await assertRejects(() => joinAs("late@127.0.0.1:1", a.name), Error);
    assert(error.message.includes('"limit"'), error.message);
    raws.pop()!.stream.abort();
    await until("a session has ended", () => a.mesh.peers().length < SESSIONS_PER_ADDRESS_MAX);
    raws.push(await joinAs("late@127.0.0.1:1", a.name));
    for (const raw of raws) raw.stream.abort();
  });
});

/** Runs `body` with two connected nodes. */
async function withTwo(
  options: NodeOptions,
  body: (a: Node, b: Node) => Promise<void>,
): Promise<void> {
  const common = { cookie: COOKIE, logLevel: "silent", joinTimeout: 0 } as const;
  await using a = await startCheaply({ ...common, name: "a@127.0.0.1:0", ...options });
  await using b = await startCheaply({ ...common, name: "b@127.0.0.1:0" });
  await b.connect(a.name);
  await body(a, b);
}

/** Returns a pid of `a` as `b` represents it. */
async function seenBy<M>(b: Node, a: Node, pid: Pid<M>): Promise<Pid<M>> {
  assertEquals(await a.global.register("seen", pid), true);
  await until("the name is known", () => b.global.whereis("seen") !== undefined);
  return b.global.whereis<Pid<M>>("seen")!;
}

test("remoteMailboxMax limits the messages of other nodes in a mailbox, but not local messages", async () => {
  await withTwo({ remoteMailboxMax: 10 }, async (a, b) => {
    let go!: () => void;
    const gate = new Promise<void>((open) => go = open);
    let count = 0;
    const busy = a.spawn(async (self: Self<unknown>) => {
      await gate;
      for await (const message of self) {
        if (message === "end") return;
        count++;
      }
    });
    const dropped: number[] = [];
    a.on("mailbox", (event) => void (event.dropped && dropped.push(event.length)));
    const there = await seenBy(b, a, busy);
    for (let i = 0; i < 15; i++) b.send(there, i);
    const asked = there as Pid<never> as Pid<Call<string, number>>;
    await assertRejects(() => b.call(asked, "how many?"), MailboxFullError);
    assertEquals(dropped, [10, 10, 10, 10, 10, 10]);
    a.send(busy, "here");
    a.send(busy, "end");
    go();
    await until("all messages are counted", () => count === 11);
  });
  await assertRejects(() => startCheaply({ remoteMailboxMax: 0 }), NodeOptionError);
});

test("NodeOptions.authorize decides on exit signals, links, spawns and names of other nodes", async () => {
  const asked: string[] = [];
  const allowed = new Set<string>();
  const authorize: NodeOptions["authorize"] = ({ node, action, target }) => {
    asked.push(`${node.split("@")[0]} ${action} ${typeof target === "string" ? target : "pid"}`);
    if (allowed.has("throw")) throw new Error("no policy");
    return allowed.has(action);
  };
  await withTwo({ authorize }, async (a, b) => {
    const echo = (_: Self<Call<string, string>>) => (call: Call<string, string>) =>
      call.reply(call.request);
    const here = a.spawn(echo);
    a.expose("echo", echo);
    const victim = await seenBy(b, a, here);

    b.exit(victim, "kill");
    assertEquals(await b.call(victim, "alive"), "alive");
    const ends: unknown[] = [];
    b.spawn(async (self: Self<unknown>) => {
      self.trapExit = true;
      self.link(victim as Pid<never>);
      ends.push((await self.receive() as { reason: unknown }).reason);
    });
    await until("the link is answered", () => ends.length > 0);
    assertEquals(ends, ["noproc"]);
    assertEquals(await b.call(victim, "alive"), "alive");
    const spawning = await assertRejects(() => b.spawn({ node: a.name, fn: "echo" }), Error);
    assertEquals((spawning as { code?: string }).code, "refused");
    const mine = b.spawn(echo);
    assertEquals(await b.global.register("mine", mine), false);
    assertEquals(a.global.whereis("mine"), undefined);
    // `authorize` is not called for the node's own requests.
    assertEquals(await a.global.register("own", here), true);
    assertEquals(asked, ["b exit pid", "b link pid", "b spawn echo", "b register mine"]);

    allowed.add("throw");
    b.exit(victim, "kill");
    assertEquals(await b.call(victim, "alive"), "alive");
    allowed.clear();
    for (const action of ["exit", "spawn", "register"]) allowed.add(action);
    const spawned = await b.spawn<Call<string, string>>({ node: a.name, fn: "echo" });
    assertEquals(await b.call(spawned, "hello"), "hello");
    assertEquals(await b.global.register("mine", mine), true);
    b.exit(victim, "kill");
    await assertRejects(() => b.call(victim, "alive"));
  });
  await assertRejects(() => startCheaply({ authorize: true as never }), NodeOptionError);
});

test("NodeOptions.authorize also decides on names that were registered before the session", async () => {
  const authorize: NodeOptions["authorize"] = ({ target }) => target !== "secret";
  const common = { cookie: COOKIE, logLevel: "silent", joinTimeout: 0 } as const;
  await using a = await startCheaply({ ...common, name: "a@127.0.0.1:0", authorize });
  await using b = await startCheaply({ ...common, name: "b@127.0.0.1:0" });
  const pid = b.spawn(() => () => {});
  assertEquals(await b.global.register("secret", pid), true);
  assertEquals(await b.global.register("open", pid), true);
  await b.connect(a.name);
  await until("the other name is known", () => a.global.whereis("open") !== undefined);
  assertEquals(a.global.whereis("secret"), undefined);
});
