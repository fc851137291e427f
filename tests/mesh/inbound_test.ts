import { assert, assertEquals } from "@std/assert";
import { watchersOf } from "../../lib/actor/actor_ref.ts";
import type { Actor } from "../../lib/actor/actor.ts";
import { Call } from "../../lib/actor/call.ts";
import { Exit } from "../../lib/actor/exit.ts";
import { dispatch, HANDLED_TAGS, type NodeMessages } from "../../lib/mesh/dispatch.ts";
import { Inbound } from "../../lib/mesh/inbound.ts";
import { encodeHome, TAG } from "../../lib/mesh/message.ts";
import { encodeTerm } from "../../lib/term/encode.ts";
import { LOCAL_ID_MAX } from "../../lib/term/pid.ts";
import { test } from "../kit/test.ts";
import { hex, joined } from "./collector.ts";
import { join, moveAll, type Side } from "./session_pair.ts";
import { from, named, packPid, row, to } from "./raw_messages.ts";

const TERM = encodeTerm("a term");
const NORMAL = hex("00");
const BYE = joined(hex("05"), row([3]), new TextEncoder().encode("bye"));

/**
 * One actor on each side, linked to and monitoring the other, with a call pending in each
 * direction.
 */
interface LinkedPair {
  readonly one: Side;
  readonly other: Side;
  readonly near: Actor;
  readonly far: Actor;
}

function linkedPair(): LinkedPair {
  const [one, other] = join();
  const near = one.actor({ trap: true, name: "near" });
  const far = other.actor({ trap: true, name: "far" });
  near.link(one.pid(far));
  near.monitor(one.pid(far));
  far.monitor(other.pid(near));
  for (const [side, actor, at] of [[one, near, far], [other, far, near]] as const) {
    side.system.call(side.pid(at) as never, "work", { timeout: Infinity }, actor).catch(() => {});
  }
  moveAll(one, other);
  return { one, other, near, far };
}

/**
 * Returns the state that one side keeps about the other side, and the messages that its actor has
 * received.
 */
function view({ one, near }: LinkedPair): unknown {
  return [
    one.line.kept,
    one.line.links,
    one.line.monitors,
    near.links?.size,
    near.monitors?.size,
    [...watchersOf(near)].length,
    near.length,
    one.system.size,
    one.crashes.length,
  ];
}

