/**
 * Question: what does each step of ingesting an event cost: parse and validate, group, convert to
 * columns, write? In tiny mode it also runs `run.ts`.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { groupingOf } from "../../mesher/domain/fingerprint.ts";
import { newId } from "../../mesher/domain/id.ts";
import { PASSWORD_COST } from "../../mesher/domain/password.ts";
import { type Validated, validateEvent } from "../../mesher/domain/validate.ts";
import { wordsOf } from "../../mesher/domain/words.ts";
import { firstRun } from "../../mesher/first_run.ts";
import { sampleEvent } from "../../mesher/load/sample.ts";
import { columnsOf } from "../../mesher/storage/rows.ts";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import type { NewEvent } from "../../mesher/storage/events.ts";
import { bench, benches, isTiny, size } from "../kit.ts";
import { here } from "./contenders.ts";

/** Number of events in one iteration of every bench, which is one batch of the writer. */
const EVENTS = size(500, 5);

const texts = Array.from({ length: EVENTS }, () => JSON.stringify(sampleEvent(Math.random)));
const moment = { now: Date.now(), newId: () => newId() };

function event(text: string): Extract<Validated, { ok: true }>["event"] {
  const valid = validateEvent(JSON.parse(text), moment);
  if (!valid.ok) throw new Error(valid.reason);
  return valid.event;
}

function entries(projectId: string): NewEvent[] {
  return texts.map((text) => {
    const one = event(text);
    return { projectId, receivedAt: Date.now(), event: one, ...groupingOf(one) };
  });
}

const events = texts.map(event);
const waiting = entries(newId());
const searched = waiting.map((entry) => columnsOf(entry).searched);
const group = `an event on its way, ${EVENTS} each`;

bench("JSON.parse alone", { group, baseline: true }, () => {
  for (const text of texts) JSON.parse(text);
});
bench("read and validated", { group }, () => {
  for (const text of texts) event(text);
});
bench("grouped", { group }, () => {
  for (const one of events) groupingOf(one);
});
bench("made into columns", { group }, () => {
  for (const entry of waiting) columnsOf(entry);
});
bench("its words", { group }, () => {
  for (const text of searched) wordsOf(text);
});

/** The permissions: writing events needs a folder, and `run.ts` starts processes. */
const NEEDS = ["env", "net", "read", "run", "write"] as const;

await benches("bench/mesher/ingest_bench.ts: written", NEEDS, async () => {
  const folder = mkdtempSync(join(tmpdir(), "mesher-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const stores = {
    "in memory": await openSqlite({ path: ":memory:" }),
    "in a file": await openSqlite({ path: join(folder, "mesher.db") }),
  };
  const projects = {
    "in memory": (await firstRun(stores["in memory"], PASSWORD_COST))!.projectId,
    "in a file": (await firstRun(stores["in a file"], PASSWORD_COST))!.projectId,
  };

  for (const where of ["in memory", "in a file"] as const) {
    bench(`all of it, written ${where}`, { group: `a batch of ${EVENTS}` }, async () => {
      await stores[where].writeEvents(entries(projects[where]));
    });
  }

  if (isTiny()) {
    let hasRun = false;
    bench("run.ts, one round", () => {
      if (hasRun) return;
      hasRun = true;
      const args = [here("run.ts"), "--only", "SQLite: bulk of 50: Mesher, Deno"];
      const run = "Bun" in globalThis ? [] : ["run", "-A", "--no-check"];
      const { status, stderr } = spawnSync(process.execPath, [...run, ...args], {
        encoding: "utf8",
      });
      // If gcc is missing, the bench is skipped without an error.
      if (status !== 0 && !stderr.includes("gcc cannot make")) throw new Error(stderr);
    });
  }
});
