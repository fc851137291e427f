/**
 * Tests the replicated table of names, and lists that are sent in portions, with random operations
 * from many seeds.
 */
import { assertEquals } from "@std/assert";
import type { SeededRandom } from "../../lib/base/random.ts";
import { type NameChanged, NameTable } from "../../lib/cluster/names.ts";
import { type NameEntry, wins } from "../../lib/cluster/winner.ts";
import { SyncCursor } from "../../lib/cluster/sync_cursor.ts";
import { Pid } from "../../lib/term/pid.ts";
import { pick, seeds } from "../kit/seeds.ts";
import { test } from "../kit/test.ts";

const OWNERS = ["a@h:1", "b@h:1", "c@h:1", "d@h:1", "e@h:1"];
const NAMES = ["x", "y", "z"];

function pidOn(node: string, id: number): Pid {
  return new Pid({ node, creation: 1, local: false }, id, undefined);
}

function entry(owner: string, name: string, stamp: number, id: number = stamp): NameEntry {
  return { name, owner, pid: pidOn(owner, id), stamp };
}

/** A message from the node that owns names: a registration, a removal, or its complete list. */
type OwnerMessage =
  | { readonly kind: "set"; readonly entry: NameEntry }
  | { readonly kind: "remove"; readonly name: string }
  | { readonly kind: "list"; readonly entries: readonly NameEntry[] };

/**
 * Returns each owner's messages in order: registrations, removals, and sometimes its complete list.
 */
function history(random: SeededRandom, size: number): Map<string, OwnerMessage[]> {
  const messages = new Map<string, OwnerMessage[]>(OWNERS.map((owner) => [owner, []]));
  const truth = new Map<string, Map<string, NameEntry>>(OWNERS.map((owner) => [owner, new Map()]));
  for (let i = 0; i < size; i++) {
    const owner = pick(random, OWNERS);
    const name = pick(random, NAMES);
    const mine = truth.get(owner)!;
    const what = random.below(8);
    if (what < 4) {
      // Uses few distinct stamps, so that some are equal.
      const one = entry(owner, name, random.below(6), i);
      mine.set(name, one);
      messages.get(owner)!.push({ kind: "set", entry: one });
    } else if (what < 7) {
      if (mine.delete(name)) messages.get(owner)!.push({ kind: "remove", name });
    } else messages.get(owner)!.push({ kind: "list", entries: [...mine.values()] });
  }
  return messages;
}

/**
 * A table of names, and the holders of names as reported by its changes, which must be the same.
 */
class Replica {
  readonly table = new NameTable();
  readonly received = new Map<string, Pid>();

  receive(owner: string, message: OwnerMessage): void {
    switch (message.kind) {
      case "set":
        return this.apply(this.table.set(message.entry));
      case "remove":
        return this.apply(this.table.remove(owner, message.name));
      case "list":
        for (const one of message.entries) this.apply(this.table.set(one));
    }
  }

  apply(change: NameChanged | undefined): void {
    if (change === undefined) return;
    const { name, from, to } = change;
    assertEquals(
      this.received.get(name)?.key,
      from?.pid.key,
      "a change continues from the previous one",
    );
    assertEquals(
      from?.pid.key === to?.pid.key && from?.owner === to?.owner,
      false,
      "the change has an effect",
    );
    if (to === undefined) this.received.delete(name);
    else this.received.set(name, to.pid);
  }

  /** The holder of each name. */
  get found(): Record<string, string | undefined> {
    return Object.fromEntries(NAMES.map((name) => {
      const found = this.table.find(name);
      assertEquals(
        found?.pid.key,
        this.received.get(name)?.key,
        "the reported holder is the one found",
      );
      return [name, found && `${found.owner} ${found.pid.key}`];
    }));
  }
}

/** Computes the expected holders from all messages at once, as a model of replication. */
function model(messages: ReadonlyMap<string, readonly OwnerMessage[]>, gone: ReadonlySet<string>) {
  const entries = new Map<string, NameEntry>();
  for (const [owner, all] of messages) {
    if (gone.has(owner)) continue;
    for (const one of all) {
      if (one.kind === "set") entries.set(`${owner} ${one.entry.name}`, one.entry);
      if (one.kind === "remove") entries.delete(`${owner} ${one.name}`);
    }
  }
  return Object.fromEntries(NAMES.map((name) => {
    const [best] = [...entries.values()].filter((one) => one.name === name)
      .sort((one, other) => wins(one, other) ? -1 : 1);
    return [name, best && `${best.owner} ${best.pid.key}`];
  }));
}

test("NameTable has the same entries in whatever order the messages of different owners arrive", () => {
  return seeds(3_000, 60, (random, size) => {
    const messages = history(random, size);
    const gone = new Set(OWNERS.filter(() => random.below(5) === 0));
    const wanted = model(messages, gone);
    for (let node = 0; node < 5; node++) {
      const replica = new Replica();
      const at = new Map(OWNERS.map((owner) => [owner, 0]));
      const open = new Set(OWNERS);
      // Entries of lost nodes are freed while other messages arrive.
      const freeing = new Set<Iterator<NameChanged | undefined>>();
      const free = (changes: Iterator<NameChanged | undefined>): void => {
        const { done, value } = changes.next();
        if (done) freeing.delete(changes);
        else replica.apply(value);
      };
      const drop = (owner: string): void => {
        freeing.add(replica.table.drop(owner));
        for (const name of NAMES) {
          assertEquals(
            replica.table.find(name)?.owner === owner,
            false,
            "an entry of a lost node is found",
          );
        }
        const found = NAMES.filter((name) => replica.table.find(name) !== undefined);
        assertEquals(replica.table.names().sort(), found);
      };
      while (open.size > 0) {
        for (const changes of freeing) if (random.below(3) === 0) free(changes);
        const owner = pick(random, [...open]);
        const all = messages.get(owner)!;
        const next = at.get(owner)!;
        if (next < all.length) {
          replica.receive(owner, all[next]!);
          if (random.below(3) === 0) replica.receive(owner, all[next]!);
          at.set(owner, next + 1);
          // The session is lost, and everything is sent again.
          if (random.below(40) === 0) {
            drop(owner);
            at.set(owner, 0);
          }
        } else {
          open.delete(owner);
          if (!gone.has(owner)) continue;
          drop(owner);
        }
      }
      while (freeing.size > 0) for (const changes of freeing) free(changes);
      assertEquals(replica.found, wanted);
      assertEquals(replica.table.size, replica.table.names().length);
      for (const owner of OWNERS) {
        assertEquals(replica.table.countOf(owner), [...replica.table.allOf(owner)].length);
        if (gone.has(owner)) assertEquals(replica.table.countOf(owner), 0);
      }
    }
  });
});

