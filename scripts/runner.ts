/**
 * Detects the exit of the task runner that started this program: `deno task`, or npm. A signal that
 * the runner can handle, such as that of Ctrl-C, reaches this program too. `kill -9` of the runner
 * does not, so that this program would continue to run.
 *
 * @module
 */
import process from "node:process";

/** The interval of checks in milliseconds. */
const CHECK_MS = 500;

/**
 * Calls `gone` when the runner has exited. A program that was started by a shell has no runner, and
 * may continue in the background on purpose.
 */
export function onRunnerGone(gone: () => void): void {
  // `deno task` and npm set this variable to the folder in which they were started.
  if (process.env["INIT_CWD"] === undefined) return;
  const { ppid } = process;
  const timer = setInterval(() => {
    // A process whose parent has exited gets another parent.
    if (process.ppid === ppid) return;
    clearInterval(timer);
    gone();
  }, CHECK_MS);
  timer.unref();
}
