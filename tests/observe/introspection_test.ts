/** Tests the observation of actors of this node, and of another node that permits it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Call as CallOf } from "../../lib/actor/call.ts";
import type { Call } from "../../lib/actor/call.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Node } from "../../lib/node.ts";
import { ObserveError } from "../../lib/observe/error.ts";
import { QuestionActor } from "../../lib/observe/question_actor.ts";
import { service } from "../../lib/otp/service.ts";
import { UnknownCallError } from "../../lib/otp/unknown_call.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { COOKIE, startCheaply, testKeys } from "../kit/keys.ts";
import { withNodes } from "../kit/mesh.ts";
import { ManualSystem } from "../kit/system.ts";
import { test, until } from "../kit/test.ts";

const counter = service<{
  state: { sum: number };
  start: [first: number];
  call: { get(): number; slow(ms: number): number };
  cast: { add(n: number): void };
}>({
  name: "counter",
  init: (sum) => ({ sum }),
  call: {
    get: (state) => [state.sum, state],
    slow: (state, ms) => new Promise((done) => setTimeout(() => done([state.sum, state]), ms)),
  },
  cast: { add: ({ sum }, n) => ({ sum: sum + n }) },
});

/** Runs `body` with a node. */
async function withNode(body: (node: Node) => Promise<void>): Promise<void> {
  const node = await startCheaply({ cookie: COOKIE, logLevel: "silent" });
  try {
    await body(node);
  } finally {
    await node.stop();
  }
}

/** Runs `body` with two connected nodes of one process. */
async function withPair(
  observe: "none" | "read" | "control",
  body: (a: Node, b: Node) => Promise<void>,
): Promise<void> {
  await testKeys();
  await withNodes(async (start) => {
    const a = await start("a", { observe });
    const b = await start("b", { seeds: [a.name] });
    await until("the nodes are connected", () => b.mesh.session(a.name) !== undefined);
    await body(Node.of(a), Node.of(b));
  });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, ObserveError)).code;
}

test("node.info describes an actor's names, function, supervisor, links, monitors and timers", async () => {
  await withNode(async (node) => {
    const tree = await Supervisor.start(node, {
      children: [{ id: "hits", start: (self) => counter.startAs("hits", self, 1) }],
    });
    const pid = node.whereis("hits")!;
    node.groups.join("counters", pid);
    await node.global.register("all hits", pid);
    node.sendAfter(pid as unknown as Pid<unknown>, "later", 60_000);
    const watcher = node.spawn(async (self: Self<unknown>) => {
      self.monitor(pid);
      await self.receive();
    });
    counter.cast(pid as never).add(2);
    await until(
      "the actor is monitored",
      async () => (await node.info(pid)).monitoredBy.length === 1,
    );
    const info = await node.info(pid);
    assertEquals(info.names, ["hits"]);
    assertEquals(info.globalNames, ["all hits"]);
    assertEquals(info.groups, ["counters"]);
    assertEquals(info.body, "counter");
    assertEquals([info.supervisor, info.child], [tree.pid as Pid, "hits"]);
    assertEquals(info.ancestors[0], tree.pid as Pid);
    assertEquals(info.links, [tree.pid as Pid]);
    assertEquals(info.monitoredBy, [watcher as Pid]);
    assertEquals((await node.info(watcher)).monitors, [pid]);
    assertEquals([info.timers, info.mailbox, info.status], [1, 0, "waiting"]);
    assertEquals(info.handled >= 1, true);
  });
});

