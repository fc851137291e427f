/**
 * Finds the line of the program that called the runtime, for log messages.
 *
 * @module
 */

/** Path of this library, as it appears in a stack trace. */
const LIBRARY: string = new URL("..", import.meta.url).pathname;

/**
 * Returns the line of the program that called into this library, or "an unknown location" if the
 * stack does not contain that line.
 */
export function callSite(): string {
  const frames = (new Error().stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const site = frames.find((frame) => !frame.includes(LIBRARY));
  return site?.trim().replace(/^at /, "") ?? "an unknown location";
}
