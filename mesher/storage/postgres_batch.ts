/**
 * Writes batches of events to PostgreSQL. Each batch is written in one transaction, in which every
 * statement takes the whole batch as columns.
 *
 * ```
 * projects   locks the existing projects against deletion
 * issues     finds the issues and locks them against deletion; creates missing issues, in key order
 * event_ids  inserts the ids, in order; an event whose id exists already is a duplicate
 * events     inserts the events that are not duplicates
 * releases   inserts the new releases, in order
 * users      inserts the users that an issue did not have, in order, except the known users
 * issues     adds to the counts and reopens resolved issues, in the order of the ids
 * usage      adds events and bytes, in the order of project ids
 * ```
 *
 * All writers process rows in the same order, so that two of them cannot deadlock. The rows that
 * most writers change, the counts of issues, are locked last, so that they are locked for a short
 * time.
 *
 * @module
 */
import { newId } from "../domain/id.ts";
import { folded, wordsOf } from "../domain/words.ts";
import type { Value } from "./database.ts";
import { isLaterRelease, type ReleaseTime } from "../domain/release.ts";
import { type KnownReleases, releaseKey } from "./known_releases.ts";
import type { KnownUsers } from "./known_users.ts";
import { type EventColumns, eventKey, issueKey, userKeyOf } from "./rows.ts";
import { StorageError } from "./error.ts";
import type { EventOutcome } from "./events.ts";

/** Separates the values of a column. */
const SEPARATOR = "\x1e";
/** Stands for null among the values of a column. */
const ABSENT = "\x1f";
/** Matches texts that contain `SEPARATOR` or `ABSENT`. */
// deno-lint-ignore no-control-regex
const HOLDS = /[\x1e\x1f]/;

/** An open transaction, with methods for statements whose parameters are columns. */
export interface Batch {
  rows<Row>(sql: string, ...columns: (Value[] | string)[]): Promise<Row[]>;
}

interface IssueRow {
  readonly id: string;
  readonly project_id: string;
  readonly fingerprint: string;
  readonly status: string;
  readonly resolved_after: string | null;
}

interface IdRow {
  readonly id: string;
  readonly project_id: string;
}

/** The rows that are known to be stored, and are not inserted again. */
export interface Known {
  readonly releases: Pick<KnownReleases, "has">;
  readonly users: Pick<KnownUsers, "has">;
}

/** Writes a batch. Returns the result of each row, in order. */
export async function writeBatch(
  batch: Batch,
  rows: readonly EventColumns[],
  now: number,
  known: Known,
): Promise<readonly EventOutcome[]> {
  const locked = await batch.rows<{ readonly id: string }>(
    "SELECT id FROM projects WHERE id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE",
    unique(rows.map((row) => row.projectId)),
  );
  const projects = new Set(locked.map(({ id }) => id));
  const withProject = rows.filter((row) => projects.has(row.projectId));
  if (withProject.length === 0) return rows.map(() => ({ kind: "orphan" }));

  const { issues, made } = await issuesFor(batch, withProject, now);
  const fresh = await insertIds(
    batch,
    withProject.filter((row) => issues.get(issueKey(row))!.status !== "discarded"),
  );
  const stored = new Set(fresh);
  if (fresh.length > 0) await insertEvents(batch, fresh, issues);
  await addReleases(batch, fresh.filter((row) => !known.releases.has(row)), now);
  const users = await addUsers(batch, fresh, issues, now, known.users);
  const reopens = await reopening(batch, fresh, issues);
  const reopened = await countEvents(batch, fresh, issues, users, reopens);
  if (fresh.length > 0) await addUsage(batch, fresh);
  const unused = [...made].filter((id) =>
    !fresh.some((row) => issues.get(issueKey(row))!.id === id)
  );
  if (unused.length > 0) {
    await batch.rows("DELETE FROM issues WHERE id = ANY($1::uuid[]) AND event_count = 0", unused);
  }

  return rows.map((row): EventOutcome => {
    if (!projects.has(row.projectId)) return { kind: "orphan" };
    const issue = issues.get(issueKey(row))!;
    if (issue.status === "discarded") return { kind: "discarded", issueId: issue.id };
    if (!stored.has(row)) return { kind: "duplicate" };
    // A change of an issue is reported only for the first event that caused it.
    const first = made.delete(issue.id);
    const regressed = reopened.has(issue.id) &&
      (issue.resolved_after === null || reopens.has(row)) && reopened.delete(issue.id);
    return { kind: "stored", issueId: issue.id, first, regressed };
  });
}