test("node.info shows the message that an actor handles, and the call that the actor waits for", async () => {
  await withNode(async (node) => {
    const slow = await counter.start(node, 1);
    const caller = node.spawn(async (self: Self<string>) => {
      for await (const message of self) {
        if (message === "go") await self.call(slow as never, { $call: "slow", args: [300] });
      }
    });
    node.send(caller, "go");
    node.send(caller, "next");
    await until("the caller waits", async () => (await node.info(caller)).calls.length === 1);
    const info = await node.info(caller);
    assertEquals(info.status, "awaiting");
    assertEquals(info.current?.message, "string");
    const [call] = info.calls;
    assertEquals([call?.to, call?.request], [slow as unknown as Pid, "call slow"]);
    assert(call!.ms! >= 0);
    const callee = await node.info(slow);
    assertEquals([callee.current?.message, callee.callers], ["call slow", 1]);
    assertEquals(info.next, ["string"]);
    await until("the call is answered", async () => (await node.info(caller)).status === "waiting");
    assertEquals((await node.info(caller)).calls, []);
  });
});

test("node.info rejects with noproc for an actor that has exited", async () => {
  await withNode(async (node) => {
    const pid = node.spawn(() => {});
    await until("the actor has exited", () => !node.isAlive(pid));
    assertEquals(await codeOf(node.info(pid)), "noproc");
  });
});

test("node.top sorts actors by mailbox, timers, rate or handler time", async () => {
  await withNode(async (node) => {
    const stuck = node.spawnWith({ name: "stuck" }, async (self: Self<number>) => {
      await self.receive({ match: (n) => n < 0 });
    });
    for (let n = 0; n < 500; n++) node.send(stuck, n);
    const busy = node.spawn(() => (_: string) => {
      for (const end = performance.now() + 5; performance.now() < end;);
    });
    const chatty = node.spawn(() => (_: string) => {});
    for (let n = 0; n < 20; n++) node.sendAfter(chatty, "later", 60_000);
    const timer = setInterval(() => {
      node.send(busy, "work");
      for (let n = 0; n < 100; n++) node.send(chatty, "hello");
    }, 20);
    try {
      const [most] = await node.top();
      assertEquals([most!.names, most!.mailbox, most!.value], [["stuck"], 500, 500]);
      const [timed] = await node.top({ by: "timers" });
      assertEquals([timed!.pid, timed!.value], [chatty as Pid, 20]);
      const [slowest] = await node.top({ by: "time", window: 200 });
      assertEquals(slowest!.pid, busy as Pid);
      assert(slowest!.value >= 5, `${slowest!.value} ms`);
      const [fastest, ...others] = await node.top({ by: "rate", window: 200, count: 1 });
      assertEquals([fastest!.pid, others.length], [chatty as Pid, 0]);
    } finally {
      clearInterval(timer);
    }
  });
});

test("node.top measures handler times only during its window", async () => {
  await withNodes(async (start) => {
    const parts = await start("a");
    const node = Node.of(parts);
    const { scheduler } = parts.system;
    const measured = node.top({ by: "time", window: 50 });
    assert(scheduler.probe !== undefined);
    await measured;
    assertEquals(scheduler.probe, undefined);
    for (const options of [{ by: "age" }, { count: 0 }, { window: 1 }]) {
      assertEquals(await codeOf(node.top(options as never)), "badarg");
    }
  });
});

test("node.tree shows types, states and restarts although a supervisor is suspended", async () => {
  await withNode(async (node) => {
    const tree = await Supervisor.start(node, {
      children: [
        { id: "a", start: (self) => counter.startAs("a", self, 1) },
        {
          id: "below",
          type: "supervisor",
          start: (self) =>
            Supervisor.start(self, {
              children: [{ id: "b", start: (it) => counter.start(it, 2) }],
            }),
        },
      ],
    });
    const first = node.whereis("a")!;
    node.exit(first, "kill");
    await until(
      "the child is restarted",
      () => node.whereis("a") !== undefined && node.whereis("a") !== first,
    );
    await node.sys.suspend(tree.pid);
    const [top] = await node.tree();
    assertEquals([top!.pid, top!.type, top!.state], [tree.pid as Pid, "supervisor", "running"]);
    const [a, below] = top!.children!;
    assertEquals([a!.id, a!.type, a!.state, a!.restarts], ["a", "worker", "running", 1]);
    assertEquals(a!.names, ["a"]);
    assertEquals([below!.id, below!.type, below!.restarts], ["below", "supervisor", 0]);
    assertEquals(below!.children!.map(({ id }) => id), ["b"]);
    await node.sys.resume(tree.pid);
  });
});

