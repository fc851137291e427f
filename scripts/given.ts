/**
 * The arguments of a command.
 *
 * @module
 */
import process from "node:process";

/** The arguments. `deno task name -- --option`, as npm wants it, is the same as without the `--`. */
export function givenArguments(): string[] {
  const given = process.argv.slice(2);
  return given[0] === "--" ? given.slice(1) : given;
}
