/**
 * Tests nodes in one process: they behave like nodes on separate machines, and a call may be
 * answered by another node.
 */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { Call } from "../../lib/actor/call.ts";
import {
  ArgumentError,
  CallExitError,
  NoConnectionError,
  NoProcError,
} from "../../lib/actor/errors.ts";
import { Down } from "../../lib/actor/exit.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Node } from "../../lib/node.ts";
import { type Parts, startNode } from "../../lib/start.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { test, until } from "../kit/test.ts";

/** The internal parts of each node. */
const PARTS = new WeakMap<Node, Parts>();

/** Runs `body` with `count` connected nodes. */
async function withMesh(count: number, body: (...nodes: Node[]) => Promise<void>): Promise<void> {
  const nodes: Node[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const name = `n${i}@127.0.0.1:0`;
      const parts = await startNode({ name, cookie: "one process", logLevel: "silent" });
      const node = Node.of(parts);
      PARTS.set(node, parts);
      for (const other of nodes) await node.connect(other.name);
      nodes.push(node);
    }
    await until(
      "all nodes are connected",
      () => nodes.every((node) => node.peers().length === count - 1),
    );
    await body(...nodes);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

/** Spawns an actor that keeps what it receives. */
function keeper(node: Node): { pid: Pid<unknown>; got: unknown[]; self: () => Self } {
  const got: unknown[] = [];
  let own!: Self;
  const pid = node.spawn((self: Self) => {
    own = self;
    return (message) => {
      got.push(message);
      if (message instanceof Call) message.reply("an answer");
    };
  });
  return { pid, got, self: () => own };
}

test("An actor of another node in the same process is reached only through the session", async () => {
  await withMesh(2, async (a, b) => {
    const there = keeper(b);
    const here = keeper(a);
    const asked = there.pid as unknown as Pid<Call<string, string>>;
    const sent = { text: "as it was" };
    a.send(there.pid, sent);
    assertEquals(await a.call(asked, "?"), "an answer");
    // The message is copied, as from any other node.
    assertEquals(there.got[0], sent);
    assert(there.got[0] !== sent);
    await until("the actor runs", () => here.self() !== undefined);
    assertEquals(b.isAlive(there.pid), true);
    assertThrows(() => a.isAlive(there.pid), ArgumentError, "of another node");
    const ref = here.self().monitor(there.pid as Pid);
    here.self().trapExit = true;

    await a.disconnect(b.name);
    await until("the Down has arrived", () => here.got.some((message) => message instanceof Down));
    const down = here.got.find((message) => message instanceof Down) as Down;
    assertEquals([down.reason, down.ref.equals(ref)], ["noconnection", true]);
    await assertRejects(() => a.call(asked, "?"), NoConnectionError);
    await assertRejects(() => here.self().call(asked, "?"), NoConnectionError);
    const letters: unknown[] = [];
    a.on("deadletter", ({ message }) => void letters.push(message));
    const count = there.got.length;
    a.send(there.pid, "lost");
    a.sendAfter(there.pid, "lost too", 0);
    a.exit(there.pid as Pid, "kill");
    here.self().link(there.pid as Pid);
    assertEquals(letters, ["lost"]);
    await assertRejects(() => a.global.register("there", there.pid as Pid), NoProcError);
    await new Promise((turn) => setTimeout(turn, 5));
    assertEquals([b.isAlive(there.pid), there.got.length], [true, count]);
    // The node on which the actor runs can still call it.
    assertEquals(await b.call(asked, "?"), "an answer");
  });
});

test("A pid that another node in the same process sends back refers to the local actor", async () => {
  await withMesh(2, async (a, b) => {
    const { pid, got } = keeper(a);
    const echo = b.spawn((_self: Self<Call<Pid, Pid[]>>) => (call) => call.reply([call.request]));
    const [back] = await a.call(echo, pid as Pid);
    assertEquals([back, back === pid], [pid as Pid, true]);
    // The pid as b represents it.
    let seen: Pid<unknown> | undefined;
    const eye = b.spawn((_self: Self<Call<Pid<unknown>, null>>) => (call) => {
      seen = call.request;
      call.reply(null);
    });
    await a.call(eye, pid);
    assert(seen !== undefined && seen !== pid && seen.equals(pid));
    await a.disconnect(b.name);
    a.send(seen, "straight");
    await until("the message has arrived", () => got.length === 1);
    assertEquals([got, a.isAlive(seen)], [["straight"], true]);
  });
});

interface Order {
  readonly worker: Pid<unknown>;
  readonly what: string;
}

/** A server that forwards its calls to the worker that the request names. */
function dispatcher(_self: Self<Call<Order, unknown>>): (call: Call<Order, unknown>) => void {
  return (call) => _self.send(call.request.worker, { job: call });
}

/** Spawns a worker that answers forwarded calls. */
function worker(node: Node): Pid<unknown> {
  return node.spawn((_self: Self<{ job: Call<Order, unknown> }>) => ({ job }) => {
    assert(job instanceof Call);
    const { what } = job.request;
    if (what === "refuse") job.refuse(new RangeError("not today"));
    else if (what === "unsendable") job.reply(() => {});
    else if (what === "twice") {
      job.reply("first");
      job.reply("second");
    } else if (what !== "never") job.reply(`${node.name} did ${what}`);
  }) as Pid<unknown>;
}

test("A forwarded call may be answered by an actor of any node", async () => {
  await withMesh(3, async (a, b, c) => {
    const nodes = [a, b, c];
    // Tests every combination of nodes for the caller, the called actor and the actor that replies.
    for (const caller of nodes) {
      for (const server of nodes) {
        const called = server.spawn(dispatcher) as Pid<Call<Order, unknown>>;
        for (const answering of nodes) {
          const request = { worker: worker(answering), what: "it" };
          assertEquals(await caller.call(called, request), `${answering.name} did it`);
          const twice = await caller.call(called, { ...request, what: "twice" });
          assertEquals(twice, "first");
          const refused = () => caller.call(called, { ...request, what: "refuse" });
          await assertRejects(refused, RangeError, "not today");
        }
      }
    }
  });
});

test("A forwarded call is stored until it is answered, times out or loses its server", async () => {
  await withMesh(2, async (a, b) => {
    const called = a.spawn(dispatcher) as Pid<Call<Order, unknown>>;
    const there = worker(b);
    const { held } = PARTS.get(a)!.remote;
    const late = a.call(called, { worker: there, what: "never" }, { timeout: 30 });
    await until("the call is forwarded", () => held.size === 1);
    await assertRejects(() => late, Error, "30 ms");
    assertEquals(held.size, 0);
    const unsendable = () => a.call(called, { worker: there, what: "unsendable" });
    await assertRejects(unsendable, Error, "cannot be sent");
    const waiting = assertRejects(
      () => a.call(called, { worker: there, what: "never" }),
      CallExitError,
    );
    await until("the call is forwarded", () => held.size === 1);
    a.exit(called as Pid, "over");
    assertEquals((await waiting).reason, "over");
    assertEquals(held.size, 0);
  });
});

test("A forwarded call that returns to its own node is the original call", async () => {
  await withMesh(2, async (a, b) => {
    const held: unknown[] = [];
    const called = a.spawn((self: Self<unknown>) => (message) => {
      if (message instanceof Call) {
        held.push(message);
        self.send((message.request as { there: Pid<unknown> }).there, { job: message });
      } else {
        held.push((message as { job: unknown }).job);
        (message as { job: Call }).job.reply("done");
      }
    });
    const there = b.spawn((self: Self<unknown>) => (message) => self.send(called, message));
    const to = called as unknown as Pid<Call<{ there: Pid<unknown> }, string>>;
    assertEquals(await a.call(to, { there }), "done");
    assertInstanceOf(held[0], Call);
    assertEquals(held[0] === held[1], true);
  });
});
