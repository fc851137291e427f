/**
 * Question: what does a global name cost a node: to look up, to register, and to send to a joining
 * node?
 *
 * Measures the tables and the encoded messages without a session, in this process, which is
 * saturated. One iteration of a list is all of its names. `bench/peers/global.ts` measures two
 * nodes.
 *
 * @module
 */
import { System } from "../../lib/actor/system.ts";
import { Emitter } from "../../lib/base/emitter.ts";
import { Global } from "../../lib/cluster/global.ts";
import { GroupTable } from "../../lib/cluster/groups.ts";
import { Registry } from "../../lib/cluster/registry.ts";
import { NameTable } from "../../lib/cluster/names.ts";
import {
  type PeerLink,
  readMembers,
  readSync,
  sendMembers,
  sendSync,
} from "../../lib/cluster/rows.ts";
import { TAG } from "../../lib/mesh/message.ts";
import { systemHost } from "../../lib/start.ts";
import { type Home, Pid } from "../../lib/term/pid.ts";
import { bench, size } from "../kit.ts";

const COUNT = size(100_000, 2_000);
const LOOKUPS = size(1_000_000, 100);

const own: Home = { node: "own@127.0.0.1:4000", creation: 1, local: true };
const far: Home = { node: "far@127.0.0.1:4000", creation: 1, local: false };
const system = new System(own, systemHost());
const registry = new Registry(system, new Emitter(), () => Date.now());
const global = new Global(system, registry);
const groups = new GroupTable(system);
const actor = system.spawn(undefined, undefined, () => () => {}, []) as Pid;

const bodies: Uint8Array[] = [];
const line: PeerLink = {
  home: far,
  homes: {
    index: () => 0,
    pid: (_: number, id: number) => new Pid(far, id, undefined),
    ref: () => undefined,
  },
  row: (_, body) => void bodies.push(body.slice()),
};
const names = Array.from({ length: COUNT }, (_, i) => `user:${i}:session`);
const rows = names.map((name, i) => ({ name, pid: actor, stamp: 1e15 + i }));
const members = names.map((group) => ({ scope: "default", group, pid: actor }));
const some = names.slice(0, 1000);
for (const name of some) await global.register(name, actor);

function received(send: () => void): Uint8Array[] {
  bodies.length = 0;
  send();
  return [...bodies];
}
const lists = received(() => sendSync(line, rows, own.node));
const joins = received(() => sendMembers(line, TAG.GROUP_JOIN, members));

bench(`whereis, ${LOOKUPS} times`, { group: "have" }, () => {
  let hits = 0;
  for (let i = 0; i < LOOKUPS; i++) if (global.whereis(some[i % some.length]!)) hits++;
  if (hits !== LOOKUPS) throw new Error("a name was not found");
});

let turn = 0;

// Uses different keys, because a Map is slow if one key is repeatedly added and removed.
bench("register and unregister, without other nodes", { group: "have" }, () => {
  const name = names[some.length + turn++ % (COUNT - some.length)]!;
  void global.register(name, actor);
  global.unregister(name);
});

bench("join and leave, nobody else there", { group: "have" }, () => {
  const name = names[turn++ % COUNT]!;
  groups.join("default", name, actor);
  groups.leave("default", name, actor);
});

bench(`a table of ${COUNT} names`, { group: "list" }, () => {
  const table = new NameTable();
  for (const { name, pid, stamp } of rows) table.set({ name, owner: far.node, pid, stamp });
  if (table.size !== COUNT) throw new Error("a name is missing");
});

bench(`${COUNT} names to rows`, { group: "list" }, () => {
  bodies.length = 0;
  sendSync(line, rows, own.node);
});

bench(`${COUNT} names from rows`, { group: "list" }, () => {
  for (const body of lists) if (readSync(line, body) === undefined) throw new Error("malformed");
});

bench(`${COUNT} memberships from rows`, { group: "list" }, () => {
  for (const body of joins) if (readMembers(line, body) === undefined) throw new Error("malformed");
});
