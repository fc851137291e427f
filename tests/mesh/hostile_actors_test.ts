/**
 * Tests authenticated members of the cluster that violate the actor protocol: nothing crashes, no
 * state is kept after their sessions have ended, and links and monitors between other actors are
 * unaffected.
 */
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import type { Actor } from "../../lib/actor/actor.ts";
import { watchersOf } from "../../lib/actor/actor_ref.ts";
import { concat } from "../../lib/base/bytes.ts";
import { encodeFrame } from "../../lib/mesh/frame.ts";
import { encodeHome, TAG } from "../../lib/mesh/message.ts";
import { encodeTerm } from "../../lib/term/encode.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { heapBytes, untilHeapReleased } from "../kit/heap.ts";
import { cluster, type TestNode, withNodes } from "../kit/mesh.ts";
import { isOwnHalf, test, until } from "../kit/test.ts";
import { hex } from "./collector.ts";
import { from, named, row, to } from "./raw_messages.ts";
import { joinAs, type Raw } from "./wire.ts";

/** Number of pending calls; 50,000 with FIRN_LONG=1. */
const PENDING_CALLS = process.env["FIRN_LONG"] === "1" ? 50_000 : 10_000;

/** Number of cancelled calls; a million with FIRN_LONG=1. */
const CANCELLED_CALLS = process.env["FIRN_LONG"] === "1" ? 1_000_000 : 100_000;

const HOSTILE = "hostile@127.0.0.1:1";

/** Maximum growth of a node's memory by the attack, in bytes. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;

const TERM = encodeTerm("a term");

/** The tags of replies. */
const ANSWERS: readonly number[] = [TAG.EXIT, TAG.DOWN, TAG.ANSWER, TAG.UNLINKED, TAG.SPAWNED];
const BYE = hex("05 0300000000000000 627965");

/** Two nodes whose actors are linked and monitor each other, and a hostile peer of one of them. */
interface Scene {
  readonly a: TestNode;
  readonly b: TestNode;
  /** The actors of a and b: linked to, monitoring and calling each other. */
  readonly near: Actor;
  readonly far: Actor;
  readonly raw: Raw;
}

function idle(): Promise<void> {
  return new Promise(() => {});
}

function puppet({ system }: TestNode, name: string): Actor {
  const actor = system.find(system.spawn(undefined, { name }, idle, []).id)!;
  actor.trapExit = true;
  return actor;
}

async function withHostile(body: (scene: Scene) => Promise<void>): Promise<void> {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    const [near, far] = [puppet(a, "near"), puppet(b, "far")];
    const farPid = a.remote.nodeLink(b.name)!.pid(far.pid.id);
    near.link(farPid);
    near.monitor(farPid);
    far.monitor({ name: "near", node: a.name });
    const call = near.call<string, string>(farPid as never, "are you there?", { timeout: 60_000 });
    await until(
      "the actors are linked and monitored",
      () => far.links?.size === 1 && far.length === 1,
    );
    const raw = await joinAs(HOSTILE, a.name, 1 + Math.floor(Math.random() * 1e9));
    await until("the hostile node is connected", () => a.mesh.session(HOSTILE) !== undefined);
    const size = a.system.size;

    await body({ a, b, near, far, raw });

    raw.stream.abort();
    await until("the hostile node is disconnected", () => a.mesh.session(HOSTILE) === undefined);
    a.system.signals.flush();
    // Links and monitors between the other actors are unaffected.
    assertEquals([near.links?.size, near.monitors?.size, [...watchersOf(near)].length], [1, 1, 1]);
    assertEquals([far.links?.size, [...watchersOf(far)].length, far.monitors?.size], [1, 1, 1]);
    // If a warns about the slow call, it asks b what the called actor does, by a call of its own.
    await until("a's own calls have ended", () => a.system.externalCaller.chain === undefined);
    assertEquals(a.system.size, size);
    assertEquals(
      [a, b].map(({ received }) => received.filter((line) => /down/.test(line)).length),
      [1, 0],
    );
    (far.peek()[0] as { reply(value: string): void }).reply("yes");
    assertEquals(await call, "yes");
    near.end("done");
    await until("the call, the Down and the Exit have arrived", () => far.length === 3);
    assertEquals(a.remote.nodeLink(b.name)!.kept, 0);
  });
}

