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
  /** All of `body`'s statements or, when it rejects, none. */
  transaction<T>(body: (query: Query) => Promise<T>): Promise<T>;
}

/** What the engines say differently. Every `param` is a placeholder such as `$3`. */
export interface Dialect {
  /** Ends a SELECT whose rows nobody else may change until the transaction ends. */
  readonly forUpdate: string;
  /** A condition on `events e`: its tags hold all pairs of a JSON object. */
  tagsHold(param: string): string;
  /** A condition on `events e`: it has all words of `wordsQuery`. */
  wordsMatch(param: string): string;
  /** The parameter for `wordsMatch`. */
  wordsQuery(words: readonly string[]): string;
  /** For FROM: the `key` and `value` of each tag of `events e`. */
  readonly tagPairs: string;
  /** For FROM and WHERE: `events e` of an id, in any project. */
  eventById(param: string): string;
  /** The size of an event's payload in bytes. */
  readonly payloadBytes: string;
  /** Deletes the events that the condition on `events` names. How many. */
  deleteEvents(query: Query, condition: string, ...params: Value[]): Promise<number>;
  /** How many old events are deleted at a time. */
  readonly oldEventsMax: number;
  /** A condition on `events`: at most `limit` of project $1 that were received before $2. */
  oldEvents(limit: number): string;
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
