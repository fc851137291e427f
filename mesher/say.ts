/**
 * What is said to whoever runs a node: lines on standard error, and once the secrets on standard output.
 *
 * @module
 */
import process from "node:process";
import type { FirstRun } from "./first_run.ts";
import type { LogLine } from "./parts.ts";

/** A line of it is cut to this. */
const LINE_CHARS_MAX = 4_096;

/** One line. */
export const say: LogLine = (level, text) => {
  process.stderr.write(`${new Date().toISOString()} ${level.padEnd(5)} ${lineOf(text)}\n`);
};

/**
 * The text as one line. What came from outside cannot make it two, colour it, or turn it round: a terminal
 * obeys controls, and characters that are not seen.
 */
export function lineOf(text: string): string {
  return text.slice(0, LINE_CHARS_MAX).toWellFormed()
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ⏎ ")
    .replaceAll(/\p{Cf}/gu, (hidden) => `\\u{${hidden.codePointAt(0)!.toString(16)}}`);
}

/** The first start's secrets, and how to use them. */
export function sayFirstRun(first: FirstRun, url: string): void {
  const dsn = `${url.replace("://", `://${first.key}@`)}/1`;
  process.stdout.write(`
  This is the first start. What follows is shown this once:

    page       ${url}
    email      ${first.email}
    password   ${first.password}
    project    default
    key        ${first.key}
    DSN        ${dsn}     (for Sentry's SDKs)

  Send an event:

    curl ${url}/api/v1/events -H 'X-API-Key: ${first.key}' \\
      -d '{"message":"Hello, Mesher","level":"info"}'

`);
}
