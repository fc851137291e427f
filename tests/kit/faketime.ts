/**
 * Processes with another wall clock, by the library of `faketime`. The program `faketime` is not used: it names
 * a semaphore for its process id, leaves it behind when it is killed, and exits at once where one exists.
 */
import { execFileSync } from "node:child_process";

/** The value of LD_PRELOAD; undefined if there is no faketime here. */
const library = ((): string | undefined => {
  try {
    const args = ["-f", "+0", "printenv", "LD_PRELOAD"];
    return execFileSync("faketime", args, { encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return undefined;
  }
})();

/** Whether it is installed. */
export const hasFaketime: boolean = library !== undefined;

/**
 * Returns a command that runs the command behind it with another wall clock, such as "-26h" or
 * "@1970-01-02 00:00:00". The monotonic clock is the machine's.
 */
export function atTime(time: string): string[] {
  return ["env", `LD_PRELOAD=${library}`, `FAKETIME=${time}`, "FAKETIME_DONT_FAKE_MONOTONIC=1"];
}
