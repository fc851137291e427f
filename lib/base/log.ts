/**
 * Log entries for the operator of a node: one object for each event, which can be written as text
 * or stored with its fields.
 *
 * Secrets are never arguments of a log call. The sink is injected, so that a test can read what was
 * logged and a program can send it elsewhere.
 *
 * @module
 */

/**
 * Log levels, least important first.
 *
 * @example
 * ```ts
 * import { LOG_LEVELS, type LogEntry } from "@firn/firn/node";
 * import { assertEquals } from "@std/assert";
 *
 * const isUrgent = ({ level }: Pick<LogEntry, "level">) =>
 *   LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf("warn");
 * assertEquals([isUrgent({ level: "error" }), isUrgent({ level: "info" })], [true, false]);
 * ```
 */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One entry of a log. */
export class LogEntry {
  /** The time at which the entry was written: milliseconds since 1970, by the machine's clock. */
  readonly time: number;
  /** The level of the entry. */
  readonly level: LogLevel;
  /** The name of the node, or of the part of a program, that wrote the entry. */
  readonly node: string;
  /**
   * The event of `NodeEvents` that the entry reports, such as "crash", "restart" or "warning";
   * otherwise "log".
   */
  readonly event: string;
  /** The text of the entry, one or more lines, without the name of the node. */
  readonly message: string;
  /**
   * The event object that listeners of `node.on` receive, for sinks that store its fields.
   * Undefined if the entry reports no event.
   */
  readonly data: object | undefined;

  /** Internal: used by the runtime. */
  constructor(
    time: number,
    level: LogLevel,
    node: string,
    message: string,
    event: string = "log",
    data: object | undefined = undefined,
  ) {
    this.time = time;
    this.level = level;
    this.node = node;
    this.event = event;
    this.message = message;
    this.data = data;
  }

  /** The name of the node and the text, as one line. */
  get line(): string {
    return this.node === "" ? this.message : `${this.node}: ${this.message}`;
  }

  /** Returns the level, the name of the node and the text. */
  toString(): string {
    return `${this.level} ${this.line}`;
  }
}

/** Receives one entry. Errors that it throws are ignored. */
export type LogSink = (entry: LogEntry) => void;

/** Passes the entries of one source to a sink, except those below a minimum level. */
export class Log {
  readonly #sink: LogSink;
  readonly #least: number;
  readonly #source: string;
  readonly #wall: () => number;

  /** `source` is the name of the source, and `wall` returns milliseconds since 1970. */
  constructor(sink: LogSink, least: LogLevel, source: string, wall: () => number) {
    this.#sink = sink;
    this.#least = LOG_LEVELS.indexOf(least);
    this.#source = source;
    this.#wall = wall;
  }

  debug(line: string): void {
    this.write("debug", line);
  }

  info(line: string): void {
    this.write("info", line);
  }

  warn(line: string): void {
    this.write("warn", line);
  }

  error(line: string): void {
    this.write("error", line);
  }

  /** Returns the same log with another source name. */
  as(source: string): Log {
    return new Log(this.#sink, LOG_LEVELS[this.#least]!, source, this.#wall);
  }

  /** Writes an entry. `event` and `data` are the event that the entry reports. */
  write(level: LogLevel, message: string, event?: string, data?: object): void {
    if (LOG_LEVELS.indexOf(level) < this.#least) return;
    try {
      this.#sink(new LogEntry(this.#wall(), level, this.#source, message, event, data));
    } catch {
      // The sink belongs to the user. If it throws, the error cannot be logged anywhere else.
    }
  }
}