/** Returns the issues of these rows by their keys, and the ids of new issues. */
async function issuesFor(
  batch: Batch,
  rows: readonly EventColumns[],
  now: number,
): Promise<{ readonly issues: Map<string, IssueRow>; readonly made: Set<string> }> {
  const firsts = new Map<string, EventColumns>();
  for (const row of rows) {
    const key = issueKey(row);
    if (!firsts.has(key)) firsts.set(key, row);
  }
  const issues = new Map<string, IssueRow>();
  const made = new Set<string>();
  const find = async (missing: readonly EventColumns[]) => {
    const found = await batch.rows<IssueRow>(
      // The alias comes first, because the fingerprint may have been merged into another issue.
      `SELECT i.id, k.project_id, k.fingerprint, i.status, i.resolved_after
       FROM unnest($1::uuid[], $2::text[]) AS k (project_id, fingerprint)
       LEFT JOIN issue_aliases a
         ON a.project_id = k.project_id AND a.fingerprint = k.fingerprint
       JOIN issues i ON i.id = coalesce(a.issue_id, (SELECT o.id FROM issues o
         WHERE o.project_id = k.project_id AND o.fingerprint = k.fingerprint))
       ORDER BY i.id FOR KEY SHARE OF i`,
      missing.map((row) => row.projectId),
      missing.map((row) => row.fingerprint),
    );
    for (const row of found) {
      issues.set(issueKey({ projectId: row.project_id, fingerprint: row.fingerprint }), row);
    }
    return missing.filter((row) => !issues.has(issueKey(row)));
  };
  const missing = await find([...firsts.values()]);
  if (missing.length === 0) return { issues, made };
  const inserted = await batch.rows<IssueRow>(
    `INSERT INTO issues (id, project_id, fingerprint, title, title_folded, culprit, level,
       event_count, first_seen, last_seen)
     SELECT id, project_id, fingerprint, title, title_folded, culprit, level, 0, seen, seen
     FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
       $8::bigint[])
       AS n (id, project_id, fingerprint, title, title_folded, culprit, level, seen)
     ORDER BY project_id, fingerprint
     ON CONFLICT (project_id, fingerprint) DO NOTHING
     RETURNING id, project_id, fingerprint, status, resolved_after`,
    missing.map(() => newId(now)),
    missing.map((row) => row.projectId),
    missing.map((row) => row.fingerprint),
    missing.map((row) => row.title),
    missing.map((row) => folded(row.title)),
    missing.map((row) => row.culprit),
    missing.map((row) => row.level),
    missing.map((row) => row.receivedAt),
  );
  for (const row of inserted) {
    issues.set(issueKey({ projectId: row.project_id, fingerprint: row.fingerprint }), row);
    made.add(row.id);
  }
  if (inserted.length > 0 && await isAlias(batch, inserted)) throw deletedIssueError();
  // Another writer has created the issues that are still missing. It has committed, because
  // otherwise the insert would have waited for it.
  const others = missing.filter((row) => !issues.has(issueKey(row)));
  if (others.length > 0 && (await find(others)).length > 0) throw deletedIssueError();
  return { issues, made };
}

/**
 * Returns whether the fingerprint of one of these new issues was merged into another issue while
 * the batch created them.
 */
async function isAlias(batch: Batch, made: readonly IssueRow[]): Promise<boolean> {
  const found = await batch.rows(
    `SELECT a.issue_id FROM issue_aliases a
     JOIN unnest($1::uuid[], $2::text[]) AS k (project_id, fingerprint)
       ON a.project_id = k.project_id AND a.fingerprint = k.fingerprint LIMIT 1`,
    made.map((row) => row.project_id),
    made.map((row) => row.fingerprint),
  );
  return found.length > 0;
}

