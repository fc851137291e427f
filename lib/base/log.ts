/**
 * What the node tells the person who runs it: one line an event, in words.
 *
 * Secrets are never arguments of a log call. The sink is given from outside, so a test can read
 * what was logged and a program can send it where it likes.
 *
 * @module
 */

/** How much a line matters, least first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Receives one line. What it throws is ignored. */
export type LogSink = (level: LogLevel, line: string) => void;

/** Filters by level and hands lines to a sink, each with the speaker's name in front. */
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

  /** The same log under another speaker's name. */
  as(speaker: string): Log {
    return new Log(this.#sink, LOG_LEVELS[this.#least]!, speaker);
  }

  #write(level: LogLevel, line: string): void {
    if (LOG_LEVELS.indexOf(level) < this.#least) return;
    try {
      this.#sink(level, `${this.#speaker}: ${line}`);
    } catch {
      // The user's sink: there is no other place to report it.
    }
  }
}
