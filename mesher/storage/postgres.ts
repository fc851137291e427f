/**
 * Storage in PostgreSQL (15 or later), for several machines, with the driver `npm:postgres`.
 *
 * The server prepares every statement that has a parameter. The limits of connections, waits and
 * statements are constants of this file. Durability depends on the server's settings.
 *
 * @module
 */
import postgres from "postgres@3.4.9";
import { assert } from "../domain/assert.ts";
import type { LogLine } from "../log.ts";
import type { Dialect, Query, Value } from "./database.ts";
import { type Engine, storageOn } from "./engine.ts";
import { cleanText } from "./json.ts";
import { KnownReleases } from "./known_releases.ts";
import { KnownUsers } from "./known_users.ts";
import { type Batch, writeBatch } from "./postgres_batch.ts";
import { Days } from "./postgres_days.ts";
import { POSTGRES_STEPS } from "./postgres_schema.ts";
import { columnsOf, userKeyOf } from "./rows.ts";
import { StorageError } from "./error.ts";
import { type EventOutcome, type NewEvent, WRITE_EVENTS_MAX } from "./events.ts";
import type { Storage } from "./storage.ts";

/** Options of PostgreSQL storage. */
export interface PostgresOptions {
  /** The URL of the database, `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Maximum number of connections. Default 10. */
  readonly poolMax?: number | undefined;
  /** Returns the time, in milliseconds since the epoch. Default: the system's clock. */
  readonly now?: (() => number) | undefined;
  /** Writes a line if opening takes longer because another process uses the tables. */
  readonly log?: LogLine | undefined;
}

/** Default number of connections of one process. */
export const POOL_MAX = 10;
/**
 * Share of the connections that is used for lists, searches and counts, so that other calls do not
 * wait for these.
 */
const SCAN_SHARE = 0.4;
/**
 * Maximum number of calls that wait for a connection or an answer. Further calls reject at once.
 */
export const CALLS_MAX = 1_000;
/**
 * Time limit of a statement in milliseconds. The server then ends the statement, and the call
 * rejects.
 */
export const STATEMENT_MS_MAX = 15_000;
/** Maximum time for which a statement waits for a lock, in milliseconds. */
const LOCK_MS_MAX = 5_000;
/** Idle time after which the server ends a transaction and its connection, in milliseconds. */
const IDLE_IN_TRANSACTION_MS_MAX = 30_000;
const CONNECT_SECONDS_MAX = 5;
const IDLE_SECONDS_MAX = 60;
const LIFE_SECONDS_MAX = 1_800;
const CLOSE_SECONDS_MAX = 5;
/**
 * Maximum number of attempts to write a batch after a deadlock, or after a day's partition was
 * dropped.
 */
const WRITE_TRIES = 4;
/**
 * Maximum number of attempts to update the tables while other processes use them. Together with the
 * pauses and the waits for locks, they take two minutes.
 */
const MIGRATE_TRIES = 20;
/** Pause after each attempt to update the tables, in milliseconds. */
const MIGRATE_PAUSE_MS = 1_000;
/** The key of the advisory lock for changes of the schema. */
const SCHEMA_LOCK = 0x6d736872;

/**
 * Matches codes of errors after which the same call may succeed: classes and codes of SQLSTATE, and
 * codes of network errors.
 */
const RETRIED =
  /^(?:08|53|57P|40|25P03|55P03|57014|23514|CONNECT|ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EPIPE)/;
/** Matches the SQLSTATE codes after which a batch, or an update of the tables, is retried. */
const RETRIED_WRITES = /^(?:40001|40P01|23514|55P03)$/;

