/**
 * Question: do the rows of the scaling table run? Measures each at its smallest size;
 * `bench/scale/table.ts` prints the table.
 *
 * @module
 */
import { bench, benches } from "../kit.ts";
import { rows } from "./rows.ts";

await benches("bench/scale/scale_bench.ts", ["net"], () => {
  for (const row of rows(true)) {
    bench(row.name, { n: 1, warmup: 0 }, async () => void await row.measure(row.sizes[0]!));
  }
  return Promise.resolve();
});
