/**
 * Where in the program something was called that is reported.
 *
 * @module
 */

/** The folder of this library, as it stands in a stack. */
const LIBRARY: string = new URL("..", import.meta.url).pathname;

/** The line of the program that has called into this library, or what is known instead. */
export function callSite(): string {
  const frames = (new Error().stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const site = frames.find((frame) => !frame.includes(LIBRARY));
  return site?.trim().replace(/^at /, "") ?? "a place that is not known";
}
