/** Tests that each method of `Node` has its documented effect. */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { ArgumentError, NameError } from "../../lib/actor/errors.ts";
import {
  type ActorExitError,
  type Call,
  CallExitError,
  CallTimeoutError,
  ListenError,
  Node,
  NodeStoppedError,
  NoProcError,
  type Pid,
  type Self,
  Supervisor,
  task,
} from "../../mod.ts";
import { Client } from "../kit/socket.ts";
import { startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

const start = (): Promise<Node> =>
  startCheaply({ cookie: "only for this test", logLevel: "silent" });

test("Node spawns actors, sends to them, calls them and ends them", async () => {
  await using node = await start();
  const echo = node.spawn((_self: Self<Call<string, string>>, mark: string) => (call) => {
    call.reply(call.request + mark);
  }, "!");
  const waiting = node.spawn(async (self) => {
    for await (const _ of self);
  });
  assertEquals(node.actors(), [echo, waiting]);
  assertEquals([String(echo), echo.node], ["<0.1>", node.name]);
  assertEquals(await node.call(echo, "hello"), "hello!");
  node.exit(waiting, "normal");
  assertEquals(node.isAlive(waiting), true);
  node.exit(waiting, "over");
  assertEquals([node.isAlive(waiting), node.actors()], [false, [echo]]);
  node.exit(echo, "kill");
  await assertRejects(() => node.call(echo, "hello"), NoProcError);
});

test("Node rejects a call with a specific error for each cause", async () => {
  await using node = await start();
  const mute = node.spawn((_self: Self<Call<string, string>>) => () => {});
  const mortal = node.spawn((_self: Self<Call<string, string>>) => () => {
    throw new Error("no");
  });
  const late = await assertRejects(() => node.call(mute, "?", { timeout: 5 }), CallTimeoutError);
  const dead = await assertRejects(() => node.call(mortal, "?"), CallExitError);
  const none = await assertRejects(() => node.call("nobody", "?"), NoProcError);
  assertEquals([late.code, dead.code, none.code], ["timeout", "exit", "noproc"]);
  assertEquals((dead.reason as Error).message, "no");
  const gone = await assertRejects(
    () => node.call(mute, "?", { signal: AbortSignal.abort(new Error("given up")) }),
    Error,
  );
  assertEquals(gone.message, "given up");
});

test("Node registers, finds and lists actors by name", async () => {
  await using node = await start();
  const got: unknown[] = [];
  const keep = (_self: Self<number>) => (message: number) => void got.push(message);
  const one = node.spawnWith({ name: "one" }, keep);
  const two = node.spawn(keep);
  node.register("two", two);
  assertEquals([node.whereis("one"), node.whereis("two"), node.whereis("three")], [
    one,
    two,
    undefined,
  ]);
  assertEquals(node.registered(), ["one", "two"]);
  assertEquals(assertThrows(() => node.register("one", two), NameError).holder, one);
  assertThrows(() => node.spawnWith({ name: "one" }, keep), NameError);
  node.send("one", 1);
  node.send("two", 2);
  assertEquals([node.unregister("two"), node.unregister("two")], [true, false]);
  const letters: unknown[] = [];
  const stop = node.on("deadletter", ({ to, message }) => void letters.push([to, message]));
  node.send("two", 3);
  stop();
  node.send("two", 4);
  await until("both messages have arrived", () => got.length === 2);
  assertEquals([got, letters], [[1, 2], [["two", 3]]]);
});

test("Node.cancelTimer stops messages of sendAfter and sendInterval", async () => {
  await using node = await start();
  const got: string[] = [];
  const pid = node.spawn((_self: Self<string>) => (message) => void got.push(message));
  const often = node.sendInterval(pid, "often", 1);
  node.sendAfter(pid, "once", 1);
  const never = node.sendAfter(pid, "never", 60_000);
  const left = node.cancelTimer(never);
  assert(typeof left === "number" && left > 50_000 && left <= 60_000, `${left}`);
  await until(
    "the messages have arrived",
    () => got.includes("once") && got.filter((m) => m === "often").length > 3,
  );
  assert(node.cancelTimer(often) !== false);
  assertEquals([node.cancelTimer(often), node.cancelTimer(never)], [false, false]);
  assertEquals(got.filter((message) => message !== "often"), ["once"]);
});

test("Node emits the events spawn, mailbox, crash and exit of an actor in order", async () => {
  await using node = await start();
  const received: string[] = [];
  for (const name of ["spawn", "exit", "crash", "mailbox"] as const) {
    node.on(name, (event: { pid: Pid }) => void received.push(`${name} ${event.pid}`));
  }
  const pid = node.spawnWith({ mailbox: { max: 1, policy: "dropNewest" } }, () => (message) => {
    if (message === "crash") throw new Error("no");
  });
  node.send<unknown>(pid, "crash");
  node.send<unknown>(pid, "dropped");
  await until("the actor has exited", () => !node.isAlive(pid));
  assertEquals(received, ["spawn <0.1>", "mailbox <0.1>", "crash <0.1>", "exit <0.1>"]);
});

test("two nodes in one process have separate actors, names and actor numbers", async () => {
  await using a = await start();
  await using b = await start();
  const one = a.spawnWith({ name: "it" }, () => () => {});
  const two = b.spawnWith({ name: "it" }, () => () => {});
  assertEquals([a.actors(), b.actors(), String(one) === String(two)], [[one], [two], true]);
  assertEquals([one.equals(two), one.key === two.key], [false, false]);
  assertThrows(() => b.register("there", one), NoProcError);
  await a.stop();
  assertEquals([a.actors(), b.whereis("it")], [[], two]);
});

test("Node.stop ends all actors, and the stopped node rejects spawns", async () => {
  const node = await start();
  const seen: unknown[] = [];
  node.spawn(async (self) => {
    self.trapExit = true;
    for (;;) {
      try {
        await self.receive({ timeout: 1 });
      } catch (error) {
        seen.push((error as ActorExitError).reason);
        throw error;
      }
    }
  });
  await until("the actor runs", () => node.actors().length === 1);
  await node.stop();
  await node.stop();
  const late = assertThrows(() => node.spawn(() => () => {}), NodeStoppedError);
  assertEquals([node.actors(), late.code], [[], "stopped"]);
  await until("the actor has received the exit reason", () => seen.length > 0);
  assertEquals(seen, ["shutdown"]);
});

test("Node.serve assigns pids to its connections, to which any actor can send", async () => {
  const node = await Node.start({ logLevel: "silent" });
  try {
    let pid: Pid<string> | undefined;
    const server = await node.serve({
      port: 0,
      open: (conn) => void (pid = conn.pid as Pid<string>),
      info: (conn, message) => void conn.send(String(message)),
    });
    const client = await Client.open(server.url);
    await until("the connection is open", () => pid !== undefined);
    node.send(pid!, "from an actor");
    await until(
      "the client has received the message",
      () => client.observed.includes("from an actor"),
    );
    await client.close();
    await until("the connection's actor has exited", () => !node.isAlive(pid!));
  } finally {
    await node.stop();
  }
});

test("Node methods throw an error that states the problem for arguments of wrong types", async () => {
  // deno-lint-ignore no-explicit-any -- passes arguments of wrong types
  const node: any = await start();
  const rows: readonly (readonly [() => unknown, string])[] = [
    [() => node.spawn(5), "cannot spawn 5: pass a function, or { node, fn }"],
    [() => node.spawn(), "cannot spawn undefined: pass a function"],
    [() => node.spawn({ node: node.name }), "pass a function, or { node, fn }"],
    [
      () => node.send(undefined, 1),
      "undefined is not an actor: pass a pid, a name, or { name, node }",
    ],
    [() => node.send({ name: "x" }, 1), "is not an actor"],
    [() => node.call(null, 1), "null is not an actor"],
    [() => node.global.register("x", 5), "5 is not a pid"],
    [() => node.exit("x", "kill"), "x is not a pid"],
    [() => node.on("nodedwn", () => {}), 'there is no event "nodedwn": did you mean nodedown?'],
  ];
  for (const [attempt, words] of rows) {
    assertEquals(assertThrows(attempt, ArgumentError, words).code, "badarg");
  }
  await node.stop();
});

test("Node.serve rejects on a stopped node", async () => {
  const node = await start();
  await node.stop();
  const error = await assertRejects(() => node.serve(), ListenError, "has been stopped");
  assertEquals(error.code, "stopped");
});

test("Node logs the error of a listener that throws or rejects, and calls the other listeners", async () => {
  const lines: string[] = [];
  await using node = await Node.start({
    cookie: "a cookie for tests",
    log: ({ level, line }) => {
      if (level === "error") lines.push(line);
      throw new Error("of the sink");
    },
  });
  const observed: string[] = [];
  node.on("exit", () => {
    throw new Error("of a listener");
  });
  // deno-lint-ignore require-await
  node.on("exit", async () => {
    throw new Error("of an async listener");
  });
  node.on("exit", () => observed.push("once"), { once: true });
  node.on("exit", () => observed.push("always"));
  for (let i = 0; i < 2; i++) node.spawn(() => {});
  await until("the listeners have observed both exits", () => observed.length === 3);
  await until("all errors are logged", () => lines.length === 4);
  assertEquals(observed, ["once", "always", "always"]);
  assertMatch(lines[0]!, /a listener of "exit" failed: Error: of a listener\n/);
  assert(lines.some((line) => line.includes('"exit" failed: Error: of an async listener')));
});

test("Node methods throw or log NodeStoppedError on a stopped node", async () => {
  const lines: string[] = [];
  const node = await Node.start({ log: ({ line }) => void lines.push(line) });
  const pid = node.spawn(() => () => {});
  const lost: unknown[] = [];
  node.on("deadletter", ({ message }) => lost.push(message));
  await node.stop();
  const child = { id: "late", start: (self: Self) => self.spawnLink(() => {}) };
  const refused: Readonly<Record<string, () => Promise<unknown>>> = {
    register: () => node.global.register("late", pid),
    reregister: () => node.global.reregister("late", pid),
    waitFor: () => node.global.waitFor("late"),
    singleton: () => node.global.singleton("late", child),
    call: () => node.call("late", 1),
    task: () => task.await(task.async(node, () => 1)),
    supervisor: () => Supervisor.start(node, { children: [child] }),
  };
  for (const [what, attempt] of Object.entries(refused)) {
    await assertRejects(attempt, NodeStoppedError, "has been stopped", what);
  }
  assertThrows(() => node.spawn(() => {}), NodeStoppedError, "has been stopped");
  node.send(pid, "sent");
  assertEquals(node.cancelTimer(node.sendAfter(pid, "later", 5)), false);
  node.sendInterval(pid, "again", 5);
  assertEquals(lost, ["sent", "later", "again"]);
  assertEquals(lines.filter((line) => line.includes("has been stopped")).length, 3);
});
