/**
 * Measures 100,000 shards on five nodes of this process: start, call, rebalance, passivate,
 * compared with a plain service.
 *
 *     deno run -A bench/cluster/shards.ts            bun bench/cluster/shards.ts
 *
 * @module
 */
// deno-lint-ignore-file no-console -- prints the results
import process from "node:process";
import { readOptions } from "../command_line.ts";
import { type Shards, shards } from "../../lib/cluster/shards.ts";
import { Node } from "../../lib/node.ts";
import { service } from "../../lib/otp/service.ts";
import { memoryStore } from "../../lib/otp/store.ts";

const HELP = `deno run -A bench/cluster/shards.ts [shards]

Measures shards (100,000) on five nodes of this process: start, call, rebalance and passivate.`;
const COUNT = Math.max(1000, readOptions("shards", HELP, { count: 100_000 }).count);
const CALLS = 100_000;
const WINDOW = 200;

interface Counter {
  state: number;
  call: { add(by: number): number };
}
const counter = service<Counter>({ init: () => 0, call: { add: (n, by) => [n + by, n + by] } });

function now(): number {
  return performance.now();
}

/**
 * Makes `count` calls, of which a limited number are pending at a time. Returns the calls per
 * second.
 */
async function rate(count: number, call: (i: number) => Promise<unknown>): Promise<number> {
  const began = now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: WINDOW }, worker));
  return count / (now() - began) * 1000;
}

function per(what: string, value: number, unit = "/s"): void {
  console.log(`${what.padEnd(58)} ${Math.round(value).toLocaleString("en").padStart(12)} ${unit}`);
}

function heap(): number {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  return process.memoryUsage().heapUsed;
}

const cookie = "0123456789abcdef0123456789abcdef";
const settings = { cookie, logLevel: "silent" as const, pingTimeout: 60_000 };
const nodes: Node[] = [];
const all: Shards<Counter>[] = [];
const store = memoryStore();

async function add(): Promise<void> {
  const i = nodes.length;
  const seeds = nodes.slice(0, 1).map(({ name }) => name);
  nodes.push(await Node.start({ ...settings, name: `n${i}@127.0.0.1:0`, seeds }));
}
async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((wake) => setTimeout(wake, 5));
}
const offer = (node: Node): Shards<Counter> =>
  shards(node, "counter", { actor: counter, movesPerSecond: 1e6 });

for (let i = 0; i < 5; i++) await add();
await until(() => nodes.every((node) => node.peers().length === 4));
const plain = await counter.start(nodes[0]!);
per("a plain service of this node, called", await rate(CALLS, () => counter.call(plain).add(1)));
const far = await counter.start(nodes[1]!);
const there = counter.at(nodes[0]!, { name: "far", node: nodes[1]!.name });
nodes[1]!.register("far", far);
per(
  "a plain service of another node, called",
  await rate(CALLS / 2, () => counter.call(there).add(1)),
);
for (const node of nodes.slice(0, 4)) all.push(offer(node));
await until(() => all.every((one) => one.nodes().length === 4));
const keys = Array.from({ length: COUNT }, (_, i) => `key ${i}`);
const before = heap();
per(
  `${COUNT} shards started on four nodes, by a call from one`,
  await rate(COUNT, (i) => all[0]!.call(keys[i]!).add(1)),
);
per("heap of one running shard", (heap() - before) / COUNT, "bytes");
const here = keys.filter((key) => all[0]!.nodeOf(key) === nodes[0]!.name);
const others = keys.filter((key) => all[0]!.nodeOf(key) !== nodes[0]!.name);
per(
  "shards of this node, called",
  await rate(CALLS, (i) => all[0]!.call(here[i % here.length]!).add(1)),
);
per("one of them, called", await rate(CALLS, () => all[0]!.call(here[0]!).add(1)));
per(
  "shards of other nodes, called",
  await rate(CALLS / 2, (i) => all[0]!.call(others[i % others.length]!).add(1)),
);
per("a plain service of this node again", await rate(CALLS, () => counter.call(plain).add(1)));
const began = now();
all.push(offer(nodes[4]!));
const moved = keys.filter((_, i) => i >= 0).length / 5;
await until(() => all[4]!.counts().movedIn > moved * 0.95);
await until(() =>
  all.slice(0, 4).every((one) =>
    one.keys().every((key) => one.nodeOf(key) === nodes[0]!.name) || one !== all[0]
  )
);
per(
  `a fifth node joins: ${all[4]!.counts().movedIn} keys moved, at most as fast as it goes`,
  all[4]!.counts().movedIn / (now() - began) * 1000,
);

// Measures passivation, with a separate kind on one node.
const [quiet] = [
  shards(nodes[0]!, "quiet", { actor: counter, persist: { store }, passivateAfter: 1_000 }),
];
const empty = heap();
const some = keys.slice(0, COUNT / 5);
await rate(some.length, (i) => quiet!.call(some[i]!).add(1));
const running = heap();
await until(() => quiet!.keys().length === 0);
const passivated = heap();
per(
  "heap of one stored shard that runs, with the store in memory",
  (running - empty) / some.length,
  "bytes",
);
per(
  "heap of one that is passivated, with the store in memory",
  (passivated - empty) / some.length,
  "bytes",
);
for (const node of nodes) await node.stop({ timeout: 0 });