test("Inbound.take ends the session at an invalid message, which has no effect on actors", () => {
  const rows: Record<string, readonly [tag: number, body: Uint8Array]> = {
    "a SEND to an actor of the sender": [TAG.SEND, row([from(1)], TERM)],
    "a SEND to an actor of a third node": [TAG.SEND, row([packPid(2, 1)], TERM)],
    "a SEND without a term": [TAG.SEND, row([to(1)])],
    "a SEND with bytes after its term": [TAG.SEND, row([to(1)], TERM, TERM)],
    "a SEND with an invalid term": [TAG.SEND, row([to(1)], hex("ff"))],
    "a SEND with a pid of an unannounced node": [
      TAG.SEND,
      row([to(1)], TERM.slice(0, 1), hex("e4"), row([packPid(9, 1)])),
    ],
    "a SEND_NAMED with a wrong name length": [TAG.SEND_NAMED, hex("ffff 61")],
    "a SEND_NAMED whose name is not UTF-8": [TAG.SEND_NAMED, joined(hex("0100 ff"), TERM)],
    "a LINK from an actor of the receiver": [TAG.LINK, row([to(1), to(1)])],
    "a LINK to an actor of the sender": [TAG.LINK, row([from(1), from(1)])],
    "a LINK from an actor of a third node": [TAG.LINK, row([packPid(2, 1), to(1)])],
    "an UNLINK from an actor of the receiver": [TAG.UNLINK, row([to(1), to(1)])],
    "an UNLINKED to an actor of the sender": [TAG.UNLINKED, row([from(1), from(1)])],
    "an EXIT without a reason": [TAG.EXIT, row([from(1), to(1)])],
    "an EXIT with an invalid reason": [TAG.EXIT, row([from(1), to(1)], hex("63"))],
    "an EXIT from an actor of the receiver": [TAG.EXIT, row([to(1), to(1)], NORMAL)],
    "an EXIT_SIGNAL from an actor of the receiver": [TAG.EXIT_SIGNAL, row([to(1), to(1)], BYE)],
    "an EXIT_SIGNAL without a reason": [TAG.EXIT_SIGNAL, row([from(1), to(1)])],
    "a MONITOR from an actor of the receiver": [TAG.MONITOR, row([to(1), to(1), 9])],
    "a MONITOR with a reference that is in use": [TAG.MONITOR, row([from(1), to(1), 1])],
    "a MONITOR_NAMED without a reference": [TAG.MONITOR_NAMED, row([from(1)], named("near"))],
    "a DEMONITOR that is short": [TAG.DEMONITOR, row([from(1), to(1)])],
    "a DOWN without a reason": [TAG.DOWN, row([from(1), to(1), 1])],
    "a DOWN of an actor of the receiver": [TAG.DOWN, row([to(1), to(1), 1], NORMAL)],
    "a CALL with a number that is in use": [TAG.CALL, row([1, to(1)], TERM)],
    "a CALL to an actor of the sender": [TAG.CALL, row([7, from(1)], TERM)],
    "a CALL_NAMED without a term": [TAG.CALL_NAMED, row([7], named("near"))],
    "an ANSWER without a status": [TAG.ANSWER, row([1])],
    "an ANSWER with an unassigned status": [TAG.ANSWER, row([1], hex("05"), TERM)],
    "an ANSWER without a term": [TAG.ANSWER, row([1], hex("00"))],
    "a CALL_OVER that is short": [TAG.CALL_OVER, hex("01000000")],
    "a SPAWN whose arguments are not an array": [
      TAG.SPAWN,
      row([1, from(1)], hex("00"), named("fn"), row([1]), TERM),
    ],
    "a SPAWN without arguments": [TAG.SPAWN, row([1, from(1)], hex("00"), named("fn"), row([1]))],
    "a SPAWN for an actor of the receiver": [
      TAG.SPAWN,
      row([1, to(1)], hex("00"), named("fn"), row([1]), encodeTerm([])),
    ],
    "a SPAWN that monitors with a reference in use": [
      TAG.SPAWN,
      row([1, from(1)], hex("02"), named("fn"), row([1]), encodeTerm([])),
    ],
    "a SPAWNED with an actor of the receiver": [
      TAG.SPAWNED,
      joined(row([1]), hex("00"), row([to(1)]), NORMAL),
    ],
    "a HOME with an index out of order": [TAG.HOME, encodeHome(3, 1, "x@h:1").slice(5)],
    "a HOME of the sender": [TAG.HOME, encodeHome(0, 1, "x@h:1").slice(5)],
    "a HOME with an invalid node name": [TAG.HOME, encodeHome(2, 1, "no name").slice(5)],
    "a HOME that is short": [TAG.HOME, hex("0200")],
  };
  for (const [what, [tag, body]] of Object.entries(rows)) {
    const home = linkedPair();
    const { one, near } = home;
    const { length } = near;
    const { size } = one.system;
    one.take(tag, body);
    assert(one.over?.startsWith("protocol: it sent row 0x"), `${what}: ${one.over}`);
    // The effects are those of a lost session: the actor has received an exit and a Down, and its
    // calls have failed.
    assertEquals(
      [near.links?.size, near.monitors?.size, [...watchersOf(near)].length],
      [0, 0, 0],
      what,
    );
    assertEquals([near.length, one.system.size], [length + 2, size], what);
    assertEquals(one.crashes, [], what);
  }
});

