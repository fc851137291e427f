/**
 * Adapts a log sink to the function by which WebSocket servers and clients log.
 *
 * @module
 */
import { LogEntry, type LogLevel, type LogSink } from "../base/log.ts";

/** Writes one line to the log. */
export type LogLine = (level: LogLevel, line: string) => void;

/** Returns a function that writes lines to a sink. `wall` returns milliseconds since 1970. */
export function logLines(sink: LogSink, wall: () => number): LogLine {
  return (level, line) => sink(new LogEntry(wall(), level, "", line));
}