test("NameTable.lingeringOf returns the lingering entries of a node, and keeps them after drop", () => {
  const table = new NameTable();
  const names = (): string[] => [...table.lingeringOf("a@h:1").keys()];
  const add = (name: string, lingers: boolean, owner = "a@h:1"): void => {
    table.set({ ...entry(owner, name, 1), lingers });
  };
  add("x", true);
  add("y", false);
  add("z", true);
  add("x", true, "b@h:1");
  assertEquals(names(), ["x", "z"]);
  add("z", false);
  table.remove("a@h:1", "y");
  assertEquals(names(), ["x"]);
  const kept = table.lingeringOf("a@h:1");
  const freed = table.drop("a@h:1");
  while (freed.next().done !== true);
  assertEquals([names(), [...kept.keys()]], [[], ["x"]]);
  add("w", true);
  table.remove("a@h:1", "w");
  assertEquals([names(), [...kept.keys()]], [[], ["x"]]);
});

test("NameTable keeps the entries of a node when another node's entries change", () => {
  return seeds(2_000, 60, (random, size) => {
    const table = new NameTable();
    const has = new Map<string, NameEntry>();
    for (let i = 0; i < size; i++) {
      const owner = pick(random, OWNERS);
      const name = pick(random, NAMES);
      const key = `${owner} ${name}`;
      if (random.below(2) === 0) {
        has.set(key, entry(owner, name, random.below(4), i));
        table.set(has.get(key)!);
      } else {
        has.delete(key);
        table.remove(owner, name);
      }
      for (const one of OWNERS) {
        for (const other of NAMES) assertEquals(table.of(one, other), has.get(`${one} ${other}`));
      }
      for (const one of NAMES) {
        const isHeld = OWNERS.some((owner) => has.has(`${owner} ${one}`));
        assertEquals(table.find(one) !== undefined, isHeld);
      }
    }
  });
});

test("NameTable.find returns the entry with the earliest stamp, and of equal stamps that of the lesser node name", () => {
  const table = new NameTable();
  const late = entry("a@h:1", "x", 7);
  const early = entry("b@h:1", "x", 6);
  const tied = entry("c@h:1", "x", 6);
  assertEquals(table.set(late), { name: "x", from: undefined, to: late });
  assertEquals(table.set(early), { name: "x", from: late, to: early });
  assertEquals(table.set(tied), undefined);
  assertEquals(table.remove("b@h:1", "x"), { name: "x", from: early, to: tied });
  assertEquals(table.remove("b@h:1", "x"), undefined);
  const changes = table.drop("c@h:1");
  // The new holder is found at once, but reported only when the iterator reaches it.
  assertEquals([table.find("x"), table.of("c@h:1", "x")], [late, undefined]);
  assertEquals(changes.next().value, { name: "x", from: tied, to: late });
  assertEquals([changes.next().done, table.drop("c@h:1").next().done], [true, true]);
  assertEquals([table.names(), table.size, [...table.allOf("a@h:1")]], [["x"], 1, [late]]);
  // The same actor with a later stamp is not reported, but replaces the entry.
  const again = { ...late, stamp: 9 };
  assertEquals([table.set(again), table.find("x")], [undefined, again]);
  // Because of its later stamp, the entry now loses to an entry with the stamp 8. With its earlier
  // stamp, it would have won.
  const other = entry("e@h:1", "x", 8);
  assertEquals(table.set(other)?.to, other);
});

test("SyncCursor sends each row exactly once, unless the row is removed before", () => {
  return seeds(3_000, 60, (random, size) => {
    const rows = new Set<{ number: number }>();
    let numbers = 0;
    const add = (): { number: number } => {
      const row = { number: ++numbers };
      rows.add(row);
      return row;
    };
    for (let i = 0; i < random.below(20); i++) add();
    const cursor = new SyncCursor(rows.values(), numbers);
    const observed: number[] = [];
    for (let i = 0; i < size || !cursor.isDone; i++) {
      const what = random.below(3);
      if (what === 0) {
        const count = 1 + random.below(4);
        const some = cursor.next(count).map(({ number }) => number);
        assertEquals(some.length <= count, true);
        observed.push(...some);
      } else if (what === 1) observed.push(add().number);
      else if (rows.size > 0) {
        const row = pick(random, [...rows]);
        rows.delete(row);
        const at = observed.indexOf(row.number);
        assertEquals(cursor.hasSent(row.number), at >= 0);
        if (at >= 0) observed.splice(at, 1);
      }
    }
    assertEquals(observed.sort((a, b) => a - b), [...rows].map(({ number }) => number));
    assertEquals(cursor.next(9), []);
  });
});