const DIALECT: Dialect = {
  forUpdate: " FOR UPDATE",
  tagsHold: (param) => `e.tags @> CAST(CAST(${param} AS text) AS jsonb)`,
  wordsMatch: (param) => `e.words @@ CAST(CAST(${param} AS text) AS tsquery)`,
  wordsQuery: ({ words, marks }) =>
    [
      ...marks.map((mark) => `'${mark}'`),
      ...words.map((word, i) => i === words.length - 1 ? `'${word}':*` : `'${word}'`),
    ].join(" & "),
  // The query has no ORDER BY, so that PostgreSQL uses the index of words if its statistics show
  // that the words are rare.
  isRare: async (db, query, max) => {
    const rows = await db.scan(
      `SELECT 1 FROM events e WHERE e.words @@ CAST(CAST($1 AS text) AS tsquery) LIMIT $2`,
      [query, max + 1],
    );
    return rows.length <= max;
  },
  tagPairs: "jsonb_each_text(e.tags) AS tag(key, value)",
  eventById: (param) =>
    `FROM event_ids k JOIN events e
       ON e.received_at = k.received_at AND e.project_id = k.project_id AND e.id = k.id
     WHERE k.id = ${param}`,
  // Deletes the events of one day at a time, so that only one partition is read.
  async deleteEvents(query, column, value, before) {
    const first = await query.row<{ readonly at: number }>(
      `SELECT e.received_at AS at FROM events e WHERE e.${column} = $1 AND e.received_at < $2
       ORDER BY e.received_at LIMIT 1`,
      value,
      before ?? Number.MAX_SAFE_INTEGER,
    );
    if (first === undefined) return { deleted: 0, isLast: true };
    const from = Math.floor(first.at / DAY_MS) * DAY_MS;
    const gone = await query.row<{ readonly count: number }>(
      `WITH doomed AS (
         SELECT received_at, project_id, id FROM events
         WHERE ${column} = $1 AND received_at >= $2 AND received_at < $3
         ORDER BY received_at LIMIT ${DELETED_MAX}
       ), gone AS (
         DELETE FROM events e USING doomed d
         WHERE e.received_at = d.received_at AND e.project_id = d.project_id AND e.id = d.id
           AND e.received_at >= $2 AND e.received_at < $3
         RETURNING e.id, e.project_id, coalesce(e.bytes, 2048) AS bytes
       ), ids AS (
         DELETE FROM event_ids k USING gone WHERE k.id = gone.id AND k.project_id = gone.project_id
       ), usage AS (
         UPDATE project_usage u SET events = u.events - g.events, bytes = u.bytes - g.bytes
         FROM (SELECT project_id, count(*) AS events, sum(bytes) AS bytes FROM gone GROUP BY 1) g
         WHERE u.project_id = g.project_id
       ) SELECT count(*) AS count FROM gone`,
      value,
      from,
      Math.min(from + DAY_MS, before ?? Infinity),
    );
    return { deleted: gone!.count, isLast: false };
  },
};

/** Milliseconds per day. */
const DAY_MS = 86_400_000;
/** Maximum number of events deleted in one transaction. */
const DELETED_MAX = 2_000;

type Client = postgres.Sql | postgres.TransactionSql;

/**
 * Opens the database, creates or updates its tables, and creates the partitions of the next days.
 */
export async function openPostgres(options: PostgresOptions): Promise<Storage> {
  const postgres = new Postgres(options);
  try {
    await updateTables(postgres, options.log);
    await postgres.days.ahead(postgres.now());
  } catch (error) {
    await postgres.close();
    throw error;
  }
  return storageOn(postgres);
}

/** Updates the tables. Tries again while another process uses them. */
function updateTables(postgres: Postgres, log: LogLine | undefined): Promise<void> {
  return retryWrite(MIGRATE_TRIES, () => postgres.migrate(), async (error, tries) => {
    const attempt = `attempt ${tries} of ${MIGRATE_TRIES}`;
    log?.("warn", `the database cannot be updated yet (${attempt}): ${error.message}`);
    await new Promise((wake) => setTimeout(wake, MIGRATE_PAUSE_MS));
  });
}

/**
 * Calls `write` up to `triesMax` times while it rejects because of another process (`RETRIED_WRITES`).
 * Calls `failed` before each repetition.
 */
