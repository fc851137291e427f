import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailure } from "../../lib/base/assert.ts";
import {
  FORGET_MS,
  GOSSIP_FORGET_MS,
  Peers,
  PEERS_MAX,
  REPORTED_RETRY_MS,
  STOPPED_MS,
  type Verdict,
} from "../../lib/mesh/peers.ts";
import { BACKOFF_MS_MAX, BACKOFF_MS_MIN, SEED_BACKOFF_MS_MAX } from "../../lib/mesh/redial.ts";
import { DialQueue } from "../../lib/mesh/dial_queue.ts";
import { test } from "../kit/test.ts";
import { everyRun, type Setting, type World } from "./crossing.ts";

const A = "a@h:1";
const M = "m@h:1"; // this node, the second in order
const Z = "z@h:1";

function peers(chance = 0.5): Peers {
  return new Peers(M, () => chance);
}

/** Returns the names to be dialed. */
function due(table: Peers, now: number): readonly string[] {
  return new DialQueue(table).next(now).names;
}

/** Returns when the next dial is due. */
function wakeAt(table: Peers): number {
  return new DialQueue(table).next(-1).wakeAt;
}

/** Creates a table with one peer in a given state. */
function inState(name: string, state: ReturnType<Peers["stateOf"]>, chance?: number): Peers {
  const table = peers(chance);
  if (state === "unknown") return table;
  table.add(name, "seed", 0);
  if (state === "dialing" || state === "proving") table.dialing(name, 0);
  if (state === "proving") table.proving(name);
  if (state === "up") table.up(name, 77n, 5, 0);
  if (state === "left") table.leave(name);
  assertEquals(table.stateOf(name), state);
  return table;
}

const STATES = ["unknown", "idle", "dialing", "proving", "up", "left"] as const;

test("Peers.decide returns the verdict that its table specifies, for every state, name, creation and last session", () => {
  for (const name of [A, Z]) {
    for (const state of STATES) {
      for (const creation of [5, 6]) {
        for (const last of [0n, 76n, 77n]) {
          let expected: Verdict = "accept";
          // If both nodes have sent a proof, the dial of the node with the lesser name takes
          // precedence. If this is the peer's dial, the node accepts the peer.
          if (state === "proving") expected = name === A ? "accept" : "duplicate";
          if (state === "up") {
            expected = creation === 6 ? "probe" : last === 77n ? "replace" : "duplicate";
          }
          const table = inState(name, state);
          const row = `${name} ${state} ${creation} ${last}`;
          assertEquals(table.decide(name, creation, last), expected, row);
          assertEquals(table.stateOf(name), state, `${row}: decide changes no state`);
          if (state === "up") assertEquals(table.decide(name, creation, last, 77n), "replace", row);
        }
      }
    }
  }
});

test("Peers.decide accepts exactly one of two proofs that cross", () => {
  const [one, other] = [new Peers(A, () => 0), new Peers(Z, () => 0)];
  one.add(Z, "seed", 0);
  other.add(A, "seed", 0);
  for (const [table, name] of [[one, Z], [other, A]] as const) {
    table.dialing(name, 0);
    table.proving(name);
  }
  assertEquals([one.decide(Z, 1, 0n), other.decide(A, 1, 0n)], ["duplicate", "accept"]);
});

test("Peers changes states as its drawing specifies, for every event in every state", () => {
  const events: Readonly<Record<string, (table: Peers) => void>> = {
    yielded: (table) => table.yielded(A, 0),
    failed: (table) => void table.failed(A, 0),
    up: (table) => table.up(A, 88n, 5, 0),
    lost: (table) => table.down(A, "lost", 0),
    stopped: (table) => table.down(A, "stopped", 0),
    disconnected: (table) => table.down(A, "left", 0),
    leave: (table) => table.leave(A),
    seed: (table) => void table.add(A, "seed", 0),
    asked: (table) => void table.add(A, "asked", 0),
    gossip: (table) => void table.add(A, "gossip", 0),
  };
  const expected: Readonly<Record<string, string>> = {
    yielded: "unknown idle idle idle up left",
    failed: "unknown idle idle idle up left",
    up: "up up up up up up",
    lost: "unknown idle dialing proving idle left",
    stopped: "unknown idle dialing proving idle left",
    disconnected: "unknown idle dialing proving left left",
    leave: "unknown left left left left left",
    seed: "idle idle dialing proving up idle",
    asked: "idle idle dialing proving up idle",
    gossip: "idle idle dialing proving up left",
  };
  for (const [event, act] of Object.entries(events)) {
    const after = STATES.map((state) => {
      const table = inState(A, state);
      act(table);
      return table.stateOf(A);
    });
    assertEquals(after.join(" "), expected[event], event);
  }
});