test("Inbound.take ends the session at an actor message truncated at any byte", () => {
  // A complete message for each tag. The test truncates it at every byte.
  const rows: readonly (readonly [tag: number, body: Uint8Array])[] = [
    [TAG.SEND, row([to(1)], TERM)],
    [TAG.SEND_NAMED, joined(named("near"), TERM)],
    [TAG.LINK, row([from(2), to(1)])],
    [TAG.UNLINK, row([from(1), to(1)])],
    [TAG.UNLINKED, row([from(1), to(1)])],
    [TAG.EXIT, row([from(1), to(1)], BYE)],
    [TAG.EXIT_SIGNAL, row([from(1), to(1)], BYE)],
    [TAG.MONITOR, row([from(1), to(1), 7])],
    [TAG.MONITOR_NAMED, joined(row([from(1)]), named("near"), row([7]))],
    [TAG.DEMONITOR, row([from(1), to(1), 1])],
    [TAG.DOWN, row([from(1), to(1), 1], BYE)],
    [TAG.CALL, row([7, to(1)], TERM)],
    [TAG.CALL_NAMED, joined(row([7]), named("near"), TERM)],
    [TAG.ANSWER, row([1], hex("00"), TERM)],
    [TAG.CALL_OVER, row([1])],
    [TAG.SPAWN, row([1, from(1)], hex("00"), named("fn"), row([1]), encodeTerm([]))],
    [TAG.SPAWNED, joined(row([1]), hex("00"), row([from(1)]), NORMAL)],
    [TAG.HOME, encodeHome(2, 1, "x@h:1").slice(5)],
  ];
  for (const [tag, body] of rows) {
    const whole = linkedPair();
    whole.one.take(tag, body);
    assertEquals(whole.one.over, undefined, `0x${tag.toString(16)}`);
    for (let length = 0; length < body.length; length++) {
      // A SPAWNED that reports success has no reason.
      if (tag === TAG.SPAWNED && length >= 17) continue;
      // Uses a new session each time, because the first violation ends it.
      const { one } = linkedPair();
      one.take(tag, body.subarray(0, length));
      assert(one.over !== undefined, `0x${tag.toString(16)} cut at ${length}`);
    }
  }
});

test("Inbound.take ignores messages about actors and calls that do not exist", () => {
  const rows: Record<string, readonly [tag: number, body: Uint8Array]> = {
    "an EXIT of an actor that is not linked": [TAG.EXIT, row([from(77), to(1)], BYE)],
    "an EXIT to a missing actor": [TAG.EXIT, row([from(1), to(77)], BYE)],
    "an UNLINK of an actor that is not linked": [TAG.UNLINK, row([from(77), to(1)])],
    "an UNLINKED that is not awaited": [TAG.UNLINKED, row([from(1), to(1)])],
    "an UNLINKED of an unknown actor": [TAG.UNLINKED, row([from(77), to(1)])],
    "a DOWN with an unknown reference": [TAG.DOWN, row([from(1), to(1), 99], BYE)],
    "a DOWN of an actor that is not monitored": [TAG.DOWN, row([from(77), to(1), 1], BYE)],
    "a DOWN to a missing actor": [TAG.DOWN, row([from(1), to(77), 1], BYE)],
    "a DOWN to the system's own pid": [TAG.DOWN, row([from(1), to(0), 1], BYE)],
    "a DEMONITOR with an unknown reference": [TAG.DEMONITOR, row([from(1), to(1), 99])],
    "a DEMONITOR from an unknown actor": [TAG.DEMONITOR, row([from(77), to(1), 1])],
    "an ANSWER without a call": [TAG.ANSWER, row([99], hex("00"), TERM)],
    "an ANSWER about a full mailbox without a call": [TAG.ANSWER, row([99], hex("04"))],
    "a CALL_OVER without a call": [TAG.CALL_OVER, row([99])],
    "a SPAWNED without a spawn": [
      TAG.SPAWNED,
      joined(row([1]), hex("00"), row([from(1)]), NORMAL),
    ],
    "an EXIT_SIGNAL to a missing actor": [TAG.EXIT_SIGNAL, row([from(1), to(77)], BYE)],
    "a SEND to a missing actor": [TAG.SEND, row([to(LOCAL_ID_MAX - 1)], TERM)],
    "a SEND_NAMED to an unknown name": [TAG.SEND_NAMED, joined(named("nobody"), TERM)],
    "a LINK with a missing actor": [TAG.LINK, row([from(1), to(77)])],
    "a MONITOR of a missing actor": [TAG.MONITOR, row([from(1), to(77), 9])],
    "a MONITOR_NAMED of an unknown name": [
      TAG.MONITOR_NAMED,
      joined(row([from(1)]), named("nobody"), row([9])),
    ],
    "a CALL to a missing actor": [TAG.CALL, row([9, to(77)], TERM)],
    "a CALL_NAMED to an unknown name": [TAG.CALL_NAMED, joined(row([9]), named("nobody"), TERM)],
    "a SPAWN of a function that is not exposed": [
      TAG.SPAWN,
      row([9, from(1)], hex("03"), named("fn"), row([9]), encodeTerm([])),
    ],
    "a SPAWN by another actor of a function that is not exposed": [
      TAG.SPAWN,
      row([9, from(77)], hex("03"), named("fn"), row([9]), encodeTerm([])),
    ],
    "a message of a later version": [0x77, TERM],
  };
  for (const [what, [tag, body]] of Object.entries(rows)) {
    const home = linkedPair();
    const before = view(home);
    home.one.take(tag, body);
    assertEquals([home.one.over, view(home)], [undefined, before], what);
  }
});

