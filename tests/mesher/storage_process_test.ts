/**
 * Tests an SQLite file shared by processes: data written before a process is killed is kept, and
 * several processes write concurrently.
 */
import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { runtime, test } from "../kit/test.ts";
import { party } from "./contract/world.ts";

const CHILD = fileURLToPath(new URL("./storage_child.ts", import.meta.url));
const BATCH = 50;

/** A project in a file, and the storage that this process opened. */
interface Place {
  readonly path: string;
  readonly storage: Storage;
  readonly orgId: string;
  readonly projectId: string;
}

async function withPlace(body: (place: Place) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mesher-processes-"));
  const path = join(folder, "mesher.db");
  const storage = await openSqlite({ path });
  try {
    const { orgId, project } = await party(storage, "a");
    await body({ path, storage, orgId, projectId: project.id });
  } finally {
    await storage.close();
    rmSync(folder, { recursive: true });
  }
}

/** The last report of a child process. */
interface ChildReport {
  /** The number of the first event that the child had not reported as written. */
  readonly written: number;
  readonly stored: number;
  readonly complaint: string;
}

/**
 * Runs a child. With `killAt`, the child is killed with -9 once it has reported this many events as
 * written.
 */
async function write(
  place: Place,
  from: number,
  to: number,
  killAt = Infinity,
): Promise<ChildReport> {
  const run = runtime === "deno" ? ["run", "-A", "--no-check", CHILD] : [CHILD];
  const args = [...run, place.path, place.projectId, `${from}`, `${to}`];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  let complaint = "";
  child.stderr.on("data", (data) => complaint += data);
  let [written, stored] = [from, 0];
  for await (const line of createInterface({ input: child.stdout })) {
    const [until, count] = line.split(" ").map(Number) as [number, number];
    written = until;
    stored += count;
    if (written >= killAt) child.kill("SIGKILL");
  }
  await ended;
  return { written, stored, complaint };
}

/** Returns the sum of the event counts of all issues. */
async function counted({ storage, orgId, projectId }: Place): Promise<number> {
  const { rows } = await storage.issues(orgId, projectId, {}, { limit: 100 });
  return rows.reduce((sum, { eventCount }) => sum + eventCount, 0);
}

test("SQLite keeps all committed batches, and no partial batch, after kill -9", () =>
  withPlace(async (place) => {
    const far = 1_000_000;
    const received = await write(place, 0, far, 20 * BATCH);
    assert(
      received.written >= 20 * BATCH && received.written < far,
      `${received.written} ${received.complaint}`,
    );
    const stored = await place.storage.eventCount(place.projectId, 0);
    // The batch in progress may be stored, and so may batches that the child did not report in
    // time.
    assert(stored >= received.written, `${stored} of ${received.written} are stored`);
    assertEquals(stored % BATCH, 0);
    assertEquals(await counted(place), stored);
    // Writes the same events again from the start: those already stored are not stored twice.
    const again = await write(place, 0, stored + BATCH);
    assertEquals(again.stored, BATCH, again.complaint);
    assertEquals(await counted(place), stored + BATCH);
  }));

test("SQLite lets three processes write to the same file concurrently", () =>
  withPlace(async (place) => {
    const each = 60 * BATCH;
    // The ranges of the second and third child overlap by half.
    const received = await Promise.all([
      write(place, 0, each),
      write(place, each, 2 * each),
      write(place, each + each / 2, 2 * each + each / 2),
    ]);
    const complaints = received.map(({ complaint }) => complaint).join("");
    assertEquals(received.map(({ written }) => written), [each, 2 * each, 2.5 * each], complaints);
    assertEquals(received.reduce((sum, { stored }) => sum + stored, 0), 2.5 * each);
    assertEquals(await place.storage.eventCount(place.projectId, 0), 2.5 * each);
    assertEquals(await counted(place), 2.5 * each);
  }));
