/** Tests the order in which names are dialed, and the limits. */
import { assert, assertEquals } from "@std/assert";
import {
  ADDRESS_DIALS_MAX,
  DialQueue,
  INFORMANT_FAILURES_MAX,
  INFORMANT_PAUSE_MS,
} from "../../lib/mesh/dial_queue.ts";
import { type DialFailure, type PeerOrigin, Peers } from "../../lib/mesh/peers.ts";
import { test } from "../kit/test.ts";

const INFORMANT = "i@h:9";

class Table {
  readonly peers = new Peers("self@h:1", () => 0.5);
  readonly queue = new DialQueue(this.peers);
  /** The number of dials in progress. */
  count = 0;

  add(count: number, origin: PeerOrigin, name: (i: number) => string): void {
    for (let i = 0; i < count; i++) {
      if (origin === "met") {
        this.peers.up(name(i), 1n, 1, 0);
        this.peers.down(name(i), "lost", 0);
      } else this.peers.add(name(i), origin, 0, INFORMANT);
    }
  }

  /** Starts the dials that are due, and returns their names. */
  dial(now: number): readonly string[] {
    const { names } = this.queue.next(now);
    for (const name of names) this.peers.dialing(name, now);
    this.count += names.length;
    return names;
  }

  fail(names: readonly string[], now: number, failure: DialFailure): void {
    for (const name of names) this.peers.failed(name, now, failure);
  }
}

test("DialQueue dials user requests first, then lost nodes, seeds, and nodes known from gossip", () => {
  const table = new Table();
  table.add(1, "gossip", () => "g@h:2");
  table.add(1, "seed", () => "s@h:3");
  table.add(1, "met", () => "l@h:4");
  table.add(1, "asked", () => "w@h:5");
  assertEquals(table.queue.next(1_000).names, ["w@h:5", "l@h:4", "s@h:3", "g@h:2"]);
});

test("DialQueue reserves slots for lost and requested nodes, however many seeds do not answer", () => {
  const table = new Table();
  table.add(200, "seed", (i) => `s${i}@h:${i + 10}`);
  const first = table.dial(0);
  assertEquals([first.length, table.dial(0)], [52, []]);
  table.add(1, "met", () => "l@h:2");
  table.add(1, "asked", () => "w@h:3");
  assertEquals(table.dial(100), ["w@h:3", "l@h:2"]);
  table.fail(first, 5_000, "silent");
  assertEquals(table.dial(5_000).length, 52, "the other names are dialed for the first time");
});

test("DialQueue limits the slots of nodes that did not answer the previous dial", () => {
  const table = new Table();
  table.add(52, "seed", (i) => `s${i}@h:${i + 10}`);
  table.fail(table.dial(0), 5_000, "silent");
  assertEquals(table.dial(60_000).length, 24);
  table.add(40, "gossip", (i) => `g${i}@h:${i + 100}`);
  assertEquals(table.dial(60_000).length, 16);
  table.add(40, "met", (i) => `l${i}@h:${i + 200}`);
  assertEquals(table.dial(60_000).length, 24);
});

test("DialQueue makes at most two concurrent dials to one address, unless the user waits for the node", () => {
  const table = new Table();
  table.add(200, "seed", (i) => `s${i}@h:2`);
  assertEquals([table.dial(0).length, table.dial(1).length], [ADDRESS_DIALS_MAX, 0]);
  table.add(1, "asked", () => "w@h:2");
  assertEquals(table.dial(1), ["w@h:2"]);
});

/** Returns how many dials a list of names causes in 30 s if each is refused at once. */
function dialsIn30s(count: number, name: (i: number) => string): number {
  const table = new Table();
  table.add(count, "gossip", name);
  for (let now = 0; now < 30_000;) {
    const names = table.dial(now);
    table.fail(names, now, "refused");
    const { wakeAt } = table.queue.next(now);
    now = names.length > 0 && wakeAt <= now ? now : Math.max(wakeAt, now + 0.001);
  }
  return table.count;
}

test("DialQueue dials a thousand names of one port no more often than a single name", () => {
  const one = dialsIn30s(1, () => "x@h:2");
  const thousand = dialsIn30s(1_000, (i) => `x${i}@h:2`);
  assert(one >= 8 && one <= 12, `${one}`);
  assert(thousand <= one + ADDRESS_DIALS_MAX, `${thousand}, for one name ${one}`);
});

test("DialQueue dials the nodes named by a peer slowly after many of them were unreachable", () => {
  const count = dialsIn30s(1_000, (i) => `x${i}@h:${i + 10}`);
  const slow = 30_000 / INFORMANT_PAUSE_MS;
  assert(count >= INFORMANT_FAILURES_MAX && count <= slow + 3 * INFORMANT_FAILURES_MAX, `${count}`);
});

test("DialQueue does not delay a thousand reachable nodes named by one peer", () => {
  const table = new Table();
  table.add(1_000, "gossip", (i) => `x${i}@h:${i + 10}`);
  for (let left = 1_000; left > 0;) {
    const names = table.dial(0);
    assert(names.length > 0);
    for (const name of names) table.peers.up(name, 1n, 1, 0);
    left -= names.length;
  }
  assertEquals(table.count, 1_000);
});

test("DialQueue.next returns when the next dial is due, ignoring dials that wait for a slot", () => {
  const table = new Table();
  assertEquals(table.queue.next(0).wakeAt, Infinity);
  table.add(100, "seed", (i) => `s${i}@h:${i + 10}`);
  table.dial(0);
  assertEquals(table.queue.next(0), { names: [], wakeAt: Infinity });
});