test("Inbound.take accepts a DOWN or EXIT only for the actor that is monitored or linked", () => {
  const { one, near } = linkedPair();
  const { length } = near;
  // Sends a Down with a valid reference and the wrong actor, and the exit of an actor that is not
  // linked.
  one.take(TAG.DOWN, row([from(2), to(1), 1], BYE));
  one.take(TAG.EXIT, row([from(2), to(1)], BYE));
  assertEquals(near.length, length);
  one.take(TAG.DOWN, row([from(1), to(1), 1], BYE));
  assertEquals(near.length, length + 1);
  one.take(TAG.DOWN, row([from(1), to(1), 1], BYE));
  assertEquals(near.length, length + 1);
});

test("Inbound.take keeps UNLINK and LINK in order behind a large message", () => {
  const [one, other] = join();
  const near = one.actor({ trap: true });
  const far = other.actor({ trap: true });
  const [farPid, nearPid] = [one.pid(far), other.pid(near)];
  near.link(farPid);
  near.unlink(farPid);
  // The unlink is held back behind a large message. Meanwhile, the other side links too.
  far.send(nearPid as never, "x".repeat(400_000));
  far.link(nearPid);
  while (other.takeFrom(one));
  moveAll(one, other);
  assertEquals([one.over, other.over], [undefined, undefined]);
  assertEquals([near.links?.size ?? 0, far.links?.size ?? 0], [0, 0]);
  assertEquals(near.length, 1);
});

test("Inbound.take holds messages to the receiver of an incomplete large message, and no others", () => {
  const [one, other] = join();
  const near = one.actor({ trap: true, name: "near" });
  const third = one.actor();
  const far = other.actor();
  const nearPid = other.pid(near);
  far.link(nearPid);
  moveAll(one, other);
  const large = "x".repeat(400_000);
  far.send(nearPid as never, large);
  far.send({ name: "near", node: one.system.home.node }, { of: 1 });
  far.exit(nearPid, "signal");
  far.system.call(nearPid as never, 2, { timeout: Infinity }, far).catch(() => {});
  // This message is delivered before `{ of: 1 }`, which is held. Its term refers to the key `of`,
  // which the held term defines, so the held term must have been decoded before.
  far.send(other.pid(third) as never, { of: "another" });
  far.end("bye");
  other.actor().send(other.pid(third) as never, { new: "keys" });
  while (third.length < 2) one.takeFrom(other);
  assertEquals([near.length, third.peek()], [0, [{ of: "another" }, { new: "keys" }]]);
  moveAll(one, other);
  // The keys that the earlier messages defined are still known, because each term was decoded only
  // once.
  other.actor().send(other.pid(third) as never, { new: "values" });
  moveAll(one, other);
  assertEquals([one.over, third.peek()[2]], [undefined, { new: "values" }]);
  const got = near.peek().map((message) => {
    if (message instanceof Exit) return `exit ${message.reason}`;
    return message instanceof Call ? `call ${message.request}` : message;
  });
  assertEquals(got, [large, { of: 1 }, "exit signal", "call 2", "exit bye"]);
});

