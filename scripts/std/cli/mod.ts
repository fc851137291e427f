/**
 * A small local `@std/cli`: the functions that this project uses, with the signatures of the
 * original package, for machines that cannot reach JSR. `deno.json` links it.
 *
 * @module
 */
export { type Args, parseArgs, type ParseOptions } from "./parse_args.ts";