test("sys suspends and resumes services and loops, and reads their states", async () => {
  await withNode(async (node) => {
    const pid = await counter.start(node, 40);
    assertEquals(await node.sys.suspend(pid), true);
    assertEquals(await node.sys.suspend(pid), true);
    counter.cast(pid).add(2);
    const info = await node.info(pid);
    assertEquals([info.status, info.mailbox, info.next], ["suspended", 1, ["cast add"]]);
    assertEquals(await node.sys.resume(pid), true);
    assertEquals(await node.sys.resume(pid), false);
    assertEquals(await node.sys.state(pid), "{ sum: 42 }");

    const got: number[] = [];
    const loop = node.spawn(async (self: Self<number>) => {
      for await (const n of self) got.push(n);
    });
    await until("the loop waits", async () => (await node.info(loop)).status === "waiting");
    await node.sys.suspend(loop);
    node.send(loop, 1);
    node.send(loop, 2);
    await counter.call(pid).get();
    assertEquals(got, []);
    await node.sys.resume(loop);
    await until("the second message is received", () => got.length === 2);
    node.send(loop, 3);
    await until("the third message is received", () => got.length === 3);

    // The promise of a handler settles while the actor is suspended.
    const answer = counter.call(pid).slow(20);
    await until(
      "the handler awaits its promise",
      async () => (await node.info(pid)).status === "awaiting",
    );
    await node.sys.suspend(pid);
    assertEquals(await answer, 42);
    await node.sys.resume(pid);
    assertEquals(await counter.call(pid).get(), 42);
    // A suspended actor can still be killed.
    await node.sys.suspend(pid);
    await node.sys.exit(pid);
    assertEquals(node.isAlive(pid), false);
  });
});

test("sys.state returns the children of a supervisor, and rejects for an actor without a state", async () => {
  await withNode(async (node) => {
    const tree = await Supervisor.start(node, {
      children: [{ id: "a", start: (self) => counter.startAs("a", self, 1) }],
    });
    assert((await node.sys.state(tree.pid)).includes('id: "a"'));
    const plain = node.spawn((_self: Self<Call>) => (call) => call.refuse(new Error("what?")));
    assertEquals(await codeOf(node.sys.state(plain)), "unsupported");
  });
});

test("node.stats counts actors, messages, timers, sockets, rooms, names and sessions", async () => {
  await withPair("read", async (a, b) => {
    const pid = a.spawnWith({ name: "one" }, () => (_: number) => {});
    for (let n = 0; n < 10; n++) a.send(pid, n);
    a.rooms.join("lobby", { sendShared() {} });
    const server = await a.serve({ message() {} });
    await until("all are handled", async () => (await a.stats()).messages >= 10);
    for (const stats of [await a.stats(), await b.stats({ node: a.name })]) {
      assertEquals(stats.node, a.name);
      assertEquals([stats.names, stats.rooms, stats.servers.length], [1, 1, 1]);
      assertEquals(stats.servers[0]!.url, server.url);
      assertEquals(stats.largestRooms, [{ room: "lobby", members: 1 }]);
      assertEquals(stats.sessions.map(({ node }) => node), [b.name]);
      assert(stats.sessions[0]!.roundTripMs! > 0);
      assert(stats.memory!.rss > 1_000_000 && stats.memory!.heapUsed > 0);
      assert(stats.actors >= 1 && stats.spawned >= stats.actors);
    }
    await server.stop();
  });
});

