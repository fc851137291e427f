/**
 * Writes log lines to standard error.
 *
 * @module
 */
import process from "node:process";

/** Maximum length of a log line. A longer line is truncated. */
const LINE_CHARS_MAX = 4_096;

/** Writes a line to the log of a node. */
export type LogLine = (level: "info" | "warn" | "error", text: string) => void;

/** Writes a line to standard error, without the name of a node. */
export const say: LogLine = (level, text) => sayAs("", level, text);

/** Returns the log of one of several nodes that share a terminal: each line has the node's name. */
export function sayOf(node: string): LogLine {
  return (level, text) => sayAs(`${node.replace(/@.*$/, "")} `, level, text);
}

function sayAs(node: string, level: Parameters<LogLine>[0], text: string): void {
  const line = lineOf(text);
  process.stderr.write(`${new Date().toISOString()} ${level.padEnd(5)} ${node}${line}\n`);
}

/**
 * Returns the text as one line. External text must not add lines, colours or reversed text: control
 * characters and invisible characters are escaped.
 */
export function lineOf(text: string): string {
  return text.slice(0, LINE_CHARS_MAX).toWellFormed()
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ⏎ ")
    .replaceAll(/\p{Cf}/gu, (hidden) => `\\u{${hidden.codePointAt(0)!.toString(16)}}`);
}
