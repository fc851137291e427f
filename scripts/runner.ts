/**
 * The task runner that has started this program: `deno task`, or npm. What ends it in order reaches this
 * program too; `kill -9` does not, and would leave processes behind.
 *
 * @module
 */
import process from "node:process";

/** The interval of checks. Milliseconds. */
const LOOK_MS = 500;

/**
 * Calls `gone` when the runner is. A program that a shell has started has none: it may be left behind on
 * purpose.
 */
export function onRunnerGone(gone: () => void): void {
  // Both kinds of runner set the folder in which they were started.
  if (process.env["INIT_CWD"] === undefined) return;
  const { ppid } = process;
  const timer = setInterval(() => {
    // An orphan gets another parent.
    if (process.ppid === ppid) return;
    clearInterval(timer);
    gone();
  }, LOOK_MS);
  timer.unref();
}
