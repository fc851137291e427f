/**
 * A small local `@std/cli`: the functions that this project uses, with the signatures of the
 * genuine package, for machines that do not reach JSR. `deno.json` links it.
 *
 * @module
 */
export { type Args, parseArgs, type ParseOptions } from "./parse_args.ts";
