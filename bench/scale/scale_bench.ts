/**
 * Question: do the rows of the scaling table run? Measures each row at all of its small sizes,
 * because a row ends the processes that it has started only after its last size.
 * `bench/scale/table.ts` prints the table.
 *
 * @module
 */
import { bench, benches } from "../kit.ts";
import { rows } from "./rows.ts";

await benches("bench/scale/scale_bench.ts", ["net"], () => {
  for (const row of rows(true)) {
    bench(row.name, { n: 1, warmup: 0 }, async () => {
      for (const size of row.sizes) await row.measure(size);
    });
  }
  return Promise.resolve();
});
