/**
 * Imports the given test files into one module, so that all of them run in one isolate:
 *
 *     deno test -P=test --no-check scripts/check/together.ts -- tests/base/clock_test.ts …
 *
 * `deno test` starts an isolate for each file, which loads and compiles the library again: a quarter
 * of a second of CPU time, more than most files need for their tests.
 *
 * @module
 */
for (const path of Deno.args) await import(`../../${path}`);
