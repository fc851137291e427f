/** Tests warnings before failures, deadlocks, and the flight recorder. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { LogEntry } from "../../lib/base/log.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Node } from "../../lib/node.ts";
import type { Warning, WarningKind } from "../../lib/observe/warning.ts";
import { type Service, service } from "../../lib/otp/service.ts";
import type { ServiceTarget } from "../../lib/otp/service_name.ts";
import type { NodeOptions } from "../../lib/node_options.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

type Asker = { state: number; call: { ask(other: unknown): number; get(): number } };

/** A service that calls another one in a call handler. */
const asker: Service<Asker> = service<Asker>({
  name: "asker",
  init: () => 0,
  call: {
    async ask(n, other): Promise<[number, number]> {
      return [await asker.call(other as ServiceTarget<Asker>, { timeout: 60_000 }).get(), n];
    },
    get: (n) => [n, n],
  },
});

async function withWarnings(
  options: NodeOptions,
  body: (node: Node, warnings: Warning[], entries: LogEntry[]) => Promise<void>,
): Promise<void> {
  const entries: LogEntry[] = [];
  const node = await startCheaply({
    cookie: COOKIE,
    log: (entry) => void entries.push(entry),
    ...options,
  });
  const warnings: Warning[] = [];
  node.on("warning", (warning) => void warnings.push(warning));
  try {
    await body(node, warnings, entries);
  } finally {
    await node.stop({ timeout: 500 });
  }
}

function has(warnings: readonly Warning[], kind: WarningKind): Warning | undefined {
  return warnings.find((warning) => warning.kind === kind);
}

function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

test("the mailbox warning is emitted as an event and as a log entry with the actor's activity", async () => {
  await withWarnings({ warnings: { mailbox: 100 } }, async (node, warnings, entries) => {
    const pid = node.spawnWith({ name: "stuck" }, async (self: Self<number>) => {
      await self.receive({ match: (n) => n < 0 });
    });
    for (let n = 0; n < 101; n++) node.send(pid, n);
    const { kind, pids, size, activity, message } = warnings[0]!;
    assertEquals([kind, pids, size], ["mailbox", [pid], 100]);
    assertEquals(activity!.names, ["stuck"]);
    assertStringIncludes(message, "stuck holds 100 messages");
    const entry = entries.find(({ event }) => event === "warning")!;
    assertEquals([entry.level, entry.data], ["warn", warnings[0]]);
    assertEquals(entry.line, `${node.name}: ${message}`);
    for (let n = 0; n < 800; n++) node.send(pid, n);
    assertEquals(warnings.length, 1);
    for (let n = 0; n < 200; n++) node.send(pid, n);
    assertEquals(warnings.map(({ size }) => size), [100, 1000]);
    assertEquals((await node.stats()).warnings, { mailbox: 2 });
  });
});

test("the slowTurn warning names a handler that repeatedly blocks the event loop", async () => {
  await withWarnings({ warnings: { eventLoopDelay: 100 } }, async (node, warnings) => {
    const pid = node.spawnWith({ name: "busy" }, () => (_: { type: string }) => block(400));
    await until("the actor is named", () => {
      if (node.isAlive(pid)) node.send(pid, { type: "work" });
      return has(warnings, "slowTurn") !== undefined;
    });
    const delay = has(warnings, "eventLoopDelay")!;
    assert(delay.ms! >= 100);
    const { pids, ms, message } = has(warnings, "slowTurn")!;
    assertEquals(pids, [pid as Pid]);
    assert(ms! >= 390);
    assertStringIncludes(message, "busy blocked the event loop");
    assertStringIncludes(message, "while it handled work");
    assert((await node.stats()).eventLoop.max >= 100);
    await node.sys.exit(pid);
  });
});

test("the slowTurn warning with a limit of its own names a handler at its first block", async () => {
  await withWarnings({ warnings: { slowTurn: 50 } }, async (node, warnings) => {
    const pid = node.spawn(() => (_: string) => block(60));
    node.send(pid, "once");
    await until("the actor is named", () => warnings.length > 0);
    const { kind, pids } = warnings[0]!;
    assertEquals([kind, pids], ["slowTurn", [pid as Pid]]);
  });
});

test("the longCall warning has the activity of the callee", async () => {
  await withWarnings({ warnings: { longCall: 200 } }, async (node, warnings) => {
    const callee = node.spawnWith({ name: "slow" }, async (self: Self<unknown>) => {
      await self.receive();
      await new Promise((never) => self.signal.addEventListener("abort", never));
    });
    const caller = node.spawn(async (self: Self<string>) => {
      await self.receive();
      await self.call(callee as never, { $call: "get", args: [] });
    });
    node.send(caller, "go");
    await until("the long call is reported", () => warnings.length > 0);
    const { kind, pids, activity, message } = warnings[0]!;
    assertEquals([kind, pids], ["longCall", [caller, callee as Pid]]);
    assertEquals([activity!.names, activity!.current!.message], [["slow"], "call get"]);
    assertStringIncludes(message, "slow: it has been handling call get");
  });
});

test("the deadlock warning names two services that call each other", async () => {
  await withWarnings({ warnings: { longCall: 200 } }, async (node, warnings) => {
    const [a, b] = [await asker.startAs("a", node), await asker.startAs("b", node)];
    asker.call(a).ask(b).catch(() => {});
    asker.call(b).ask(a).catch(() => {});
    await until("the deadlock is reported", () => has(warnings, "deadlock") !== undefined);
    const { pids, message } = has(warnings, "deadlock")!;
    assertEquals(new Set(pids), new Set<Pid>([a as never, b as never]));
    assertStringIncludes(message, "waits for call get of");
    await node.sys.exit(a);
    // The caller crashes too, because it does not handle the failed call.
    await until("an actor of the deadlock has exited", () => !node.isAlive(b as Pid<never>));
    assertEquals(warnings.filter(({ kind }) => kind === "deadlock").length, 1);
  });
});

