/**
 * Tests every way in which a node can be lost: all links, monitors, calls and spawns end exactly
 * once, in this order, followed by nodedown, and no state is left.
 */
import { assert, assertEquals } from "@std/assert";
import type { Actor } from "../../lib/actor/actor.ts";
import { Down, Exit } from "../../lib/actor/exit.ts";
import type { NodeChange } from "../../lib/actor/node_change.ts";
import type { Outbound } from "../../lib/mesh/outbound.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { prepareStage, type Puppet, Scene } from "../actor/conformance.ts";
import { type TestNode, withNodes as withMesh } from "../kit/mesh.ts";
import { type NodeProcess, PAIRS, type Runtime, withNodes } from "../kit/process.ts";
import { runtime, test, until } from "../kit/test.ts";

const CHILD = "actors_child.ts";

/** The runtimes of the other side; this side runs in this process. */
const OTHERS: readonly Runtime[] = PAIRS.filter(([one]) => one === runtime).map(([, other]) =>
  other
);

/** Actors of this node with links, monitors or calls to actors of the lost node. */
interface Bond {
  readonly near: TestNode;
  readonly far: NodeProcess;
  readonly start: typeof NodeProcess.start;
  readonly line: Outbound;
  readonly scene: Scene;
  /**
   * A local actor that traps exits. It links, monitors and calls actors of the other node, and
   * handles no messages.
   */
  readonly witness: Actor;
  /** A local actor that is linked to an actor of the other node, and does not trap exits. */
  readonly weak: Actor;
  /**
   * Actors of the other node: one is linked to a local actor and does not trap exits; the other
   * traps exits and monitors.
   */
  readonly farWeak: Puppet;
  readonly farWitness: Puppet;
  /** The recorded events, in order. */
  readonly received: string[];
}

function idle(): Promise<void> {
  return new Promise(() => {});
}

/** Records the result of a promise. */
function note(received: string[], what: string, promise: Promise<unknown>): void {
  promise.then(
    () => received.push(`${what}: done`),
    (error) => received.push(`${what}: ${error.name} ${error.code}`),
  );
}

/** Creates every kind of relation between actors of two nodes. */
async function bind(
  near: TestNode,
  far: NodeProcess,
  start: typeof NodeProcess.start,
): Promise<Bond> {
  const { system } = near;
  const scene = new Scene({ system, nodes: [near.name, far.name] });
  const received: string[] = [];
  const [witness, weak] = [0, 1].map(() => {
    return system.find(system.spawn(undefined, undefined, idle, []).id)!;
  }) as [Actor, Actor];
  witness.trapExit = true;
  const victim = await scene.puppet(far.name, "victim");
  const farWeak = await scene.puppet(far.name, "farWeak");
  const farWitness = await scene.puppet(far.name, "farWitness", { trap: true });
  witness.link(victim.pid);
  witness.link(farWitness.pid);
  witness.monitor(victim.pid);
  witness.monitor({ name: "clerk", node: far.name });
  witness.monitorNode(far.name);
  weak.link(victim.pid);
  await farWeak.do("link", witness.pid);
  scene.name("w", witness.pid as unknown as Pid<unknown>);
  scene.name("r", await farWitness.do("monitor", witness.pid) as never);
  note(received, "call", witness.call(victim.pid as never, { ask: "hold" }, { timeout: Infinity }));
  await scene.settle();
  const line = near.remote.nodeLink(far.name)!;
  system.events.on("exit", ({ pid, reason }) => {
    if (pid === weak.pid) received.push(`weak ended: ${reason}`);
  });
  near.mesh.events.on("nodedown", ({ reason }) => {
    // All calls and spawns of the witness are settled by now.
    received.push(`nodedown ${reason}, kept ${line.kept}, ${hangs(witness)} hang`);
  });
  return { near, far, start, line, scene, witness, weak, farWeak, farWitness, received };
}

/** Returns the number of an actor's monitors of nodes, calls and spawns. */
function hangs(actor: Actor): number {
  let count = 0;
  for (let chained = actor.chain; chained !== undefined; chained = chained.following) count++;
  return count;
}

/** Returns the messages in the mailbox of the witness. */
function mail({ witness, scene }: Bond): string[] {
  return witness.peek().map((message) => {
    if (message instanceof Exit) return `exit ${scene.text(message.from)} ${message.reason}`;
    if (message instanceof Down) return `down ${scene.text(message.pid)} ${message.reason}`;
    return `${(message as NodeChange).type} ${(message as NodeChange).reason}`;
  });
}

