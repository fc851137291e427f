/**
 * Returns the command-line arguments.
 *
 * @module
 */
import process from "node:process";

/**
 * Returns the arguments. In `deno task name -- --option`, which npm requires, the `--` is ignored.
 */
export function givenArguments(): string[] {
  const given = process.argv.slice(2);
  return given[0] === "--" ? given.slice(1) : given;
}
