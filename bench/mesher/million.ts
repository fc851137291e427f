// deno-lint-ignore-file no-console -- prints a table
/**
 * Measures the latency of a node while its database searches, counts, expires and deletes many
 * events:
 *
 *     deno run -A bench/mesher/million.ts --events 1000000
 *     deno run -A bench/mesher/million.ts --postgres
 *
 * Prints the duration of each operation and, during the operation, the delay of a timer of 5 ms and
 * the latency of an event over HTTP, both at the 99th percentile.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { readOptions } from "../command_line.ts";
import { startApp } from "../../mesher/app.ts";
import { readConfig } from "../../mesher/config.ts";
import { openStorage } from "../../mesher/storage/open.ts";
import { startPostgres } from "../../tests/mesher/postgres.ts";
import { fill } from "./fill.ts";

const HELP = `deno run -A bench/mesher/million.ts [options]

  --events N   number of events in the database (1000000)
  --postgres   a PostgreSQL server, which is started, instead of SQLite
  --help       this text`;

const DAY_MS = 86_400_000;
const TICK_MS = 5;
/** Pause in milliseconds between two events that are sent during an operation. */
const SEND_MS = 10;
/**
 * Minimum duration in milliseconds of the measurement of an operation, long enough for a
 * percentile.
 */
const MEASURED_MS_MIN = 3_000;

/** Duration of an operation, and latencies of the node during it, in milliseconds. */
export interface Measured {
  readonly what: string;
  readonly took: number;
  readonly timerP99: number;
  readonly ingestP99: number;
}

/**
 * Measures a database of `count` events, half of them old. `database` is the URL of a PostgreSQL
 * database.
 */
export async function measureMany(count: number, database?: string): Promise<Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), "mesher-million-"));
  const sqlitePath = join(folder, "mesher.db");
  const storage = await openStorage(
    database === undefined
      ? { sqlitePath, sqliteFullSync: false }
      : { databaseUrl: database, sqlitePath },
  );
  const config = readConfig(
    { MESHER_HTTP_PORT: "0", MESHER_WS_PORT: "0", MESHER_RATE_LIMIT: "1000000000" },
    { memory: true },
  );
  const app = await startApp(config, { log: () => {}, storage });
  try {
    const { organisationId: org, projectId: project, key } = app.first!;
    // Creates a second project, whose events are kept longer, so that whole days cannot be dropped.
    const other = await storage.createProject({
      orgId: org,
      name: "Other",
      slug: "other",
      platform: null,
    });
    if (!other.ok) throw new Error(other.reason);
    await fill(storage, database ?? sqlitePath, project, count);
    const during = (what: string, run: () => Promise<unknown>) => watch(app.url, key, what, run);
    const page = { limit: 25 };
    const search = (filter: object) => storage.events(org, project, filter, page);
    const [issue] = (await storage.issues(org, project, {}, { limit: 1 })).rows;
    const day = { since: Date.now() - 90 * DAY_MS, until: Date.now(), bucketMs: DAY_MS };
    const measured = [
      await during("nothing", () => pause(2_000)),
      await during("a rare word", () => search({ query: "wombat" })),
      await during("a common word", () => search({ query: "error" })),
      await during("two common words that never meet", () => search({ query: "postcode basket" })),
      await during("a release without matches", () => search({ release: "none" })),
      await during("a user", () => search({ user: "42" })),
      await during(
        "tags of 20 days",
        () => storage.tagKeys(org, project, Date.now() - 20 * DAY_MS, 20),
      ),
      await during("tags of an issue", () => storage.issueTags(org, issue!.id, 0, 20)),
      await during("what the project occupies", () => storage.projectUsage(org, project)),
      await during("health of the project", () => storage.projectHealth(org, project, Date.now())),
      await during("volume of 90 days", () => storage.volume(org, project, day)),
      await during(
        "14 searches at once",
        () => Promise.all(Array.from({ length: 14 }, (_, i) => search({ query: `error x${i}` }))),
      ),
    ];
    await storage.updateProject(org, project, { retentionDays: 30 });
    measured.push(
      await during(`retention of ${count / 2} events`, () => storage.upkeep(Date.now())),
      await during("deleting the project", () => storage.deleteProject(org, project)),
      await during("and the rest of it, in the background", () => storage.upkeep(Date.now())),
    );
    return measured;
  } finally {
    await app.stop();
    rmSync(folder, { recursive: true });
  }
}

async function watch(
  url: string,
  key: string,
  what: string,
  run: () => Promise<unknown>,
): Promise<Measured> {
  const [late, answered]: [number[], number[]] = [[], []];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - last - TICK_MS));
    last = now;
  }, TICK_MS);
  let isOver = false;
  const sending = (async () => {
    while (!isOver) {
      const began = performance.now();
      const response = await fetch(`${url}/api/v1/events`, {
        method: "POST",
        headers: { "x-api-key": key },
        body: '{"message":"sent meanwhile"}',
      });
      await response.body?.cancel();
      answered.push(performance.now() - began);
      await pause(SEND_MS);
    }
  })();
  await pause(100);
  const began = performance.now();
  await run();
  const took = performance.now() - began;
  await pause(Math.max(0, MEASURED_MS_MIN - took));
  isOver = true;
  await sending;
  clearInterval(timer);
  return { what, took, timerP99: p99(late), ingestP99: p99(answered) };
}

function p99(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}

if (import.meta.main) {
  const given = readOptions("million", HELP, {
    values: { events: "1000000" },
    flags: ["postgres"],
  });
  let database: string | undefined;
  if (given.has("postgres")) {
    process.env["MESHER_TEST_FSYNC"] = "on";
    const cluster = await startPostgres();
    if (typeof cluster === "string") throw new Error(cluster);
    database = (await cluster.newDatabase()).url;
  }
  const rows = await measureMany(given.integer("events", 100, 1e8), database);
  console.log(
    "operation".padEnd(40),
    "took".padStart(9),
    "timer p99".padStart(10),
    "ingest p99".padStart(11),
  );
  for (const { what, took, timerP99, ingestP99 } of rows) {
    const ms = (n: number, width: number): string => `${n.toFixed(0)} ms`.padStart(width);
    console.log(what.padEnd(40), ms(took, 9), ms(timerP99, 10), ms(ingestP99, 11));
  }
  process.exit(0);
}
