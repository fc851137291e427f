/**
 * Tests random and mutated messages in every reader of names and groups: nothing throws, values are
 * within their limits, and tables stay consistent.
 */
import { assert, assertEquals } from "@std/assert";
import { System } from "../../lib/actor/system.ts";
import { Emitter } from "../../lib/base/emitter.ts";
import type { SeededRandom } from "../../lib/base/random.ts";
import { GroupTable } from "../../lib/cluster/groups.ts";
import { type GlobalEvents, Registry } from "../../lib/cluster/registry.ts";
import { Replicas } from "../../lib/cluster/replicas.ts";
import { dispatch } from "../../lib/mesh/dispatch.ts";
import type { ClusterSink, Inbound } from "../../lib/mesh/inbound.ts";
import type { Outbound } from "../../lib/mesh/outbound.ts";
import {
  isKey,
  KEY_BYTES_MAX,
  LIST_COUNT_MAX,
  type PeerLink,
  readMembers,
  readRegister,
  readRegistered,
  readSync,
  readUnregister,
  sendMembers,
  sendRegister,
  sendRegistered,
  sendSync,
  sendSynced,
  sendUnregister,
  STAMP_MAX,
} from "../../lib/cluster/rows.ts";
import { TAG } from "../../lib/mesh/message.ts";
import { type Home, Pid } from "../../lib/term/pid.ts";
import { fuzzCount, mutated, rounds } from "../kit/fuzz.ts";
import { makeHost } from "../kit/host.ts";
import { pick } from "../kit/seeds.ts";
import { test } from "../kit/test.ts";

const ROUNDS = fuzzCount(10_000);

/** A link to a node. Both sides know three nodes by index. */
class TestLink implements PeerLink {
  readonly home: Home;
  readonly rows: (readonly [tag: number, body: Uint8Array])[] = [];
  readonly #others: Home[];

  constructor(node: string, own: Home) {
    this.home = { node, creation: 1, local: false };
    this.#others = [this.home, own, { node: "third@h:1", creation: 1, local: false }];
  }

  readonly homes = {
    index: (home: Home): number | undefined => {
      const at = this.#others.findIndex(({ node }) => node === home.node);
      // The peer's indexes of itself and of this node are swapped.
      return at < 0 ? undefined : at < 2 ? 1 - at : at;
    },
    pid: (index: number, id: number): Pid | undefined => {
      const home = this.#others[index];
      return home && new Pid(home, id, undefined);
    },
    ref: () => undefined,
  };

  row(tag: number, body: Uint8Array): void {
    this.rows.push([tag, body.slice()]);
  }
}

const OWN: Home = { node: "own@h:1", creation: 1, local: true };

function text(random: SeededRandom): string {
  const letters = ["a", "b", "é", "\0", "😀", "\ud800", " "];
  const length = random.below(4) === 0 ? random.below(300) : 1 + random.below(3);
  return Array.from({ length }, () => pick(random, letters)).join("");
}

function name(random: SeededRandom): string {
  const one = text(random);
  return isKey(one) ? one : pick(random, ["x", "y"]);
}

/**
 * Returns a random message in the form in which the peer sends it, with the peer's node indexes.
 */
function sample(random: SeededRandom, link: TestLink): readonly [number, Uint8Array] {
  link.rows.length = 0;
  const owner = random.below(8) === 0 ? "third@h:1" : link.home.node;
  const pid = (): Pid => link.homes.pid(Math.min(1, random.below(9)), random.below(5))!;
  const row = () => ({ name: name(random), pid: pid(), stamp: random.below(2 ** 31) });
  const member = () => ({ scope: name(random), group: name(random), pid: pid() });
  const many = <T>(make: () => T): T[] => Array.from({ length: random.below(5) }, make);
  switch (random.below(7)) {
    case 0:
      sendRegister(link, row(), owner, random.below(4));
      break;
    case 1:
      sendRegistered(link, random.below(4), random.below(3), pick(random, ["", owner, OWN.node]));
      break;
    case 2:
      sendUnregister(link, name(random));
      break;
    case 3:
      sendSync(link, many(row), owner);
      break;
    case 4:
      sendSynced(link);
      break;
    case 5:
      sendMembers(link, TAG.GROUP_JOIN, many(member));
      break;
    case 6:
      sendMembers(link, TAG.GROUP_LEAVE, many(member));
  }
  return link.rows[0] ?? [TAG.GLOBAL_SYNC, random.bytes(random.below(20))];
}

function assertKey(text: string): void {
  assert(text.length > 0 && new TextEncoder().encode(text).length <= KEY_BYTES_MAX, "a key");
}

/**
 * Dispatches a message about names or groups as a session does. Returns the rule that the message
 * violated.
 */
