// deno-lint-ignore-file no-console
/** Tests the store of `scripts/examples/postgres_store.ts` in a real PostgreSQL. */
import { assertEquals, assertRejects } from "@std/assert";
import { shards } from "../../lib/cluster/shards.ts";
import { service } from "../../lib/otp/service.ts";
import { CREATE_TABLE, postgresStore, type Sql } from "../../scripts/examples/postgres_store.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { test } from "../kit/test.ts";
import { contract } from "../otp/store_contract.ts";
import { provideDriver } from "./driver.ts";

const counter = service<{ state: number; call: { add(by: number): number } }>({
  init: () => 0,
  call: { add: (sum, by) => [sum + by, sum + by] },
});

const missing = await provideDriver();
const cluster = missing ?? await (await import("./postgres.ts")).startPostgres();
if (typeof cluster === "string") console.log(`postgres_store_test: skipped, ${cluster}`);
else {
  const { default: postgres } = await import("postgres@3.4.9");

  test("postgresStore rejects a write with an outdated version", async () => {
    const { url, drop } = await cluster.newDatabase();
    const clients = [1, 2].map(() => postgres(url, { max: 2, onnotice: () => {} }));
    try {
      await clients[0]!.unsafe(CREATE_TABLE);
      const stores = clients.map((sql) => postgresStore(sql as unknown as Sql));
      await contract(stores[0]!);
      const saved = await Promise.all(
        stores.map((store) => store.save("c", new Uint8Array([1]), 1, undefined)),
      );
      assertEquals(saved.sort(), [false, true]);

      // Two nodes without a connection run the same key, as on two sides of a partition.
      const options = { cookie: COOKIE, logLevel: "silent" } as const;
      await using a = await startCheaply({ ...options, name: "a@127.0.0.1:0" });
      await using b = await startCheaply({ ...options, name: "b@127.0.0.1:0" });
      const [here, there] = [a, b].map((node, i) =>
        shards(node, "sum", { actor: counter, persist: { store: stores[i]! } })
      );
      assertEquals(await here!.call("k").add(1), 1);
      assertEquals(await there!.call("k").add(1), 2);
      await assertRejects(() => here!.call("k").add(1));
      assertEquals(await here!.call("k").add(1), 3);
    } finally {
      await Promise.all(clients.map((sql) => sql.end()));
      await drop();
    }
  });
}