test("node.tree, node.info and node.top work on another node", async () => {
  await withPair("read", async (a, b) => {
    const tree = await Supervisor.start(a, {
      children: [{ id: "hits", start: (self) => counter.startAs("hits", self, 1) }],
    });
    const [entry] = await b.tree({ node: a.name });
    const [child] = entry!.children!;
    const info = await b.info(child!.pid!);
    assertEquals([info.node, info.names, info.child], [a.name, ["hits"], "hits"]);
    assert(info.supervisor!.equals(entry!.pid!));
    assert((await a.info(a.whereis("hits")!)).supervisor === tree.pid);
    const top = await b.top({ node: a.name, by: "rate", window: 50 });
    assert(Array.isArray(top));
    // The service can also be reached by its name from another node.
    assertEquals(await b.call({ name: "hits", node: a.name }, { $call: "get", args: [] }), 1);
  });
});

test("the option observe decides whether another node may read or control the node", async () => {
  const local = async (node: Node) => (await node.tree()).length;
  await withPair("none", async (a, b) => {
    for (const ask of [() => b.stats({ node: a.name }), () => b.tree({ node: a.name })]) {
      assertEquals(await codeOf(ask()), "denied");
    }
    assertEquals(await local(a), 0);
  });
  await withPair("read", async (a, b) => {
    const pid = await counter.startAs("hits", a, 1);
    const far = (await b.top({ node: a.name, by: "timers" })).length;
    assertEquals(far, 0);
    const there = await pidOn(b, a, "hits");
    assertEquals((await b.info(there)).names, ["hits"]);
    for (const ask of [b.sys.state(there), b.sys.suspend(there), b.sys.exit(there)]) {
      assertEquals(await codeOf(ask), "denied");
    }
    assertEquals(a.isAlive(pid), true);
  });
  await withPair("control", async (a, b) => {
    const pid = await counter.startAs("hits", a, 1);
    const there = await pidOn(b, a, "hits");
    assertEquals(await b.sys.state(there), "{ sum: 1 }");
    assertEquals(await b.sys.suspend(there), true);
    assertEquals((await a.info(pid)).status, "suspended");
    assertEquals(await b.sys.resume(there), true);
    assertEquals(await b.sys.exit(there), true);
    await until("the actor is killed", () => !a.isAlive(pid));
  });
});

/** Returns the pid of an actor registered on another node, as `asker` represents it. */
async function pidOn(asker: Node, owner: Node, name: string): Promise<Pid<never>> {
  return await asker.call({ name, node: owner.name }, { $state: "pid" }) as Pid<never>;
}

test("a node limits the requests of each asking node, so that one node cannot delay others", async () => {
  await testKeys();
  await withNodes(async (start) => {
    const [a, b, c] = [await start("a", { observe: "read" }), await start("b"), await start("c")];
    for (const node of [b, c]) await Node.of(node).connect(a.name);
    const windows = Array.from(
      { length: 20 },
      () =>
        Node.of(b).top({ node: a.name, by: "rate", window: 400 })
          .then(() => "ok", (error) => error.code),
    );
    let over = false;
    const answers = Promise.all(windows).then((codes) => {
      over = true;
      return codes;
    });
    for (let i = 0; i < 10; i++) assertEquals(await Node.of(c).tree({ node: a.name }), []);
    assertEquals(over, false);
    const codes = await answers;
    assertEquals(codes.filter((code) => code === "ok").length, 8);
    assertEquals(codes.filter((code) => code === "busy").length, 12);
    assertEquals(await Node.of(b).tree({ node: a.name }), []);
  });
});

test("QuestionActor uses a tenth of the time for questions, shared equally among the asking nodes", async () => {
  const system = new ManualSystem();
  const { clock } = system;
  const spent: Record<string, number> = { b: 0, c: 0 };
  // Each question takes 2 ms of one turn.
  const actor = new QuestionActor(system, clock, (_factor, asker) => {
    clock.jump(2);
    spent[asker]! += 2;
    return Promise.resolve(asker);
  });
  class Question extends CallOf {
    override readonly request: unknown;
    readonly home: { node: string };
    constructor(node: string) {
      super();
      this.home = { node };
      this.request = { $observe: node, args: [] };
    }
    // Each node asks again as soon as it has an answer, with eight questions at a time.
    override reply(): void {
      queueMicrotask(() => actor.deliver(new Question(this.home.node)));
    }
    override refuse(): void {}
  }
  for (let i = 0; i < 8; i++) actor.deliver(new Question("b"));
  actor.deliver(new Question("c"));
  const endsAt = 10_000;
  do {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  } while (clock.fire(endsAt));
  actor.stop();
  const { b, c } = spent as { b: number; c: number };
  assert(b + c > 0.08 * endsAt && b + c < 0.12 * endsAt, `${b} and ${c} ms`);
  assert(Math.abs(b - c) < 0.3 * (b + c), `${b} and ${c} ms`);
});

