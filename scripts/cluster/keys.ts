/**
 * Reads keys one at a time, without Enter.
 *
 * @module
 */
import process from "node:process";

/** The byte that a terminal sends for Ctrl-C. */
const CTRL_C = "\x03";
/** The byte that a terminal sends for Ctrl-D. */
const CTRL_D = "\x04";

/** Returns whether standard input is a terminal. */
export function hasKeys(): boolean {
  return process.stdin.isTTY === true;
}

/**
 * Calls `pressed` with each key. Ctrl-C and Ctrl-D are passed as `q`. Returns a function that stops
 * reading.
 */
export function readKeys(pressed: (key: string) => void): () => void {
  const { stdin } = process;
  const take = (text: string): void => {
    // Ignores escape sequences, such as those of arrow keys.
    if (text.startsWith("\x1b")) return;
    for (const key of text) pressed(key === CTRL_C || key === CTRL_D ? "q" : key);
  };
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.on("data", take);
  return () => {
    stdin.off("data", take);
    stdin.setRawMode(false);
    stdin.pause();
  };
}