/**
 * Inserts the ids of the events. Returns the rows whose ids were new. If two rows have the same id,
 * only the first is returned.
 */
async function insertIds(
  batch: Batch,
  rows: readonly EventColumns[],
): Promise<readonly EventColumns[]> {
  const firsts = new Map<string, EventColumns>();
  for (const row of rows) {
    const key = eventKey(row);
    if (!firsts.has(key)) firsts.set(key, row);
  }
  if (firsts.size === 0) return [];
  const asked = [...firsts.values()];
  const inserted = await batch.rows<IdRow>(
    `INSERT INTO event_ids (id, project_id, received_at)
     SELECT CAST(id AS uuid), CAST(project_id AS uuid), CAST(received_at AS bigint)
     FROM unnest(${list("$1")}, ${list("$2")}, ${list("$3")}) AS n (id, project_id, received_at)
     ORDER BY 1, 2
     ON CONFLICT DO NOTHING RETURNING id, project_id`,
    joinValues(asked.map((row) => row.id)),
    joinValues(asked.map((row) => row.projectId)),
    joinValues(asked.map((row) => row.receivedAt)),
  );
  const fresh = new Set(
    inserted.map((row) => eventKey({ projectId: row.project_id, id: row.id })),
  );
  return asked.filter((row) => fresh.has(eventKey(row)));
}

async function insertEvents(
  batch: Batch,
  rows: readonly EventColumns[],
  issues: ReadonlyMap<string, IssueRow>,
): Promise<void> {
  const texts = [
    rows.map((row) => row.fingerprint),
    rows.map((row) => row.title),
    rows.map((row) => row.message),
    rows.map((row) => row.environment),
    rows.map((row) => row.release),
  ];
  // Texts of clients may contain anything. Texts with a separator are rare, and are sent as arrays.
  const isJoined = !texts.some((column) =>
    column.some((text) => text !== null && HOLDS.test(text))
  );
  const texted = (param: string): string => isJoined ? list(param) : `${param}::text[]`;
  const orNull = (name: string): string =>
    isJoined ? `nullif(coalesce(${name}, ''), chr(31))` : name;
  await batch.rows(
    `INSERT INTO events (id, project_id, issue_id, fingerprint, level, title, message, environment,
       release, tags, payload, words, bytes, event_at, received_at, user_key)
     SELECT CAST(id AS uuid), CAST(project_id AS uuid), CAST(issue_id AS uuid),
       coalesce(fingerprint, ''), level, coalesce(title, ''), coalesce(message, ''),
       ${orNull("environment")}, ${orNull("release")},
       CAST(tags AS jsonb), CAST(payload AS json),
       array_to_tsvector(array_remove(string_to_array(coalesce(words, ''), ' '), '')),
       octet_length(payload), CAST(event_at AS bigint),
       CAST(received_at AS bigint), nullif(user_key, chr(31))
     FROM unnest(${list("$1")}, ${list("$2")}, ${list("$3")}, ${texted("$4")}, ${texted("$5")},
       ${texted("$6")}, ${texted("$7")}, ${texted("$8")}, ${list("$9")}, ${list("$10")},
       ${list("$11")}, ${list("$12")}, ${list("$13")}, ${list("$14")}, ${list("$15")})
       AS n (id, project_id, issue_id, fingerprint, title, message, environment, release, level,
         tags, payload, words, event_at, received_at, user_key)`,
    joinValues(rows.map((row) => row.id)),
    joinValues(rows.map((row) => row.projectId)),
    joinValues(rows.map((row) => issues.get(issueKey(row))!.id)),
    ...texts.map((column) => isJoined ? joinValues(column.map((text) => text ?? ABSENT)) : column),
    joinValues(rows.map((row) => row.level)),
    joinValues(rows.map((row) => row.tags)),
    joinValues(rows.map((row) => row.payload)),
    joinValues(rows.map((row) => `${wordsOf(row.searched).join(" ")} ${row.marks}`)),
    joinValues(rows.map((row) => row.eventAt)),
    joinValues(rows.map((row) => row.receivedAt)),
    joinValues(rows.map((row) => userKeyOf(row) ?? ABSENT)),
  );
}

