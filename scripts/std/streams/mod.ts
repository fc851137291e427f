/**
 * A small local `@std/streams`: the functions that this project uses, with the signatures of the
 * original package, for machines that cannot reach JSR. `deno.json` links it.
 *
 * @module
 */
export { TextLineStream, type TextLineStreamOptions } from "./text_line_stream.ts";
