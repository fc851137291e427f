import { assert, assertEquals, assertRejects } from "@std/assert";
import { Call } from "../../lib/actor/call.ts";
import {
  type ActorExitError,
  CallExitError,
  NoConnectionError,
  NoProcError,
} from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import { REQUEST_MS } from "../../lib/otp/ready.ts";
import { service } from "../../lib/otp/service.ts";
import { noReply } from "../../lib/otp/service_definition.ts";
import { SupervisorError } from "../../lib/otp/child_info.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { UnknownCallError } from "../../lib/otp/unknown_call.ts";
import type { ExitReason } from "../../lib/term/exit.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { cluster, type TestNode, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { starter } from "./remote_workers.ts";

interface Counter {
  state: number;
  start: [first: number, name?: string];
  call: { add(by: number): number; fails(): void; never(): void };
  cast: { reset(): void };
}

/**
 * Creates a counter service that records its exit reasons, and whose start can be delayed or fail.
 */
function makeCounter() {
  const ends: ExitReason[] = [];
  let open = () => {};
  const counter = service<Counter>({
    name: "counter",
    init(first, name = "") {
      if (name === "fails") throw new RangeError("no such counter");
      if (name === "leaves") this.self.exit({ why: "left" });
      if (name === "late") return new Promise((resolve) => open = () => resolve(first));
      if (name === "fails late") {
        return new Promise((_, reject) => open = () => reject(new RangeError("no such counter")));
      }
      if (name !== "") this.self.register(name);
      return first;
    },
    call: {
      add: (sum, by) => [sum + by, sum + by],
      fails: () => {
        throw new Error("boom");
      },
      never: (sum) => noReply(sum),
    },
    cast: { reset: () => 0 },
    terminate: (_sum, reason) => void ends.push(reason),
  });
  return { counter, ends, open: () => open() };
}

/** Runs `body` with two nodes, of which the second exposes the counter. */
async function withCounter(
  body: (
    world: ReturnType<typeof makeCounter> & { a: TestNode; b: TestNode },
  ) => Promise<void>,
): Promise<void> {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    const made = makeCounter();
    b.remote.spawner.expose("counter", made.counter.body as never);
    await until("a knows the counter", () => a.mesh.exposedBy(b.name)!.includes("counter"));
    await body({ ...made, a, b });
  });
}

/** Spawns an actor that only records its messages. */
function puppet({ system }: TestNode): Self & { readonly got: unknown[] } {
  const got: unknown[] = [];
  const pid = system.spawn(
    undefined,
    undefined,
    () => (message: unknown) => void got.push(message),
    [],
  );
  return Object.assign(system.find(pid.id)!, { got }) as never;
}

test("Service.startAt starts the service on another node, and waits for init", async () => {
  await withCounter(async ({ counter, open, a, b }) => {
    const there = counter.on(b.name);
    const pid = await counter.startAt(starter(a), there, 40);
    assertEquals([pid.node, pid.home.local], [b.name, false]);
    assertEquals(await counter.call(pid).add(2), 42);
    counter.cast(pid).reset();
    assertEquals(await counter.state(pid), 0);
    let started = false;
    const late = counter.startAt(starter(a), there, 1, "late").then((pid) => {
      started = true;
      return pid;
    });
    await until("the service has started", () => b.system.size === 2);
    assertEquals(await counter.call(pid).add(1), 1);
    assertEquals(started, false);
    open();
    assertEquals(await counter.state(await late), 1);
  });
});

test("Service.startAt rejects with the error of init or of the spawn", async () => {
  await withCounter(async ({ counter, open, a, b }) => {
    const there = counter.on(b.name);
    const actor = puppet(a);
    for (const from of [starter(a), actor]) {
      const error = await assertRejects(
        () => counter.startAt(from as never, there, 0, "fails"),
        Error,
      );
      assertEquals([error.name, error.message], ["RangeError", "no such counter"]);
      const unknown = await assertRejects(
        () => counter.startAt(starter(a), { ...there, fn: "none" }, 0),
        Error,
      );
      assertEquals((unknown as unknown as { code: string }).code, "notexposed");
    }
    // A delayed start that fails rejects at once, and its actor exits.
    const began = performance.now();
    const late = assertRejects(
      () => counter.startAt(starter(a), there, 0, "fails late"),
      Error,
      "no such counter",
    );
    await until("the actor has started", () => b.system.size === 1);
    await new Promise((wake) => setTimeout(wake, 50));
    open();
    await late;
    await until("the actor has exited", () => b.system.size === 0);
    assert(performance.now() - began < REQUEST_MS);
    // A failed start is reported only as a rejection.
    assertEquals([a.system.isAlive(actor.pid), actor.got], [true, []]);
    await until("all actors have exited", () => b.system.size === 0);
  });
});

