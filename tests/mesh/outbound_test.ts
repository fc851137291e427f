import { assert, assertEquals, assertRejects } from "@std/assert";
import { watchersOf } from "../../lib/actor/actor_ref.ts";
import type { Actor } from "../../lib/actor/actor.ts";
import type { Call } from "../../lib/actor/call.ts";
import {
  ArgumentError,
  CallExitError,
  CallTimeoutError,
  NoConnectionError,
} from "../../lib/actor/errors.ts";
import { Down, Exit } from "../../lib/actor/exit.ts";
import { TAG } from "../../lib/mesh/message.ts";
import { TermError } from "../../lib/term/errors.ts";
import type { ExitReason } from "../../lib/term/exit.ts";
import { test } from "../kit/test.ts";
import { join, moveAll, type Side } from "./session_pair.ts";

/** A value whose property throws when the encoder reads it. */
const TRAP = {
  get property(): never {
    throw new RangeError("a getter");
  },
};

/** One unencodable value of each kind. */
const UNSENDABLE: readonly unknown[] = [() => {}, { deep: [Symbol("s")] }, TRAP, circle()];

function circle(): object {
  const circle: { itself?: object } = {};
  circle.itself = circle;
  return circle;
}

/** Returns the dead letters of one side. */
function deadLetters(side: Side): string[] {
  const letters: string[] = [];
  side.system.events.on("deadletter", ({ to, error }) => {
    const whom = typeof to === "object" && "name" in to ? `${to.name} on ${to.node}` : `${to}`;
    letters.push(`${whom}: ${error?.name}`);
  });
  return letters;
}

function exits(actor: Actor): unknown[] {
  return actor.peek().filter((message) => message instanceof Exit)
    .map(({ reason }) => reason instanceof Error ? reason.message : reason);
}

test("Outbound.send reports a message that cannot be encoded, and sends the following messages", () => {
  const [one, other] = join();
  const far = other.actor({ name: "far" });
  const letters = deadLetters(one);
  const pid = one.pid(far);
  for (const term of UNSENDABLE) {
    one.system.send(pid as never, { a: 1, term } as never);
    one.system.sendTo({ name: "far", node: "other@h:2" }, { b: 2, term });
    // The peer did not receive the keys of the rejected message, so they must be sent again.
    one.system.send(pid as never, { a: 1, term: 2 } as never);
    one.system.sendTo({ name: "far", node: "other@h:2" }, { b: 2, term: 3 });
  }
  moveAll(one, other);
  assertEquals([one.over, other.over], [undefined, undefined]);
  assertEquals(far.peek(), UNSENDABLE.flatMap(() => [{ a: 1, term: 2 }, { b: 2, term: 3 }]));
  const names = ["TermError", "TermError", "RangeError", "TermError"];
  const [id] = [far.pid.id];
  assertEquals(
    letters,
    names.flatMap((name) => [`<other@h:2 ${id}.2>: ${name}`, `far on other@h:2: ${name}`]),
  );
  assertEquals(one.line.kept, 0);
});

test("Outbound.send reports a message that is too long, and Outbound.call rejects it", async () => {
  const [one, other] = join();
  const far = other.actor();
  const letters = deadLetters(one);
  const pid = one.pid(far) as never;
  const long = new Uint8Array(4 * 1024 * 1024);
  one.system.send(pid, long as never);
  assertEquals(letters, [`<other@h:2 ${far.pid.id}.2>: TermError`]);
  const error = await assertRejects(() => one.system.call(pid, long), TermError);
  assertEquals(error.code, "system_limit");
  moveAll(one, other);
  assertEquals([far.length, one.line.kept, one.over], [0, 0, undefined]);
});

test("Outbound.call rejects a request that cannot be encoded, and keeps no state for it", async () => {
  const [one, other] = join();
  const far = other.actor({ name: "far" });
  for (const to of [one.pid(far), { name: "far", node: "other@h:2" }]) {
    await assertRejects(() => one.system.call(to as never, () => {}), TermError);
    await assertRejects(() => one.system.call(to as never, TRAP), RangeError, "a getter");
    await assertRejects(() => one.system.call(to as never, 1, { timeout: NaN }), ArgumentError);
    await assertRejects(
      () => one.system.call(to as never, 1, { signal: AbortSignal.abort(new TypeError("no")) }),
      TypeError,
    );
  }
  one.system.send(one.pid(far) as never, "sound" as never);
  moveAll(one, other);
  assertEquals([one.line.kept, far.peek(), other.over], [0, ["sound"], undefined]);
});

test("Outbound.answer sends a rejection if the reply cannot be encoded", async () => {
  for (const term of UNSENDABLE) {
    const [one, other] = join();
    const far = other.actor();
    const pid = one.pid(far) as never;
    const reply = one.system.call(pid, 1);
    const refusal = one.system.call(pid, 2);
    const good = one.system.call(pid, 3);
    moveAll(one, other);
    const [first, second, third] = far.peek() as Call[];
    first!.reply({ key: term });
    second!.refuse(term);
    third!.reply({ key: 3 });
    moveAll(one, other);
    const error = await assertRejects(() => reply, Error);
    assert(["TermError", "RangeError"].includes(error.name), error.name);
    await assertRejects(() => refusal, Error, "unsendable refusal");
    assertEquals(await good, { key: 3 });
    assertEquals([one.over, other.over, one.line.kept], [undefined, undefined, 0]);
  }
});