/** Writes all frames, in large pieces. */
async function storm(raw: Raw, frames: Iterable<Uint8Array>): Promise<void> {
  let piece: Uint8Array[] = [];
  for (const frame of frames) {
    piece.push(frame);
    if (piece.length < 5000) continue;
    raw.stream.write(concat(piece));
    piece = [];
    await until("the piece has been sent", () => raw.stream.unsent === 0 || raw.isOver);
  }
  raw.stream.write(concat(piece));
  await until("all pieces have been sent", () => raw.stream.unsent === 0 || raw.isOver);
}

function* many(count: number, make: (i: number) => Uint8Array): Generator<Uint8Array> {
  for (let i = 1; i <= count; i++) yield make(i);
}

/** Waits until the node has read everything that was sent before. */
async function untilRead({ raw }: Scene): Promise<void> {
  const pongs = (): number => raw.tags.filter((tag) => tag === TAG.PONG).length;
  const before = pongs();
  raw.send(TAG.PING, new Uint8Array(8));
  await until("the node has answered a ping", () => pongs() > before || raw.isOver);
}

/** Number of tests that {@linkcode stormTest} has declared. */
let stormTests = 0;

/**
 * Declares a test that sends frames as the hostile node, calls `check`, and asserts that the memory
 * is released afterwards. Each runtime runs half of these tests, because they take long.
 */
function stormTest(
  name: string,
  frames: (scene: Scene) => Iterable<Uint8Array>,
  check: (scene: Scene) => void | Promise<void>,
): void {
  test(name, { ignore: !isOwnHalf(stormTests++) }, async () => {
    const before = heapBytes();
    await withHostile(async (scene) => {
      await storm(scene.raw, frames(scene));
      await untilRead(scene);
      await check(scene);
    });
    await untilHeapReleased(before, KEPT_BYTES_MAX);
  });
}

stormTest(
  "Mesh accepts 100,000 monitors of one actor by one actor, and removes them with the session",
  ({ near }) => many(100_000, (i) => encodeFrame(TAG.MONITOR, row([from(1), to(near.pid.id), i]))),
  ({ near, a, raw }) => {
    assertEquals([raw.isOver, [...watchersOf(near)].length], [false, 100_001]);
    assertEquals(a.remote.nodeLink(HOSTILE)!.kept, 1);
  },
);

stormTest(
  "Mesh accepts 100,000 monitors of one actor by as many actors, and removes them with the session",
  () =>
    many(100_000, (i) => encodeFrame(TAG.MONITOR_NAMED, row([from(i)], named("near"), row([i])))),
  ({ near, a, raw }) => {
    assertEquals([raw.isOver, [...watchersOf(near)].length], [false, 100_001]);
    assertEquals(a.remote.nodeLink(HOSTILE)!.kept, 100_000);
  },
);

stormTest(
  "Mesh accepts 100,000 links with one actor, and keeps no state after they are unlinked",
  ({ near }) =>
    many(200_000, (i) =>
      encodeFrame(
        i <= 100_000 ? TAG.LINK : TAG.UNLINK,
        row([from(1 + (i % 100_000)), to(near.pid.id)]),
      )),
  ({ near, a, raw }) => {
    assertEquals([raw.isOver, near.links?.size, near.length], [false, 1, 0]);
    assertEquals(a.remote.nodeLink(HOSTILE)!.kept, 0);
  },
);

stormTest(
  "Mesh keeps thousands of unanswered calls of a peer, and handles many cancellations",
  function* ({ near }) {
    yield* many(PENDING_CALLS, (i) => encodeFrame(TAG.CALL, row([i, to(near.pid.id)], TERM)));
    yield* many(CANCELLED_CALLS, (i) => encodeFrame(TAG.CALL_OVER, row([i + PENDING_CALLS / 2])));
  },
  ({ near, raw }) => {
    assertEquals(raw.isOver, false);
    near.discard(() => true);
  },
);

