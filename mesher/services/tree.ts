/**
 * Starts the supervision tree of a node. Each service may be killed at any time: the events that it
 * had accepted are in the queues of `Parts`, and its successor continues with them.
 *
 *     mesher
 *     ├─ pipeline: storage_writer, notifier, stream_manager, event_processor
 *     └─ cluster: rate_limiter, registry, node_monitor, load_monitor, totals_keeper
 *     and beside it, once in the cluster: retention_cleaner, alert_evaluator, spike_checker
 *
 * @module
 */
import { type LocalChildSpec, Supervisor } from "@firn/firn";
import type { Parts } from "../parts.ts";
import { ANNOUNCER, announcer } from "./announcer.ts";
import { helperOf } from "./helper.ts";
import { LOAD_MONITOR, loadMonitor } from "./load_monitor.ts";
import { NODE_MONITOR, nodeMonitor } from "./node_monitor.ts";
import { PROCESSOR, processor } from "./processor.ts";
import { RATE_LIMITER, rateLimiter } from "./rate_limiter.ts";
import { REGISTRY, registry } from "./registry.ts";
import { roundChild, ROUNDS } from "./rounds.ts";
import { TOTALS_KEEPER, totalsKeeper } from "./totals_keeper.ts";
import { WEBHOOKS, webhooks } from "./notifier.ts";
import { WRITER, writer } from "./writer.ts";

/**
 * Restart intensity of the supervisors: with more than 20 restarts in ten seconds, the supervisor
 * exits, and its parent decides.
 */
const INTENSITY = { intensity: 20, period: 10_000 };
const BACKOFF = { base: 10, cap: 2_000 };

/** Starts all services of a node. */
export async function startTree(parts: Parts): Promise<Supervisor> {
  const { node, now, config } = parts;
  const limit = { limit: config.ratePerMinute, windowMs: 60_000 };
  const tree = await Supervisor.start(node, {
    ...INTENSITY,
    children: [
      branch("pipeline", [
        { id: "storage_writer", start: (self) => writer.startAs(WRITER, self, parts) },
        { id: "notifier", start: (self) => webhooks.startAs(WEBHOOKS, self, parts) },
        { id: "stream_manager", start: (self) => announcer.startAs(ANNOUNCER, self, parts) },
        { id: "event_processor", start: (self) => processor.startAs(PROCESSOR, self, parts) },
      ]),
      branch("cluster", [
        {
          id: "rate_limiter",
          start: (self) => rateLimiter.startAs(RATE_LIMITER, self, limit, now),
        },
        { id: "registry", start: (self) => registry.startAs(REGISTRY, self, parts) },
        { id: "node_monitor", start: (self) => nodeMonitor.startAs(NODE_MONITOR, self, parts) },
        { id: "load_monitor", start: (self) => loadMonitor.startAs(LOAD_MONITOR, self, parts) },
        { id: "totals_keeper", start: (self) => totalsKeeper.startAs(TOTALS_KEEPER, self, parts) },
      ]),
    ],
  });
  return tree;
}

/** Makes this node available as a helper, and takes part in the singletons. */
export async function joinCluster(parts: Parts): Promise<void> {
  const { node, lease, log } = parts;
  node.expose(helperOf(parts));
  for (const round of ROUNDS) {
    const joined = node.global.singleton(round.name, roundChild(parts, round), {
      lease,
      timeout: Infinity,
    });
    // With a lease, this is not awaited, because the lease's holder may be unreachable or the
    // database unavailable.
    if (lease === undefined) await joined;
    else joined.catch((error) => log("error", `${round.name}: ${error}`));
  }
}

function branch(id: string, children: readonly LocalChildSpec[]): LocalChildSpec {
  const rules = children.map((child) => ({ ...child, backoff: BACKOFF }));
  return {
    id,
    type: "supervisor",
    start: async (self) => (await Supervisor.start(self, { ...INTENSITY, children: rules })).pid,
  };
}
