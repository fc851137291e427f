// deno-lint-ignore-file no-console
/**
 * Writes numbered events into a SQLite file, in batches of fifty, and prints after each batch the
 * number of the first event that is not written yet:
 *
 *     storage_child.ts <file> <project id> <from> <to>
 */
import process from "node:process";
import { idFrom } from "../../mesher/domain/id.ts";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import { entryWith } from "./event.ts";

const BATCH = 50;
const [path, projectId, from, to] = process.argv.slice(2) as [string, string, string, string];
const dice = new Uint8Array(10).fill(7);

const storage = await openSqlite({ path });
for (let first = Number(from); first < Number(to); first += BATCH) {
  const outcomes = await storage.writeEvents(
    Array.from({ length: BATCH }, (_, i) =>
      entryWith(projectId, 1_700_000_000_000 + first + i, {
        id: idFrom(first + i, dice),
        message: `kind ${"abcd"[i % 4]}`,
      })),
  );
  const stored = outcomes.filter(({ kind }) => kind === "stored").length;
  console.log(`${first + BATCH} ${stored}`);
}
await storage.close();
