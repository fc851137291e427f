// deno-lint-ignore-file no-console -- prints the results
/**
 * Question: how much more load do two workers of `cores` carry than one?
 *
 * The load client (`bench/peers/ws_load.c`, needs gcc) is a separate process. On a machine with two
 * cores it uses a part of them, so messages per second cannot be compared. Instead, the CPU time of
 * the workers per message is compared at the same load: two cores carry
 * 2 × (CPU time with one worker) / (CPU time with two workers) times the load of one. The client's
 * share of the CPU is printed too. In `echo`, each socket has one message in flight; in `room`, all
 * sockets are members of one room that spans the workers. Rounds with one and two workers alternate.
 *
 *     deno run -A bench/cores/capacity.ts        bun bench/cores/capacity.ts
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cores } from "../../lib/cores/cores.ts";

const ROUNDS = Number(process.argv[2] ?? 4);
const MODES = {
  echo: ["mode=echo", "members=400", "bytes=64"],
  room: ["mode=room", "members=1000", "bytes=64", "rate=150000"],
} as const;

interface Result {
  readonly each: readonly number[];
  readonly perSecond: number;
  readonly cpuPerMillion: number;
  readonly server: number;
  readonly client: number;
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "firn-cores-"));
const client = join(folder, "ws_load");

function load(args: readonly string[]): Promise<Result> {
  const child = spawn(client, [...args, "warm=1", "seconds=3"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (part) => text += part);
  return new Promise((done, failed) => {
    child.on(
      "close",
      (status) =>
        status === 0 ? done(JSON.parse(text)) : failed(new Error(`ws_load ended with ${status}`)),
    );
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

try {
  const made = spawnSync("gcc", ["-O2", "-o", client, here("../peers/ws_load.c")], {
    stdio: "inherit",
  });
  if (made.status !== 0) throw new Error("gcc failed");
  const groups = await Promise.all(
    [1, 2].map((count) => cores(here("worker.ts"), { count, signals: false })),
  );
  for (const [mode, args] of Object.entries(MODES)) {
    const results: Result[][] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, group] of groups.entries()) {
        const pids = group.workers().map(({ pid }) => `pid=${pid}`);
        results[i]!.push(await load([`port=${group.port}`, ...args, ...pids]));
      }
    }
    const costs = results.map((of) => median(of.map(({ cpuPerMillion }) => cpuPerMillion)));
    for (const [i, of] of results.entries()) {
      const { each, perSecond, server, client } = of.at(-1)!;
      console.log(
        `${mode}, ${i + 1} worker(s): ${costs[i]!.toFixed(2)} µs of CPU a message (last round: ` +
          `${each.map((one) => one.toFixed(2)).join(" + ")}; ${
            Math.round(perSecond)
          } messages/s, ` +
          `workers ${server.toFixed(2)} cores, client ${client.toFixed(2)} cores)`,
      );
    }
    console.log(
      `${mode}: two cores carry ${(2 * costs[0]! / costs[1]!).toFixed(2)} times the load`,
    );
  }
  await Promise.all(groups.map((group) => group.stop()));
} finally {
  rmSync(folder, { recursive: true });
}
