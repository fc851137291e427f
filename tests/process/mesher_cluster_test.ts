/**
 * Tests three nodes of Mesher that share work: other nodes help a busy one, one rate limit applies
 * to all, and names are assigned to nodes.
 */
import { assert, assertEquals } from "@std/assert";
import { test, until } from "../kit/test.ts";
import type { Client } from "../mesher/end_to_end_kit.ts";
import { senderTo } from "./mesher_kit.ts";
import { type MesherCluster, SQLITE, withCluster } from "./mesher_cluster.ts";

const WAIT_MS = 60_000;

/** The fields of `/api/v1/cluster` that the tests use. */
interface ClusterJson {
  readonly nodes: { name: string; load: number; counters: Record<string, number> }[];
  readonly processors: { for: string; on: string; pid: string }[];
  readonly names: { name: string; node: string | null }[];
}

async function clusterOf(user: Client): Promise<ClusterJson> {
  return (await user.get("/api/v1/cluster")).json;
}

/** Sends events to a node in batches, with pauses, until it is stopped. */
class Load {
  sent = 0;
  readonly #ended: Promise<void>;
  #isOver = false;
  /**
   * The error that stopped the load. `stop` throws it, so that the next test does not receive it.
   */
  #failure: unknown;

  constructor(cluster: MesherCluster, node: number, count: number, everyMs: number) {
    this.#ended = this.#run(cluster, node, count, everyMs).catch((error) => {
      this.#failure = error;
    });
  }

  async #run(cluster: MesherCluster, node: number, count: number, everyMs: number): Promise<void> {
    const sender = senderTo(cluster.urls[node]!, cluster.firstLogin);
    while (!this.#isOver) {
      const batch = Array.from({ length: count }, (_, i) => ({ message: `event ${i % 3}` }));
      const got = await sender.post("/api/v1/events/bulk", batch);
      assertEquals([got.status, got.json.accepted], [202, count]);
      this.sent += count;
      await new Promise((wake) => setTimeout(wake, everyMs));
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
    if (this.#failure !== undefined) throw this.#failure;
  }
}

test(
  "mesher: a busy node is helped by its least busy peer, and by another peer if that is killed",
  { timeout: 240_000 },
  async () => {
    await withCluster(SQLITE, { MESHER_LOAD_THRESHOLD: "100" }, async (cluster, database) => {
      const { names } = cluster;
      const user = await cluster.user(0);
      const processed = async (i: number): Promise<number> =>
        (await clusterOf(user)).nodes.find(({ name }) => name === names[i])
          ?.counters["processed_for_others"] ?? 0;
      const registered = async (): Promise<[string, string | null][]> =>
        (await clusterOf(user)).names.filter(({ name }) => name.startsWith("mesher_registry"))
          .map(({ name, node }) => [name, node]);
      assertEquals(
        new Map(await registered()),
        new Map([
          ["mesher_registry", names[0]!],
          ...names.map((name): [string, string] => [`mesher_registry@${name}`, name]),
        ]),
      );

      // About 1,500 events in five seconds on the first node, 50 on the second, none on the third.
      const light = new Load(cluster, 1, 5, 500);
      const loadOf = async (i: number): Promise<number> =>
        (await clusterOf(user)).nodes.find(({ name }) => name === names[i])?.load ?? 0;
      // The load of the second node is only known after its first five seconds.
      await until("the light load is known", async () => await loadOf(1) > 0, WAIT_MS);
      const heavy = new Load(cluster, 0, 30, 100);
      const helpedBy = async (): Promise<string | undefined> => {
        const { processors } = await clusterOf(user);
        assert(processors.length <= 1, JSON.stringify(processors));
        assert(processors.every((one) => one.for === names[0]), JSON.stringify(processors));
        return processors[0]?.on;
      };
      await until("a peer helps", async () => await helpedBy() !== undefined, WAIT_MS);
      assertEquals(await helpedBy(), names[2], "the least busy node helps");
      await until("the helper has processed events", async () => await processed(2) > 100, WAIT_MS);
      assertEquals(await processed(1), 0);

      await cluster.kill(2);
      await until("the other peer helps", async () => await helpedBy() === names[1], WAIT_MS);
      await until("the helper has processed events", async () => await processed(1) > 100, WAIT_MS);
      assertEquals(
        (await registered()).map(([name]) => name).sort(),
        ["mesher_registry", `mesher_registry@${names[0]}`, `mesher_registry@${names[1]}`].sort(),
      );

      await Promise.all([heavy.stop(), light.stop()]);
      await until("no peer helps", async () => await helpedBy() === undefined, WAIT_MS);
      const { output } = cluster.nodes[0]!;
      const nodes = names.slice(1).map((name) => new RegExp(`nodeup ${name}`).test(output));
      assertEquals(nodes, [true, true]);
      assert(new RegExp(`nodedown ${names[2]} \\(closed\\): `).test(output), output);
      assert(new RegExp(`the processor on ${names[2]} has ended`).test(output), output);
      assert(new RegExp(`the processor on ${names[1]} is stopped`).test(output), output);

      // Events that the killed helper had received but not stored were processed again.
      const sent = heavy.sent + light.sent;
      await until(
        "all events are stored",
        async () => (await database.stored()).ids.length >= sent,
        WAIT_MS,
      );
      const { ids, counted } = await database.stored();
      assertEquals([ids.length, new Set(ids).size, counted], [sent, sent, sent]);
    });
  },
);

test("mesher: three nodes share one rate limit", async () => {
  const limit = 60;
  await withCluster(SQLITE, { MESHER_RATE_LIMIT: `${limit}` }, async (cluster, database) => {
    const senders = cluster.urls.map((url) => senderTo(url, cluster.firstLogin));
    const answers = await Promise.all(
      [...senders, ...senders].map((sender, i) =>
        sender.post(
          "/api/v1/events/bulk",
          Array.from({ length: 20 }, (_, k) => ({ message: `${i} ${k}` })),
        )
      ),
    );
    const granted = answers.map(({ json }) => json.accepted ?? 0);
    assertEquals(granted.reduce((sum, count) => sum + count, 0), limit);
    for (const sender of senders) {
      const { status, headers, json } = await sender.post("/api/v1/events", { message: "more" });
      assertEquals([status, json.error], [429, "rate limited"]);
      const seconds = Number(headers.get("retry-after"));
      // The limit is per minute; after that, the sliding window grants more.
      assert(Number.isInteger(seconds) && seconds > 30 && seconds <= 62, `${seconds}`);
    }
    await until(
      "the events are stored",
      async () => (await database.stored()).ids.length === limit,
    );
  });
});
