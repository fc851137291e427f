import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailure } from "../../lib/base/assert.ts";
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  HEARSAY_DIALS_MAX,
  type PeerOrigin,
  Peers,
  PEERS_MAX,
  type Verdict,
} from "../../lib/mesh/peers.ts";
import { test } from "../kit/test.ts";
import { everyRun, type Setting, type World } from "./crossing.ts";

const A = "a@h:1";
const M = "m@h:1"; // ourselves, in the middle
const Z = "z@h:1";

function peers(chance = 0.5): Peers {
  return new Peers(M, () => chance);
}

/** Brings a new peer into a state. */
function inState(name: string, state: ReturnType<Peers["stateOf"]>, chance?: number): Peers {
  const table = peers(chance);
  if (state === "unknown") return table;
  table.add(name, "seed", 0);
  if (state === "dialling" || state === "proving") table.dialling(name);
  if (state === "proving") table.proving(name);
  if (state === "up") table.up(name, 77n, 5, 0);
  if (state === "left") table.leave(name);
  assertEquals(table.stateOf(name), state);
  return table;
}

const STATES = ["unknown", "idle", "dialling", "proving", "up", "left"] as const;

test("Peers.judge answers as its table says, for every state, name, creation and last session", () => {
  for (const name of [A, Z]) {
    for (const state of STATES) {
      for (const creation of [5, 6]) {
        for (const last of [0n, 76n, 77n]) {
          let expected: Verdict = "accept";
          // Of two proofs the one of the lesser name wins: if that is theirs, we accept.
          if (state === "proving") expected = name === A ? "accept" : "duplicate";
          if (state === "up") expected = creation === 6 || last === 77n ? "replace" : "duplicate";
          const table = inState(name, state);
          const row = `${name} ${state} ${creation} ${last}`;
          assertEquals(table.judge(name, creation, last), expected, row);
          assertEquals(table.stateOf(name), state, `${row}: judging changes nothing`);
        }
      }
    }
  }
});

test("Peers.judge never accepts both of two crossing proofs, nor refuses both", () => {
  const [one, other] = [new Peers(A, () => 0), new Peers(Z, () => 0)];
  one.add(Z, "seed", 0);
  other.add(A, "seed", 0);
  for (const [table, name] of [[one, Z], [other, A]] as const) {
    table.dialling(name);
    table.proving(name);
  }
  assertEquals([one.judge(Z, 1, 0n), other.judge(A, 1, 0n)], ["duplicate", "accept"]);
});

