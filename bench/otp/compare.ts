/**
 * Compares restarts of Firn and Erlang, in interleaved rounds, each in a separate process, and
 * prints the medians. `bench/RECORD.md` has the results.
 *
 *     deno run -A bench/otp/compare.ts        bun bench/otp/compare.ts
 *
 * A burst ends a hundred children at once: by `kill`, or by an error that each throws, whose stack
 * is then part of the report. The supervisor counts the restarts of one burst only. "Sustained" is
 * one burst after another, with ten thousand restarts of killed children. Measured is the time from
 * the first exit until the last child runs again, divided by the number of restarts, in
 * microseconds.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { report, seconds } from "../peers/measure.ts";
import { median } from "../spread.ts";
import { Restarts } from "./restarts.ts";

const CHILDREN = 100;
const BURSTS = 9;
const SUSTAINED = 100;
const ROUNDS = 5;

/** Measures Firn in this process. */
async function ours(): Promise<void> {
  for (const end of ["kill", "throw"] as const) {
    const times: number[] = [];
    // The first half warms up the compiler.
    for (let i = 0; i < 2 * BURSTS; i++) {
      const restarts = await Restarts.start(CHILDREN, "service");
      await restarts.burst(end);
      const time = await seconds(() => restarts.burst(end));
      if (i >= BURSTS) times.push(time);
      restarts.stop();
    }
    report(end, median(times) * 1e6 / CHILDREN);
  }
  const restarts = await Restarts.start(CHILDREN, "service");
  const sustained = await seconds(async () => {
    for (let i = 0; i < SUSTAINED; i++) await restarts.burst("kill");
  });
  report("sustained", sustained * 1e6 / (CHILDREN * SUSTAINED));
  restarts.stop();
}

/** Returns the results that a program prints. */
function figures(file: string, args: readonly string[]): Map<string, number> {
  const lines = execFileSync(file, args, { encoding: "utf8" }).trim().split("\n");
  return new Map(lines.map((line) => JSON.parse(line)).map(({ metric, value }) => [metric, value]));
}

function compare(): void {
  const folder = mkdtempSync(join(tmpdir(), "firn-restart-"));
  const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const erl = process.env["ERL"] ?? "erl";
  execFileSync(process.env["ERLC"] ?? "erlc", ["-o", folder, here("restart.erl")]);
  const counts = [CHILDREN, BURSTS, SUSTAINED].map(String);
  const own = [here("compare.ts"), "ours"];
  const contenders: [string, string, string[]][] = [
    ["Erlang", erl, [
      ..."-noshell -noinput -start_epmd false -pa".split(" "),
      folder,
      ..."-s restart main -extra".split(" "),
      ...counts,
    ]],
    ["Firn on Deno", process.env["DENO_BIN"] ?? "deno", ["run", "-A", ...own]],
    ["Firn on Bun", process.env["BUN_BIN"] ?? "bun", own],
  ];
  const found = new Map(contenders.map(([name]) => [name, new Map<string, number[]>()]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, file, args] of contenders) {
      for (const [metric, value] of figures(file, args)) {
        const metrics = found.get(name)!;
        metrics.set(metric, [...metrics.get(metric) ?? [], value]);
      }
    }
  }
  rmSync(folder, { recursive: true });
  process.stdout.write(`µs a restart: median (least to most) of ${ROUNDS} rounds\n`);
  for (const [name, metrics] of found) {
    const columns = [...metrics].map(([metric, values]) =>
      `${metric} ${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)} to ${
        Math.max(...values).toFixed(1)
      })`.padEnd(36)
    );
    process.stdout.write(`${name.padEnd(14)} ${columns.join("")}\n`);
  }
}

if (process.argv[2] === "ours") await ours();
else compare();
