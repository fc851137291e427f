/**
 * Storage in SQLite, which both runtimes carry with them (`node:sqlite`): nothing to install.
 *
 * One connection a process. Its statements do not wait for anything, so a statement runs at once, and
 * what must stay together (a transaction, a batch) takes its turn. Several processes may share one file:
 * WAL lets them read while one writes; who finds the file being written waits a little without
 * blocking its process, and tries again.
 *
 * What was written survives the process's death at any moment. With `fullSync` it survives the
 * machine's too; without, a power failure may take the last moments' transactions, whole.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { assert } from "../domain/assert.ts";
import { newId } from "../domain/id.ts";
import type { Database, Dialect, Query, Value } from "./database.ts";
import { cleanText } from "./json.ts";
import { columnsOf, type EventColumns, issueKey } from "./rows.ts";
import { accounts } from "./sql/accounts.ts";
import { alerts } from "./sql/alerts.ts";
import { events } from "./sql/events.ts";
import { issues } from "./sql/issues.ts";
import { projects } from "./sql/projects.ts";
import { SQLITE_STEPS } from "./sqlite_schema.ts";
import {
  type EventOutcome,
  type NewEvent,
  type Storage,
  StorageError,
  WRITE_EVENTS_MAX,
} from "./storage.ts";

/** How to open it. */
export interface SqliteOptions {
  /** The file, or `:memory:`. */
  readonly path: string;
  /** Waits for the disk at each transaction. Default: no. */
  readonly fullSync?: boolean | undefined;
  /** The time. Default: the real one. */
  readonly now?: (() => number) | undefined;
}

/** Another process may hold the file for this long; then the call rejects, and may be tried again. */
export const BUSY_MS_MAX = 10_000;
/** At most this many prepared statements are kept; then the one used longest ago is let go. */
const STATEMENTS_MAX = 200;
/** Upkeep deletes this many events at a time, so that writers get their turn between. */
const DELETE_ROWS = 500;

const DAY_MS = 86_400_000;
const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_FULL = 13;

const DIALECT: Dialect = {
  // One writer at a time: whoever reads in a transaction writes alone.
  forUpdate: "",
  tagsHold: (param) =>
    `NOT EXISTS (SELECT 1 FROM json_each(${param}) AS want WHERE NOT EXISTS (
       SELECT 1 FROM json_each(e.tags) AS tag
       WHERE tag.key = want.key AND tag.value = want.value))`,
  wordsMatch: (param) =>
    `e.number IN (SELECT rowid FROM event_words WHERE event_words MATCH ${param})`,
  wordsQuery: (words) =>
    words.map((word, i) => i === words.length - 1 ? `"${word}"*` : `"${word}"`).join(" AND "),
  tagPairs: "json_each(e.tags) AS tag",
  eventById: (param) => `FROM events e WHERE e.id = ${param}`,
  payloadBytes: "octet_length(e.payload)",
  deleteEvents: (query, condition, ...params) =>
    query.change(`DELETE FROM events WHERE ${condition}`, ...params),
};

