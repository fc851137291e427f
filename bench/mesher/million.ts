// deno-lint-ignore-file no-console -- prints a table
/**
 * Measures the latency of a node while its database searches, counts, expires and deletes many
 * events:
 *
 *     deno run -A bench/mesher/million.ts --events 1000000
 *     bun bench/mesher/million.ts --events 100000 --database postgres://…
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
import { parseArgs } from "node:util";
import { startApp } from "../../mesher/app.ts";
import { readConfig } from "../../mesher/config.ts";
import { newId } from "../../mesher/domain/id.ts";
import { validateEvent } from "../../mesher/domain/validate.ts";
import { sampleEvent } from "../../mesher/load/sample.ts";
import { rowOf } from "../../mesher/pipeline/accepted.ts";
import { openStorage } from "../../mesher/storage/open.ts";
import type { Storage } from "../../mesher/storage/storage.ts";

const DAY_MS = 86_400_000;
const BATCH = 2_000;
const TICK_MS = 5;
/** Pause between two events that are sent during an operation. Milliseconds. */
const SEND_MS = 20;

/** Duration of an operation, and latencies of the node during it. Milliseconds. */
export interface Measured {
  readonly what: string;
  readonly took: number;
  readonly timerP99: number;
  readonly ingestP99: number;
}

/** Measures a database of `count` events, half of them old. `database`: PostgreSQL's address. */
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
    await fill(storage, project, count);
    const during = (what: string, run: () => Promise<unknown>) => watch(app.url, key, what, run);
    const page = { limit: 25 };
    const search = (filter: object) => storage.events(org, project, filter, page);
    const measured = [
      await during("nothing", () => pause(2_000)),
      await during("a rare word", () => search({ query: "wombat" })),
      await during("a common word", () => search({ query: "error" })),
      await during("a release without matches", () => search({ release: "none" })),
      await during("tags of a day", () => storage.tagKeys(org, project, Date.now() - DAY_MS, 20)),
      await during("what the project occupies", () => storage.projectUsage(org, project)),
      await during("volume of 90 days", () =>
        storage.volume(org, project, {
          since: Date.now() - 90 * DAY_MS,
          until: Date.now(),
          bucketMs: DAY_MS,
        })),
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

async function fill(storage: Storage, projectId: string, count: number): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    const at = Date.now() - (done < count / 2 ? 60 : 0) * DAY_MS;
    await storage.writeEvents(
      Array.from({ length: Math.min(BATCH, count - done) }, () => {
        const valid = validateEvent(sampleEvent(Math.random), { now: at, newId: () => newId(at) });
        if (!valid.ok) throw new Error(valid.reason);
        const event = { ...valid.event, id: newId(at) };
        return rowOf({ projectId, receivedAt: at, event });
      }),
    );
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
  // Enough for a percentile.
  await pause(Math.max(0, 500 - took));
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
  const { values } = parseArgs({
    options: { events: { type: "string", default: "1000000" }, database: { type: "string" } },
  });
  const rows = await measureMany(Number(values.events), values.database);
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
