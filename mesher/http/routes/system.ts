/**
 * Routes for the state of the node and of the cluster.
 *
 * @module
 */
import { mergeLosses } from "../../cluster/losses.ts";
import { COUNTS } from "../../pipeline/counters.ts";
import { iso } from "../../pipeline/time.ts";
import { cards, REGISTRY, registryCalls } from "../../services/registry.ts";
import { ROUNDS } from "../../services/rounds.ts";
import { totalsOf } from "../../services/totals_keeper.ts";
import type { TotalCounts } from "../../storage/totals.ts";
import { changeRoute } from "../change.ts";
import { HttpError } from "../http_error.ts";
import type { Reply, Route } from "../route.ts";

/** The routes for the state of the node and of the cluster. */
export const systemRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/health",
    name: "getHealth",
    about: "Returns whether the process runs.",
    access: "public",
    ok: 200,
    errors: [],
    returns: '{"status":"ok"}',
    handle: () => ({ json: { status: "ok" } }),
  },
  {
    method: "GET",
    path: "/ready",
    name: "getReady",
    about:
      "Returns whether the node accepts events: the database answers, and the buffer is not full.",
    access: "public",
    ok: 200,
    errors: [503],
    returns: '{"status":"ready"} or {"status":"…"}',
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
    about:
      "Returns the counters of this node in the format of Prometheus. Needs an operator's token.",
    access: "operator",
    ok: 200,
    errors: [401, 403],
    returns: "text",
    handle({ mesher }): Response {
      const { counters, inbox, outbox, node } = mesher;
      const lines = COUNTS.flatMap((name) => [
        `# TYPE mesher_${name}_total counter`,
        `mesher_${name}_total ${counters.get(name)}`,
      ]);
      for (const [kind, label] of [["ignored_items", "type"], ["rejected", "reason"]] as const) {
        lines.push(`# TYPE mesher_${kind}_total counter`);
        for (const [name, count] of Object.entries(counters.labelled(kind))) {
          lines.push(`mesher_${kind}_total{${label}="${name}"} ${count}`);
        }
      }
      const gauges = {
        inbox_events: inbox.size,
        outbox_events: outbox.size,
        stream_clients: mesher.live.clients,
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
    about:
      "The nodes, their load, which nodes process for others, the global names, the trees; how many " +
      "messages to slow peers a node has dropped in their sessions; lost nodes, the latest " +
      "first, and how many accepted events may be missing with each (null: unknown).",
    access: "operator",
    ok: 200,
    errors: [401, 403],
    returns:
      '{"node","standalone","nodes":[…],"processors":[…],"names":[…],"trees":[…],"losses":[…],"totals","storage"}',
    async handle({ mesher }): Promise<Reply> {
      const { node, config, storage, now } = mesher;
      const all = await cards(mesher);
      const [health, totals] = [await storage.health(), await totalsOf(mesher, all)];
      const names = [
        REGISTRY,
        ...all.map((card) => `${REGISTRY}@${card.node}`),
        ...ROUNDS.map(({ name }) => name),
      ];
      return {
        json: {
          node: node.name,
          standalone: config.cluster === null,
          nodes: all.map((card) => ({
            name: card.node,
            self: card.node === node.name,
            load: card.recent,
            unstored: card.unstored,
            accepted: card.accepted,
            stored: card.stored,
            stream_clients: card.clients,
            // A node of an earlier version reports neither this field nor its losses.
            dropped_to_peers: card.dropped ?? 0,
            http_url: card.httpUrl,
            uptime_ms: now() - card.startedAt,
            counters: card.counts,
            ignored_items: card.ignored ?? {},
            rejected: card.rejected ?? {},
          })),
          processors: all.flatMap((card) =>
            card.helpers.map((help) => ({ for: card.node, ...help }))
          ),
          names: names.map((name) => {
            const pid = node.global.whereis(name);
            return { name, node: pid?.node ?? null, pid: pid === undefined ? null : `${pid}` };
          }),
          trees: all.map((card) => ({ node: card.node, root: card.tree })),
          losses: mergeLosses(all.map((card) => card.losses ?? [])).map((loss) => ({
            node: loss.node,
            at: iso(loss.at),
            reason: loss.reason,
            events_missing_max: loss.most,
          })),
          // The sums over all nodes, including those that have ended.
          totals: {
            counters: Object.fromEntries(COUNTS.map((name) => [name, totals[name] ?? 0])),
            ignored_items: labelled(totals, "ignored_items"),
            rejected: labelled(totals, "rejected"),
          },
          // The text of the error is not shown, because it may contain names of machines and users.
          storage: { ...health, problem: health.ok ? null : "the database does not answer" },
        },
      };
    },
  },
  {
    method: "GET",
    path: "/api/v1/event-count",
    name: "getEventCount",
    about:
      "Returns the number of events that this node has accepted since its start or the last reset.",
    access: "operator",
    ok: 200,
    errors: [401, 403],
    returns: '{"event_count"}',
    async handle({ mesher }): Promise<Reply> {
      return { json: { event_count: await registryCalls(mesher).getEventCount() } };
    },
  },
  {
    method: "POST",
    path: "/api/v1/event-count/reset",
    name: "resetEventCount",
    about: "Sets this node's counter of accepted events to zero.",
    access: "operator",
    ok: 200,
    errors: [401, 403],
    returns: '{"event_count"}',
    async handle({ mesher }): Promise<Reply> {
      return { json: { event_count: await registryCalls(mesher).resetEventCount() } };
    },
  },
  changeRoute({
    path: "/api/v1/operators",
    name: "setOperator",
    about:
      "Makes a user an operator, who may see the metrics and the cluster, or removes that role.",
    access: "operator",
    body: {
      email: { type: "string", required: true, max: 254 },
      operator: { type: "boolean", about: "default: true" },
    },
    errors: [409],
  }, async ({ mesher, body }) => {
    const operator = (body["operator"] as boolean | undefined) ?? true;
    const made = await mesher.storage.setOperator(body["email"] as string, operator);
    if (made.ok) return true;
    if (made.reason === "no_user") throw new HttpError(404, "user not found");
    throw new HttpError(
      409,
      "the last operator cannot be removed: make another user an operator first",
    );
  }),
];

function labelled(totals: TotalCounts, kind: string): TotalCounts {
  return Object.fromEntries(
    Object.entries(totals).filter(([name]) => name.startsWith(`${kind}/`))
      .map(([name, count]) => [name.slice(kind.length + 1), count]),
  );
}
