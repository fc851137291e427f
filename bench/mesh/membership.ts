/**
 * Measures how long thirty nodes of one process take to form a full mesh, their cost when idle, and
 * the memory that remains after many nodes were started and stopped. All nodes share one core.
 *
 *     deno run -A --v8-flags=--expose-gc bench/mesh/membership.ts [lifetimes]
 *
 * @module
 */
import { readdirSync } from "node:fs";
import process from "node:process";
import { readOptions } from "../command_line.ts";
import { Node } from "../../mod.ts";

const COUNT = 30;
const REST_MS = 20_000;
const cookie = "the same on every node";

function wait(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}

function start(name: string, seeds: string[] = []): Promise<Node> {
  return Node.start({ name: `${name}@127.0.0.1:0`, cookie, seeds, logLevel: "silent" });
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

const HELP = `deno run -A --v8-flags=--expose-gc bench/mesh/membership.ts [lifetimes]

Measures a mesh of thirty nodes, and the memory after nodes were started and stopped (100).`;
const lifetimes = readOptions("membership", HELP, { count: 100 }).count;
const first = await start("n0");
const others = Array.from({ length: COUNT - 1 }, (_, i) => start(`n${i + 1}`, [first.name]));
const nodes = [first, ...await Promise.all(others)];
const began = performance.now();
while (nodes.some((node) => node.peers().length < COUNT - 1)) await wait(1);
const meshMs = performance.now() - began;
await wait(2_000);
const before = process.cpuUsage();
await wait(REST_MS);
const { user, system } = process.cpuUsage(before);
const percent = (user + system) / 1000 / REST_MS * 100 / COUNT;
process.stdout.write(
  `full mesh ${meshMs.toFixed(0)} ms after the last start; ${
    percent.toFixed(2)
  } % of a core each\n`,
);
await Promise.all(nodes.slice(2).map((node) => node.stop()));
/** Collects garbage if possible (Deno: `--v8-flags=--expose-gc`). Returns the heap in use. */
function heapMb(): string {
  const { Bun, gc } = globalThis as { Bun?: { gc(sync: boolean): void }; gc?: () => void };
  if (Bun !== undefined) Bun.gc(true);
  else gc?.();
  return (process.memoryUsage().heapUsed / 1e6).toFixed(1);
}

const fds = descriptors();
const heapBefore = heapMb();
for (let i = 0; i < lifetimes; i++) await (await start(`pod${i}`, [first.name])).stop();
await wait(500);
const { known, dialing } = first.membership();
process.stdout.write(
  `after ${lifetimes} lifetimes: ${known} nodes known, ${dialing} dials, ${
    descriptors() - fds
  } more descriptors, heap ${heapBefore} MB, then ${heapMb()} MB\n`,
);
await Promise.all([first, nodes[1]!].map((node) => node.stop()));
process.exit(0);
