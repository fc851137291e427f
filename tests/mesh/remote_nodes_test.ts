import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import type { Actor } from "../../lib/actor/actor.ts";
import type { Call } from "../../lib/actor/call.ts";
import { MailboxFullError, NoConnectionError, QueueFullError } from "../../lib/actor/errors.ts";
import type { Down, Exit } from "../../lib/actor/exit.ts";
import type { NodeChange } from "../../lib/actor/node_change.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Pid } from "../../lib/term/pid.ts";
import { prepareStage, Scene } from "../actor/conformance.ts";
import { heapBytes, untilHeapReleased } from "../kit/heap.ts";
import { MemoryFaults } from "../kit/memory_faults.ts";
import { MemoryNetwork } from "../kit/memory_host.ts";
import { type TestNode, untilApart, untilWhole, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

/**
 * Runs `body` with this many connected nodes on an in-memory network, with puppet actors on each.
 */
async function withStages(
  count: number,
  body: (nodes: TestNode[], network: MemoryNetwork) => Promise<void>,
): Promise<void> {
  await withNodes(async (start) => {
    const network = new MemoryNetwork();
    const nodes: TestNode[] = [];
    for (let i = 0; i < count; i++) {
      const seeds = nodes.map(({ name }) => name);
      nodes.push(await start(`n${i}`, { logLevel: "silent", seeds }, network.host()));
      prepareStage(nodes[i]!);
    }
    await untilWhole(nodes);
    await body(nodes, network);
  });
}

function idle(): Promise<void> {
  return new Promise(() => {});
}

function actorOn({ system }: TestNode): Actor {
  const actor = system.find(system.spawn(undefined, undefined, idle, []).id)!;
  actor.trapExit = true;
  return actor;
}

test("A pid that A sends to B and B sends to C refers to the same actor on C", async () => {
  await withStages(3, async ([a, b, c]) => {
    const { system } = a!;
    const scene = new Scene({ system, nodes: [a!.name, c!.name] });
    const home = await scene.puppet(a!.name, "home", { trap: true });
    const middle = await scene.puppet(b!.name, "middle");
    const last = await scene.puppet(c!.name, "last", { trap: true });
    await home.do("send", middle, { to: [new Map([["who", home.pid]])] });
    await until("the message has arrived", async () => (await middle.peek()).length === 1);
    assertEquals(await middle.peek(), ["got {to: [Map[[who home]]]}"]);
    await middle.do("send", last, new Set([{ pid: home.pid, me: middle.pid }]));
    await until("the message has arrived", async () => (await last.peek()).length === 1);
    // C performs every operation on the actor.
    await last.do("link", home);
    scene.name("r", await last.do("monitor", home) as never);
    await last.do("send", home, "from afar");
    await last.do("call", home, { ask: "echo", value: home.pid });
    assertEquals(await home.notes(), ["got from afar"]);
    home.tell("exit", "the same");
    assertEquals(await last.notes(), [
      "got Set[{pid: home, me: middle}]",
      "reply home",
      "down r home the same",
      "exit home the same",
    ]);
    const kept = [a, b, c].map((node) => {
      return node!.mesh.peers().map((peer) => node!.remote.nodeLink(peer)!.kept);
    });
    assertEquals(kept, [[0, 0], [0, 0], [0, 0]]);
  });
});

test("A link or monitor to a node without a session ends with noconnection", async () => {
  await withStages(3, async ([a, b, c]) => {
    const { system } = a!;
    const scene = new Scene({ system, nodes: [a!.name, b!.name] });
    const far = await scene.puppet(c!.name, "far");
    const near = await scene.puppet(b!.name, "near", { trap: true });
    // B knows the pid from A, and has no session with C.
    await b!.mesh.disconnect(c!.name);
    await untilApart(c!, b!);
    await near.do("link", far);
    scene.name("r", await near.do("monitor", far) as never);
    scene.name("n", await near.do("monitor", { name: "clerk", node: c!.name }) as never);
    await near.do("send", far, "lost");
    await near.do("exitTo", far, "kill");
    await near.do("call", far, { ask: "echo" });
    await near.do("call", { name: "clerk", node: c!.name }, "anything");
    assertEquals(await near.notes(), [
      "exit far noconnection",
      "down r far noconnection",
      "down n nobody noconnection",
      "failed NoConnectionError noconnection",
      "failed NoConnectionError noconnection",
    ]);
    assertEquals(await far.peek(), []);
    // When b has a session with c, the same pid reaches the actor.
    await b!.mesh.connect(c!.name);
    await untilWhole([a!, b!, c!]);
    await near.do("link", far);
    await near.do("call", far, { ask: "echo", value: "now" });
    await until("the call is answered", async () => (await near.peek()).length === 6);
    far.tell("exit", "done");
    await until("the exit has arrived", async () => (await near.peek()).length === 7);
    assertEquals((await near.notes()).slice(5), ["reply now", "exit far done"]);
  });
});

test("A pid from one session is valid in the next session, without its earlier links and monitors", async () => {
  await withStages(2, async ([a, b]) => {
    const near = actorOn(a!);
    const far = actorOn(b!);
    const pid = a!.remote.nodeLink(b!.name)!.pid(far.pid.id);
    near.link(pid);
    near.monitor(pid);
    await until("the actors are linked", () => far.links?.size === 1);
    await a!.mesh.disconnect(b!.name);
    await untilApart(b!, a!);
    assertEquals(near.peek().map((end) => (end as Exit | Down).reason), [
      "noconnection",
      "noconnection",
    ]);
    assertEquals((far.peek()[0] as Exit).reason, "noconnection");
    await a!.mesh.connect(b!.name);
    await untilWhole([a!, b!]);
    a!.system.send(pid as never, "hello again" as never);
    near.link(pid);
    await until(
      "the message and the link have arrived",
      () => far.length === 2 && far.links?.size === 1,
    );
    assertEquals(far.peek()[1], "hello again");
    // The exit is reported for the new link only; that of the earlier link is not repeated.
    far.end("done");
    await until("the exit has arrived", () => near.length === 3);
    const last = near.peek()[2] as Exit;
    assert(last.from.equals(pid) && last.reason === "done");
    assertEquals(a!.remote.nodeLink(b!.name)!.kept, 0);
  });
});

test('RemoteNodes.nodeLinkOf returns "noproc" for another incarnation, and "noconnection" for an unknown node', async () => {
  await withStages(2, async ([a, b]) => {
    const { system, remote } = a!;
    const home = (node: string, creation: number) => ({ node, creation, local: false, system });
    const { creation } = remote.nodeLink(b!.name)!.home;
    assertEquals(remote.nodeLinkOf(home(b!.name, creation)), remote.nodeLink(b!.name)!);
    assertEquals(remote.nodeLinkOf(home(b!.name, creation + 1)), "noproc");
    assertEquals(remote.nodeLinkOf(home("nobody@h:1", 1)), "noconnection");
    assertEquals(remote.nodeLinkOf(home(a!.name, 1)), "noproc");
    const old = new Pid(home(b!.name, creation + 1), 1, undefined);
    assertEquals(await system.whenEnded(old), "noproc");
    await assertRejects(
      () => system.call(new Pid(home("nobody@h:1", 1), 1, undefined) as never, 1),
      NoConnectionError,
    );
  });
});

test("Self.monitorNode reports the loss of a node after the exits of its actors", async () => {
  await withStages(2, async ([a, b]) => {
    const near = actorOn(a!);
    const far = actorOn(b!);
    near.monitorNode(b!.name);
    near.monitorNode(b!.name);
    near.monitorNode("nobody@h:1");
    near.monitorNode(a!.name);
    near.monitor(a!.remote.nodeLink(b!.name)!.pid(far.pid.id));
    await b!.mesh.disconnect(a!.name);
    await untilApart(a!, b!);
    await a!.mesh.connect(b!.name);
    await untilWhole([a!, b!]);
    const received = near.peek().map((message) => {
      const { type, reason } = message as NodeChange | Down;
      return `${type} ${reason}`;
    });
    assertEquals(received, [
      "nodedown noconnection",
      "DOWN noconnection",
      "nodedown disconnected",
      "nodeup undefined",
    ]);
    assertEquals([near.demonitorNode(b!.name), near.demonitorNode(b!.name)], [true, false]);
    near.demonitorNode("nobody@h:1");
    near.demonitorNode(a!.name);
    assertEquals(near.chain, undefined);
    await a!.mesh.disconnect(b!.name);
    await untilApart(b!, a!);
    assertEquals(near.length, 4);
  });
});

test("A remote call that a full mailbox drops is rejected like a local call", async () => {
  await withStages(2, async ([a, b]) => {
    for (const policy of ["dropNewest", "dropOldest"] as const) {
      const got: Call<number, string>[] = [];
      const name = `full ${policy}`;
      const options = { name, mailbox: { max: 2, policy } };
      let open!: () => void;
      const closed = new Promise<void>((resolve) => open = resolve);
      const body = async (self: Self<Call<number, string>>): Promise<void> => {
        await closed;
        for await (const call of self) {
          got.push(call);
          call.reply("done");
        }
      };
      const pid = b!.system.spawn(undefined, options, body, []);
      // Calls the actor alternately by its pid, as `a` represents it, and by its name.
      const far = a!.remote.nodeLink(b!.name)!.pid(pid.id) as typeof pid;
      const to = [far, { name, node: b!.name }, far, { name, node: b!.name }];
      const calls = to.map((whom, i) => a!.system.call<number, string>(whom, i));
      const outcomes = calls.map((call) => call.catch((error) => error));
      const dropped = policy === "dropNewest" ? [2, 3] : [0, 1];
      const errors = await Promise.all(dropped.map((i) => outcomes[i]));
      for (const [i, error] of errors.entries()) {
        assertInstanceOf(error, MailboxFullError);
        const whom = to[dropped[i]!] instanceof Pid ? `${far}` : `${name} on ${b!.name}`;
        assertEquals([error.code, error.message], [
          "mailboxfull",
          `the mailbox of ${whom} is full (call of ${dropped[i]} from outside of actors)`,
        ]);
      }
      open();
      const kept = [0, 1, 2, 3].filter((i) => !dropped.includes(i));
      assertEquals(await Promise.all(kept.map((i) => outcomes[i])), ["done", "done"]);
      assertEquals(got.map(({ request }) => request), kept);
    }
    assertEquals([a!.system.wheel.size, b!.system.wheel.size], [0, 0]);
  });
});

test("A remote call is rejected if the queue to its node is full, and leaves no state", async () => {
  await withNodes(async (start) => {
    const faults = new MemoryFaults();
    const options = { queueBytesMax: 4096 };
    const a = await start("a@127.0.0.1:3000", options, faults.host(3000));
    const b = await start("b@127.0.0.1:3001", options, faults.host(3001));
    await a.mesh.connect(b.name);
    await untilWhole([a, b]);
    const echo = () => (call: Call<string, string>) => call.reply(call.request);
    b.system.spawn(undefined, { name: "echo" }, echo, []);
    const to = { name: "echo", node: b.name };
    const text = "x".repeat(1024);
    const ask = () => a.system.call<string, string>(to, text).catch((error) => error);
    assertEquals(await ask(), text);
    // All calls are made in one turn, so nothing is flushed in between.
    const outcomes = await Promise.all(Array.from({ length: 8 }, ask));
    const refused = outcomes.filter((outcome) => outcome !== text);
    assert(refused.length > 0 && refused.length < 8);
    for (const error of refused) {
      assertInstanceOf(error, QueueFullError);
      assertEquals(error.code, "queuefull");
      assert(error.message.includes(b.name));
    }
    assertEquals([await ask(), a.system.wheel.size, a.remote.nodeLink(b.name)!.kept], [text, 0, 0]);
  });
});

test("RemoteNodes keeps no state of 10,000 links, monitors and calls when the session is lost", async () => {
  await withStages(2, async ([a, b]) => {
    const round = async (): Promise<void> => {
      await untilWhole([a!, b!]);
      const line = a!.remote.nodeLink(b!.name)!;
      const back = b!.remote.nodeLink(a!.name)!;
      const [near, far] = [actorOn(a!), actorOn(b!)];
      const actors = Array.from({ length: 1000 }, () => actorOn(b!));
      const ends: Promise<unknown>[] = [];
      for (let i = 0; i < 10_000; i++) {
        const pid = line.pid(actors[i % 1000]!.pid.id);
        near.link(pid);
        near.monitor(pid);
        if (i % 10 === 0) near.monitor({ name: `${i}`, node: b!.name });
        ends.push(near.call(pid as never, i, { timeout: Infinity }));
      }
      far.monitor(back.pid(near.pid.id));
      const settled = Promise.allSettled(ends);
      await until(
        "all links, monitors and calls have arrived",
        () => back.kept >= 1 && actors.every(({ length }) => length === 10),
      );
      await a!.mesh.disconnect(b!.name);
      await untilApart(b!, a!);
      assert((await settled).every(({ status }) => status === "rejected"));
      assertEquals([line.kept, back.kept, line.links, back.links], [0, 0, 0, 0]);
      assertEquals([near.links?.size, near.monitors?.size, near.chain], [0, 0, undefined]);
      assertEquals(actors.filter(({ chain, links }) => chain || links?.size), []);
      for (const actor of [near, far, ...actors]) actor.end("over");
      assertEquals([a!.system.wheel.size, b!.system.wheel.size], [0, 0]);
      await a!.mesh.connect(b!.name);
    };
    await round();
    const before = heapBytes();
    for (let i = 0; i < 3; i++) await round();
    await untilHeapReleased(before, 2 * 1024 * 1024);
  });
});
