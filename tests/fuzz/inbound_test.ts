/**
 * Tests random and mutated actor messages between valid ones: nothing throws, each message is
 * accepted or ends the session, uninvolved actors are unaffected, and no state is left afterwards.
 */
import { assert, assertEquals } from "@std/assert";
import type { Actor } from "../../lib/actor/actor.ts";
import { Call } from "../../lib/actor/call.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { encodeHome, TAG } from "../../lib/mesh/message.ts";
import type { ActorFunction } from "../../lib/actor/self.ts";
import { type Pid, Ref } from "../../lib/term/pid.ts";
import type { Frame } from "../mesh/collector.ts";
import { join, type Side } from "../mesh/session_pair.ts";
import { fuzzCount, mutated, rounds } from "../kit/fuzz.ts";
import { test } from "../kit/test.ts";

const ROWS = fuzzCount(10_000);

/** The number of messages in a session that no message ends. */
const SESSION_ROWS = 200;

/** The tags of actor messages, and one unknown tag. */
const TAGS: readonly number[] = [
  TAG.SEND,
  TAG.SEND_NAMED,
  TAG.CALL,
  TAG.CALL_NAMED,
  TAG.ANSWER,
  TAG.CALL_OVER,
  TAG.LINK,
  TAG.UNLINK,
  TAG.UNLINKED,
  TAG.EXIT,
  TAG.EXIT_SIGNAL,
  TAG.MONITOR,
  TAG.MONITOR_NAMED,
  TAG.DEMONITOR,
  TAG.DOWN,
  TAG.SPAWN,
  TAG.SPAWNED,
  TAG.HOME,
  0x77,
];

/** Makes a random actor of `side` perform a random operation, usually on an actor of `far`. */
function act(random: SeededRandom, side: Side, actors: readonly Actor[], far: readonly Actor[]) {
  const living = actors.filter(({ isAlive }) => isAlive);
  const actor = living[random.below(living.length)];
  const target = far[random.below(far.length)]!;
  if (actor === undefined || side.over !== undefined) return;
  const pid = side.pid(target);
  const named = { name: "someone", node: pid.node };
  switch (random.below(14)) {
    case 0:
    case 1:
      return actor.link(pid);
    case 2:
      return actor.unlink(pid);
    case 3:
      return void actor.monitor(pid);
    case 4:
      return void actor.monitor(named);
    case 5: {
      const refs = [...actor.monitors?.keys() ?? []];
      if (refs.length === 0) return;
      return void actor.demonitor(new Ref(side.system.home, refs[random.below(refs.length)]!));
    }
    case 6:
      return actor.send(pid as Pid<unknown>, { from: actor.pid, list: [random.below(9), "text"] });
    case 7:
      return actor.send(named, [target.pid.id, { [`key${random.below(4)}`]: pid }]);
    case 8:
      return void actor.call(pid as never, { request: 1 }).catch(() => {});
    case 9:
      return void actor.call(named, "request").catch(() => {});
    case 10:
      return actor.exit(pid, { because: random.below(3) });
    case 11:
      for (const message of actor.peek()) {
        if (message instanceof Call) message.reply({ answer: actor.pid });
      }
      return;
    case 12:
      return void (actor.spawnLink({ node: pid.node, fn: "fn" }, random.below(9)) as Promise<Pid>)
        .catch(() => {});
    case 13:
      if (random.below(4) === 0) actor.end(new Error("over"));
  }
}

/**
 * Returns the message that is delivered in place of a sent one: usually the same, sometimes a
 * mutated or a random one.
 */
function anyRow(random: SeededRandom, { tag, body }: Frame): Frame {
  const kind = random.below(60);
  if (kind === 0) {
    return { tag: TAGS[random.below(TAGS.length)]!, body: random.bytes(random.below(60)) };
  }
  if (kind === 1) return { tag: TAGS[random.below(TAGS.length)]!, body };
  if (kind === 2) {
    return { tag: TAG.HOME, body: encodeHome(random.below(5), random.below(4), "x@h:1").slice(5) };
  }
  return kind < 6 ? { tag, body: mutated(random, body) } : { tag, body };
}

/**
 * Runs one session in which the messages of one side may be changed. Returns the number of accepted
 * messages.
 */
function session(random: SeededRandom): number {
  const sides = join();
  const [one, other] = sides;
  for (const { remote } of sides) {
    const fn = (() => new Promise(() => {})) as ActorFunction<never, never[]>;
    remote.spawner.expose("fn", fn);
  }
  const spawnActors = (side: Side): Actor[] => [
    side.actor({ trap: true, name: "someone" }),
    side.actor({ trap: true }),
    side.actor({ trap: true }),
    side.actor(),
  ];
  const [near, far] = [spawnActors(one), spawnActors(other)];
  // Two actors without remote links or monitors. A random id may still match one of them, and make
  // it exit.
  const [bystander, friend] = [one.actor({ trap: true, name: "bystander" }), one.actor()];
  bystander.link(friend.pid as Pid);
  const lines = [one.line, other.line];
  let taken = 0;
  while (one.over === undefined && other.over === undefined && taken < SESSION_ROWS) {
    act(random, one, near, far);
    act(random, other, far, near);
    const [frame] = other.waiting;
    if (frame !== undefined) {
      other.skip();
      const row = anyRow(random, frame);
      one.take(row.tag, row.body);
      taken++;
    }
    if (random.below(2) === 0) other.takeFrom(one);
  }
  assert(one.over === undefined || one.over.length < 300, one.over);
  assert(one.line === undefined || one.line.kept <= 10 * taken);
  for (const side of sides) side.cut();
  assertEquals(lines.map(({ kept, links }) => [kept, links]), [[0, 0], [0, 0]]);
  if (bystander.isAlive) assertEquals(bystander.links?.size, friend.isAlive ? 1 : 0);
  for (const [side, actors] of [[one, near], [other, far]] as const) {
    for (const actor of actors) {
      for (const kept of [actor.links, actor.monitors]) {
        assertEquals(kept?.size ?? 0, 0, `${actor.pid} keeps state`);
      }
      assertEquals(actor.watchers, undefined, `${actor.pid} keeps monitors`);
      // No call from or to the other side is pending.
      assertEquals(actor.chain, undefined, `${actor.pid}: a call is pending`);
    }
    assertEquals([side.system.wheel.size, side.system.externalCaller.chain], [0, undefined]);
  }
  return taken;
}

test("Inbound.take accepts any message between valid messages, and keeps no state of ended sessions", () => {
  let taken = 0;
  const sessions = rounds(() => taken < ROWS, (random) => {
    taken += session(random);
  });
  if (taken < ROWS) return;
  // The average is above 10 because most messages are accepted. It is below the maximum because
  // some messages end their session.
  const length = taken / sessions;
  assert(length > 10 && length < SESSION_ROWS, `${length} messages per session`);
});

test("Inbound.take accepts random bytes after each tag", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = new SeededRandom(seed);
    for (const tag of TAGS) {
      const [one] = join();
      one.actor({ name: "someone" });
      for (let i = 0; i < 20 && one.over === undefined; i++) {
        one.take(tag, random.bytes(random.below(80)));
      }
      one.cut();
      assertEquals(one.system.wheel.size, 0);
    }
  }
});