test("Inbound.take ends the session when an invalid message is no longer held", () => {
  const [one, other] = join();
  const near = one.actor({ trap: true });
  const far = other.actor();
  far.send(other.pid(near) as never, "x".repeat(400_000));
  one.takeFrom(other);
  one.take(TAG.EXIT_SIGNAL, row([from(far.pid.id), to(near.pid.id)], hex("63")));
  assertEquals([one.over, near.length], [undefined, 0]);
  moveAll(one, other);
  assert(one.over?.startsWith("protocol: it sent row 0x21"), one.over);
  assertEquals(near.length, 1);
});

test("Inbound.take accepts the number of a cancelled call for a new call", () => {
  const [one, other] = join();
  const actor = one.actor();
  for (const value of ["first", "second"]) {
    one.take(TAG.CALL, row([1, to(1)], encodeTerm(value)));
    if (value === "first") one.take(TAG.CALL_OVER, row([1]));
  }
  const [first, second] = actor.peek() as [Call, Call];
  first.reply("late");
  assertEquals(one.waiting, []);
  second.reply("in time");
  assertEquals(one.waiting.length, 1);
  assertEquals(actor.chain, undefined);
  void other;
});

test("Inbound.take ignores a monitor or call that was cancelled while held back", () => {
  const [one, other] = join();
  const near = one.actor({ name: "near" });
  const far = other.actor();
  const to = { name: "near", node: "one@h:1" };
  for (let round = 0; round < 2; round++) {
    const cancel = new AbortController();
    const { signal } = cancel;
    far.send(to, "x".repeat(400_000));
    const refs = [far.monitor(to), far.monitor(other.pid(near))];
    far.call(to, 1, { signal }).catch(() => {});
    far.call(other.pid(near) as never, 2, { signal }).catch(() => {});
    for (const ref of refs) far.demonitor(ref);
    cancel.abort("not any more");
    // In the second round, also creates a monitor that is not cancelled.
    if (round === 1) far.monitor(to);
    moveAll(one, other);
    // Cancelled calls stay in the mailbox.
    assertEquals([one.over, near.length], [undefined, 3 * (round + 1)]);
    assertEquals([[...watchersOf(near)].length, near.chain, one.line.monitors], [
      round,
      undefined,
      round,
    ]);
  }
});

function spawnRow(i: number, flags: string): Uint8Array {
  return row([i, from(i)], hex(flags), named("fn"), row([i]), encodeTerm([]));
}

test("Inbound.take reports a message to a missing actor as a dead letter on the receiving node", () => {
  const [one] = join();
  const letters: unknown[] = [];
  one.take(TAG.SEND, row([to(7)], TERM));
  one.system.events.on("deadletter", ({ to, message }) => void letters.push(`${to}`, message));
  one.take(TAG.SEND, row([to(7)], TERM));
  one.take(TAG.SEND_NAMED, joined(named("nobody"), TERM));
  assertEquals(letters, ["<0.7>", "a term", "nobody", "a term"]);
});

test("dispatch passes messages about names and groups to the cluster, and skips messages with unknown tags", () => {
  const [one] = join();
  one.take(TAG.GLOBAL_HELD, TERM);
  one.take(0x77, TERM);
  const taken: number[] = [];
  const note = (tag: number) => (line: unknown, body: Uint8Array): string | undefined => {
    assert(line === one.line && body.length === TERM.length);
    taken.push(tag);
    return tag === TAG.GROUP_LEAVE ? "a bad row" : undefined;
  };
  one.remote.cluster = {
    up() {},
    onGlobalRegister: note(TAG.GLOBAL_REGISTER),
    onGlobalRegistered: note(TAG.GLOBAL_REGISTERED),
    onGlobalUnregister: note(TAG.GLOBAL_UNREGISTER),
    onGlobalSync: note(TAG.GLOBAL_SYNC),
    onGlobalInquire: note(TAG.GLOBAL_INQUIRE),
    onGlobalHeld: note(TAG.GLOBAL_HELD),
    onGlobalResolved: note(TAG.GLOBAL_RESOLVED),
    onClusterView: note(TAG.CLUSTER_VIEW),
    onGroupJoin: note(TAG.GROUP_JOIN),
    onGroupLeave: note(TAG.GROUP_LEAVE),
  };
  const tags = [
    TAG.GLOBAL_REGISTER,
    TAG.GLOBAL_REGISTERED,
    TAG.GLOBAL_UNREGISTER,
    TAG.GLOBAL_SYNC,
    TAG.GLOBAL_INQUIRE,
    TAG.GLOBAL_HELD,
    TAG.GLOBAL_RESOLVED,
    TAG.CLUSTER_VIEW,
    TAG.GROUP_JOIN,
  ];
  for (const tag of [0x77, ...tags]) one.take(tag, TERM);
  assertEquals([taken, one.over], [tags, undefined]);
  one.take(TAG.GROUP_LEAVE, TERM);
  assert(one.over?.includes("a bad row"), one.over);
});