test("Service.body ends a service whose init has failed when its starter exits", async () => {
  await withCounter(async ({ a, b }) => {
    const actor = puppet(a);
    const there = { node: b.name, fn: "counter" };
    const began = performance.now();
    await actor.spawnLink(there, 0, "fails");
    assertEquals(b.system.size, 1);
    a.system.exit(actor.pid, "kill");
    await until("the service has ended", () => b.system.size === 0);
    assert(performance.now() - began < REQUEST_MS);
    await starter(a).spawn(there, 0, "fails");
    await until("the service has ended", () => b.system.size === 0);
    assert(performance.now() - began >= REQUEST_MS);
  });
});

test("Service.startAt links the service with the starting actor", async () => {
  await withCounter(async ({ counter, ends, a, b }) => {
    const actor = puppet(a);
    const pid = await counter.startAt(actor as never, counter.on(b.name), 1);
    assertEquals(await counter.state(pid), 1);
    a.system.exit(actor.pid, "bye");
    await until("the service has ended", () => b.system.size === 0);
    assertEquals(ends, ["bye"]);
    const other = puppet(a);
    await counter.startAt(other as never, counter.on(b.name), 1);
    await a.mesh.disconnect(b.name);
    await until("the service has ended", () => b.system.size === 0);
    assertEquals(ends, ["bye", "noconnection"]);
  });
});

test("Service.child: a supervisor waits for the init of a service on another node", async () => {
  await withCounter(async ({ counter, ends, open, a, b }) => {
    const child = (name: string) => counter.child({ id: "c", node: b.name, args: [7, name] });
    const tree = await Supervisor.start(starter(a), { children: [child("hits")] });
    const there = counter.at(starter(a), { name: "hits", node: b.name });
    assertEquals(await counter.call(there).add(1), 8);
    const before = b.system.names.whereis("hits");
    const failed = await assertRejects(() => counter.call(there).fails(), CallExitError);
    assertEquals((failed.reason as Error).message, "boom");
    await until("the service has been restarted", () => {
      const now = b.system.names.whereis("hits");
      return now !== undefined && now !== before;
    });
    assertEquals(await counter.state(there), 7);
    assertEquals((await tree.countChildren()).active, 1);
    await tree.stop();
    assertEquals(ends.map(String), ["Error: boom", "shutdown"]);
    const error = await assertRejects(
      () => Supervisor.start(starter(a), { children: [child("fails")] }),
      SupervisorError,
    );
    assertEquals((error.cause as Error).message, "no such counter");
    const left = await assertRejects(
      () => Supervisor.start(starter(a), { children: [child("leaves")] }),
      SupervisorError,
    );
    assertEquals((left.cause as ActorExitError).reason, { why: "left" });
    // Stopping the service while `init` is waiting ends the remote actor.
    const pool = await DynamicSupervisor.start(starter(a));
    const starting = pool.startChild(child("late")).catch((error) => error);
    await until("the service has started", () => b.system.size === 1);
    await pool.stop();
    assert(await starting instanceof Error);
    open();
    await until("all actors have exited", () => b.system.size === 0);
  });
});

test("Service.at reaches a named service on any node", async () => {
  await withCounter(async ({ counter, ends, a, b }) => {
    for (const [from, node] of [[starter(a), b], [puppet(a), b], [starter(b), b]] as const) {
      const there = counter.at(from as never, { name: "hits", node: node.name });
      assertEquals([there.name, there.node], ["hits", node.name]);
      await assertRejects(() => counter.call(there).add(1), NoProcError, "hits");
      await assertRejects(() => counter.state(there), NoProcError);
      counter.cast(there).reset();
      await counter.stop(there);
      const pid = await counter.startAs("hits", starter(b), 1);
      assertEquals(await counter.call(there).add(2), 3);
      counter.cast(there).reset();
      assertEquals(await counter.state(there), 0);
      await assertRejects(() => counter.call(there, { timeout: 20 }).never(), Error, "20 ms");
      await counter.stop(there, { shutdown: "enough" });
      assertEquals(b.system.isAlive(pid), false);
      assertEquals(ends.splice(0), [{ shutdown: "enough" }]);
    }
    const nowhere = counter.at(starter(a), { name: "hits", node: "c@127.0.0.1:1" });
    await assertRejects(() => counter.call(nowhere).add(1), NoConnectionError);
    await assertRejects(() => counter.stop(nowhere), NoConnectionError);
  });
});