/** Adds the events to the storage used by their projects. */
async function addUsage(batch: Batch, rows: readonly EventColumns[]): Promise<void> {
  const usage = new Map<string, { events: number; bytes: number }>();
  for (const { projectId, payload } of rows) {
    const known = usage.get(projectId);
    if (known === undefined) usage.set(projectId, { events: 1, bytes: payload.length });
    else {
      known.events++;
      known.bytes += payload.length;
    }
  }
  await batch.rows(
    `INSERT INTO project_usage AS u (project_id, events, bytes)
     SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n (project_id, events, bytes)
     ORDER BY project_id
     ON CONFLICT (project_id) DO UPDATE SET events = u.events + EXCLUDED.events,
       bytes = u.bytes + EXCLUDED.bytes`,
    [...usage.keys()],
    [...usage.values()].map(({ events }) => events),
    [...usage.values()].map(({ bytes }) => bytes),
  );
}

/** Inserts the missing releases, in a fixed order. */
async function addReleases(
  batch: Batch,
  rows: readonly EventColumns[],
  now: number,
): Promise<void> {
  const found = new Map<string, EventColumns>();
  for (const row of rows) {
    if (row.release !== null) found.set(releaseKey(row), row);
  }
  if (found.size === 0) return;
  const made = [...found.values()];
  await batch.rows(
    `INSERT INTO releases (id, project_id, version, created_at)
     SELECT id, project_id, version, $4
     FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS n (id, project_id, version)
     ORDER BY project_id, version ON CONFLICT DO NOTHING`,
    made.map(() => newId(now)),
    made.map((row) => row.projectId),
    made.map((row) => row.release),
    String(now),
  );
}

/**
 * Adds the users of events to their issues, in a fixed order. Returns the number of new users of
 * each issue.
 */
async function addUsers(
  batch: Batch,
  rows: readonly EventColumns[],
  issues: ReadonlyMap<string, IssueRow>,
  now: number,
  known: Known["users"],
): Promise<ReadonlyMap<string, number>> {
  const pairs = new Map<string, readonly [issueId: string, userKey: string]>();
  for (const row of rows) {
    const userKey = userKeyOf(row);
    if (userKey === null) continue;
    const { id } = issues.get(issueKey(row))!;
    if (!known.has(row, id, userKey, now)) pairs.set(id + userKey, [id, userKey]);
  }
  if (pairs.size === 0) return new Map();
  const added = await batch.rows<{ readonly id: string; readonly count: number }>(
    `WITH added AS (
       INSERT INTO issue_users (issue_id, user_key)
       SELECT CAST(issue_id AS uuid), user_key
       FROM unnest(${list("$1")}, ${list("$2")}) AS n (issue_id, user_key)
       ORDER BY 1, 2 ON CONFLICT DO NOTHING RETURNING issue_id
     ) SELECT issue_id AS id, count(*) AS count FROM added GROUP BY 1`,
    joinValues([...pairs.values()].map(([id]) => id)),
    joinValues([...pairs.values()].map(([, userKey]) => userKey)),
  );
  return new Map(added.map(({ id, count }) => [id, count]));
}

/**
 * Returns the events whose release is later than the release after which their issue was resolved.
 * These events reopen the issue.
 */
async function reopening(
  batch: Batch,
  rows: readonly EventColumns[],
  issues: ReadonlyMap<string, IssueRow>,
): Promise<ReadonlySet<EventColumns>> {
  const asked = rows.filter((row) =>
    row.release !== null && issues.get(issueKey(row))!.resolved_after !== null
  );
  if (asked.length === 0) return new Set();
  const boundaryOf = (row: EventColumns): string => issues.get(issueKey(row))!.resolved_after!;
  const known = await batch.rows<
    { readonly project_id: string; readonly version: string; readonly created_at: number }
  >(
    `SELECT project_id, version, created_at FROM releases
     WHERE project_id = ANY($1::uuid[]) AND version = ANY($2::text[])`,
    unique(asked.map((row) => row.projectId)),
    unique(asked.flatMap((row) => [row.release!, boundaryOf(row)])),
  );
  const times = new Map(
    known.map((one) => [
      releaseKey({ projectId: one.project_id, release: one.version }),
      one.created_at,
    ]),
  );
  return new Set(asked.filter((row) => {
    const timeOf = (version: string): ReleaseTime => ({
      version,
      createdAt: times.get(releaseKey({ projectId: row.projectId, release: version })),
    });
    return isLaterRelease(timeOf(row.release!), timeOf(boundaryOf(row)));
  }));
}

