/**
 * The command-line arguments.
 *
 * @module
 */
import process from "node:process";

/**
 * Returns the arguments. `deno task name -- --option`, as npm requires, is the same as without the
 * `--`.
 */
export function givenArguments(): string[] {
  const given = process.argv.slice(2);
  return given[0] === "--" ? given.slice(1) : given;
}
