/**
 * The queries of the counters of all nodes, in the SQL that both engines share. A run that has
 * stored nothing for a day has ended: `foldTotals` adds it to one row, so that there are few rows.
 *
 * @module
 */
import type { Database } from "../database.ts";
import { jsonText, readJson } from "../json.ts";
import { sumOf, type TotalCounts, type Totals } from "../totals.ts";

interface TotalsRow {
  readonly run: string;
  readonly counts: unknown;
}

/** The name of the row with the sums of all ended runs. */
const ENDED = "";
const DAY_MS = 86_400_000;

/** Returns the queries of counters on a database. */
export function totals(db: Database): Totals {
  return {
    async saveTotals(run, counts) {
      await db.change(
        `INSERT INTO node_totals (run, counts, saved_at) VALUES ($1, $2, $3)
         ON CONFLICT (run) DO UPDATE SET counts = excluded.counts, saved_at = excluded.saved_at`,
        run,
        jsonText(counts),
        db.now(),
      );
    },

    async totals(except) {
      const rows = await db.rows<TotalsRow>("SELECT run, counts FROM node_totals");
      return countsOf(rows.filter(({ run }) => !except.includes(run)));
    },
  };
}

/** Adds the counters of runs that ended long ago to the row of ended runs. */
export async function foldTotals(db: Database, now: number): Promise<void> {
  await db.transaction(async (query) => {
    const rows = await query.rows<TotalsRow>(
      `SELECT run, counts FROM node_totals WHERE saved_at < $1 OR run = '${ENDED}'
       ORDER BY run${db.dialect.forUpdate}`,
      now - DAY_MS,
    );
    if (!rows.some(({ run }) => run !== ENDED)) return;
    for (const { run } of rows) await query.change("DELETE FROM node_totals WHERE run = $1", run);
    await query.change(
      "INSERT INTO node_totals (run, counts, saved_at) VALUES ($1, $2, $3)",
      ENDED,
      jsonText(countsOf(rows)),
      now,
    );
  });
}

function countsOf(rows: readonly TotalsRow[]): TotalCounts {
  return sumOf(rows.map(({ counts }) => readJson<TotalCounts>(counts)));
}