/**
 * Asserts that the loss of the session ended everything that depended on the session, each reported
 * once and in order.
 */
async function assertLost(
  bond: Bond,
  end: string,
  pending: boolean,
  after: readonly string[] = [],
): Promise<void> {
  const { near, line, witness, received } = bond;
  const expected = [
    "weak ended: noconnection",
    `nodedown ${end}, kept 0, 1 hang`,
    ...(pending ? ["spawn: SpawnError noconnection"] : []),
    "call: NoConnectionError noconnection",
  ];
  await until("all ends are reported", () => received.length >= expected.length);
  assertEquals(received.slice(0, 2), expected.slice(0, 2));
  assertEquals(received.toSorted(), expected.toSorted());
  assertEquals(mail(bond), [
    "exit victim noconnection",
    "exit farWitness noconnection",
    "exit farWeak noconnection",
    "down victim noconnection",
    "down nobody noconnection",
    `nodedown ${end}`,
    ...after,
  ]);
  assertEquals([line.kept, line.links, witness.links?.size, witness.monitors?.size], [0, 0, 0, 0]);
  assertEquals([witness.watchers, near.system.externalCaller.chain], [undefined, undefined]);
  assertEquals(near.system.wheel.size, 0);
  assert(witness.isAlive);
}

/**
 * Asserts that the other node, when it is connected again, has also notified its actors, and keeps
 * no state.
 */
async function assertLostThere({ near, far, scene, farWeak, farWitness }: Bond): Promise<void> {
  await until("both nodes are connected again", async () => {
    return near.mesh.session(far.name) !== undefined &&
      (await far.ask<string[]>("peers")).includes(near.name);
  });
  assertEquals(await farWeak.end(), "noconnection");
  assertEquals(await farWitness.notes(), ["exit w noconnection", "down r w noconnection"]);
  assertEquals(await far.ask("kept"), [0]);
  void scene;
}

/** Requests a spawn on the other node, which is never answered. */
function ask({ witness, far, received }: Bond): void {
  const there = { node: far.name, fn: "puppet", timeout: Infinity };
  note(received, "spawn", witness.spawnLink(there, "late", false));
}

const SHORT_TIMEOUT = { pingInterval: 100, pingTimeout: 600 };