test("sys controls a supervisor of another node", async () => {
  await withPair("control", async (a, b) => {
    const tree = await Supervisor.start(a, {
      children: [{ id: "a", start: (self) => counter.startAs("a", self, 1) }],
    });
    const [top] = await b.tree({ node: a.name });
    const there = top!.pid!;
    assert((await b.sys.state(there)).includes('id: "a"'));
    assertEquals(await b.sys.suspend(there), true);
    const first = a.whereis("a")!;
    a.exit(first, "kill");
    await until("the exit is in the mailbox", async () => (await b.info(there)).mailbox === 1);
    assertEquals((await b.info(there)).status, "suspended");
    const traced = b.sys.trace(there, { count: 1, ms: 5_000 });
    await b.tree({ node: a.name });
    assertEquals(await b.sys.resume(there), true);
    assertEquals((await traced).length, 1);
    await until("the child is restarted", () => ![undefined, first].includes(a.whereis("a")));
    assertEquals(tree.pid.node, a.name);
  });
});

test("service.replace changes a state on another node that permits control", async () => {
  await withPair("read", async (a, b) => {
    await counter.startAs("hits", a, 1);
    const error = await assertRejects(
      () => counter.replace(counter.at(b, { name: "hits", node: a.name }), () => ({ sum: 2 })),
      UnknownCallError,
      'observe must be "control"',
    );
    assertEquals(error.code, "undef");
    assertEquals(await counter.call(counter.at(a, "hits")).get(), 1);
  });
  await withPair("control", async (a, b) => {
    await counter.startAs("hits", a, 1);
    const there = counter.at(b, { name: "hits", node: a.name });
    assertEquals(await counter.replace(there, ({ sum }) => ({ sum: sum * 7 })), { sum: 7 });
    const pid = await pidOn(b, a, "hits") as never;
    // A message that arrives while `replace` computes the new state is not lost: `replace` tries
    // again.
    let tries = 0;
    const next = await counter.replace(pid, ({ sum }) => {
      if (++tries < 3) counter.cast(counter.at(a, "hits")).add(1);
      return { sum: sum + 100 };
    });
    assertEquals([tries, next], [3, { sum: 109 }]);
    assertEquals(await counter.call(counter.at(a, "hits")).get(), 109);
    await assertRejects(
      () =>
        counter.replace(pid, (state) => {
          counter.cast(counter.at(a, "hits")).add(1);
          return state;
        }),
      Error,
      "handled messages",
    );
    await assertRejects(
      () =>
        counter.replace(pid, () => {
          throw new Error("crash requested");
        }),
      Error,
      "crash requested",
    );
  });
});

test("node.stats rejects for a node that is not connected, and for an invalid name", async () => {
  await withNode(async (node) => {
    assertEquals(await codeOf(node.stats({ node: "nobody@127.0.0.1:9" })), "noconnection");
    await assertRejects(() => node.stats({ node: "no name" }));
  });
});

test("the name of the runtime's own actor is not listed, and cannot be registered", async () => {
  await withNode(async (node) => {
    assertEquals(node.registered(), []);
    assertEquals(node.actors(), []);
    const pid = node.spawn(() => () => {});
    let code = "";
    try {
      node.register("$observe", pid);
    } catch (error) {
      code = (error as { code: string }).code;
    }
    assertEquals(code, "taken");
    // An unexpected message to the actor has no effect.
    node.send("$observe", "hello");
    assertEquals((await node.stats()).crashed, 0);
  });
});