test("Outbound.call ends a call on the other node when the call is aborted, times out or loses its caller", async () => {
  const [one, other] = join();
  const far = other.actor();
  const pid = one.pid(far) as never;
  const cancel = new AbortController();
  const near = one.actor();
  const aborted = one.system.call(pid, 1, { timeout: Infinity, signal: cancel.signal });
  const left = one.system.call(pid, 2, { timeout: Infinity }, near);
  const late = one.system.call(pid, 3, { timeout: 50 });
  moveAll(one, other);
  assert(far.chain !== undefined);
  cancel.abort(new TypeError("given up"));
  near.end("tired");
  // The time limit begins when the turn is over.
  await Promise.resolve();
  one.host.clock.jump(60);
  one.host.clock.fire(one.host.clock.now());
  await assertRejects(() => aborted, TypeError);
  await assertRejects(() => left, Error, "has ended");
  await assertRejects(() => late, CallTimeoutError);
  assertEquals(one.waiting.map(({ tag }) => tag), [TAG.CALL_OVER, TAG.CALL_OVER, TAG.CALL_OVER]);
  moveAll(one, other);
  assertEquals([far.chain, one.line.kept], [undefined, 0]);
  // Replies to calls that have ended are dropped.
  for (const call of far.peek() as Call[]) call.reply("too late");
  assertEquals(other.waiting, []);
});

test("Outbound.call sends no CALL_OVER after the reply has arrived", async () => {
  const [one, other] = join();
  const far = other.actor();
  const call = one.system.call(one.pid(far) as never, 1);
  moveAll(one, other);
  (far.peek()[0] as Call).reply("yes");
  while (one.takeFrom(other));
  assertEquals([await call, one.waiting, one.line.kept], ["yes", [], 0]);
});

test("Outbound sends a text for an exit reason that cannot be encoded", () => {
  const large = "x".repeat(2 * 2 ** 20);
  const reasons: readonly (readonly [given: ExitReason, received: RegExp])[] = [
    ...UNSENDABLE.map((term) => [{ reason: term }, /^unsendable exit reason/] as const),
    [large, /^unsendable exit reason: it is longer than 1048576 bytes$/],
    [{ large }, /^unsendable exit reason/],
    [new Error(large), /^Error: x{900}|^unsendable exit reason/],
    [new Error("boom", { cause: () => {} }), /^Error: boom$/],
    [TRAP, /^unsendable exit reason: one of its getters threw$/],
  ];
  for (const [reason, expected] of reasons) {
    const [one, other] = join();
    const near = one.actor();
    const far = other.actor({ trap: true });
    const also = one.actor({ trap: true });
    also.link(near.pid as never);
    near.link(one.pid(far));
    far.monitor(other.pid(near));
    near.exit(one.pid(far), reason);
    moveAll(one, other);
    near.end(reason);
    moveAll(one, other);
    const received = exits(far);
    assertEquals(received.length, 2);
    for (const text of received) assert(expected.test(String(text)), `${text}`.slice(0, 200));
    assert(far.peek().some((message) => message instanceof Down));
    // Local actors receive the reason itself, and later exits still arrive.
    assertEquals((also.peek()[0] as Exit).reason, reason);
    const last = one.actor();
    also.link(last.pid as never);
    last.end("still works");
    assertEquals((also.peek()[1] as Exit).reason, "still works");
    assertEquals([one.over, other.over], [undefined, undefined]);
  }
});

test("Outbound truncates a name that is too long, so that it matches no actor", async () => {
  const [one, other] = join();
  const near = one.actor({ trap: true });
  for (const char of ["x", "é", "字", "🜂"]) {
    const to = { name: char.repeat(70_000), node: "other@h:2" };
    one.system.sendTo(to, 1);
    const call = one.system.call(to, 1);
    near.monitor(to);
    const spawned = one.remote.spawn(near, { node: to.node, fn: to.name }, false, undefined, []);
    moveAll(one, other);
    await assertRejects(() => call, Error, "no such actor");
    await assertRejects(() => spawned, Error, "exposes no function");
    assertEquals([one.over, other.over, one.line.kept], [undefined, undefined, 0]);
  }
  assertEquals(near.peek().map((message) => (message as Down).reason), new Array(4).fill("noproc"));
});

test("Outbound.monitor of a missing name leads to a Down whose pid never refers to an actor", () => {
  const [one, other] = join();
  const near = one.actor({ trap: true });
  near.monitor({ name: "nobody", node: "other@h:2" });
  moveAll(one, other);
  const { pid } = near.peek()[0] as Down;
  const late = other.actor({ name: "nobody" });
  one.system.send(pid as never, "for nobody" as never);
  near.link(pid);
  moveAll(one, other);
  assertEquals(late.length, 0);
  assertEquals((near.peek()[1] as Exit).reason, "noproc");
  assertEquals(one.line.kept, 0);
});