test("Peers asserts the order of calls during a dial", () => {
  for (const state of STATES) {
    const dialing = () => inState(A, state).dialing(A, 0);
    const proving = () => inState(A, state).proving(A);
    if (state !== "idle") assertThrows(dialing, AssertionFailure);
    if (state !== "dialing") assertThrows(proving, AssertionFailure);
  }
});

test("Peers.add rejects the name of the node itself", () => {
  const table = peers();
  for (const origin of ["seed", "met", "gossip", "asked"] as const) {
    assertEquals(table.add(M, origin, 0), false);
  }
  table.up(M, 1n, 1, 0);
  assertEquals(table.size, 0);
});

test("Peers schedules the first dial of a new node at once", () => {
  const table = peers();
  assertEquals(wakeAt(table), Infinity);
  table.add(A, "seed", 10);
  table.add(Z, "gossip", 20);
  assertEquals(wakeAt(table), 10);
  assertEquals(due(table, 9), []);
  assertEquals(due(table, 10), [A]);
  assertEquals(due(table, 20), [A, Z]);
  table.dialing(A, 0);
  assertEquals([due(table, 20), wakeAt(table)], [[Z], 20]);
});

/** Returns the pauses between the first `count` failed dials. */
function pauses(chance: number, count: number): number[] {
  const table = peers(chance);
  table.add(A, "seed", 0);
  let now = 0;
  return Array.from({ length: count }, (_, i) => {
    table.dialing(A, 0);
    assertEquals(table.failed(A, now), i + 1);
    const pause = wakeAt(table) - now;
    now += pause;
    assertEquals(due(table, now - 0.001), []);
    assertEquals(due(table, now), [A]);
    return pause;
  });
}

test("Peers doubles the pause between dials up to a limit, and shortens each pause at random by up to half", () => {
  const full = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000];
  assertEquals(pauses(0, 10), full);
  assertEquals(pauses(1, 10), full.map((ms) => ms / 2));
  assertEquals(pauses(0.5, 3), [75, 150, 300]);
  const long = pauses(0, 2000);
  assertEquals([long[0], long.at(-1)], [BACKOFF_MS_MIN, SEED_BACKOFF_MS_MAX]);
});

test("Peers redials a lost node within 100 ms, and after an abandoned dial within 500 to 1,000 ms", () => {
  for (const chance of [0, 0.999999]) {
    const lost = inState(A, "up", chance);
    lost.down(A, "lost", 1000);
    const lostAfter = wakeAt(lost) - 1000;
    assert(lostAfter >= 0 && lostAfter <= 100, `${lostAfter}`);
    for (const state of ["dialing", "proving"] as const) {
      const yielded = inState(A, state, chance);
      yielded.yielded(A, 1000);
      const after = wakeAt(yielded) - 1000;
      assert(after >= 500 && after <= 1000, `${after}`);
    }
  }
});

test("Peers resets the reconnection delay after a session was established", () => {
  const table = peers(0);
  table.add(A, "seed", 0);
  for (let i = 1; i <= 5; i++) {
    table.dialing(A, 0);
    assertEquals(table.failed(A, 0), i);
  }
  table.up(A, 1n, 1, 0);
  table.down(A, "lost", 0);
  table.dialing(A, 0);
  assertEquals(table.failed(A, 0), 1);
  assertEquals(wakeAt(table), BACKOFF_MS_MIN);
});

test("Peers keeps a seed forever, and a node requested by the user for one dial", () => {
  const table = peers();
  table.add(A, "seed", 0);
  table.add(Z, "asked", 0);
  for (const name of [A, Z]) {
    table.dialing(name, 0);
    table.failed(name, 0);
  }
  assertEquals([table.stateOf(A), table.stateOf(Z)], ["idle", "unknown"]);
  assertEquals(table.expire(1e12), []);
  assertEquals(table.stateOf(A), "idle");
});