test("Service: a rejection keeps its class and code on another node", async () => {
  await withCounter(async ({ counter, a, b }) => {
    const other = service<{ state: number; call: { nothing(): number } }>({
      init: () => 0,
      call: { nothing: (n) => [n, n] },
    });
    const pid = await counter.startAt(starter(a), counter.on(b.name), 1, "hits");
    for (const target of [pid as never, other.at(starter(a), { name: "hits", node: b.name })]) {
      const error = await assertRejects(() => other.call(target).nothing(), UnknownCallError);
      assertEquals([error.code, error.message], ["undef", "no such call: nothing"]);
    }
    // Functions cannot be sent, so `replace` works only on the service's node.
    await assertRejects(() => counter.replace(pid, (state) => state), Error);
    const failed = await assertRejects(() => counter.call(pid).fails(), CallExitError);
    assertEquals([failed.code, (failed.reason as Error).message], ["exit", "boom"]);
  });
});

test("Supervisor: a rejection keeps its class and code on another node", async () => {
  await withCounter(async ({ a, b }) => {
    for (const kind of [Supervisor, DynamicSupervisor]) {
      const tree = await kind.start(starter(b), {});
      if (tree instanceof Supervisor) {
        let starts = 0;
        const start = (self: Self) => {
          if (starts++ > 0) throw new RangeError("only once");
          return self.spawnLink(() => () => {});
        };
        await tree.startChild({ id: "once", start });
        await tree.terminateChild("once");
      }
      const guide = b.system.spawn(undefined, { name: "guide" }, () => (call: unknown) => {
        if (call instanceof Call) call.reply(tree.pid);
      }, []);
      const pid = await a.system.call({ name: "guide", node: b.name }, 0) as Pid<unknown>;
      b.system.exit(guide, "kill");
      const there = new kind(pid);
      const error = await assertRejects(
        () => there.terminateChild((kind === Supervisor ? "x" : pid) as never),
        SupervisorError,
      );
      assertEquals(error.code, "not_found");
      const refused = await assertRejects(
        () => there.startChild({ id: "x", node: b.name, fn: "none" }),
        SupervisorError,
      );
      assertEquals(refused.code, "refused");
      if (there instanceof Supervisor) {
        const failed = await assertRejects(() => there.restartChild("once"), SupervisorError);
        assertEquals([failed.code, (failed.cause as Error).name], ["start_failed", "RangeError"]);
      }
      await there.stop();
      assertEquals(b.system.isAlive(tree.pid), false);
    }
  });
});

test("Service.stop sends a plain message, and messages that resemble it do not end the service", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    const got: unknown[] = [];
    const keeper = service<{ state: number }>({
      init: () => 0,
      info: (state, message) => {
        got.push(message);
        return state;
      },
      trapExit: true,
    });
    const pid = await keeper.startAs("keeper", starter(b));
    const to = { name: "keeper", node: b.name };
    const lookalikes = [{ $stop: 1 }, { $stop: null }, { $stop: {} }, { $stop: "normal" }];
    for (const message of lookalikes) a.system.sendTo(to, message);
    await until("all messages have arrived", () => got.length === lookalikes.length);
    assertEquals(got, lookalikes);
    assertEquals(b.system.isAlive(pid), true);
    const ended = b.system.whenEnded(pid);
    a.system.sendTo(to, { $stop: { reason: "by another" } });
    assertEquals(await ended, "by another");
  });
});

test("Service handles an exit signal from another node like a local one", async () => {
  await withCounter(async ({ counter, ends, a, b }) => {
    const pid = await counter.startAt(starter(a), counter.on(b.name), 1);
    a.system.exit(pid, "normal");
    await until("the service has ended", () => b.system.size === 0);
    assertEquals(ends, ["normal"]);
  });
});