test("dispatch has a handler for every message between nodes", () => {
  const without = Object.entries(TAG).filter(([, tag]) => !HANDLED_TAGS.includes(tag));
  assertEquals(without, []);
  assertEquals(new Set(HANDLED_TAGS).size, HANDLED_TAGS.length);
});

const NO_NODE: NodeMessages = { exposed() {}, peerList() {}, roomSink: undefined };

/** Creates a session in which one side accepts only `most` monitors, calls, links and actors. */
function limited(most: number): Side {
  const [one, other] = join();
  one.actor();
  const { line, remote, session, system } = one;
  const actors = new Inbound(
    system,
    line,
    remote.spawner,
    session,
    () => undefined,
    () => {},
    undefined,
    undefined,
    most,
  );
  void other;
  one.take = (tag, body) => {
    one.over ??= dispatch(session, { owner: NO_NODE, actors }, tag, body);
  };
  return one;
}

test("Inbound.take ends the session at the first monitor, call, link or actor over the limit", () => {
  const rows: Record<string, (i: number) => readonly [tag: number, body: Uint8Array]> = {
    "too many monitors": (i) => [TAG.MONITOR, row([from(1), to(1), i])],
    "too many calls": (i) => [TAG.CALL, row([i, to(1)], TERM)],
    "too many links": (i) => [TAG.LINK, row([from(i), to(1)])],
    "too many monitors, by SPAWN": (i) => [TAG.SPAWN, spawnRow(i, "02")],
    "too many links, by SPAWN": (i) => [TAG.SPAWN, spawnRow(i, "01")],
  };
  for (const [name, make] of Object.entries(rows)) {
    const one = limited(100);
    one.remote.spawner.expose("fn", () => {});
    const what = name.split(",")[0]!;
    let taken = 0;
    while (one.over === undefined && taken < 1000) one.take(...make(++taken));
    assert(one.over?.includes(what), `${what}: ${one.over} after ${taken}`);
    assert(taken > 100 && taken <= 151, `${taken}`);
  }
  const one = limited(100);
  for (let i = 1; i <= 100 && one.over === undefined; i++) {
    one.take(TAG.MONITOR, row([from(i), to(1), i]));
  }
  assertEquals(one.over, undefined);
  // Links with further actors exceed the limit of actors.
  for (let i = 101; i <= 250 && one.over === undefined; i++) {
    one.take(TAG.LINK, row([from(i), to(1)]));
  }
  assert(one.over?.includes("too many actors"), one.over);
});

test("Inbound.take accepts any number of monitors, links and calls that end one after another", () => {
  const one = limited(10);
  const actor = one.system.find(1)!;
  for (let i = 1; i <= 1000; i++) {
    one.take(TAG.MONITOR, row([from(1), to(1), i]));
    one.take(TAG.DEMONITOR, row([from(1), to(1), i]));
    one.take(TAG.LINK, row([from(i), to(1)]));
    one.take(TAG.UNLINK, row([from(i), to(1)]));
    one.take(TAG.CALL, row([i, to(1)], TERM));
    one.take(TAG.CALL_OVER, row([i]));
    assertEquals(one.over, undefined, `${i}`);
  }
  assertEquals([one.line.kept, one.line.monitors, actor.chain], [0, 0, undefined]);
});
