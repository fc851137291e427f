/**
 * Detects the exit of the task runner that started this program: `deno task`, or npm. A signal that ends
 * the runner in order, such as Ctrl-C, reaches this program too; `kill -9` does not, and would leave
 * processes behind.
 *
 * @module
 */
import process from "node:process";

/** The interval of checks in milliseconds. */
const LOOK_MS = 500;

/**
 * Calls `gone` when the runner has exited. A program started by a shell has no runner: it may continue
 * in the background on purpose.
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
  }, LOOK_MS);
  timer.unref();
}
