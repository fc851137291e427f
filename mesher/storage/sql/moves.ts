/**
 * Moves events from one issue to another, some at a time, so that a million of them delay nothing else.
 *
 *     merge    all events of an issue that is gone ──▶ the issue that took it, which has counted them already
 *     split    the events with some fingerprints   ──▶ a new issue; both counts change with the events
 *
 * @module
 */
import type { Database, Query } from "../database.ts";

/** A move of events that is not finished. */
export interface Move {
  readonly kind: "merge" | "split";
  /** The issue that has the events. */
  readonly from: string;
  /** The issue that gets them. */
  readonly to: string;
  /** Of a split: which events. */
  readonly fingerprints: readonly string[];
}

/** Events that are looked at in one transaction. */
const MOVED_MAX = 500;

/**
 * Moves the next events that were received after `after`, in a transaction. Resolves to the time up to which they
 * are done; null: there are no more.
 */
export async function moveSlice(query: Query, move: Move, after: number): Promise<number | null> {
  const { kind, from, to, fingerprints } = move;
  const first = await query.row<{ readonly at: number }>(
    `SELECT e.received_at AS at FROM events e WHERE e.issue_id = $1 AND e.received_at > $2
     ORDER BY e.received_at LIMIT 1`,
    from,
    after,
  );
  if (first === undefined) return null;
  const last = await query.row<{ readonly at: number }>(
    `SELECT e.received_at AS at FROM events e WHERE e.issue_id = $1 AND e.received_at >= $2
     ORDER BY e.received_at LIMIT 1 OFFSET ${MOVED_MAX}`,
    from,
    first.at,
  );
  // Without a later one: to the end of the hour, so that PostgreSQL looks at few days.
  const until = last?.at ?? await lastOf(query, from, first.at);
  const names = fingerprints.map((_, i) => `$${i + 5}`).join(", ");
  const moved = await query.change(
    `UPDATE events SET issue_id = $2
     WHERE issue_id = $1 AND received_at >= $3 AND received_at <= $4
       ${kind === "split" ? `AND fingerprint IN (${names})` : ""}`,
    from,
    to,
    first.at,
    until,
    ...fingerprints,
  );
  if (kind === "split" && moved > 0) {
    // By their ids' order, as writers count events.
    for (const [id, count] of [[from, -moved], [to, moved]].toSorted() as [string, number][]) {
      await query.change(
        `UPDATE issues SET event_count = event_count + CAST($2 AS BIGINT) WHERE id = $1`,
        id,
        count,
      );
    }
  }
  return until;
}

/** When an issue's last event was received. */
async function lastOf(query: Query, issueId: string, least: number): Promise<number> {
  const row = await query.row<{ readonly at: number }>(
    `SELECT e.received_at AS at FROM events e WHERE e.issue_id = $1 AND e.received_at >= $2
     ORDER BY e.received_at DESC LIMIT 1`,
    issueId,
    least,
  );
  return row?.at ?? least;
}

/** Corrects the times of both issues of a split by the events that they have now. */
export async function settleSplit(
  db: Pick<Database, "transaction">,
  { from, to }: Move,
): Promise<void> {
  await db.transaction(async (query) => {
    const rows = await query.rows<
      { readonly id: string; readonly first_seen: number; readonly last_seen: number }
    >(
      "SELECT id, first_seen, last_seen FROM issues WHERE id IN ($1, $2) ORDER BY id",
      from,
      to,
    );
    const before = rows.find(({ id }) => id === from)?.first_seen ?? 0;
    for (const { id } of rows) {
      const oldest = await query.row<{ readonly at: number }>(
        "SELECT e.received_at AS at FROM events e WHERE e.issue_id = $1 ORDER BY e.received_at LIMIT 1",
        id,
      );
      if (oldest === undefined) continue;
      const latest = await lastOf(query, id, oldest.at);
      const other = id === from ? to : from;
      // Events before the oldest that is stored may have been of either: the issue itself keeps what it knew.
      const hasOlder = id === from && await isFirst(query, other, before) === false;
      await query.change(
        "UPDATE issues SET first_seen = $2, last_seen = $3 WHERE id = $1",
        id,
        hasOlder ? Math.min(before, oldest.at) : oldest.at,
        latest,
      );
    }
  });
}

/** Whether the issue has the event that was received at this time. */
async function isFirst(query: Query, issueId: string, at: number): Promise<boolean> {
  const row = await query.row(
    "SELECT e.id FROM events e WHERE e.issue_id = $1 AND e.received_at = $2 LIMIT 1",
    issueId,
    at,
  );
  return row !== undefined;
}
