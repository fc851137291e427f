// deno-lint-ignore-file no-console -- prints a table
/**
 * Measures how many events one node of Mesher accepts and stores, compared with a plain
 * `Deno.serve` handler that inserts each event separately:
 *
 *     deno run -A bench/mesher/run.ts --rounds 5 --seconds 3 --calm 60
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { readCommandLine, refuse } from "../command_line.ts";
import { Others } from "../cpu.ts";
import { size } from "../kit.ts";
import { calm } from "../peers/calm.ts";
import { CONTENDERS, ENGINES, PLAIN, WAYS } from "./contenders.ts";
import { prepareLoad } from "./load.ts";
import { type Figures, measure } from "./measure.ts";
import { table } from "./table.ts";

const HELP = `deno run -A bench/mesher/run.ts [options]

  --rounds N    rounds, each of all rows and contenders in turn (5; at most 50)
  --seconds N   measured in each run, after one second to warm up (3; at most 60)
  --calm N      wait at most N seconds for an idle machine before each run (0)
  --only TEXT   only "database: way: contender" with TEXT in it; may be given several times, then with
                all of them
  --help        this text

One server runs at a time, each with a database of its own, all in each round. The load client is a
process of its own (load.c, needs gcc). PostgreSQL is started for the bench if it is installed, and waits
for the disk at each commit, as it does by default.

First as much is sent as is answered; then, after a pause, as much as five times what the plain handler
answered in that round, or 8 in 10 of its own most, if that is less. In the second part an event is sent
ten times a second whose way into the database is looked at.`;

const tiny = size(0, 1) === 1;
const options = readCommandLine("bench/mesher", HELP, {
  rounds: tiny ? 1 : 5,
  seconds: tiny ? 0.2 : 3,
  secondsMin: 0.1,
});

const folder = mkdtempSync(join(tmpdir(), "mesher-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const problem = prepareLoad(folder, WAYS);
if (problem !== undefined) refuse("bench/mesher", problem);

const results = new Map<string, Figures[]>();
let failures = 0;
for (let round = 1; round <= options.rounds; round++) {
  for (const engine of ENGINES) {
    for (const way of WAYS) {
      let plainest: number | undefined;
      for (const contender of CONTENDERS) {
        const key = `${engine.name}: ${way.name}: ${contender.name}`;
        if (!options.wants(key)) continue;
        await calm(options.calm);
        const others = new Others();
        const aim = plainest === undefined ? undefined : 5 * plainest;
        const got = await measure({ folder, engine, way, contender, seconds: options.seconds, aim })
          .catch((error: Error) => (failures++, error.message));
        if (typeof got === "string") {
          console.error(`${round} ${key}: ${got}`);
          continue;
        }
        if (contender === PLAIN) plainest = got.stored;
        results.set(key, [...results.get(key) ?? [], got]);
        console.error(
          `${round} ${key}: ${JSON.stringify(got)}, others use ${Math.round(100 * others.use())} %`,
        );
      }
    }
  }
}
if (results.size === 0) {
  refuse("bench/mesher", "nothing was measured; a run's name must have each --only in it");
}
for (const line of table(results)) console.log(line);
if (failures > 0) console.error(`${failures} runs failed, see above`);
process.exit(failures > 0 ? 1 : 0);
