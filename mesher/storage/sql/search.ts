/**
 * Searches the events of a project, newest first. Every statement is short, however many events the
 * project has.
 *
 *     rare: at most 2,000 events match ──▶ all of them, by the index of words, in one statement
 *     else ─▶ the newest 5,000 events of the project, then the 10,000 before them, …, until the page is full
 *
 * Other requests run between two slices, and a search ends when its client has disconnected. A
 * search that has not found enough after `SEARCH_MS_MAX` rejects; the user can narrow it.
 *
 * @module
 */
import type { Level } from "../../domain/event.ts";
import { isId } from "../../domain/id.ts";
import { markOf, queryWords } from "../../domain/words.ts";
import { Conditions, type Database, type SearchTerms, type SliceParams } from "../database.ts";
import { StorageError } from "../error.ts";
import type { EventFilter, EventSummary } from "../events.ts";
import { jsonText, readJson } from "../json.ts";
import type { Page, PageRequest } from "../page.ts";
import { limitOf, narrowToPage, NO_ROWS, pageFrom } from "./page.ts";

/** Maximum number of matching events that are all read by one statement. */
const RARE_MAX = 2_000;
/** Number of events in the first slice. */
const SLICE_EVENTS = 5_000;
/** Maximum number of events in a slice. */
const SLICE_EVENTS_MAX = 40_000;
/** Time limit of a search, in milliseconds. */
export const SEARCH_MS_MAX = 20_000;

/** The row of an event in a list. */
export interface SummaryRow {
  readonly id: string;
  readonly project_id: string;
  readonly issue_id: string;
  readonly level: Level;
  readonly title: string;
  readonly message: string;
  readonly environment: string | null;
  readonly release: string | null;
  readonly tags: unknown;
  readonly event_at: number;
  readonly received_at: number;
}

/** The SQL list of the columns of a `SummaryRow`. The statement names the table `events e`. */
export const SUMMARY: string =
  "e.id, e.project_id, e.issue_id, e.level, e.title, e.message, e.environment, " +
  "e.release, e.tags, e.event_at, e.received_at";

/** Returns the event of a row. */
export const summaryFrom = (row: SummaryRow): EventSummary => ({
  id: row.id,
  projectId: row.project_id,
  issueId: row.issue_id,
  level: row.level,
  title: row.title,
  message: row.message,
  environment: row.environment,
  release: row.release,
  tags: readJson(row.tags),
  timestamp: row.event_at,
  receivedAt: row.received_at,
});

/** Returns a page of the events of a project that match a filter. */
export async function search(
  db: Database,
  projectId: string,
  filter: EventFilter,
  page: PageRequest,
): Promise<Page<EventSummary>> {
  const asked = wordsOf(filter);
  if (asked === null || filter.issueId !== undefined && !isId(filter.issueId)) return NO_ROWS;
  const limit = limitOf(page);
  const pageOf = (rows: readonly SummaryRow[]) =>
    pageFrom(rows, limit, (row) => row.received_at, summaryFrom);
  const hasWords = asked.words.length + asked.marks.length > 0;
  const query = hasWords ? db.dialect.wordsQuery(asked) : "";
  if (!hasWords || await db.dialect.isRare(db, query, RARE_MAX)) {
    const where = new Conditions();
    where.and(`e.project_id = ${where.param(projectId)}`);
    if (!narrow(db, where, filter, page)) return NO_ROWS;
    if (hasWords) where.and(db.dialect.wordsMatch(where.param(query)));
    return pageOf(await rowsOf(db, where, limit + 1, hasWords));
  }
  return pageOf(await inSlices(db, projectId, filter, page, query, limit + 1));
}

/** Maximum number of matching events, latest first, by which `issueIds` selects issues. */
const ISSUE_EVENTS_MAX = 5_000;
/** Maximum number of ids that `issueIds` returns. */
const ISSUE_IDS_MAX = 500;

/** Finds the latest events of a project that match a filter. Returns the ids of their issues. */
export async function issueIds(
  db: Database,
  projectId: string,
  filter: EventFilter,
): Promise<string[]> {
  const asked = wordsOf(filter);
  if (asked === null || asked.marks.length === 0) return [];
  const query = db.dialect.wordsQuery(asked);
  const page = { limit: 1 };
  let rows: readonly SummaryRow[];
  if (await db.dialect.isRare(db, query, RARE_MAX)) {
    const where = new Conditions();
    where.and(`e.project_id = ${where.param(projectId)}`);
    if (!narrow(db, where, filter, page)) return [];
    where.and(db.dialect.wordsMatch(where.param(query)));
    rows = await rowsOf(db, where, RARE_MAX, true);
  } else rows = await inSlices(db, projectId, filter, page, query, ISSUE_EVENTS_MAX);
  return [...new Set(rows.map((row) => row.issue_id))].slice(0, ISSUE_IDS_MAX);
}