function handled(
  replicas: Replicas,
  link: PeerLink,
  tag: number,
  body: Uint8Array,
): string | undefined {
  let broken: string | undefined;
  const cluster: Inbound["cluster"] = (handle, bytes) => {
    broken = handle(replicas as ClusterSink<unknown>, link as Outbound, bytes);
  };
  const take: Inbound["take"] = (handle, _tag, bytes) => {
    handle({ cluster } as Inbound, bytes);
    return broken;
  };
  const actors = { take } as Inbound;
  return dispatch(undefined as never, { owner: undefined as never, actors }, tag, body);
}

test("readRegister, readSync and readMembers return undefined or values within their limits for any bytes", () => {
  rounds(ROUNDS, (random) => {
    const link = new TestLink("peer@h:1", OWN);
    const body = random.below(4) === 0
      ? random.bytes(random.below(60))
      : mutated(random, sample(random, link)[1]);
    const register = readRegister(link, body);
    const sync = readSync(link, body);
    for (const row of [...register ? [register] : [], ...sync ?? []]) {
      assertKey(row.name);
      assert(row.stamp >= 0 && row.stamp <= STAMP_MAX && row.pid instanceof Pid);
    }
    assert((sync?.length ?? 0) <= LIST_COUNT_MAX);
    readRegistered(body);
    const gone = readUnregister(body);
    if (gone !== undefined) assertKey(gone);
    for (const { scope, group, pid } of readMembers(link, body) ?? []) {
      assertKey(scope);
      assertKey(group);
      assert(pid instanceof Pid);
    }
  });
});

test("sendSync and sendMembers send rows of less than 32 KiB that decode to the same entries", () => {
  rounds(ROUNDS / 200, (random) => {
    const link = new TestLink("peer@h:1", OWN);
    const pid = link.homes.pid(1, 7)!;
    const count = random.below(3_000);
    const names = Array.from({ length: count }, (_, i) => ({
      name: `${i} ${pick(random, ["", "é".repeat(120), "x".repeat(250 - `${i} `.length)])}`,
      pid,
      stamp: random.below(2 ** 31),
    }));
    sendSync(link, names, OWN.node);
    const far = new TestLink(OWN.node, { ...OWN, node: "peer@h:1" });
    const read = link.rows.flatMap(([, body]) => readSync(far, body)!);
    assertEquals(
      read.map(({ name, stamp }) => ({ name, stamp })),
      names.map(({ name, stamp }) => ({
        name,
        stamp,
      })),
    );
    assert(read.every((row) => row.pid.node === OWN.node && row.owner === OWN.node));
    const all = link.rows.splice(0);
    const members = names.map(({ name }) => ({ scope: "s", group: name, pid }));
    sendMembers(link, TAG.GROUP_JOIN, members);
    const joined = link.rows.flatMap(([, body]) => readMembers(far, body)!);
    assertEquals(joined.map(({ group }) => group), members.map(({ group }) => group));
    for (const [, body] of [...all, ...link.rows]) assert(body.length < 32 * 1024);
  });
});

test("Replicas removes all entries of a peer that is lost after any messages", () => {
  rounds(ROUNDS / 20, (random) => {
    const events = new Emitter<GlobalEvents>();
    const system = new System(OWN, makeHost(), events as never);
    try {
      const registry = new Registry(system, events, () => 1);
      const groups = new GroupTable(system);
      const replicas = new Replicas(registry, groups, () => Promise.resolve());
      let links = [new TestLink("peer@h:1", system.home), new TestLink("other@h:1", system.home)];
      for (const link of links) replicas.up(link);
      const idle = (): Pid => system.spawn(undefined, undefined, () => () => {}, []) as Pid;
      for (let i = 0; i < 60; i++) {
        const link = pick(random, links);
        const [tag, whole] = sample(random, new TestLink(link.home.node, system.home));
        const body = random.below(3) === 0 ? mutated(random, whole) : whole;
        switch (random.below(8)) {
          case 0:
            void registry.register(name(random), idle(), "exit").catch(() => {});
            break;
          case 1:
            registry.unregister(pick(random, ["x", "y"]));
            break;
          case 2:
            groups.join("x", "y", idle());
            break;
          default:
            // A peer that violates a rule is disconnected.
            if (handled(replicas, link, tag, body) === undefined) continue;
            replicas.down(link.home.node);
            links = links.filter((other) => other !== link);
            links.push(new TestLink(link.home.node, system.home));
            replicas.up(links.at(-1)!);
        }
      }
      for (const each of registry.names()) assert(registry.find(each) !== undefined);
      for (const pid of system.pids()) system.exit(pid, "kill");
      for (const { home } of links) replicas.down(home.node);
      assertEquals([registry.names(), groups.names("x")], [[], []]);
    } finally {
      system.stop();
    }
  });
});