stormTest(
  "Mesh answers 100,000 requests about missing actors and functions, and keeps no state",
  () =>
    many(100_000, (i) => {
      switch (i % 6) {
        case 0:
          return encodeFrame(TAG.LINK, row([from(i), to(2 ** 39)]));
        case 1:
          return encodeFrame(TAG.MONITOR, row([from(i), to(2 ** 39), i]));
        case 2:
          return encodeFrame(TAG.CALL, row([i, to(2 ** 39)], TERM));
        case 3:
          return encodeFrame(TAG.UNLINK, row([from(i), to(2 ** 39)]));
        case 4:
          return encodeFrame(TAG.CALL_NAMED, row([i], named("nobody"), TERM));
        default:
          return encodeFrame(
            TAG.SPAWN,
            row([i, from(i)], hex("03"), named("not exposed"), row([i]), encodeTerm([1])),
          );
      }
    }),
  async ({ a, raw }) => {
    assertEquals(raw.isOver, false);
    assertEquals(a.remote.nodeLink(HOSTILE)!.kept, 0);
    const answers = (): number => raw.tags.filter((tag) => ANSWERS.includes(tag)).length;
    await until("all requests are answered", () => answers() === 100_000);
  },
);

stormTest(
  "Mesh accepts 65,534 announced nodes from one peer, and ends the session at one more",
  () =>
    many(70_000, (i) => encodeFrame(TAG.HOME, encodeHome((i + 1) & 0xffff, i, "x@h:1").slice(5))),
  ({ raw, a }) => {
    assert(raw.isOver);
    assert(a.received.at(-1)!.endsWith("protocol"), a.received.at(-1));
  },
);

stormTest(
  "Mesh ignores exits, replies and references about two actors if a third node sends them",
  ({ near, far }) => {
    const [mine, yours] = [near.pid.id, far.pid.id];
    const ids = [0, 1, 2, 3, mine, yours];
    const frames: Uint8Array[] = [];
    for (const id of ids) {
      for (const other of ids) {
        frames.push(encodeFrame(TAG.EXIT, row([from(id), to(other)], BYE)));
        frames.push(encodeFrame(TAG.UNLINK, row([from(id), to(other)])));
        frames.push(encodeFrame(TAG.UNLINKED, row([from(id), to(other)])));
        for (const ref of [0, 1, 2, 3, 4, 5]) {
          frames.push(encodeFrame(TAG.DOWN, row([from(id), to(other), ref], BYE)));
          frames.push(encodeFrame(TAG.DEMONITOR, row([from(id), to(other), ref])));
        }
      }
    }
    for (const request of [0, 1, 2, 3]) {
      for (const status of ["00", "01"]) {
        frames.push(encodeFrame(TAG.ANSWER, row([request], hex(status), TERM)));
      }
      frames.push(encodeFrame(TAG.ANSWER, row([request], hex("02"), BYE)));
      for (const status of ["03", "04"]) {
        frames.push(encodeFrame(TAG.ANSWER, row([request], hex(status))));
      }
      frames.push(encodeFrame(TAG.SPAWNED, row([request], hex("00"), row([from(1)]), hex("00"))));
      frames.push(encodeFrame(TAG.CALL_OVER, row([request])));
    }
    return frames;
  },
  ({ near, raw, a }) => {
    assertEquals([raw.isOver, near.length, near.isAlive], [false, 0, true]);
    assertEquals(a.remote.nodeLink(HOSTILE)!.kept, 0);
  },
);

test("Mesh ends the session of a peer that nests terms too deeply, or sends invalid lengths", async () => {
  const deep = new Uint8Array(1_000_000).fill(TERM[0]!);
  const terms = [
    // Nested arrays of one item each.
    joinTerm(new Uint8Array(100_000).fill(arrayOfOne())),
    deep,
    // An array that announces four billion items and contains none.
    joinTerm(hex("ff ffffffff")),
  ];
  for (const term of terms) {
    await withHostile(async ({ raw, near }) => {
      raw.send(TAG.SEND, row([to(near.pid.id)], term));
      await until("the session has ended", () => raw.isOver);
      assertEquals(near.length, 0);
    });
  }
});

