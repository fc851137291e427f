/**
 * Log lines for the operator of a node: one line per event.
 *
 * Secrets are never arguments of a log call. The sink is injected, so that a test can read what was
 * logged and a program can send it elsewhere.
 *
 * @module
 */

/** Log levels, least important first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Receives one line. Errors that it throws are ignored. */
export type LogSink = (level: LogLevel, line: string) => void;

/** Filters by level and passes lines to a sink, prefixed with the name of their source. */
export class Log {
  readonly #sink: LogSink;
  readonly #least: number;
  readonly #speaker: string;

  constructor(sink: LogSink, least: LogLevel, speaker: string) {
    this.#sink = sink;
    this.#least = LOG_LEVELS.indexOf(least);
    this.#speaker = speaker;
  }

  debug(line: string): void {
    this.#write("debug", line);
  }

  info(line: string): void {
    this.#write("info", line);
  }

  warn(line: string): void {
    this.#write("warn", line);
  }

  error(line: string): void {
    this.#write("error", line);
  }

  /** Returns the same log with another source name. */
  as(speaker: string): Log {
    return new Log(this.#sink, LOG_LEVELS[this.#least]!, speaker);
  }

  #write(level: LogLevel, line: string): void {
    if (LOG_LEVELS.indexOf(level) < this.#least) return;
    try {
      this.#sink(level, `${this.#speaker}: ${line}`);
    } catch {
      // The sink is the user's, and an error in it cannot be logged anywhere else.
    }
  }
}