for (const other of OTHERS) {
  const lose = (how: string, patience: object, body: (bond: Bond) => Promise<void>): void => {
    test(`A node that ${how} (${runtime}, ${other}) ends all links, monitors, calls and spawns of other nodes once and in order`, async () => {
      await withMesh(async (startHere) => {
        await withNodes(async (start) => {
          const near = await startHere("near", { logLevel: "info", ...patience });
          prepareStage(near);
          const far = await start(other, "far", { seeds: [near.name], ...patience }, CHILD);
          await until("both nodes are connected", () => near.mesh.session(far.name) !== undefined);
          const size = near.system.size;
          const bond = await bind(near, far, start);
          await body(bond);
          bond.witness.end("over");
          assertEquals(near.system.size, size);
        });
      });
    });
  };

  lose("is killed with kill -9", {}, async (bond) => {
    bond.far.signal("SIGSTOP");
    ask(bond);
    await bond.far.kill();
    await assertLost(bond, "closed", true);
  });

  lose("is stopped with SIGSTOP past the deadline", SHORT_TIMEOUT, async (bond) => {
    bond.far.signal("SIGSTOP");
    ask(bond);
    await assertLost(bond, "timeout", true);
    bond.far.signal("SIGCONT");
    await assertLostThere(bond);
  });

  lose("is disconnected from", {}, async (bond) => {
    ask(bond);
    await bond.near.mesh.disconnect(bond.far.name);
    await assertLost(bond, "disconnected", true);
    // The actor that was spawned during the loss must exit after the nodes reconnect.
    await bond.near.mesh.connect(bond.far.name);
    await assertLostThere(bond);
    assertEquals(await bond.far.ask("size"), 2);
  });

  lose("disconnects itself", {}, async (bond) => {
    await bond.far.ask("disconnect", { name: bond.near.name });
    await assertLost(bond, "disconnected", false);
    await bond.near.mesh.connect(bond.far.name);
    await assertLostThere(bond);
  });

  lose("is replaced by a later life of it", {}, async (bond) => {
    const { near, far, start, witness, line } = bond;
    const [victim] = [...witness.links!] as [Pid<never>];
    far.signal("SIGSTOP");
    ask(bond);
    // The port is in use, so the later node listens on another, and dials.
    const again = await start(other, "again", {
      name: far.name,
      listen: { hostname: "127.0.0.1", port: 0 },
      seeds: [near.name],
    }, CHILD);
    assertEquals(again.name, far.name);
    await until("the new node is connected", () => near.received.length >= 3);
    await assertLost(bond, "restarted", true, ["nodeup undefined"]);
    const next = near.remote.nodeLink(far.name)!;
    assert(next !== line && next.isOpen);
    // A pid of the earlier incarnation reaches no actor, not even the new actor with the same
    // number.
    const same = next.pid(victim.id);
    assert(!same.equals(victim) && victim.node === same.node);
    const before = witness.length;
    witness.monitor(victim);
    witness.link(victim);
    near.system.exit(victim, "kill");
    near.system.send(victim as never, "for nobody" as never);
    const reasons = witness.peek().slice(before).map((end) => (end as Exit | Down).reason);
    assertEquals(reasons, ["noproc", "noproc"]);
    await bond.scene.settle();
    assertEquals([next.kept, await again.ask("kept")], [0, [0]]);
    far.signal("SIGCONT");
  });

  test(`A node that stops (${runtime}, ${other}) reports the exit reasons of its actors before nodedown`, async () => {
    await withMesh(async (startHere) => {
      await withNodes(async (start) => {
        const near = await startHere("near", { logLevel: "info" });
        prepareStage(near);
        const far = await start(other, "far", { seeds: [near.name] }, CHILD);
        await until("both nodes are connected", () => near.mesh.session(far.name) !== undefined);
        const bond = await bind(near, far, start);
        await far.ask("stop");
        const { received } = bond;
        await until("all ends are reported", () => received.length >= 3);
        assertEquals(received[0], "weak ended: shutdown");
        assertEquals(received.toSorted(), [
          "call: CallExitError exit",
          "nodedown shutdown, kept 0, 1 hang",
          "weak ended: shutdown",
        ]);
        const got = mail(bond).toSorted();
        assertEquals(got, [
          "down a stranger shutdown",
          "down victim shutdown",
          "exit farWeak shutdown",
          "exit farWitness shutdown",
          "exit victim shutdown",
          "nodedown shutdown",
        ]);
        assertEquals(mail(bond).at(-1), "nodedown shutdown");
      });
    });
  });

  test(`A pid of an earlier incarnation (${runtime}, ${other}) reaches no actor, and its monitor reports noproc`, async () => {
    await withMesh(async (startHere) => {
      await withNodes(async (start) => {
        const near = await startHere("near", { logLevel: "info" });
        prepareStage(near);
        const options = { seeds: [near.name] };
        const far = await start(other, "far", options, CHILD);
        await until("both nodes are connected", () => near.mesh.session(far.name) !== undefined);
        const scene = new Scene({ system: near.system, nodes: [near.name, far.name] });
        const old = await scene.puppet(far.name, "old");
        const a = await scene.puppet(near.name, "A", { trap: true });
        await far.kill();
        await until("the node is lost", () => near.mesh.session(far.name) === undefined);
        await a.do("monitor", old);
        const again = await start(other, "far", { ...options, name: far.name }, CHILD);
        await until(
          "both nodes are connected again",
          () => near.mesh.session(far.name) !== undefined,
        );
        const heir = await scene.puppet(again.name, "heir", { trap: true });
        assertEquals([heir.pid.id, heir.node], [old.pid.id, old.node]);
        await a.do("monitor", old);
        await a.do("link", old);
        await a.do("send", old, "for the old actor");
        await a.do("exitTo", old, "kill");
        await a.do("call", old, { ask: "echo", value: 1 });
        // The pid is sent back by the other node, and still refers to the earlier incarnation.
        await heir.do("send", a, ["of old", old.pid]);
        await heir.do("monitor", old);
        await heir.do("link", old);
        assertEquals(await a.notes(), [
          "down a reference old noconnection",
          "down a reference old noproc",
          "exit old noproc",
          "failed NoProcError noproc",
          "got [of old old]",
        ]);
        assertEquals(await heir.notes(), ["down a reference old noproc", "exit old noproc"]);
        assertEquals(await heir.end(), "alive");
      });
    });
  });
}