async function retryWrite<T>(
  triesMax: number,
  write: () => Promise<T>,
  failed: (error: StorageError, tries: number) => Promise<void> | void,
): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await write();
    } catch (error) {
      const again = error instanceof StorageError && RETRIED_WRITES.test(codeOf(error.cause));
      if (!again || tries === triesMax) throw error;
      await failed(error, tries);
    }
  }
}

/** PostgreSQL as an engine: a pool of connections. */
export class Postgres implements Engine {
  readonly kind = "postgres";
  readonly schema: number = POSTGRES_STEPS.length;
  readonly dialect: Dialect = DIALECT;
  readonly now: () => number;
  readonly days: Days;
  readonly signal = undefined;
  readonly #sql: postgres.Sql;
  readonly #scans: postgres.Sql;
  readonly #known = { releases: new KnownReleases(), users: new KnownUsers() };
  #calls = 0;
  #closed: Promise<void> | undefined;

  constructor({ url, poolMax, now }: PostgresOptions) {
    this.now = now ?? Date.now;
    this.days = new Days(this);
    const most = poolMax ?? POOL_MAX;
    const scans = Math.max(1, Math.floor(most * SCAN_SHARE));
    const open = (max: number) =>
      postgres(url, {
        max,
        connect_timeout: CONNECT_SECONDS_MAX,
        idle_timeout: IDLE_SECONDS_MAX,
        max_lifetime: LIFE_SECONDS_MAX,
        onnotice: () => {},
        connection: {
          application_name: "mesher",
          // Every statement can use an index. PostgreSQL overestimates the number of rare words,
          // and would otherwise scan a million events.
          enable_seqscan: "off",
          // While `enable_seqscan` is off, a plan without an index appears very expensive, so
          // PostgreSQL would compile it. The driver sends such a query on each new connection, to
          // learn the types, and its compilation took 150 ms of CPU time.
          jit: "off",
          statement_timeout: STATEMENT_MS_MAX,
          lock_timeout: LOCK_MS_MAX,
          idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
        },
        types: {
          // 64-bit integers are read as numbers: counts and milliseconds are far below 2^53.
          int8: { to: 20, from: [20], parse: Number, serialize: (n: number) => `${Math.trunc(n)}` },
          // JSON is passed as text in both directions; `json.ts` encodes and decodes it.
          json: {
            to: 114,
            from: [114, 3802],
            parse: (text: string) => text,
            serialize: (text: string) => text,
          },
        },
      });
    this.#sql = open(Math.max(1, most - scans));
    this.#scans = open(scans);
  }

  rows<Row>(sql: string, ...params: Value[]): Promise<Row[]> {
    return this.#call(() => queryOn(this.#sql).rows<Row>(sql, ...params));
  }

  row<Row>(sql: string, ...params: Value[]): Promise<Row | undefined> {
    return this.#call(() => queryOn(this.#sql).row<Row>(sql, ...params));
  }

  change(sql: string, ...params: Value[]): Promise<number> {
    return this.#call(() => queryOn(this.#sql).change(sql, ...params));
  }

