/**
 * Tests an exit that affects thousands of other actors: its effects are applied in portions,
 * between which pending I/O and timers are handled. The tests count effects, not time.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Down, Exit } from "../../lib/actor/exit.ts";
import type { NodeChange } from "../../lib/actor/node_change.ts";
import { PORTION } from "../../lib/actor/signals.ts";
import type { Ref } from "../../lib/term/pid.ts";
import { ManualSystem, type Puppet } from "../kit/system.ts";
import { test } from "../kit/test.ts";

const COUNT = 10 * PORTION;

/**
 * Spawns puppets, and calls `relate` with each, which links it to an actor or monitors an actor.
 */
async function around(
  system: ManualSystem,
  relate: (puppet: Puppet) => void,
  trap = false,
): Promise<Puppet[]> {
  const puppets = Array.from({ length: COUNT }, () => system.puppet({ trap }));
  await system.settle();
  for (const puppet of puppets) relate(puppet);
  return puppets;
}

/**
 * Runs the tasks that wait for I/O one by one, and asserts that each adds at most two portions to
 * the count.
 */
function inTurns(system: ManualSystem, what: string, count: () => number): void {
  let before = 0;
  const check = (): void => {
    const now = count();
    assert(now - before <= 2 * PORTION, `${what}: ${now - before} in one turn`);
    before = now;
  };
  check();
  assert(system.signals.isBehind, `${what}: more than one turn is needed`);
  for (let task = system.host.yielded.shift(); task; task = system.host.yielded.shift()) {
    task();
    check();
  }
  assertEquals(count(), COUNT, what);
  assert(!system.signals.isBehind, `${what}: all is done`);
}

function received({ self, got }: Puppet): number {
  return self.length + got.length;
}

test("an exit sends thousands of Downs and Exits in portions, each exactly once", async () => {
  for (const what of ["monitor", "link", "both"]) {
    const system = new ManualSystem();
    const target = system.puppet();
    const puppets = await around(system, ({ self }) => {
      if (what !== "link") self.monitor(target.pid);
      if (what !== "monitor") self.link(target.pid);
    }, true);
    system.exit(target.pid, "kill");
    const times = what === "both" ? 2 : 1;
    inTurns(
      system,
      what,
      () => puppets.reduce((sum, puppet) => sum + received(puppet), 0) / times,
    );
    await system.settle();
    for (const { got } of puppets) {
      assertEquals(got.length, times);
      assert(got.every((message) => message instanceof Down || message instanceof Exit));
    }
    system.stop();
  }
});

test("an exit ends thousands of linked actors and pending calls in portions", async () => {
  const system = new ManualSystem();
  const target = system.puppet();
  const linked = await around(system, ({ self }) => self.link(target.pid));
  system.exit(target.pid, "kill");
  inTurns(system, "links", () => linked.filter(({ pid }) => !system.isAlive(pid)).length);

  const callee = system.puppet();
  const calls = Array.from({ length: COUNT }, () => system.call(callee.pid as never, 1));
  const all = Promise.allSettled(calls);
  const left = (): number => {
    let count = 0;
    for (let link = callee.self.chain; link !== undefined; link = link.following) count++;
    return count;
  };
  assertEquals(left(), COUNT);
  system.exit(callee.pid, "kill");
  inTurns(system, "calls", () => COUNT - left());
  assert((await all).every(({ status }) => status === "rejected"));
  system.stop();
});

test("an exit removes thousands of monitors and names of the actor in portions", async () => {
  const system = new ManualSystem();
  const watcher = system.puppet();
  const puppets = await around(system, ({ pid }) => void watcher.self.monitor(pid));
  system.exit(watcher.pid, "kill");
  inTurns(
    system,
    "monitors",
    () => puppets.filter(({ self }) => self.watchers === undefined).length,
  );

  const holder = system.puppet();
  for (let i = 0; i < COUNT; i++) system.names.register(`name ${i}`, holder.pid);
  const other = system.puppet({ trap: true });
  other.self.link(holder.pid);
  await system.settle();
  system.exit(holder.pid, "kill");
  // The names are free at once, although they are not all removed yet.
  assert(system.names.size > 0);
  assertEquals([system.names.registered(), system.names.whereis("name 9")], [[], undefined]);
  const last = `name ${COUNT - 1}`;
  system.names.register(last, other.pid);
  // Names that are not removed yet do not delay the other effects of the exit.
  assertEquals(received(other), 1);
  await system.settle();
  assertEquals([system.names.registered(), system.names.whereis(last)], [[last], other.pid]);
  assertEquals(other.got.length, 1);
  system.stop();
});