/**
 * Returns the words and marks to search for, or null if the text to search for contains no words.
 */
function wordsOf(filter: EventFilter): SearchTerms | null {
  const marks: string[] = [];
  if (filter.level !== undefined) marks.push(markOf("level", filter.level));
  if (filter.environment !== undefined) marks.push(markOf("environment", filter.environment));
  if (filter.release !== undefined) marks.push(markOf("release", filter.release));
  if (filter.user !== undefined) marks.push(markOf("user", filter.user.toLowerCase()));
  for (const [key, value] of Object.entries(filter.tags ?? {})) {
    marks.push(markOf("tag", `${key}=${value}`));
  }
  if (filter.query === undefined) return { words: [], marks };
  const words = queryWords(filter.query);
  return words.length === 0 ? null : { words, marks };
}

/** Adds the conditions that words and marks do not cover. Returns false if no event can match. */
function narrow(db: Database, where: Conditions, filter: EventFilter, page: PageRequest): boolean {
  if (filter.issueId !== undefined) where.and(`e.issue_id = ${where.param(filter.issueId)}`);
  // Tags are compared in addition to their marks, because two values may have the same mark, with a
  // probability of 1 in 10^19.
  if (filter.tags !== undefined && Object.keys(filter.tags).length > 0) {
    where.and(db.dialect.tagsHold(where.param(jsonText(filter.tags))));
  }
  if (filter.since !== undefined) where.and(`e.received_at >= ${where.param(filter.since)}`);
  if (filter.before !== undefined) where.and(`e.received_at < ${where.param(filter.before)}`);
  if (!narrowToPage(where, page, "e.received_at", "e.id")) return false;
  // This condition is redundant, but it allows PostgreSQL to skip the partitions of later days.
  if (page.after) where.and(`e.received_at <= ${where.param(page.after.at)}`);
  return true;
}

/**
 * Returns the matching rows, newest first. With `isFew`, the rows are found by their words and then
 * sorted, instead of being read from an index by time.
 */
function rowsOf(
  db: Database,
  where: Conditions,
  count: number,
  isFew: boolean,
): Promise<SummaryRow[]> {
  const order = isFew
    ? "ORDER BY e.received_at + 0 DESC, e.id DESC"
    : "ORDER BY e.received_at DESC, e.id DESC";
  const limit = where.param(count);
  return db.scan<SummaryRow>(
    `SELECT ${SUMMARY} FROM events e WHERE ${where.text} ${order} LIMIT ${limit}`,
    where.params,
  );
}

async function inSlices(
  db: Database,
  projectId: string,
  filter: EventFilter,
  page: PageRequest,
  query: string,
  count: number,
): Promise<SummaryRow[]> {
  const began = performance.now();
  const found: SummaryRow[] = [];
  const least = filter.since ?? 0;
  let until = Math.min(filter.before ?? Infinity, (page.after?.at ?? Infinity) + 1, db.now() * 2);
  for (let size = SLICE_EVENTS; until > least; size = Math.min(2 * size, SLICE_EVENTS_MAX)) {
    if (performance.now() - began > SEARCH_MS_MAX) {
      throw new StorageError("the search took too long: use a shorter period", true);
    }
    const from = Math.max(least, await sliceBegin(db, projectId, until, size));
    const where = new Conditions();
    const slice: SliceParams = {
      project: where.param(projectId),
      from: where.param(from),
      until: where.param(until),
    };
    where.and(`e.project_id = ${slice.project}`);
    where.and(`e.received_at >= ${slice.from} AND e.received_at < ${slice.until}`);
    if (!narrow(db, where, filter, page)) return [];
    where.and(db.dialect.wordsMatch(where.param(query), slice));
    found.push(...await rowsOf(db, where, count - found.length, false));
    if (found.length >= count) break;
    until = from;
  }
  return found;
}

/**
 * Returns the start of a slice that ends before `until` and has more than `size` events of a
 * project. Returns 0 if the project has fewer events before `until`.
 */
async function sliceBegin(
  db: Database,
  projectId: string,
  until: number,
  size: number,
): Promise<number> {
  const [row] = await db.scan<{ readonly at: number }>(
    `SELECT e.received_at AS at FROM events e WHERE e.project_id = $1 AND e.received_at < $2
     ORDER BY e.received_at DESC LIMIT 1 OFFSET ${size}`,
    [projectId, until],
  );
  return row?.at ?? 0;
}