/** Returns the tag of an array of one item, which is that of an empty array plus one. */
function arrayOfOne(): number {
  return encodeTerm([])[1]! + 1;
}

/** Encodes a term with these bytes after the version byte. */
function joinTerm(bytes: Uint8Array): Uint8Array {
  return concat([TERM.subarray(0, 1), bytes]);
}

test("Mesh ignores a peer's signals to the system's own pid", async () => {
  await withHostile(async (scene) => {
    const { raw, near, a } = scene;
    const victim = puppet(a, "victim");
    raw.send(TAG.EXIT_SIGNAL, row([from(1), to(victim.pid.id)], hex("08")));
    await until("the victim is killed", () => !victim.isAlive);
    // Signals to pid 0, the system's own, reach neither the program nor an actor.
    raw.send(TAG.EXIT_SIGNAL, row([from(1), to(0)], hex("08")));
    raw.send(TAG.SEND, row([to(0)], TERM));
    raw.send(TAG.LINK, row([from(0), to(0)]));
    raw.send(TAG.MONITOR, row([from(0), to(0), 1]));
    await untilRead(scene);
    assertEquals([raw.isOver, near.isAlive, near.length], [false, true, 0]);
  });
});

test("Mesh spawns for a hostile peer only functions that are exposed to it", async () => {
  await withHostile(async (scene) => {
    const { raw, a } = scene;
    const { spawner } = a.remote;
    spawner.expose("for b", idle, { allow: (node) => node !== HOSTILE });
    const size = a.system.size;
    for (const name of ["", "for b", "near", "idle", "constructor", "__proto__", "toString"]) {
      const rest = [hex("03"), named(name), row([1]), encodeTerm([1, 2])];
      raw.send(TAG.SPAWN, row([1, from(1)], ...rest));
    }
    await untilRead(scene);
    const answers = raw.frames.filter(({ tag }) => tag === TAG.SPAWNED).map(({ body }) => body[8]);
    assertEquals(answers, [1, 2, 1, 1, 1, 1, 1]);
    assertEquals([a.system.size, a.remote.nodeLink(HOSTILE)!.kept], [size, 0]);
    spawner.unexpose("for b");
  });
});

test("Spawns and calls on a peer that does not answer are rejected when its session ends", async () => {
  await withHostile(async ({ raw, a, near }) => {
    const line = a.remote.nodeLink(HOSTILE)!;
    const there = { node: HOSTILE, fn: "any", timeout: 60_000 };
    const pending = Array.from({ length: 1000 }, () => near.spawnLink(there) as Promise<Pid>);
    const calls = Array.from({ length: 1000 }, () => near.call(line.pid(1) as never, 1));
    const ends = Promise.allSettled([...pending, ...calls]);
    await until("all requests have arrived", () => raw.frames.length >= 2000);
    raw.stream.abort();
    const codes = (await ends).map((end) => (end as PromiseRejectedResult).reason.code);
    assertEquals(new Set(codes), new Set(["noconnection"]));
    await until("the session has ended", () => a.mesh.session(HOSTILE) === undefined);
    // Only the call to b's actor is still pending.
    assert(near.chain !== undefined && near.chain.following === undefined);
    assertEquals(line.kept, 0);
  });
});

test("Mesh replaces the session and removes the links of a member when its next incarnation connects", async () => {
  await withHostile(async ({ raw, a, near }) => {
    raw.send(TAG.LINK, row([from(1), to(near.pid.id)]));
    raw.send(TAG.MONITOR, row([from(1), to(near.pid.id), 1]));
    await until("the hostile node has linked the actor", () => near.links?.size === 2);
    const line = a.remote.nodeLink(HOSTILE)!;
    const again = await joinAs(HOSTILE, a.name, 2_000_000_000);
    await until("the earlier session has ended", () => raw.isOver);
    assertEquals([line.kept, line.isOpen, near.links?.size], [0, false, 1]);
    assertEquals(near.length, 1);
    near.discard(() => true);
    assert(a.remote.nodeLink(HOSTILE) !== line);
    a.received.splice(a.received.findIndex((line) => line.startsWith("down")), 1);
    again.stream.abort();
  });
});