/** Opens it, and makes or updates its tables. */
export async function openSqlite(options: SqliteOptions): Promise<Storage> {
  const sqlite = new Sqlite(options.path, options.now ?? Date.now);
  try {
    await sqlite.prepare(options.fullSync ?? false);
  } catch (error) {
    await sqlite.close();
    throw error;
  }
  const kept = projects(sqlite);
  return {
    ...accounts(sqlite),
    ...kept,
    ...issues(sqlite),
    ...events(sqlite),
    ...alerts(sqlite),
    writeEvents: (batch) => sqlite.writeEvents(batch),
    async upkeep(now) {
      let eventsDeleted = 0;
      for (const project of await kept.allProjects()) {
        const before = now - project.retentionDays * DAY_MS;
        for (let deleted = DELETE_ROWS; deleted === DELETE_ROWS; eventsDeleted += deleted) {
          deleted = await sqlite.change(
            `DELETE FROM events WHERE number IN (SELECT number FROM events
             WHERE project_id = $1 AND received_at < $2 LIMIT ${DELETE_ROWS})`,
            project.id,
            before,
          );
        }
      }
      const sessionsDeleted = await sqlite.change(
        "DELETE FROM sessions WHERE expires_at <= $1",
        now,
      );
      return { eventsDeleted, sessionsDeleted, partitionsCreated: 0, partitionsDropped: 0 };
    },
    async health() {
      const began = performance.now();
      let problem: string | null = null;
      try {
        await sqlite.row("SELECT count(*) AS count FROM organisations");
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
      return {
        ok: problem === null,
        engine: "sqlite",
        schema: SQLITE_STEPS.length,
        latencyMs: performance.now() - began,
        problem,
      };
    },
    close: () => sqlite.close(),
  };
}

/** The connection. */
class Sqlite implements Database {
  readonly dialect: Dialect = DIALECT;
  readonly now: () => number;
  readonly #db: DatabaseSync;
  /** By their text, the one used last at the end. */
  readonly #statements = new Map<string, StatementSync>();
  /** Ends when whoever asked last for a turn has had it. */
  #turns: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(path: string, now: () => number) {
    this.now = now;
    try {
      this.#db = new DatabaseSync(path);
    } catch (error) {
      throw new StorageError(`SQLite cannot open ${path}: ${messageOf(error)}`, false, error);
    }
  }

  rows<Row>(sql: string, ...params: Value[]): Promise<Row[]> {
    return this.#turn(() => this.#rows<Row>(sql, params));
  }

  row<Row>(sql: string, ...params: Value[]): Promise<Row | undefined> {
    return this.#turn(() => this.#rows<Row>(sql, params)[0]);
  }

  change(sql: string, ...params: Value[]): Promise<number> {
    return this.#turn(() => this.#change(sql, params));
  }

  transaction<T>(body: (query: Query) => Promise<T>): Promise<T> {
    // deno-lint-ignore require-await
    const settled = async <R>(run: () => R): Promise<R> => guarded(run);
    const query: Query = {
      rows: <Row>(sql: string, ...params: Value[]) => settled(() => this.#rows<Row>(sql, params)),
      row: <Row>(sql: string, ...params: Value[]) => settled(() => this.#rows<Row>(sql, params)[0]),
      change: (sql, ...params) => settled(() => this.#change(sql, params)),
    };
    return this.#alone(async () => {
      await this.#patiently(() => this.#db.exec("BEGIN IMMEDIATE"));
      return await this.#ended(body(query));
    });
  }

  /** One transaction that waits for nothing once it has begun. */
  writeEvents(batch: readonly NewEvent[]): Promise<readonly EventOutcome[]> {
    assert(batch.length <= WRITE_EVENTS_MAX, `a batch of ${batch.length} events`);
    if (batch.length === 0) return Promise.resolve([]);
    const rows = batch.map(columnsOf);
    return this.#alone(async () => {
      await this.#patiently(() => this.#db.exec("BEGIN IMMEDIATE"));
      try {
        const outcomes = guarded(() => this.#write(rows));
        guarded(() => this.#db.exec("COMMIT"));
        return outcomes;
      } catch (error) {
        this.#rollBack();
        throw error;
      }
    });
  }

  /** Modes, then the schema's missing steps. */
  async prepare(fullSync: boolean): Promise<void> {
    await this.#alone(async () => {
      await this.#patiently(() => {
        this.#db.exec("PRAGMA busy_timeout = 0");
        this.#db.exec("PRAGMA journal_mode = WAL");
        this.#db.exec(`PRAGMA synchronous = ${fullSync ? "FULL" : "NORMAL"}`);
        this.#db.exec("PRAGMA foreign_keys = ON");
        this.#db.exec("PRAGMA cache_size = -32768");
        this.#db.exec("PRAGMA temp_store = MEMORY");
      });
      await this.#patiently(() => this.#db.exec("BEGIN IMMEDIATE"));
      await this.#ended((async () => {
        const { user_version: version } = this.#db.prepare("PRAGMA user_version").get() as {
          user_version: number;
        };
        if (version > SQLITE_STEPS.length) {
          throw new StorageError(
            `the file has schema ${version}, this program knows ${SQLITE_STEPS.length}`,
            false,
          );
        }
        for (const step of SQLITE_STEPS.slice(version)) guarded(() => this.#db.exec(step));
        this.#db.exec(`PRAGMA user_version = ${SQLITE_STEPS.length}`);
        await Promise.resolve();
      })());
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return await this.#turns.then(() => {});
    const closing = this.#alone(() => {
      this.#statements.clear();
      this.#db.close();
    });
    this.#closed = true;
    await closing;
  }

  #write(rows: readonly EventColumns[]): EventOutcome[] {
    const projects = new Map<string, boolean>();
    const issues = new Map<string, { id: string; status: string } | null>();
    /** What the batch adds to an issue; written once each, at the end. */
    const tallies = new Map<string, IssueTally>();
    const exists = this.#prepared("SELECT 1 AS one FROM projects WHERE id = $1");
    const isStored = this.#prepared(
      "SELECT 1 AS one FROM events WHERE id = $1 AND project_id = $2",
    );
    const find = this.#prepared(
      "SELECT id, status FROM issues WHERE project_id = $1 AND fingerprint = $2",
    );
    const make = this.#prepared(
      `INSERT INTO issues (id, project_id, fingerprint, title, title_folded, culprit, level,
         event_count, first_seen, last_seen) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $8)`,
    );
    const store = this.#prepared(
      `INSERT INTO events (id, project_id, issue_id, fingerprint, level, title, message,
         environment, release, tags, payload, event_at, received_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    );
    const words = this.#prepared("INSERT INTO event_words (rowid, words) VALUES ($1, $2)");
    const outcomes: EventOutcome[] = [];
    for (const row of rows) {
      let known = projects.get(row.projectId);
      if (known === undefined) {
        known = exists.get(row.projectId) !== undefined;
        projects.set(row.projectId, known);
      }
      if (!known) {
        outcomes.push({ kind: "orphan" });
        continue;
      }
      if (isStored.get(row.id, row.projectId) !== undefined) {
        outcomes.push({ kind: "duplicate" });
        continue;
      }
      const key = issueKey(row);
      let issue = issues.get(key);
      if (issue === undefined) {
        issue = find.get(row.projectId, row.fingerprint) as typeof issue ?? null;
        issues.set(key, issue);
      }
      if (issue?.status === "discarded") {
        outcomes.push({ kind: "discarded", issueId: issue.id });
        continue;
      }
      const first = issue === null;
      const regressed = issue?.status === "resolved";
      if (issue === null) {
        issue = { id: newId(this.now()), status: "unresolved" };
        make.run(
          issue.id,
          row.projectId,
          row.fingerprint,
          row.title,
          row.title.toLowerCase(),
          row.culprit,
          row.level,
          row.receivedAt,
        );
        issues.set(key, issue);
      }
      if (regressed) issue.status = "unresolved";
      const { lastInsertRowid } = store.run(
        row.id,
        row.projectId,
        issue.id,
        row.fingerprint,
        row.level,
        row.title,
        row.message,
        row.environment,
        row.release,
        row.tags,
        row.payload,
        row.eventAt,
        row.receivedAt,
      );
      words.run(lastInsertRowid, row.words);
      count(tallies, issue.id, row, regressed);
      outcomes.push({ kind: "stored", issueId: issue.id, first, regressed });
    }
    const add = this.#prepared(
      `UPDATE issues SET event_count = event_count + $2, first_seen = min(first_seen, $3),
         level = CASE WHEN $4 >= last_seen THEN $5 ELSE level END,
         last_seen = max(last_seen, $4),
         status = CASE WHEN $6 AND status = 'resolved' THEN 'unresolved' ELSE status END
       WHERE id = $1`,
    );
    for (const [id, tally] of tallies) {
      add.run(
        id,
        tally.count,
        tally.firstSeen,
        tally.lastSeen,
        tally.level,
        tally.regressed ? 1 : 0,
      );
    }
    return outcomes;
  }

  /** Runs when everything before has ended, and trying again while another process writes. */
  #turn<T>(run: () => T): Promise<T> {
    return this.#alone(() => this.#patiently(run));
  }

  /** Runs when everything before has ended. */
  #alone<T>(run: () => T | Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new StorageError("the storage is closed", false));
    const turn = this.#turns.then(run);
    this.#turns = turn.catch(() => {});
    return turn;
  }

  /** Tries again while another process holds the file. */
  async #patiently<T>(run: () => T): Promise<T> {
    const deadline = performance.now() + BUSY_MS_MAX;
    for (let waitMs = 1;; waitMs = Math.min(25, waitMs * 2)) {
      try {
        return guarded(run);
      } catch (error) {
        const busy = error instanceof StorageError && codeOf(error.cause) === SQLITE_BUSY;
        if (!busy || performance.now() > deadline) throw error;
      }
      // A little chance, or two processes would miss each other's gaps for long.
      await new Promise((wake) => setTimeout(wake, waitMs * (0.5 + Math.random())));
    }
  }

  /** Ends the open transaction as `body` ends. */
  async #ended<T>(body: Promise<T>): Promise<T> {
    try {
      const value = await body;
      guarded(() => this.#db.exec("COMMIT"));
      return value;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  #rollBack(): void {
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // Some failures (a full disk) have rolled back already.
    }
  }

  #rows<Row>(sql: string, params: readonly Value[]): Row[] {
    return this.#prepared(sql).all(...params.map(bound)) as Row[];
  }

  #change(sql: string, params: readonly Value[]): number {
    return Number(this.#prepared(sql).run(...params.map(bound)).changes);
  }

  #prepared(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ??
      this.#db.prepare(sql.replace(/\$(\d+)/g, "?$1"));
    this.#statements.delete(sql);
    this.#statements.set(sql, statement);
    if (this.#statements.size > STATEMENTS_MAX) {
      this.#statements.delete(this.#statements.keys().next().value!);
    }
    return statement;
  }
}

/** What a batch adds to an issue. */
interface IssueTally {
  count: number;
  firstSeen: number;
  lastSeen: number;
  level: string;
  regressed: boolean;
}

function count(
  tallies: Map<string, IssueTally>,
  issueId: string,
  { receivedAt, level }: EventColumns,
  regressed: boolean,
): void {
  const tally = tallies.get(issueId);
  if (tally === undefined) {
    tallies.set(issueId, {
      count: 1,
      firstSeen: receivedAt,
      lastSeen: receivedAt,
      level,
      regressed,
    });
    return;
  }
  tally.count++;
  tally.firstSeen = Math.min(tally.firstSeen, receivedAt);
  if (receivedAt >= tally.lastSeen) tally.level = level;
  tally.lastSeen = Math.max(tally.lastSeen, receivedAt);
  tally.regressed ||= regressed;
}

function bound(value: Value): string | number | null {
  if (typeof value === "string") return cleanText(value);
  return typeof value === "boolean" ? Number(value) : value;
}

/** Turns what SQLite throws into what storage throws. */
function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const retry = code === SQLITE_BUSY || code === SQLITE_LOCKED || code === SQLITE_FULL;
    throw new StorageError(`SQLite: ${messageOf(error)}`, retry, error);
  }
}

/** SQLite's own number of an error, without what it says beyond; undefined: it is none of SQLite's. */
function codeOf(error: unknown): number | undefined {
  const { code, errcode } = (error ?? {}) as {
    readonly code?: unknown;
    readonly errcode?: unknown;
  };
  if (typeof errcode === "number") return errcode & 0xff;
  if (code !== "ERR_SQLITE_ERROR") return undefined;
  // Deno's `exec` gives no number.
  return messageOf(error) === "database is locked" ? SQLITE_BUSY : SQLITE_ERROR;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
