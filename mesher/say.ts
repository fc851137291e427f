/**
 * What is said to whoever runs a node: lines on standard error, and once the secrets on standard output.
 *
 * @module
 */
import process from "node:process";
import type { FirstRun } from "./first_run.ts";
import type { LogLine } from "./parts.ts";

/** One line; what came from outside cannot make it two. */
export const say: LogLine = (level, text) => {
  const line = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ⏎ ");
  process.stderr.write(`${new Date().toISOString()} ${level.padEnd(5)} ${line}\n`);
};

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