test("the deadlock warning is not emitted for an actor that waits for a busy service", async () => {
  await withWarnings({ warnings: { longCall: 200 } }, async (node, warnings) => {
    const slow = await service<{ state: number; call: { get(): number } }>({
      init: () => 0,
      call: { get: () => new Promise(() => {}) },
    }).start(node);
    const a = await asker.startAs("a", node);
    asker.call(a).ask(slow).catch(() => {});
    await until("the long call is reported", () => has(warnings, "longCall") !== undefined);
    await new Promise((later) => setTimeout(later, 100));
    assertEquals(has(warnings, "deadlock"), undefined);
  });
});

test("the deadlock warning names actors that wait for each other before their first message", async () => {
  await withNodes(async (start) => {
    const warnings: Warning[] = [];
    const parts = await start("a", { warnings: { longCall: 200 } });
    parts.events.on("warning", (warning) => void warnings.push(warning));
    const node = Node.of(parts);
    const body = async (self: Self<unknown>, other: string, timeout: number): Promise<void> => {
      await self.call(other, "wait", { timeout });
    };
    node.spawnWith({ name: "x" }, body, "y", 60_000);
    // The age of a call without a timeout is unknown, but the deadlock is reported.
    node.spawnWith({ name: "y" }, body, "x", Infinity);
    await until("the deadlock is reported", () => has(warnings, "deadlock") !== undefined);
    assertEquals(has(warnings, "deadlock")!.pids.length, 2);
  });
});

test("the deadlock warning names actors of two nodes that wait for each other", async () => {
  for (const byName of [false, true]) {
    await withNodes(async (start) => {
      const warnings: Warning[] = [];
      const limits = { warnings: { longCall: 200 } };
      const one = await start("a", limits);
      const other = await start("b", { ...limits, seeds: [one.name] });
      await until("the nodes are connected", () => other.mesh.session(one.name) !== undefined);
      for (const { events } of [one, other]) {
        events.on("warning", (warning) => void warnings.push(warning));
      }
      const [nodeA, nodeB] = [Node.of(one), Node.of(other)];
      const a = await asker.startAs("a", nodeA);
      const b = await asker.startAs("b", nodeB);
      const far = byName
        ? { a: { $name: "a" }, b: { $name: "b" } }
        : { a: await pidAt(nodeB, nodeA, "a"), b: await pidAt(nodeA, nodeB, "b") };
      if (byName) {
        // Each call is in a separate loop, because a name of another node cannot be sent.
        for (const [node, name, peer] of [[nodeA, "x", nodeB], [nodeB, "y", nodeA]] as const) {
          node.spawnWith({ name }, async (self: Self<unknown>) => {
            await self.receive();
            const to = { name: name === "x" ? "y" : "x", node: peer.name };
            await self.call(to, { $call: "ask", args: [] }, { timeout: 60_000 });
          });
        }
        nodeA.send("x", "go");
        nodeB.send("y", "go");
      } else {
        asker.call(a).ask(far.b).catch(() => {});
        asker.call(b).ask(far.a).catch(() => {});
      }
      await until("the deadlock is reported", () => has(warnings, "deadlock") !== undefined);
      const { pids } = has(warnings, "deadlock")!;
      assertEquals(pids.map(({ node }) => node).sort(), [one.name, other.name].sort());
    });
  }
});

async function pidAt(asks: Node, owner: Node, name: string): Promise<unknown> {
  return await asks.call({ name, node: owner.name }, { $state: "pid" });
}

test("the memory warning is emitted once when memory exceeds its limit", async () => {
  await withWarnings({ warnings: { memory: 0.000001 } }, async (_node, warnings) => {
    await until("the memory is reported", () => has(warnings, "memory") !== undefined);
    assert(has(warnings, "memory")!.size! > 0);
    assertEquals(warnings.length, 1);
  });
});

test("the option warnings rejects invalid limits", async () => {
  for (const warnings of [{ mailbox: 0 }, { longCall: -1 }, { slow: 5 }]) {
    await assertRejects(
      () => startCheaply({ cookie: COOKIE, logLevel: "silent", warnings: warnings as never }),
      TypeError,
    );
  }
});

test("sys.recent returns log entries, events and samples of messages without their contents", async () => {
  await withWarnings({ logLevel: "silent" }, async (node) => {
    const crasher = node.spawn(() => () => {
      throw new Error("crash requested");
    });
    node.send(crasher, { type: "boom", secret: "do not show" });
    const busy = node.spawn(() => (_: { type: string; secret: string }) => {});
    await until("a message was sampled", async () => {
      for (let n = 0; n < 500; n++) node.send(busy, { type: "tick", secret: "do not show" });
      await new Promise((later) => setTimeout(later, 6));
      return (await node.sys.recent()).some(({ event }) => event === "message");
    });
    const recent = await node.sys.recent();
    const sample = recent.find(({ event }) => event === "message")!;
    assertEquals([sample.message, sample.pid], ["tick", busy as Pid]);
    const crash = recent.find(({ event }) => event === "crash")!;
    assertEquals([crash.level, crash.pid], ["error", crasher as Pid]);
    assertStringIncludes(crash.message, "crash requested");
    const { number } = recent.at(-1)!;
    assertEquals((await node.sys.recent({ since: number + 1 })).length, 0);
    assertEquals((await node.sys.recent({ since: number }))[0]!.number, number);
    for (let n = 0; n < 3000; n++) node.whereis("x");
    assert((await node.sys.recent()).length <= 1000);
  });
});
