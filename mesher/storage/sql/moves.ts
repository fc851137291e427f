/**
 * Moves events from one issue to another in small portions, so that other work is not delayed by a
 * million events.
 *
 *     merge    all events of a merged issue        ──▶ the target issue, which has counted them already
 *     split    the events with some fingerprints   ──▶ a new issue; both counts change with the events
 *
 * @module
 */
import type { Database, Query } from "../database.ts";

/** An unfinished move of events. */
export interface Move {
  readonly kind: "merge" | "split";
  /** The issue from which events are moved. */
  readonly from: string;
  /** The issue to which events are moved. */
  readonly to: string;
  /** For a split: the fingerprints of the events. */
  readonly fingerprints: readonly string[];
}

/**
 * Number of events or users that one transaction moves. Events of the same time are moved together.
 */
const MOVED_MAX = 200;

/**
 * Moves the next events that were received after `after`, in one transaction. Resolves with the
 * time up to which all events are moved, or with null if there are no more.
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
  // In the last portion, the upper limit is the time of the last event, so that PostgreSQL does not
  // read the partitions of later days.
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
    // Updates the issues in the order of their ids, because batch writers lock them in this order.
    for (const [id, count] of [[from, -moved], [to, moved]].toSorted() as [string, number][]) {
      await query.change(
        `UPDATE issues SET event_count = event_count + CAST($2 AS BIGINT) WHERE id = $1`,
        id,
        count,
      );
    }
  }
  if (kind === "split") {
    for (const id of [from, to].toSorted()) await addUsers(query, id, first.at, until);
  }
  return until;
}

/** Adds the users of an issue's events in a time range to the users of the issue. */
async function addUsers(
  query: Query,
  issueId: string,
  from: number,
  until: number,
): Promise<void> {
  await query.change(
    `INSERT INTO issue_users (issue_id, user_key)
     SELECT DISTINCT e.issue_id, e.user_key FROM events e
     WHERE e.issue_id = $1 AND e.received_at >= $2 AND e.received_at <= $3
       AND e.user_key IS NOT NULL
     ORDER BY 2 ON CONFLICT DO NOTHING`,
    issueId,
    from,
    until,
  );
}

/** Moves the users of a merged issue to the issue it was merged into. */
export async function moveUsers(
  db: Pick<Database, "transaction">,
  { from, to }: Move,
): Promise<void> {
  for (let isLast = false; !isLast;) {
    isLast = await db.transaction(async (query) => {
      const rows = await query.rows<{ readonly user_key: string }>(
        `SELECT user_key FROM issue_users WHERE issue_id = $1 ORDER BY user_key LIMIT ${MOVED_MAX}`,
        from,
      );
      const [least, most] = [rows[0]?.user_key, rows.at(-1)?.user_key];
      if (least !== undefined && most !== undefined) {
        await query.change(
          `INSERT INTO issue_users (issue_id, user_key)
           SELECT i.id, u.user_key FROM issue_users u JOIN issues i ON i.id = $2
           WHERE u.issue_id = $1 AND u.user_key >= $3 AND u.user_key <= $4
           ORDER BY 2 ON CONFLICT DO NOTHING`,
          from,
          to,
          least,
          most,
        );
        await query.change(
          "DELETE FROM issue_users WHERE issue_id = $1 AND user_key >= $2 AND user_key <= $3",
          from,
          least,
          most,
        );
      }
      if (rows.length === MOVED_MAX) return false;
      // Counted only after the last portion, because the time of counting grows with the number of
      // users.
      await countUsers(query, to);
      return true;
    });
  }
}

async function countUsers(query: Query, issueId: string): Promise<void> {
  await query.change(
    `UPDATE issues SET user_count = (SELECT count(*) FROM issue_users u WHERE u.issue_id = $1)
     WHERE id = $1`,
    issueId,
  );
}

/** Returns the time at which the last event of an issue was received. */
async function lastOf(query: Query, issueId: string, least: number): Promise<number> {
  const row = await query.row<{ readonly at: number }>(
    `SELECT e.received_at AS at FROM events e WHERE e.issue_id = $1 AND e.received_at >= $2
     ORDER BY e.received_at DESC LIMIT 1`,
    issueId,
    least,
  );
  return row?.at ?? least;
}

/** Sets the first and last times of both issues of a split from the events that they have now. */
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
      await countUsers(query, id);
      await settleReleases(query, id);
      const oldest = await query.row<{ readonly at: number }>(
        "SELECT e.received_at AS at FROM events e WHERE e.issue_id = $1 ORDER BY e.received_at LIMIT 1",
        id,
      );
      if (oldest === undefined) continue;
      const latest = await lastOf(query, id, oldest.at);
      const other = id === from ? to : from;
      // Older events, which are already deleted, may have belonged to either issue. In this case,
      // the original issue keeps its first time.
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

/** Sets the first and last release of an issue from its oldest and latest event. */
async function settleReleases(query: Query, issueId: string): Promise<void> {
  for (const [column, order] of [["first_release", "ASC"], ["last_release", "DESC"]]) {
    await query.change(
      `UPDATE issues SET ${column} = (SELECT e.release FROM events e
         WHERE e.issue_id = $1 AND e.release IS NOT NULL
         ORDER BY e.received_at ${order} LIMIT 1) WHERE id = $1`,
      issueId,
    );
  }
}

/** Returns whether the issue has an event that was received at this time. */
async function isFirst(query: Query, issueId: string, at: number): Promise<boolean> {
  const row = await query.row(
    "SELECT e.id FROM events e WHERE e.issue_id = $1 AND e.received_at = $2 LIMIT 1",
    issueId,
    at,
  );
  return row !== undefined;
}
