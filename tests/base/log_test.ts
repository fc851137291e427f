import { assertEquals } from "@std/assert";
import { Log, LOG_LEVELS, type LogEntry, type LogLevel } from "../../lib/base/log.ts";
import { test } from "../kit/test.ts";

/** Returns a log with a minimum level, and the lines that it emits. */
function observed(least: LogLevel) {
  const lines: [LogLevel, string][] = [];
  return {
    lines,
    log: new Log(({ level, line }) => lines.push([level, line]), least, "a@here", () => 7),
  };
}

test("Log writes entries from its minimum level up", () => {
  for (const least of LOG_LEVELS) {
    const { log, lines } = observed(least);
    for (const level of LOG_LEVELS) log[level](`said ${level}`);
    const passed = LOG_LEVELS.slice(LOG_LEVELS.indexOf(least));
    assertEquals(lines, passed.map((level) => [level, `a@here: said ${level}`]));
  }
});

test("Log.write passes the sink an entry object with the rendered line", () => {
  const entries: LogEntry[] = [];
  const log = new Log((entry) => void entries.push(entry), "info", "a@here", () => 7);
  const data = { pid: 1 };
  log.write("warn", "it is slow", "warning", data);
  const [entry] = entries;
  assertEquals(entry!.line, "a@here: it is slow");
  assertEquals(JSON.parse(JSON.stringify(entry)), {
    time: 7,
    level: "warn",
    node: "a@here",
    event: "warning",
    message: "it is slow",
    data,
  });
});

test("Log.as returns a log with another name, and with the same sink and minimum level", () => {
  const { log, lines } = observed("warn");
  const other = log.as("rooms");
  other.info("not this");
  other.warn("this");
  log.error("and this");
  assertEquals(lines, [["warn", "rooms: this"], ["error", "a@here: and this"]]);
});
