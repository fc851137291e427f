import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Actor } from "../../lib/actor/actor.ts";
import { watchersOf } from "../../lib/actor/actor_ref.ts";
import { ActorExitError, ArgumentError } from "../../lib/actor/errors.ts";
import type { Down, Exit } from "../../lib/actor/exit.ts";
import type { ActorFunction, Self } from "../../lib/actor/self.ts";
import { Writer } from "../../lib/base/bytes.ts";
import { TAG } from "../../lib/mesh/message.ts";
import { SpawnError, type SpawnFailure } from "../../lib/mesh/spawner.ts";
import { TermError } from "../../lib/term/errors.ts";
import type { Pid, Ref } from "../../lib/term/pid.ts";
import { cluster, hostWith, untilWhole, withNodes } from "../kit/mesh.ts";
import { MemoryNetwork } from "../kit/memory_host.ts";
import { packPid } from "./raw_messages.ts";
import { test, until } from "../kit/test.ts";
import { hex, joined } from "./collector.ts";
import { join, moveAll, Side } from "./session_pair.ts";

const FN = { node: "other@h:2", fn: "fn" };

/** The spawned functions and their arguments. */
interface Spawned {
  readonly self: Self<unknown>;
  readonly args: readonly unknown[];
}

function exposeOn(
  side: Side,
  options?: Parameters<Side["remote"]["spawner"]["expose"]>[2],
): Spawned[] {
  const spawned: Spawned[] = [];
  const fn = (self: Self<unknown>, ...args: unknown[]): Promise<void> => {
    spawned.push({ self, args });
    if (args[0] === "ends at once") self.exit(args[1] as string);
    return new Promise(() => {});
  };
  side.remote.spawner.expose("fn", fn as unknown as ActorFunction<never, never[]>, options);
  return spawned;
}

/** Waits until all actors have run. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** Returns the number of actors of a side. */
function sizeOf(side: Side): number {
  return side.system.size;
}

async function assertFails(spawn: Promise<unknown>, code: SpawnFailure): Promise<SpawnError> {
  const error = await assertRejects(() => spawn, SpawnError);
  assertEquals(error.code, code, error.message);
  return error;
}

test("Spawner.spawn starts an exposed function with its arguments, and resolves to its pid", async () => {
  const [one, other] = join();
  const spawned = exposeOn(other);
  const near = one.actor();
  const pid = near.spawn(FN, 1, { of: [near.pid] }, undefined) as Promise<Pid>;
  while (other.takeFrom(one));
  // The SPAWNED has a field for an exit reason, which is "normal".
  const [answer] = other.waiting.map(({ tag, body }) => [tag, body.length, body.at(-1)]);
  assertEquals(answer, [TAG.SPAWNED, 18, 0]);
  moveAll(one, other);
  await turns();
  const [{ self, args }] = spawned as [Spawned];
  assertEquals((await pid).key, `other@h:2 ${self.pid.id}.2`);
  assertEquals(args.length, 3);
  assertEquals((args[1] as { of: Pid[] }).of[0]!.key, `one@h:1 ${near.pid.id}.1`);
  assertEquals([one.line.kept, other.line.kept, near.chain], [0, 0, undefined]);
});

test("Spawner.spawn links and monitors atomically with the spawn", async () => {
  const [one, other] = join();
  const spawned = exposeOn(other);
  const near = one.actor({ trap: true });
  const linked = near.spawnLink(FN) as Promise<Pid>;
  const watched = near.spawnMonitor(FN) as unknown as Promise<[Pid, Ref]>;
  other.takeFrom(one);
  other.takeFrom(one);
  // The first child is linked and the second is monitored before the replies arrive.
  await turns();
  const [first, second] = spawned.map(({ self }) => self as Actor) as [Actor, Actor];
  assertEquals([first.links?.size, [...watchersOf(second)].length], [1, 1]);
  assertEquals([other.line.links, other.line.monitors], [1, 1]);
  first.end("one");
  second.end("two");
  moveAll(one, other);
  const [pid, ref] = await watched;
  const [exit, down] = near.peek() as [Exit, Down];
  assertEquals([exit.reason, down.reason], ["one", "two"]);
  assert(exit.from.equals(await linked) && down.pid.equals(pid) && down.ref.equals(ref));
  assertEquals([one.line.kept, other.line.kept], [0, 0]);
  assertEquals([other.line.links, other.line.monitors], [0, 0]);
});