test("demonitor and unlink prevent a signal that is not delivered yet", async () => {
  const system = new ManualSystem();
  const target = system.puppet();
  const refs: Ref[] = [];
  const puppets = await around(system, ({ self }) => {
    refs.push(self.monitor(target.pid));
    self.link(target.pid);
  }, true);
  system.exit(target.pid, "kill");
  const last = puppets.at(-1)!;
  assertEquals(received(last), 0);
  // The exit signal of the existing link is already in transit, so linking again has no effect.
  last.self.link(target.pid);
  assertEquals(received(last), 0);
  last.self.unlink(target.pid);
  assertEquals(last.self.demonitor(refs.at(-1)!, { flush: true }), true);
  await system.settle();
  assertEquals(last.got, []);
  assertEquals(puppets.slice(0, -1).every(({ got }) => got.length === 2), true);
  system.stop();
});

test("the exit of an actor with few links is delivered before the rest of an exit with thousands", async () => {
  const system = new ManualSystem();
  const [large, small] = [system.puppet(), system.puppet()];
  await around(system, ({ self }) => self.link(large.pid));
  const linked = system.puppet();
  linked.self.link(small.pid);
  system.exit(large.pid, "kill");
  assert(system.signals.isBehind);
  system.exit(small.pid, "kill");
  assertEquals(system.isAlive(linked.pid), false);
  system.stop();
  assert(!system.signals.isBehind, "a stopped system has ended everything");
});

test("a call of an actor with thousands of timers rejects before the Down of the actor arrives", async () => {
  const system = new ManualSystem();
  const [target, watcher] = [system.puppet(), system.puppet()];
  watcher.self.monitor(target.pid);
  const call = system.call(target.pid as never, 1);
  for (let i = 0; i < COUNT; i++) system.sendAfter(target.pid, i, 1_000);
  system.exit(target.pid, "kill");
  assertEquals(received(watcher), 0);
  const order: string[] = [];
  const failed = assertRejects(() => call).then(() => order.push("call"));
  await system.settle();
  await failed;
  order.push(...watcher.got.map(() => "down"));
  assertEquals(order, ["call", "down"]);
  assertEquals(system.wheel.size, 0);
  system.stop();
});

test("a NodeChange reaches thousands of monitors in portions, in the order of the changes", async () => {
  const system = new ManualSystem();
  const node = "far@127.0.0.1:9";
  const watchers = await around(system, ({ self }) => self.monitorNode(node));
  await system.settle();
  for (const { got } of watchers) got.length = 0;
  system.nodeChanged("nodeup", node);
  const sent = (): number => watchers.filter((puppet) => received(puppet) > 0).length;
  assert(sent() > 0 && sent() <= PORTION, `${sent()} in the first turn`);
  const last = watchers.at(-1)!;
  assert(last.self.demonitorNode(node));
  const [late] = await around(system, () => {});
  late!.self.monitorNode(node);
  system.nodeChanged("nodedown", node, "the test");
  await system.settle();
  assertEquals(last.got, []);
  const types = ({ got }: Puppet): unknown[] => got.map((change) => (change as NodeChange).type);
  for (const puppet of watchers.slice(0, -1)) assertEquals(types(puppet), ["nodeup", "nodedown"]);
  // The first `nodedown` is the answer to `monitorNode`: there is no session with the node.
  assertEquals(types(late!), ["nodedown", "nodedown"]);
  system.stop();
});

test("timers that are due at the same time fire in portions", async () => {
  const system = new ManualSystem();
  const target = system.puppet();
  await system.settle();
  for (let i = 0; i < COUNT; i++) system.sendAfter(target.pid, i, 10);
  assert(system.clock.fire(10));
  let sent = target.self.length + target.got.length;
  assert(sent > 0 && sent <= PORTION, `${sent} in the first turn`);
  system.sendAfter(target.pid, "later", 5);
  system.sendAfter(target.pid, "at once", 0);
  for (let turns = 0; system.host.yielded.length > 0; turns++) {
    for (const task of system.host.yielded.splice(0)) task();
    const now = target.self.length + target.got.length;
    assert(now - sent <= PORTION, `${now - sent} in one turn`);
    sent = now;
    await Promise.resolve();
  }
  await system.advance(20);
  const before = Array.from({ length: COUNT }, (_, i) => i);
  assertEquals(target.got, [...before, "at once", "later"]);
  assertEquals(system.wheel.size, 0);
  system.stop();
});

test("Signals.inPortions runs steps that a step adds after that step", () => {
  const system = new ManualSystem();
  const order: string[] = [];
  function* inner(): Generator<number, void> {
    order.push("inner");
    yield 1;
  }
  function* outer(): Generator<number, void> {
    system.signals.inPortions(inner());
    order.push("outer");
    system.signals.flush();
    yield 1;
  }
  system.signals.inPortions(outer());
  for (let task = system.host.yielded.shift(); task; task = system.host.yielded.shift()) task();
  assertEquals(order, ["outer", "inner"]);
  system.stop();
});