/**
 * Adds the events to the counts of their issues. Returns the ids of the issues that were resolved
 * before.
 */
async function countEvents(
  batch: Batch,
  rows: readonly EventColumns[],
  issues: ReadonlyMap<string, IssueRow>,
  users: ReadonlyMap<string, number>,
  reopens: ReadonlySet<EventColumns>,
): Promise<Set<string>> {
  const groups = new Map<string, EventColumns[]>();
  for (const row of rows) {
    const { id } = issues.get(issueKey(row))!;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [row]);
    else group.push(row);
  }
  if (groups.size === 0) return new Set();
  const latest = [...groups.values()].map((group) =>
    group.reduce((a, b) => b.receivedAt >= a.receivedAt ? b : a)
  );
  const counted = await batch.rows<{ readonly id: string; readonly reopened: boolean }>(
    `WITH added AS (
       SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[],
         $6::bigint[], $7::text[], $8::text[], $9::text[])
         AS n (id, count, first_seen, last_seen, level, users, first_release, last_release,
           resolved_after)
     ), old AS (
       SELECT id, status = 'resolved' AND (resolved_after IS NULL OR EXISTS (
           SELECT 1 FROM added WHERE added.id = issues.id
             AND added.resolved_after = issues.resolved_after)) AS reopened
       FROM issues WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
     )
     UPDATE issues i SET event_count = i.event_count + added.count,
       first_seen = least(i.first_seen, added.first_seen),
       level = CASE WHEN added.last_seen >= i.last_seen THEN added.level ELSE i.level END,
       last_seen = greatest(i.last_seen, added.last_seen),
       user_count = i.user_count + added.users,
       first_release = coalesce(i.first_release, added.first_release),
       last_release = coalesce(added.last_release, i.last_release),
       status = CASE WHEN old.reopened THEN 'unresolved' ELSE i.status END,
       resolved_after = CASE WHEN old.reopened THEN NULL ELSE i.resolved_after END
     FROM added JOIN old ON old.id = added.id WHERE i.id = added.id
     RETURNING i.id, old.reopened`,
    [...groups.keys()],
    [...groups.values()].map((group) => group.length),
    [...groups.values()].map((group) => Math.min(...group.map((row) => row.receivedAt))),
    latest.map((row) => row.receivedAt),
    latest.map((row) => row.level),
    [...groups.keys()].map((id) => users.get(id) ?? 0),
    [...groups.values()].map((group) => group.find((row) => row.release !== null)?.release ?? null),
    [...groups.values()].map((group) =>
      group.findLast((row) => row.release !== null)?.release ?? null
    ),
    // For each issue that an event reopens: the release after which it was resolved.
    [...groups.values()].map((group) => {
      const row = group.find((row) => reopens.has(row));
      return row === undefined ? null : issues.get(issueKey(row))!.resolved_after;
    }),
  );
  if (counted.length < groups.size) throw deletedIssueError();
  return new Set(counted.filter(({ reopened }) => reopened).map(({ id }) => id));
}

/**
 * Joins ids, numbers, words or JSON texts with U+001E, which none of them contains. Escaping them
 * as elements of an array would take five times as long.
 */
function joinValues(values: readonly (string | number)[]): string {
  return values.join(SEPARATOR);
}

/**
 * Returns the SQL that splits a text created by `joinValues`. A single empty value results in no
 * rows, or in null beside other columns.
 */
function list(param: string): string {
  return `string_to_array(${param}::text, chr(30))`;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

/**
 * Returns the error for an issue that was deleted between two reads. The batch is then retried, and
 * creates a new issue.
 */
function deletedIssueError(): StorageError {
  return new StorageError("an issue was deleted while a batch was written to it", true, {
    code: "40001",
  });
}