test("Spawner.spawn resolves to the pid of an actor that exits in its first turn, before the exit is reported", async () => {
  const [one, other] = join();
  exposeOn(other);
  const near = one.actor({ trap: true });
  const linked = near.spawnLink(FN, "ends at once", "ended") as Promise<Pid>;
  const watched = near.spawnMonitor(FN, "ends at once", "ended") as unknown as Promise<[Pid, Ref]>;
  while (other.takeFrom(one));
  await turns();
  moveAll(one, other);
  const [exit, down] = near.peek() as [Exit, Down];
  assertEquals([exit.reason, down.reason, sizeOf(other)], ["ended", "ended", 0]);
  assert(exit.from.equals(await linked) && down.pid.equals((await watched)[0]));
});

test("Spawner.spawn leaves no actor if the caller exits before the reply arrives", async () => {
  for (const how of ["spawn", "spawnLink", "spawnMonitor"] as string[]) {
    const [one, other] = join();
    const spawned = exposeOn(other);
    const near = one.actor();
    const pending = near[how as "spawn"](FN) as Promise<unknown>;
    near.end("impatient");
    const error = await assertRejects(() => pending, ActorExitError);
    assertEquals(error.reason, "impatient");
    moveAll(one, other);
    await turns();
    assertEquals([sizeOf(other), spawned.length <= 1], [0, true], how);
    assertEquals([one.line.kept, other.line.kept], [0, 0], how);
  }
});

test("Spawner.spawn rejects if no answer arrives in time, and kills an actor that starts late", async () => {
  const [one, other] = join();
  exposeOn(other);
  const near = one.actor({ trap: true });
  const pending = near.spawnLink({ ...FN, timeout: 30 }) as Promise<unknown>;
  one.host.clock.jump(40);
  one.host.clock.fire(one.host.clock.now());
  const error = await assertFails(pending, "timeout");
  assertEquals(error.message, 'cannot spawn "fn" on other@h:2: no answer in 30 ms');
  moveAll(one, other);
  assertEquals([sizeOf(other), one.line.kept, other.line.kept], [0, 0, 0]);
  // The spawning actor has not received the pid of the child, so it is not notified of the exit.
  assertEquals([near.length, near.isAlive, one.system.wheel.size], [0, true, 0]);
});

test("Spawner.spawn rejects a timeout longer than a timer allows, and sends nothing", async () => {
  const [one, other] = join();
  exposeOn(other);
  const near = one.actor();
  for (const timeout of [2 ** 31, NaN]) {
    await assertRejects(() => near.spawnLink({ ...FN, timeout }) as Promise<Pid>, ArgumentError);
  }
  moveAll(one, other);
  await turns();
  assertEquals([sizeOf(other), one.line.kept, one.system.wheel.size], [0, 0, 0]);
});

test("Spawner.spawn rejects if the function is not exposed, no longer exposed, or not allowed for this caller", async () => {
  const [one, other] = join();
  const near = one.actor();
  const attempt = (): Promise<unknown> => {
    const pending = near.spawn(FN) as Promise<unknown>;
    moveAll(one, other);
    return pending;
  };
  await assertFails(attempt(), "notexposed");
  exposeOn(other, { allow: [] });
  await assertFails(attempt(), "refused");
  exposeOn(other, { allow: ["somebody@h:1"] });
  await assertFails(attempt(), "refused");
  exposeOn(other, { allow: ["somebody@h:1", "one@h:1"] });
  await attempt();
  const asked: string[] = [];
  exposeOn(other, { allow: (node) => asked.push(node) > 1 });
  await assertFails(attempt(), "refused");
  await attempt();
  assertEquals(asked, ["one@h:1", "one@h:1"]);
  exposeOn(other, {
    allow: () => {
      throw new Error("no idea");
    },
  });
  await assertFails(attempt(), "refused");
  assertEquals(other.remote.spawner.unexpose("fn"), true);
  assertEquals(other.remote.spawner.unexpose("fn"), false);
  const error = await assertFails(attempt(), "notexposed");
  assertEquals(
    error.message,
    'cannot spawn "fn" on other@h:2: it exposes no function of that name',
  );
  assertEquals(sizeOf(other), 2);
  other.system.stop();
  exposeOn(other);
  await assertFails(attempt(), "limit");
  assertEquals([one.over, other.over, one.line.kept, other.line.kept], [
    undefined,
    undefined,
    0,
    0,
  ]);
});

test('Spawner.spawn rejects with "noconnection" if there is no session or the session is lost', async () => {
  const [one, other] = join();
  exposeOn(other);
  const near = one.actor({ trap: true });
  await assertFails(near.spawn({ node: "nobody@h:1", fn: "fn" }) as never, "noconnection");
  const pending = [near.spawn(FN), near.spawnLink(FN), near.spawnMonitor(FN)];
  while (other.takeFrom(one));
  assertEquals(sizeOf(other), 3);
  one.cut();
  for (const spawn of pending) {
    const error = await assertFails(spawn as never, "noconnection");
    assertEquals(
      error.message,
      'cannot spawn "fn" on other@h:2: the session with it was lost',
    );
  }
  assertEquals([near.length, near.chain, one.system.wheel.size], [0, undefined, 0]);
  // Of the three spawned actors, only the one that was spawned with a link exits.
  other.cut();
  await turns();
  assertEquals(sizeOf(other), 2);
  await assertFails(near.spawn(FN) as never, "noconnection");
});

