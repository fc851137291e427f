/**
 * How the node and the cluster are.
 *
 * @module
 */
import { treeText } from "../../../mod.ts";
import { COUNTS } from "../../pipeline/counters.ts";
import { iso } from "../../pipeline/time.ts";
import { loads } from "../../services/registry.ts";
import { ROUNDS } from "../../services/rounds.ts";
import type { Reply, Route } from "../route.ts";

/** The routes. */
export const systemRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/health",
    name: "getHealth",
    about: "Whether the process lives.",
    access: "public",
    ok: 200,
    errors: [],
    gives: '{"status":"ok"}',
    handle: () => ({ json: { status: "ok" } }),
  },
  {
    method: "GET",
    path: "/ready",
    name: "getReady",
    about: "Whether the node takes events: the database answers, and the buffer is not full.",
    access: "public",
    ok: 200,
    errors: [503],
    gives: '{"status":"ready"} or {"status":"…"}',
    async handle({ mesher }): Promise<Reply> {
      const status = !mesher.isOpen
        ? "stopping"
        : mesher.inbox.room === 0
        ? "buffer full"
        : (await mesher.storage.health()).ok
        ? "ready"
        : "database away";
      return { status: status === "ready" ? 200 : 503, json: { status } };
    },
  },
  {
    method: "GET",
    path: "/metrics",
    name: "getMetrics",
    about: "Counters of this node, as Prometheus reads them (with a token).",
    access: "user",
    ok: 200,
    errors: [401],
    gives: "text",
    handle({ mesher }): Response {
      const { counters, inbox, outbox, node } = mesher;
      const lines = COUNTS.flatMap((name) => [
        `# TYPE mesher_${name}_total counter`,
        `mesher_${name}_total ${counters.get(name)}`,
      ]);
      const gauges = {
        inbox_events: inbox.size,
        outbox_events: outbox.size,
        peers: node.peers().length,
        actors: node.actors().length,
        uptime_seconds: Math.floor((mesher.now() - mesher.startedAt) / 1000),
      };
      for (const [name, value] of Object.entries(gauges)) {
        lines.push(`# TYPE mesher_${name} gauge`, `mesher_${name} ${value}`);
      }
      const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
      return new Response(lines.join("\n") + "\n", { headers });
    },
  },
  {
    method: "GET",
    path: "/api/v1/cluster",
    name: "getCluster",
    about: "The nodes, their load, who processes for whom, the global names, this node's tree.",
    access: "user",
    ok: 200,
    errors: [401],
    gives: '{"node","nodes":[…],"singletons":[…],"names":[…],"tree","storage"}',
    async handle({ mesher }): Promise<Reply> {
      const { node } = mesher;
      const all = await loads(mesher);
      const names = all.map((load) => `mesher_registry@${load.node}`);
      return {
        json: {
          node: node.name,
          nodes: all.map((load) => ({
            node: load.node,
            recent: load.recent,
            unstored: load.unstored,
            accepted: load.accepted,
            stored: load.stored,
            helpers: load.helpers,
            http_url: load.httpUrl,
            started_at: iso(load.startedAt),
          })),
          singletons: ROUNDS.map(({ name }) => ({
            name,
            node: node.global.whereis(name)?.node ?? null,
          })),
          names: ["mesher_registry", ...names].map((name) => ({
            name,
            node: node.global.whereis(name)?.node ?? null,
          })),
          tree: await treeText(mesher.tree),
          storage: await mesher.storage.health(),
          counters: mesher.counters.all(),
        },
      };
    },
  },
];