test("Peers moves between its states as its drawing says, for every event in every state", () => {
  const events: Readonly<Record<string, (table: Peers) => void>> = {
    yielded: (table) => table.yielded(A, 0),
    failed: (table) => void table.failed(A, 0),
    up: (table) => table.up(A, 88n, 5, 0),
    lost: (table) => table.down(A, true, 0),
    disconnected: (table) => table.down(A, false, 0),
    leave: (table) => table.leave(A),
    seed: (table) => void table.add(A, "seed", 0),
    asked: (table) => void table.add(A, "asked", 0),
    hearsay: (table) => void table.add(A, "hearsay", 0),
  };
  const expected: Readonly<Record<string, string>> = {
    yielded: "unknown idle idle idle up left",
    failed: "unknown idle idle idle up left",
    up: "up up up up up up",
    lost: "unknown idle dialling proving idle left",
    disconnected: "unknown idle dialling proving left left",
    leave: "unknown left left left left left",
    seed: "idle idle dialling proving up idle",
    asked: "idle idle dialling proving up idle",
    hearsay: "idle idle dialling proving up left",
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

test("Peers holds its owner to the order of a dial", () => {
  for (const state of STATES) {
    const dialling = () => inState(A, state).dialling(A);
    const proving = () => inState(A, state).proving(A);
    if (state !== "idle") assertThrows(dialling, AssertionFailure);
    if (state !== "dialling") assertThrows(proving, AssertionFailure);
  }
});

test("Peers knows not itself", () => {
  const table = peers();
  for (const origin of ["seed", "met", "hearsay", "asked"] as const) {
    assertEquals(table.add(M, origin, 0), false);
  }
  table.up(M, 1n, 1, 0);
  assertEquals(table.size, 0);
});

test("Peers dials a newcomer at once and says when the next is due", () => {
  const table = peers();
  assertEquals(table.nextDueAt(), Infinity);
  table.add(A, "seed", 10);
  table.add(Z, "hearsay", 20);
  assertEquals(table.nextDueAt(), 10);
  assertEquals(table.due(9), []);
  assertEquals(table.due(10), [A]);
  assertEquals(table.due(20), [A, Z]);
  table.dialling(A);
  assertEquals([table.due(20), table.nextDueAt()], [[Z], 20]);
});

/** The pauses between the first `count` dials in vain. */
function pauses(chance: number, count: number): number[] {
  const table = peers(chance);
  table.add(A, "seed", 0);
  let now = 0;
  return Array.from({ length: count }, (_, i) => {
    table.dialling(A);
    assertEquals(table.failed(A, now), i + 1);
    const pause = table.nextDueAt() - now;
    now += pause;
    assertEquals(table.due(now - 0.001), []);
    assertEquals(table.due(now), [A]);
    return pause;
  });
}

test("Peers doubles the pause from dial to dial up to a cap, and chance takes up to half away", () => {
  const full = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000];
  assertEquals(pauses(0, 10), full);
  assertEquals(pauses(1, 10), full.map((ms) => ms / 2));
  assertEquals(pauses(0.5, 3), [75, 150, 300]);
  const long = pauses(0, 2000);
  assertEquals([long[0], long.at(-1)], [BACKOFF_MS_MIN, BACKOFF_MS_MAX]);
});

test("Peers dials a lost node again within 100 ms, and one that it gave way to within 500 to 1,000", () => {
  for (const chance of [0, 0.999999]) {
    const lost = inState(A, "up", chance);
    lost.down(A, true, 1000);
    const lostAfter = lost.nextDueAt() - 1000;
    assert(lostAfter >= 0 && lostAfter <= 100, `${lostAfter}`);
    for (const state of ["dialling", "proving"] as const) {
      const yielded = inState(A, state, chance);
      yielded.yielded(A, 1000);
      const after = yielded.nextDueAt() - 1000;
      assert(after >= 500 && after <= 1000, `${after}`);
    }
  }
});

test("Peers begins the pauses anew after a session", () => {
  const table = peers(0);
  table.add(A, "seed", 0);
  for (let i = 1; i <= 5; i++) {
    table.dialling(A);
    assertEquals(table.failed(A, 0), i);
  }
  table.up(A, 1n, 1, 0);
  table.down(A, true, 0);
  table.dialling(A);
  assertEquals(table.failed(A, 0), 1);
  assertEquals(table.nextDueAt(), BACKOFF_MS_MIN);
});

/** How many dials in vain it takes until the node is forgotten; at most 100 are tried. */
function dialsUntilForgotten(...origins: PeerOrigin[]): number {
  const table = peers();
  for (const origin of origins) table.add(A, origin, 0);
  for (let i = 1; i <= 100; i++) {
    table.dialling(A);
    table.failed(A, 0);
    if (table.stateOf(A) === "unknown") return i;
  }
  return Infinity;
}

test("Peers forgets hearsay after some dials, what was asked for after one, and else nobody", () => {
  assertEquals(dialsUntilForgotten("hearsay"), HEARSAY_DIALS_MAX);
  assertEquals(dialsUntilForgotten("asked"), 1);
  assertEquals(dialsUntilForgotten("seed"), Infinity);
  assertEquals(dialsUntilForgotten("met"), Infinity);
});

test("Peers remembers the better of two origins", () => {
  assertEquals(dialsUntilForgotten("hearsay", "seed"), Infinity);
  assertEquals(dialsUntilForgotten("asked", "seed"), Infinity);
  assertEquals(dialsUntilForgotten("seed", "hearsay"), Infinity);
  assertEquals(dialsUntilForgotten("seed", "asked"), Infinity);
  const met = inState(A, "unknown");
  met.add(A, "asked", 0);
  met.dialling(A);
  met.up(A, 1n, 1, 0);
  met.down(A, true, 0);
  met.dialling(A);
  met.failed(A, 0);
  assertEquals(met.stateOf(A), "idle");
});

test("Peers dials at once what the user asks for, however long the pause still was", () => {
  for (const origin of ["seed", "asked"] as const) {
    const table = peers(0);
    table.add(A, "hearsay", 0);
    for (let i = 0; i < 8; i++) {
      table.dialling(A);
      table.failed(A, 0);
      if (i < 7) table.add(A, origin, 0);
    }
    assert(table.nextDueAt() > 0);
    table.add(A, "hearsay", 0);
    assert(table.nextDueAt() > 0, "hearsay changes nothing");
    table.add(A, origin, 0);
    assertEquals(table.due(0), [A]);
  }
});

test("Peers leaves alone whoever left, until the user wants it or it comes by itself", () => {
  const table = inState(A, "up");
  table.down(A, false, 0);
  for (let i = 0; i < 3; i++) {
    table.add(A, "hearsay", 0);
    assertEquals([table.stateOf(A), table.nextDueAt()], ["left", Infinity]);
  }
  assertEquals(table.judge(A, 5, 77n), "accept");
  table.up(A, 88n, 5, 0);
  assertEquals(table.stateOf(A), "up");
  table.leave(A);
  table.down(A, true, 0);
  assertEquals(table.stateOf(A), "left");
  table.add(A, "asked", 0);
  assertEquals(table.due(0), [A]);
});

test("Peers believes no more hearsay than its limit, and the user always", () => {
  const table = peers();
  for (let i = 0; i < PEERS_MAX; i++) assert(table.add(`n${i}@h:1`, "hearsay", 0));
  assertEquals(table.add(A, "hearsay", 0), false);
  assertEquals(table.size, PEERS_MAX);
  assert(table.add("n0@h:1", "hearsay", 0), "it is known");
  assert(table.add(A, "asked", 0));
  assert(table.add(Z, "seed", 0));
});

test("Peers.proving names the session that was last up, for ever", () => {
  const table = peers();
  table.add(A, "seed", 0);
  table.dialling(A);
  assertEquals(table.proving(A), 0n);
  for (const session of [5n, 6n]) {
    table.up(A, session, 1, 0);
    table.down(A, true, 0);
    table.dialling(A);
    assertEquals(table.proving(A), session);
    table.failed(A, 0);
    table.dialling(A);
    assertEquals(table.proving(A), session);
  }
});

/** Both have one session, and it is the same. */
function assertOneSession({ a, b }: World): void {
  assert(a.session !== undefined && b.session !== undefined, "there is no session");
  assertEquals(a.session.id, b.session.id);
  assertEquals([a.dial, b.dial], [undefined, undefined]);
  assertEquals([a.peers.stateOf(b.name), b.peers.stateOf(a.name)], ["up", "up"]);
}

test("Peers end with one session when two dial each other, in whatever order the messages arrive", () => {
  for (const closeLoses of [false, true]) {
    const runs = everyRun({ dials: ["a", "b"], closeLoses }, (world) => {
      assertOneSession(world);
      assertEquals([world.a.ups, world.b.ups], [1, 1], "it came up more than once");
      assertEquals(world.now, 0, "it took a second dial");
    });
    assert(runs > 100, `${runs} runs`);
  }
});

/** What may have been before both dial. */
const BEFORE: Readonly<Record<string, Setting>> = {
  "that have never met": { dials: ["a", "b"] },
  "of which one alone dials": { dials: ["b"] },
  "whose session one side has lost": {
    dials: [],
    rounds: 2,
    before(world) {
      world.join();
      world.lose(world.a);
    },
  },
  "whose session the other side has lost": {
    dials: [],
    rounds: 2,
    before(world) {
      world.join();
      world.lose(world.b);
    },
  },
  "of which one has started anew": {
    dials: ["a"],
    rounds: 2,
    before(world) {
      world.join();
      world.restart(world.a);
    },
  },
  "of which the other has started anew": {
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
    const also = breaks ? ", though a connection breaks at any moment" : "";
    test(`Peers ${who} end with one session, in whatever order${also}`, () => {
      let runs = 0;
      for (const closeLoses of [false, true]) {
        runs += everyRun({ ...setting, breaks, closeLoses }, assertOneSession);
      }
      assert(runs >= 2, `${runs} runs`);
    });
  }
}
