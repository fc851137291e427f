/**
 * Processes with another wall clock, through the library of `faketime`. The program `faketime` is
 * not used, because it creates a semaphore named for its process id, does not remove it when
 * killed, and exits if one exists.
 */
import { execFileSync } from "node:child_process";

/** The value of LD_PRELOAD, or undefined if faketime is not installed. */
const library = ((): string | undefined => {
  try {
    const args = ["-f", "+0", "printenv", "LD_PRELOAD"];
    return execFileSync("faketime", args, { encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return undefined;
  }
})();

/** Whether faketime is installed. */
export const hasFaketime: boolean = library !== undefined;

/**
 * Returns a command prefix that starts a process with another wall clock. `time` is an offset such
 * as "-26h", or a time such as "@1970-01-02 00:00:00". The process's monotonic clock is not
 * changed.
 */
export function atTime(time: string): string[] {
  return ["env", `LD_PRELOAD=${library}`, `FAKETIME=${time}`, "FAKETIME_DONT_FAKE_MONOTONIC=1"];
}
