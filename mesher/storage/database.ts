/**
 * The database interface of the statements under `sql/`. The statements use the SQL that SQLite and
 * PostgreSQL share; `Dialect` contains the differences, and each engine has its own batch writer
 * and maintenance.
 *
 * Parameters are `$1`, `$2`, …: no value is ever inserted into a statement's text.
 *
 * @module
 */

/** The parameters of a statement. Strings are cleaned by the engine (`json.ts`). */
export type Value = string | number | boolean | null | Uint8Array;

/** An object that runs statements: the database, or one transaction in it. */
export interface Query {
  /** Returns all rows. */
  rows<Row>(sql: string, ...params: Value[]): Promise<Row[]>;
  /** Returns the first row. */
  row<Row>(sql: string, ...params: Value[]): Promise<Row | undefined>;
  /** Returns the number of rows that the statement changed. */
  change(sql: string, ...params: Value[]): Promise<number>;
}

/** A database. */
export interface Database extends Query {
  readonly dialect: Dialect;
  /** Returns the current time, in milliseconds since the epoch. */
  readonly now: () => number;
  /** Aborts long statements. Undefined if they cannot be aborted. */
  readonly signal: AbortSignal | undefined;
  /**
   * Returns all rows of a statement that may take some time. On SQLite, the statement runs
   * concurrently with other statements. Rejects with the signal's reason if the signal is aborted
   * before the statement runs, and on PostgreSQL also while it runs.
   */
  scan<Row>(sql: string, params: readonly Value[], signal?: AbortSignal): Promise<Row[]>;
  /** Runs `body` in a transaction, which is rolled back if `body` rejects. */
  transaction<T>(body: (query: Query) => Promise<T>): Promise<T>;
}

/** The differences between the engines. Each argument `param` is a placeholder such as `$3`. */
export interface Dialect {
  /** The clause at the end of a SELECT that locks its rows until the transaction ends. */
  readonly forUpdate: string;
  /** Returns the condition that the tags of `events e` contain all pairs of a JSON object. */
  tagsHold(param: string): string;
  /**
   * Returns the condition that `events e` contains all words of `wordsQuery`. With `slice`, the
   * engine may search only the events of that slice.
   */
  wordsMatch(param: string, slice?: SliceParams): string;
  /**
   * Returns the search as a text in the engine's query language: the parameter for `wordsMatch`.
   */
  wordsQuery(asked: SearchTerms): string;
  /** Returns whether at most `max` events of all projects match. */
  isRare(db: Database, query: string, max: number): Promise<boolean>;
  /** A FROM clause with the `key` and `value` of each tag of `events e`. */
  readonly tagPairs: string;
  /** Returns the FROM and WHERE clauses that find `events e` by an id, in any project. */
  eventById(param: string): string;
  /**
   * Deletes some of the events of a project or an issue that were received before a time, and
   * updates `project_usage`. The caller runs it in a transaction, and repeats it until `isLast` is
   * true.
   */
  deleteEvents(
    query: Query,
    column: "project_id" | "issue_id",
    value: string,
    before: number | null,
  ): Promise<{ readonly deleted: number; readonly isLast: boolean }>;
}

/** The words and the marks to search for (`domain/words.ts`). The last word may be a prefix. */
export interface SearchTerms {
  readonly words: readonly string[];
  readonly marks: readonly string[];
}

/**
 * The placeholders that define a slice: the events of a project that were received in a time range.
 */
export interface SliceParams {
  readonly project: string;
  readonly from: string;
  readonly until: string;
}

/** Returns the same database, whose statements reject when the signal is aborted. */
export function untilAborted(db: Database, signal: AbortSignal): Database {
  return {
    dialect: db.dialect,
    now: db.now,
    signal,
    rows(sql, ...params) {
      signal.throwIfAborted();
      return db.rows(sql, ...params);
    },
    row(sql, ...params) {
      signal.throwIfAborted();
      return db.row(sql, ...params);
    },
    change: (sql, ...params) => db.change(sql, ...params),
    scan: (sql, params) => db.scan(sql, params, signal),
    transaction: (body) => db.transaction(body),
  };
}

/** Collects conditions and their parameters. */
export class Conditions {
  readonly params: Value[] = [];
  readonly #conditions: string[] = [];

  /** Adds a parameter, and returns its placeholder. */
  param(value: Value): string {
    this.params.push(value);
    return `$${this.params.length}`;
  }

  /** Adds a condition to the others, with AND. */
  and(condition: string): void {
    this.#conditions.push(condition);
  }

  /** Returns all conditions for a WHERE clause. */
  get text(): string {
    return this.#conditions.join(" AND ");
  }
}

/** Returns a pattern for LIKE with ESCAPE '!' that matches the text anywhere. */
export function likeAnywhere(text: string): string {
  return `%${text.replace(/[!%_]/g, "!$&")}%`;
}