test("Spawner.spawn continues to wait for other nodes when one node is lost", async () => {
  const [one, other] = join();
  const third = new Side("third@h:3", 3);
  exposeOn(other);
  const near = one.actor();
  const [first] = [near.spawn(FN) as Promise<Pid>];
  while (other.takeFrom(one));
  const session = one.session;
  one.open(third);
  third.open(one);
  const second = near.spawn({ node: "third@h:3", fn: "fn" }) as Promise<Pid>;
  one.cut();
  await assertFails(second, "noconnection");
  assert(near.chain !== undefined && one.system.wheel.size === 1);
  session.abort("closed", "cut");
  one.system.stop();
  await assertRejects(() => first, Error);
});

test("Spawner.spawn rejects an argument that cannot be sent, and sends nothing", async () => {
  const [one, other] = join();
  const spawned = exposeOn(other);
  const near = one.actor();
  const error = await assertRejects(() => near.spawn(FN, 1, { f() {} }) as never, TermError);
  assertEquals(error.path, "message[1].f");
  assertEquals(one.waiting, []);
  const good = near.spawn(FN, { f: 1 }) as Promise<Pid>;
  moveAll(one, other);
  await good;
  await turns();
  assertEquals(spawned.map(({ args }) => args), [[{ f: 1 }]]);
  assertEquals([near.chain, one.line.kept], [undefined, 0]);
});

test("Spawner.spawn on the own node passes arguments to the exposed function by reference", async () => {
  const [one] = join();
  const near = one.actor({ trap: true });
  const here = { node: "one@h:1", fn: "fn" };
  await assertFails(near.spawn(here) as never, "notexposed");
  const spawned = exposeOn(one, { allow: (node) => node === "one@h:1" });
  // Arguments are passed by reference, as to a local actor, so they may contain values that cannot
  // be encoded.
  const callback = (): void => {};
  const pid = await near.spawnLink<unknown>(here, callback) as Pid;
  await turns();
  assert(spawned[0]!.args[0] === callback);
  assert(one.system.isAlive(pid));
  const [watched, ref] = await near.spawnMonitor(here) as [Pid, Ref];
  near.exit(pid, "kill");
  near.exit(watched, "kill");
  const [exit, down] = near.peek() as [Exit, Down];
  assert(exit.from === pid && down.pid === watched && down.ref === ref);
  assertEquals([exit.reason, down.reason], ["killed", "killed"]);
  exposeOn(one, { allow: [] });
  await assertFails(near.spawn(here) as never, "refused");
  exposeOn(one);
  one.system.stop();
  await assertFails(one.remote.spawn(near, here, false, undefined, []), "limit");
});

test("Spawner.expose accepts names of 1 to 255 bytes", async () => {
  const [one, other] = join();
  const { spawner } = other.remote;
  for (const name of ["", "x".repeat(256), "é".repeat(128), "\ud800"]) {
    assertThrows(() => spawner.expose(name, () => {}), ArgumentError);
  }
  const changes: string[] = [];
  spawner.changed = (added, name) => void changes.push(`${added ? "+" : "-"}${name}`);
  const names = ["x", "x".repeat(255), "ünï", "constructor", "__proto__"];
  for (const name of names) spawner.expose(name, () => {});
  spawner.expose("x", () => {});
  assertEquals(spawner.names(), names);
  spawner.unexpose("x");
  assertEquals(changes, [...names.map((name) => `+${name}`), "-x"]);
  const near = one.actor();
  for (const name of names.slice(1)) {
    const pid = near.spawn({ ...FN, fn: name });
    moveAll(one, other);
    await pid;
  }
  await assertFails(
    (() => {
      const pid = near.spawn({ ...FN, fn: "toString" });
      moveAll(one, other);
      return pid as never;
    })(),
    "notexposed",
  );
});

test("Spawner ignores an invalid reply to a spawn", async () => {
  const [one, other] = join();
  const near = one.actor({ trap: true });
  const pending = near.spawnLink(FN) as Promise<Pid>;
  const spawned = (request: number, status: string, id: number): void => {
    const body = new Writer(32).u64(BigInt(request));
    one.take(
      TAG.SPAWNED,
      joined(body.done(), hex(status), new Writer(8).u64(packPid(0, id)).done(), hex("00")),
    );
  };
  spawned(2, "00", 5);
  spawned(0, "00", 5);
  assertEquals([near.links, one.line.kept], [undefined, 0]);
  // The spawn may fail for a reason that only a later version defines.
  spawned(1, "63", 0);
  await assertFails(pending, "refused");
  spawned(1, "00", 5);
  assertEquals([near.links, one.line.kept, one.over], [undefined, 0, undefined]);
  void other;
});