test("Outbound removes a monitor on the other node when it is cancelled or the monitoring actor exits", () => {
  const [one, other] = join();
  const far = other.actor({ name: "far" });
  const [near, also] = [one.actor(), one.actor()];
  const refs = [near.monitor(one.pid(far)), near.monitor({ name: "far", node: "other@h:2" })];
  also.monitor(one.pid(far));
  also.monitor({ name: "far", node: "other@h:2" });
  moveAll(one, other);
  assertEquals([[...watchersOf(far)].length, other.line.monitors], [4, 4]);
  for (const ref of refs) assertEquals(near.demonitor(ref), true);
  moveAll(one, other);
  assertEquals([[...watchersOf(far)].length, other.line.monitors], [2, 2]);
  also.end("tired");
  moveAll(one, other);
  assertEquals([[...watchersOf(far)].length, other.line.monitors], [0, 0]);
  assertEquals([one.line.kept, other.line.kept], [0, 0]);
});

test("Outbound.lost ends the links, then the monitors, then the calls of all remote actors", async () => {
  const [one, other] = join();
  const far = [other.actor({ name: "far" }), other.actor()];
  const near = one.actor({ trap: true });
  const weak = one.actor();
  const ends: string[] = [];
  one.system.events.on("exit", ({ pid, reason }) => void ends.push(`${pid.id} ${reason}`));
  for (const actor of far) {
    near.monitor(one.pid(actor));
    near.link(one.pid(actor));
    actor.monitor(other.pid(near));
  }
  near.monitor({ name: "far", node: "other@h:2" });
  weak.link(one.pid(far[0]!));
  const calls = far.map((actor) => one.system.call(one.pid(actor) as never, 1));
  const gone = one.system.whenEnded(one.pid(far[0]!)).catch((error) => error);
  one.system.sendAfter(one.pid(far[1]!) as never, "later" as never, 1000);
  moveAll(one, other);
  const { line } = one;
  assertEquals(line.kept, 2 + 1 + 2);
  one.cut();
  const received = near.peek().map((message) => {
    return message instanceof Exit ? `exit ${message.from.id}` : `down ${(message as Down).pid.id}`;
  });
  const [a, b] = far.map(({ pid }) => pid.id);
  assertEquals(received, [`exit ${a}`, `exit ${b}`, `down ${a}`, `down ${b}`, "down 0"]);
  assertEquals(new Set(near.peek().map((end) => (end as Exit).reason)), new Set(["noconnection"]));
  assertEquals(ends, [`${weak.pid.id} noconnection`]);
  for (const call of calls) await assertRejects(() => call, NoConnectionError);
  assert(await gone instanceof NoConnectionError, "the outcome is unknown");
  assertEquals([line.kept, line.links], [0, 0]);
  assertEquals([near.links?.size, near.monitors?.size, [...watchersOf(near)].length], [0, 0, 0]);
  assertEquals(one.system.externalCaller.monitors?.size ?? 0, 0);
  assertEquals(one.remote.nodeLink("other@h:2"), undefined);
  // The timer was removed with the actor.
  assertEquals(one.system.wheel.size, 0);
});

test("Outbound.lost makes operations on remote actors fail while links and monitors are being ended", async () => {
  const [one, other] = join();
  const far = other.actor();
  const pid = one.pid(far);
  const weak = one.actor();
  weak.link(pid);
  const near = one.actor({ trap: true });
  const asked: Promise<unknown>[] = [];
  one.system.events.on("exit", () => {
    near.link(pid);
    near.monitor(pid);
    near.monitor({ name: "far", node: "other@h:2" });
    one.system.exit(pid, "kill");
    one.system.send(pid as never, 1 as never);
    asked.push(one.system.call(pid as never, 1));
  });
  moveAll(one, other);
  const { line } = one;
  one.cut();
  const reasons = near.peek().map((message) => (message as Exit | Down).reason);
  assertEquals(reasons, ["noconnection", "noconnection", "noconnection"]);
  await assertRejects(() => asked[0]!, NoConnectionError);
  assertEquals([line.kept, near.links?.size ?? 0, near.monitors?.size ?? 0], [0, 0, 0]);
});

test('Outbound.call rejects with the exit reason of the called actor, or "noproc" if there is none', async () => {
  for (const reason of ["noproc", "noconnection", "killed", { any: 1 }]) {
    const [one, other] = join();
    const far = other.actor();
    const pid = one.pid(far) as never;
    const call = one.system.call(pid, 1);
    moveAll(one, other);
    far.end(reason);
    moveAll(one, other);
    const error = await assertRejects(() => call, CallExitError);
    assertEquals(error.reason, reason);
    const again = one.system.call(pid, 1);
    moveAll(one, other);
    await assertRejects(() => again, Error, "no such actor");
  }
});
