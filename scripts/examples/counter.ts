// deno-lint-ignore-file no-console
/**
 * A sharded counter: one actor for each key, on the node that is the key's home. The count is
 * stored before a call is answered, so that it survives the loss of the node.
 *
 *     deno run -A scripts/examples/counter.ts
 *
 * @module
 */
import { Node, service } from "@firn/firn";
import { shards } from "@firn/firn/cluster";
import { memoryStore } from "@firn/firn/otp";

const counter = service<{ state: number; call: { add(by: number): number } }>({
  init: () => 0,
  call: { add: (sum, by) => [sum + by, sum + by] },
});

/**
 * Counts visits of pages from two nodes, and returns the sums. In between, a node leaves that is
 * the home of some pages.
 */
export async function countVisits(pages: readonly string[]): Promise<Record<string, number>> {
  const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
  const start = (name: string) =>
    Node.start({ name: `${name}@127.0.0.1:0`, cookie, logLevel: "silent" });
  const a = await start("a");
  await using b = await start("b");
  await b.connect(a.name);

  // In production the store is a database, or `sqliteStore` on one machine.
  const persist = { store: memoryStore() };
  const [onA, onB] = [a, b].map((node) => shards(node, "visits", { actor: counter, persist }));
  for (const page of pages) {
    await onA!.call(page).add(1);
    await onB!.call(page).add(1);
  }
  await a.leave(); // its counters move to b

  const sums: Record<string, number> = {};
  for (const page of pages) sums[page] = await onB!.call(page).add(1);
  return sums;
}

if (import.meta.main) console.log(await countVisits(["/", "/about", "/shop"]));