test("Spawner spawns no actor if the option allow ends the session of the requesting node", async () => {
  const [one, other] = join();
  exposeOn(other, {
    allow: () => {
      other.cut();
      return true;
    },
  });
  const near = one.actor({ trap: true });
  const pending = near.spawnLink(FN) as Promise<Pid>;
  const { line } = other;
  while (other.takeFrom(one));
  assertEquals([sizeOf(other), line.kept, line.monitors], [0, 0, 0]);
  one.cut();
  await assertFails(pending, "noconnection");
});

test("Node.exposed returns the functions of a peer, including later changes", async () => {
  await withNodes(async (start) => {
    const network = new MemoryNetwork();
    const quiet = { logLevel: "silent" } as const;
    const a = await start("a", quiet, network.host());
    const { spawner } = a.remote;
    const idle = (): Promise<void> => new Promise(() => {});
    const all = Array.from({ length: 2000 }, (_, i) => `function number ${i}`);
    for (const name of all.slice(0, 1500)) spawner.expose(name, idle);
    const b = await start("b", { ...quiet, seeds: [a.name] }, network.host());
    await untilWhole([a, b]);
    await until("b knows all functions", () => b.mesh.exposedBy(a.name)?.length === 1500);
    for (const name of all.slice(1500)) spawner.expose(name, idle);
    spawner.unexpose("function number 0");
    spawner.unexpose("function number 1999");
    const expected = all.slice(1, 1999).sort();
    const knows = (): boolean => b.mesh.exposedBy(a.name)?.length === expected.length;
    await until("b knows of the changes", knows);
    assertEquals(b.mesh.exposedBy(a.name), expected);
    assertEquals(b.mesh.exposedBy("nobody@h:1"), undefined);
    const c = await start("c", { ...quiet, seeds: [b.name] }, network.host());
    await untilWhole([a, b, c]);
    await until(
      "c knows the same functions",
      () => c.mesh.exposedBy(a.name)?.length === expected.length,
    );
    assertEquals(c.mesh.exposedBy(a.name), expected);
    assertEquals([c.mesh.exposedBy(b.name), a.mesh.exposedBy(b.name)], [[], []]);
    await a.mesh.disconnect(b.name);
    await until("b has removed them", () => b.mesh.exposedBy(a.name) === undefined);
  });
});

test("Node.exposed includes a change that the peer made between TLS and the handshake", async () => {
  await withNodes(async (start) => {
    const network = new MemoryNetwork();
    const quiet = { logLevel: "silent" } as const;
    const a = await start("a", quiet, network.host());
    const { spawner } = a.remote;
    for (const name of ["old", "stays"]) spawner.expose(name, () => {});
    const host = hostWith((real) => ({
      async connect(options) {
        // The responder has accepted the connection. Its ACK will list the functions that were
        // exposed at that time.
        const stream = await real.connect(options);
        spawner.unexpose("old");
        spawner.expose("new", () => {});
        return stream;
      },
    }), network.host());
    const b = await start("b", { ...quiet, seeds: [a.name] }, host);
    await untilWhole([a, b]);
    await until("b knows the new function", () => b.mesh.exposedBy(a.name)!.includes("new"));
    assertEquals(b.mesh.exposedBy(a.name), ["new", "stays"]);
  });
});

test("Node.exposed includes a change that either side made at any moment of a handshake", async () => {
  await withNodes(async (start) => {
    const nodes = await cluster(start, 2);
    const [a, b] = nodes as [typeof nodes[0], typeof nodes[0]];
    const idle = (): Promise<void> => new Promise(() => {});
    for (let round = 0; round < 30; round++) {
      await a.mesh.disconnect(b.name);
      const { spawner } = round % 2 === 0 ? a.remote : b.remote;
      const connecting = b.mesh.connect(a.name);
      // Delays `expose`, in each round until a later moment of the handshake.
      let left = round;
      while (left-- > 0) await new Promise<void>((wake) => setTimeout(wake, left % 2));
      spawner.expose(`fn ${round}`, idle);
      if (round > 3) spawner.unexpose(`fn ${round - 2}`);
      await connecting;
      await untilWhole(nodes);
      for (const [one, other] of [[a, b], [b, a]] as const) {
        const expected = one.remote.spawner.names().sort();
        try {
          await until(
            "the other node knows the functions",
            () => JSON.stringify(other.mesh.exposedBy(one.name)) === JSON.stringify(expected),
            2000,
          );
        } catch {
          assertEquals(other.mesh.exposedBy(one.name), expected, `round ${round}`);
        }
      }
    }
  });
});