test("Peers.expire forgets a node from gossip after a time, unless peers announce it again", () => {
  const table = peers();
  table.add(A, "gossip", 0, Z);
  for (let i = 0; i < 100; i++) {
    table.dialing(A, 0);
    table.failed(A, 0);
  }
  assertEquals(table.expire(GOSSIP_FORGET_MS - 1), []);
  table.add(A, "gossip", 1000, Z);
  assertEquals(table.expire(GOSSIP_FORGET_MS), []);
  assertEquals(table.expire(GOSSIP_FORGET_MS + 1000), [A]);
  assertEquals(table.stateOf(A), "unknown");
  assert(table.add(A, "gossip", GOSSIP_FORGET_MS + 1000, Z), "it may be announced again");
});

test("Peers.expire forgets a lost node a fixed time after the loss", () => {
  const table = new Peers(M, () => 0.5, 5_000);
  table.up(A, 1n, 1, 0);
  assertEquals(table.expire(100_000), []);
  table.down(A, "lost", 100_000);
  assertEquals(table.expire(104_999), []);
  assertEquals(table.expire(105_000), [A]);
  const usual = peers();
  usual.up(A, 1n, 1, 0);
  usual.down(A, "lost", 0);
  assertEquals([usual.expire(FORGET_MS - 1), usual.expire(FORGET_MS)], [[], [A]]);
});

test("Peers dials a stopped node only if it is a seed, even after late gossip", () => {
  const table = peers();
  table.up(A, 1n, 1, 0);
  table.down(A, "stopped", 0);
  assertEquals([table.stateOf(A), wakeAt(table)], ["unknown", Infinity]);
  assertEquals(table.add(A, "gossip", STOPPED_MS - 1, Z), false);
  assertEquals(table.add(A, "gossip", STOPPED_MS, Z), true);
  table.up(A, 2n, 2, 0);
  table.down(A, "stopped", 0);
  assert(table.add(A, "asked", 1), "the user may request it");
  const seed = peers();
  seed.add(A, "seed", 0);
  seed.up(A, 1n, 1, 0);
  seed.down(A, "stopped", 0);
  assert(wakeAt(seed) > 0 && wakeAt(seed) <= 1_000);
});

test("Peers keeps no state of nodes that have stopped", () => {
  const table = peers();
  for (let i = 0; i < 1_000; i++) {
    table.up(`n${i}@h:1`, 1n, i, i);
    table.down(`n${i}@h:1`, "stopped", i);
  }
  assertEquals([table.size, table.expire(1e6), wakeAt(table)], [0, [], Infinity]);
});

test("Peers.superseded forgets other nodes at the address of a reached node, except seeds", () => {
  const table = peers();
  for (
    const [name, origin] of [["x@g:1", "gossip"], ["y@g:1", "seed"], ["z@g:2", "gossip"]] as const
  ) {
    table.add(name, origin, 0);
  }
  table.up("w@g:1", 1n, 1, 0);
  table.down("w@g:1", "lost", 0);
  table.up("n@g:1", 2n, 2, 0);
  assertEquals(table.superseded("n@g:1").sort(), ["w@g:1", "x@g:1"]);
  assertEquals([table.stateOf("y@g:1"), table.stateOf("z@g:2")], ["idle", "idle"]);
});

test("Peers keeps the higher-ranked origin of a peer that is known from two origins", () => {
  for (const [one, other] of [["gossip", "seed"], ["asked", "seed"], ["seed", "gossip"]] as const) {
    const table = peers();
    table.add(A, one, 0);
    table.add(A, other, 0);
    assertEquals(table.originOf(A), "seed", `${one} ${other}`);
  }
  const met = peers();
  met.add(A, "seed", 0);
  met.up(A, 1n, 1, 0);
  assertEquals(met.originOf(A), "seed", "a connected seed is still a seed");
});

test("Peers dials a node requested by the user at once, during any pause", () => {
  for (const origin of ["seed", "asked"] as const) {
    const table = peers(0);
    table.add(A, "gossip", 0);
    for (let i = 0; i < 8; i++) {
      table.dialing(A, 0);
      table.failed(A, 0);
    }
    assert(wakeAt(table) > 0);
    table.add(A, origin, 0);
    assertEquals(due(table, 0), [A]);
  }
});

test("Peers shortens the pause before the next dial of a node when a peer is connected to the node", () => {
  const table = peers(0);
  table.add(A, "met", 0);
  for (let i = 0; i < 20; i++) {
    table.dialing(A, 1000);
    table.failed(A, 1000);
  }
  assertEquals(wakeAt(table), 1000 + BACKOFF_MS_MAX);
  table.add(A, "gossip", 2000, Z);
  assertEquals(wakeAt(table), 1000 + REPORTED_RETRY_MS);
});

