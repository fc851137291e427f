/**
 * Imports the given test files into one module, so that all of them run in one isolate:
 *
 *     deno test -P=test --no-check scripts/check/together.ts -- tests/base/clock_test.ts …
 *
 * `deno test` starts an isolate for each file. The isolate loads and compiles the library again,
 * which takes a quarter of a second of CPU time, more than the tests of most files.
 *
 * @module
 */
for (const path of Deno.args) await import(`../../${path}`);
