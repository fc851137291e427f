/**
 * A database as the statements under `sql/` see it. They are written once, in the SQL that SQLite and
 * PostgreSQL share; what the two say differently is in `Dialect`, and the batch writer and upkeep are
 * each engine's own.
 *
 * Parameters are `$1`, `$2`, … and never anything else: no value is ever put into a statement's text.
 *
 * @module
 */

/** What a statement may be given. Texts are cleaned by the engine (`json.ts`). */
export type Value = string | number | boolean | null;

/** A place to run statements: the database, or one transaction in it. */
export interface Query {
  /** All rows. */
  rows<Row>(sql: string, ...params: Value[]): Promise<Row[]>;
  /** The first row. */
  row<Row>(sql: string, ...params: Value[]): Promise<Row | undefined>;
  /** How many rows the statement changed. */
  change(sql: string, ...params: Value[]): Promise<number>;
}

/** A database. */
export interface Database extends Query {
  readonly dialect: Dialect;
  /** The time. */
  readonly now: () => number;
  /** Ends what takes long; undefined: nothing does. */
  readonly signal: AbortSignal | undefined;
  /**
   * All rows of a statement that may take some time. On SQLite it runs beside other statements; it rejects with
   * the signal's reason if that is aborted before its turn, on PostgreSQL also while it runs.
   */
  scan<Row>(sql: string, params: readonly Value[], signal?: AbortSignal): Promise<Row[]>;
  /** All of `body`'s statements or, when it rejects, none. */
  transaction<T>(body: (query: Query) => Promise<T>): Promise<T>;
}

/** What the engines say differently. Every `param` is a placeholder such as `$3`. */
export interface Dialect {
  /** Ends a SELECT whose rows nobody else may change until the transaction ends. */
  readonly forUpdate: string;
  /** A condition on `events e`: its tags hold all pairs of a JSON object. */
  tagsHold(param: string): string;
  /**
   * A condition on `events e`: it has all words of `wordsQuery`. With `slice` it is one of these, of which few
   * are looked at.
   */
  wordsMatch(param: string, slice?: SliceParams): string;
  /** The parameter for `wordsMatch`. */
  wordsQuery(asked: AskedWords): string;
  /** Whether at most `max` events, of whatever project, match. */
  isRare(db: Database, query: string, max: number): Promise<boolean>;
  /** For FROM: the `key` and `value` of each tag of `events e`. */
  readonly tagPairs: string;
  /** For FROM and WHERE: `events e` of an id, in any project. */
  eventById(param: string): string;
  /**
   * Deletes some events of a project or an issue, of those that were received before a time; keeps
   * `project_usage`. Call it in a transaction, and again until `isLast`.
   */
  deleteEvents(
    query: Query,
    column: "project_id" | "issue_id",
    value: string,
    before: number | null,
  ): Promise<{ readonly deleted: number; readonly isLast: boolean }>;
}

/** What is searched: words, of which the last may be a beginning; and marks (`domain/words.ts`). */
export interface AskedWords {
  readonly words: readonly string[];
  readonly marks: readonly string[];
}

/** The parameters of a slice: the events of a project that were received in a time. */
export interface SliceParams {
  readonly project: string;
  readonly from: string;
  readonly until: string;
}

/** The same database, whose statements reject when the signal is aborted. */
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

  /** Takes a parameter; its placeholder. */
  param(value: Value): string {
    this.params.push(value);
    return `$${this.params.length}`;
  }

  /** Adds a condition. */
  and(condition: string): void {
    this.#conditions.push(condition);
  }

  /** All conditions, for WHERE. */
  get text(): string {
    return this.#conditions.join(" AND ");
  }
}

/** A pattern for LIKE with ESCAPE '!' that matches the text anywhere. */
export function likeAnywhere(text: string): string {
  return `%${text.replace(/[!%_]/g, "!$&")}%`;
}