test("Peers does not dial a disconnected node until the user or the node itself connects", () => {
  const table = inState(A, "up");
  table.down(A, "left", 0);
  for (let i = 0; i < 3; i++) {
    table.add(A, "gossip", 0);
    assertEquals([table.stateOf(A), wakeAt(table)], ["left", Infinity]);
  }
  assertEquals(table.decide(A, 5, 77n), "accept");
  table.up(A, 88n, 5, 0);
  assertEquals(table.stateOf(A), "up");
  table.leave(A);
  table.down(A, "lost", 0);
  assertEquals(table.stateOf(A), "left");
  table.add(A, "asked", 0);
  assertEquals(due(table, 0), [A]);
});

test("Peers keeps the last 1024 disconnected nodes", () => {
  const table = peers();
  for (let i = 0; i < PEERS_MAX + 10; i++) {
    table.up(`n${i}@h:1`, 1n, 1, 0);
    table.down(`n${i}@h:1`, "left", 0);
  }
  table.expire(1);
  assertEquals([table.size, table.stateOf("n9@h:1"), table.stateOf("n10@h:1")], [
    PEERS_MAX,
    "unknown",
    "left",
  ]);
});

test("Peers limits the nodes from gossip, but not those that the user requests", () => {
  const table = peers();
  for (let i = 0; i < PEERS_MAX; i++) assert(table.add(`n${i}@h:1`, "gossip", 0));
  assertEquals(table.add(A, "gossip", 0), false);
  assertEquals(table.size, PEERS_MAX);
  assert(table.add("n0@h:1", "gossip", 0), "the node is known");
  assert(table.add(A, "asked", 0));
  assert(table.add(Z, "seed", 0));
});

test("Peers.proving returns the id of the last session, however long ago it ended", () => {
  const table = peers();
  table.add(A, "seed", 0);
  table.dialing(A, 0);
  assertEquals(table.proving(A), 0n);
  for (const session of [5n, 6n]) {
    table.up(A, session, 1, 0);
    table.down(A, "lost", 0);
    table.dialing(A, 0);
    assertEquals(table.proving(A), session);
    table.failed(A, 0);
    table.dialing(A, 0);
    assertEquals(table.proving(A), session);
  }
});

/** Asserts that both sides have exactly one session, with the same id. */
function assertOneSession({ a, b }: World): void {
  assert(a.session !== undefined && b.session !== undefined, "there is no session");
  assertEquals(a.session.id, b.session.id);
  assertEquals([a.dial, b.dial], [undefined, undefined]);
  assertEquals([a.peers.stateOf(b.name), b.peers.stateOf(a.name)], ["up", "up"]);
}

test("Peers keeps one session when two nodes dial each other, in any order of messages", () => {
  for (const closeLoses of [false, true]) {
    const runs = everyRun({ dials: ["a", "b"], closeLoses }, (world) => {
      assertOneSession(world);
      assertEquals([world.a.ups, world.b.ups], [1, 1], "a session was established more than once");
      assertEquals(world.now, 0, "a second dial was needed");
    });
    assert(runs > 100, `${runs} runs`);
  }
});

/** The initial situations of the two nodes. */
const BEFORE: Readonly<Record<string, Setting>> = {
  "that have never met": { dials: ["a", "b"] },
  "of which only b dials": { dials: ["b"] },
  "whose session a has lost": {
    dials: [],
    rounds: 2,
    before(world) {
      world.join();
      world.lose(world.a);
    },
  },
  "whose session b has lost": {
    dials: [],
    rounds: 2,
    before(world) {
      world.join();
      world.lose(world.b);
    },
  },
  "of which a has restarted": {
    dials: ["a"],
    rounds: 2,
    before(world) {
      world.join();
      world.restart(world.a);
    },
  },
  "of which b has restarted": {
    dials: ["b"],
    rounds: 2,
    before(world) {
      world.join();
      world.restart(world.b);
    },
  },
};

for (const [who, setting] of Object.entries(BEFORE)) {
  for (const breaks of [false, true]) {
    const also = breaks ? ", even if a connection breaks" : "";
    test(`Nodes a and b ${who} end with one session in any order of messages${also}`, () => {
      let runs = 0;
      for (const closeLoses of [false, true]) {
        runs += everyRun({ ...setting, breaks, closeLoses }, assertOneSession);
      }
      assert(runs >= 2, `${runs} runs`);
    });
  }
}
