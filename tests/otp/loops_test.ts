/** Tests that loops which retry an operation without pause do not starve timers and sockets. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ArgumentError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import { connect } from "../../lib/connect.ts";
import type { Node } from "../../lib/node.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import { service } from "../../lib/otp/service.ts";
import { remote } from "../../lib/otp/spawnable.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { type Task, task } from "../../lib/otp/task.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { startCheaply } from "../kit/keys.ts";
import { test } from "../kit/test.ts";

const counter = service<{ state: number; call: { get(): number } }>({
  init: () => 0,
  call: { get: (n) => [n, n] },
});

/**
 * Retries an operation without pause and catches every error, while timers are due. Returns whether
 * the timers were starved.
 */
async function starves(attempt: () => unknown): Promise<boolean> {
  let tries = 0;
  // If microtasks starve the test's own timers, the deadline ends the loop.
  const deadline = performance.now() + 2_000;
  let isOver = false;
  const loop = (async () => {
    while (!isOver && performance.now() < deadline) {
      tries++;
      try {
        await attempt();
      } catch {
        // The error is ignored on purpose.
      }
    }
  })();
  // Keeps the process alive, because the timers of a node do not.
  const alive = setInterval(() => {}, 1_000);
  const before = performance.now();
  for (let i = 0; i < 3; i++) await new Promise((fire) => setTimeout(fire, 1));
  const took = performance.now() - before;
  isOver = true;
  await loop;
  clearInterval(alive);
  assert(tries > 0);
  return took > 1_500;
}

const nothing = (): void => {};
const far = remote("far", (_self: Self) => {});
/** The pid of an actor of the stopped node. */
let dead: Pid<unknown>;

/** An operation that is retried on a running node, on a stopped node, or on both. */
type Attempt = (node: Node) => unknown;

const RUNNING: Readonly<Record<string, Attempt>> = {
  "service.stop of a name that nothing has": (node) => counter.stop(counter.at(node, "nothing")),
  "service.stop of a global name": (node) => counter.stop(counter.at(node.global, "nothing")),
  "service.call by a global name": (node) => counter.call(counter.at(node.global, "nothing")).get(),
  "Node.connect with itself": (node) => node.connect(node.name),
  "Node.connect with a bad name": (node) => node.connect("nothing"),
  "Node.disconnect": (node) => node.disconnect("b@127.0.0.1:1"),
  "Node.drained": (node) => node.drained("b@127.0.0.1:1"),
  "Node.changeCookie": (node) => node.changeCookie(""),
  "Node.serve": (node) => node.serve({ backpressureLimit: -1 }),
  "Global.register": (node) => node.global.register("taken", node.actors()[0]!),
  "Global.waitFor": (node) => node.global.waitFor("taken"),
  "Global.singleton": (node) =>
    node.global.singleton("", { id: "", start: () => undefined as never }),
  "Supervisor.start": (node) => Supervisor.start(node, { children: [{ id: "" } as never] }),
  "DynamicSupervisor.start": (node) => DynamicSupervisor.start(node, { maxChildren: -1 }),
  "task.map": (node) => task.map(node, [], nothing),
  "Node.info": (node) => node.info(dead),
  "Node.top": (node) => node.top({ by: "nothing" as never }),
  "Node.stats": (node) => node.stats({ node: "b@127.0.0.1:1" }),
  "Node.tree": (node) => node.tree(),
  "Node.metrics": (node) => node.metrics(),
  "Sys.suspend": (node) => node.sys.suspend(dead),
  "Channels.count": (node) => node.channels.count("nothing"),
  "Channels.list": (node) => node.channels.list("nothing"),
  "ChannelUser.count": (node) => node.channels.user("nothing").count(),
};

const BOTH: Readonly<Record<string, Attempt>> = {
  "Node.call": (node) => node.call("nothing", 1),
  "Node.spawn elsewhere": (node) => node.spawn(far.on("b@127.0.0.1:1")),
  "service.start": (node) => counter.startAs("taken", node),
  "service.startAt": (node) => counter.startAt(node, { node: "b@127.0.0.1:1", fn: "far" }),
  "service.call": (node) => counter.call(counter.at(node, "nothing")).get(),
};

const STOPPED: Readonly<Record<string, Attempt>> = {
  "service.start": (node) => counter.start(node),
  "task.async": (node) => task.await(task.async(node, nothing)),
  "task.map": (node) => task.map(node, [1], nothing),
  "Supervisor.start": (node) => Supervisor.start(node, { children: [] }),
  "DynamicSupervisor.start": (node) => DynamicSupervisor.start(node),
  "Node.stop": (node) => node.stop(),
  "Node.leave": (node) => node.leave(),
  "Node.serve": (node) => node.serve(),
  "Node.connect": (node) => node.connect("b@127.0.0.1:1"),
  "Node.disconnect": (node) => node.disconnect("b@127.0.0.1:1"),
  "Global.register": (node) => node.global.register("late", dead),
  "Global.waitFor": (node) => node.global.waitFor("taken", { timeout: 0 }),
  "service.stop": () => counter.stop(dead as never),
  "task.await": () => task.await(late),
};

/** A task of the stopped node. */
let late: Task<unknown>;

test("Node: operations that fail at once do not starve timers if they are retried in a loop", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  dead = node.spawn(nothing) as Pid<unknown>;
  await counter.startAs("taken", node);
  await node.global.register("taken", node.whereis("taken")!);
  for (const [name, attempt] of Object.entries({ ...RUNNING, ...BOTH })) {
    assertEquals(await starves(() => attempt(node)), false, name);
  }
});

test("Node: operations of a stopped node do not starve timers if they are retried in a loop", async () => {
  const node = await startCheaply({ logLevel: "silent" });
  dead = node.spawn(() => () => {});
  late = task.async(node, () => new Promise(() => {}));
  await node.stop();
  for (const [name, attempt] of Object.entries({ ...STOPPED, ...BOTH })) {
    assertEquals(await starves(() => attempt(node)), false, name);
  }
});

test("Server.stop and Client.close do not starve timers if they are called in a loop", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const server = await node.serve();
  const client = await connect(server.url);
  await client.close();
  assertEquals(await starves(() => client.close()), false);
  await server.stop();
  assertEquals(await starves(() => server.stop()), false);
});

test("service functions throw ArgumentError for a value that is not a pid", () => {
  // deno-lint-ignore no-explicit-any -- passes arguments of wrong types
  const any: any = counter;
  for (const what of [{}, undefined, "name", 5]) {
    assertThrows(() => any.stop(what), ArgumentError, "is not a pid");
    assertThrows(() => any.call(what).get(), ArgumentError, "is not a pid");
    assertThrows(() => any.state(what), ArgumentError, "is not a pid");
  }
});