  scan<Row>(sql: string, params: readonly Value[], signal?: AbortSignal): Promise<Row[]> {
    return this.#call(async () => {
      signal?.throwIfAborted();
      const running = this.#scans.unsafe(sql, params.map(bound), { prepare: params.length > 0 });
      const cancel = (): void => void running.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
      try {
        return [...await running] as Row[];
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      } finally {
        signal?.removeEventListener("abort", cancel);
      }
    });
  }

  transaction<T>(body: (query: Query) => Promise<T>): Promise<T> {
    return this.#call(async () => {
      return await this.#sql.begin((client) => body(queryOn(client))) as T;
    });
  }

  async writeEvents(batch: readonly NewEvent[]): Promise<readonly EventOutcome[]> {
    assert(batch.length <= WRITE_EVENTS_MAX, `a batch of ${batch.length} events`);
    if (batch.length === 0) return [];
    const rows = batch.map(columnsOf);
    const outcomes = await retryWrite(WRITE_TRIES, async () => {
      await this.days.need(rows.map((row) => row.receivedAt));
      return await this.#call(async () => {
        return await this.#sql.begin((client) =>
          writeBatch(batchOn(client), rows, this.now(), this.#known)
        ) as readonly EventOutcome[];
      });
    }, () => this.days.forget());
    // Adds the new rows to the caches after the commit, because a batch that is rolled back creates
    // no rows.
    rows.forEach((row, i) => {
      const outcome = outcomes[i]!;
      if (outcome.kind !== "stored") return;
      if (row.release !== null) this.#known.releases.add(row);
      const user = userKeyOf(row);
      if (user !== null) this.#known.users.add(row, outcome.issueId, user);
    });
    return outcomes;
  }

  /**
   * Runs the steps of the schema that were not run on this database yet. If several nodes start at
   * once, only one of them runs the steps.
   */
  async migrate(): Promise<void> {
    await this.#call(async () => {
      await this.#sql.begin(async (client) => {
        // A step may rewrite an index of many events.
        await client.unsafe("SET LOCAL statement_timeout = 0");
        await client.unsafe(`SELECT pg_advisory_xact_lock(${SCHEMA_LOCK})`);
        await client.unsafe(
          "CREATE TABLE IF NOT EXISTS mesher_schema (version integer NOT NULL)",
        );
        const [row] = await client.unsafe("SELECT max(version) AS version FROM mesher_schema");
        const version: number = row?.["version"] ?? 0;
        if (version > POSTGRES_STEPS.length) {
          throw new StorageError(
            `the database has schema ${version}, this program knows ${POSTGRES_STEPS.length}`,
            false,
          );
        }
        for (const step of POSTGRES_STEPS.slice(version)) await client.unsafe(step).simple();
        if (version < POSTGRES_STEPS.length) {
          await client.unsafe(
            `INSERT INTO mesher_schema (version) VALUES (${POSTGRES_STEPS.length})`,
          );
        }
      });
    });
  }

  close(): Promise<void> {
    this.#closed ??= Promise.all(
      [this.#sql, this.#scans].map((sql) => sql.end({ timeout: CLOSE_SECONDS_MAX })),
    ).then(() => {});
    return this.#closed;
  }

  async #call<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new StorageError("the storage is closed", false);
    if (this.#calls >= CALLS_MAX) {
      throw new StorageError(`${CALLS_MAX} calls already wait for PostgreSQL`, true);
    }
    this.#calls++;
    try {
      return await run();
    } catch (error) {
      throw storageErrorFrom(error);
    } finally {
      this.#calls--;
    }
  }
}

function queryOn(client: Client): Query {
  const run = (sql: string, params: readonly Value[]) =>
    client.unsafe(sql, params.map(bound), { prepare: params.length > 0 });
  return {
    rows: async <Row>(sql: string, ...params: Value[]) => [...await run(sql, params)] as Row[],
    row: async <Row>(sql: string, ...params: Value[]) =>
      (await run(sql, params))[0] as Row | undefined,
    change: async (sql, ...params) => (await run(sql, params)).count,
  };
}

function batchOn(client: postgres.TransactionSql): Batch {
  return {
    rows: async <Row>(sql: string, ...columns: (Value[] | string)[]) =>
      [...await client.unsafe(sql, columns, { prepare: true })] as Row[],
  };
}

function bound(value: Value): Value {
  return typeof value === "string" ? cleanText(value) : value;
}

/** Maps errors of the driver to those of the storage. */
function storageErrorFrom(error: unknown): unknown {
  if (error instanceof StorageError) return error;
  const code = codeOf(error);
  if (code === "") return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StorageError(`PostgreSQL: ${message || code}`, RETRIED.test(code), error);
}

/** Returns the SQLSTATE, or the code of the driver or the system; empty for other errors. */
function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}
