/**
 * Formats a node's statistics as metrics: OpenMetrics 1.0 text, or the older text format of
 * Prometheus, which declares counters differently. The names are part of the public API: see the
 * guide "Diagnosing a cluster". Deterministic.
 *
 * @module
 */
import type { NodeStats } from "./stats.ts";

/**
 * The formats of metrics.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { METRIC_FORMATS } from "@firn/firn/observe";
 * import { assertStringIncludes } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * for (const format of METRIC_FORMATS) {
 *   assertStringIncludes(await node.metrics(format), "firn_actors");
 * }
 * ```
 */
export const METRIC_FORMATS = ["openmetrics", "prometheus"] as const;

/** One of {@linkcode METRIC_FORMATS}. */
export type MetricFormat = (typeof METRIC_FORMATS)[number];

/**
 * The media types of the formats.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { METRIC_TYPES } from "@firn/firn/observe";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * await node.serve({
 *   async fetch() {
 *     const headers = { "content-type": METRIC_TYPES.openmetrics };
 *     return new Response(await node.metrics(), { headers });
 *   },
 * });
 * ```
 */
export const METRIC_TYPES: Readonly<Record<MetricFormat, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
};

/** A metric: its name without `_total`, and its samples. */
interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Returns the metrics of a node as text. */
export function metricsText(stats: NodeStats, format: MetricFormat = "openmetrics"): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of metricsOf(stats)) {
    if (samples.length === 0) continue;
    const sampled = type === "counter" ? `${name}_total` : name;
    const family = format === "openmetrics" ? name : sampled;
    lines.push(`# HELP ${family} ${help}`, `# TYPE ${family} ${type}`);
    for (const { labels = {}, value } of samples) {
      const all = Object.entries({ node: stats.node, ...labels });
      const text = all.map(([label, text]) => `${label}="${escaped(text)}"`).join(",");
      lines.push(`${sampled}{${text}} ${number(value)}`);
    }
  }
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function metricsOf(stats: NodeStats): Metric[] {
  const { eventLoop, memory, sessions, servers, membership, warnings } = stats;
  const gauge = (name: string, help: string, value: number): Metric => ({
    name: `firn_${name}`,
    type: "gauge",
    help,
    samples: [{ value }],
  });
  const counter = (name: string, help: string, value: number): Metric => ({
    ...gauge(name, help, value),
    type: "counter",
  });
  const perSession = (
    name: string,
    help: string,
    value: (session: NodeStats["sessions"][number]) => number | undefined,
    type: "counter" | "gauge" = "gauge",
  ): Metric => ({
    name: `firn_${name}`,
    type,
    help,
    samples: sessions.flatMap((session) => {
      const found = value(session);
      return found === undefined ? [] : [{ labels: { peer: session.node }, value: found }];
    }),
  });
  return [
    gauge("actors", "Actors of this node.", stats.actors),
    counter("actors_spawned", "Actors that were spawned.", stats.spawned),
    counter(
      "actors_crashed",
      "Actors that exited because of an error of their own.",
      stats.crashed,
    ),
    counter("restarts", "Children that supervisors started again.", stats.restarts),
    counter("messages", "Messages that actors have taken.", stats.messages),
    counter(
      "dead_letters",
      "Messages dropped because their receiver does not exist, or because they have a method then.",
      stats.deadLetters,
    ),
    gauge("timers", "Timers, calls with a timeout included.", stats.timers),
    gauge("actors_ready", "Actors that wait for their turn.", stats.ready),
    gauge("event_loop_delay_seconds", "How late a timer fired last.", eventLoop.last / 1000),
    gauge(
      "event_loop_delay_max_seconds",
      "How late a timer fired at most in the last minute.",
      eventLoop.max / 1000,
    ),
    ...memory === undefined ? [] : [
      gauge("memory_resident_bytes", "Memory that the process occupies.", memory.rss),
      gauge("memory_heap_used_bytes", "Memory of JavaScript objects.", memory.heapUsed),
      gauge("memory_heap_limit_bytes", "Maximum memory of JavaScript objects.", memory.heapLimit),
      gauge("memory_external_bytes", "Memory of buffers outside of the heap.", memory.external),
    ],
    gauge("sessions", "Sessions with other nodes.", sessions.length),
    perSession("session_queued_bytes", "Bytes that wait for a node.", ({ queued }) => queued),
    perSession(
      "session_dropped_messages",
      "Messages to a node that were dropped.",
      ({ dropped }) => dropped,
      "counter",
    ),
    perSession(
      "session_round_trip_seconds",
      "Round trip to a node; absent if it takes more than 0.3 s.",
      ({ roundTripMs }) => roundTripMs === undefined ? undefined : roundTripMs / 1000,
    ),
    gauge("known_nodes", "Nodes that this node knows.", membership.known),
    counter("dials", "Dials of other nodes.", membership.dials),
    {
      ...gauge("sockets", "Open WebSockets.", 0),
      samples: servers.map(({ url, connections }) => ({ labels: { url }, value: connections })),
    },
    gauge("rooms", "Rooms with members on this node.", stats.rooms),
    gauge("names", "Names on this node.", stats.names),
    gauge("global_names", "Global names.", stats.globalNames),
    gauge("groups", "Groups.", stats.groups),
    {
      ...counter("warnings", "Warnings, by kind.", 0),
      samples: Object.entries(warnings).map(([kind, value]) => ({ labels: { kind }, value })),
    },
    gauge("start_time_seconds", "When the node was started, since 1970.", stats.startedAt / 1000),
  ];
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function number(value: number): string {
  return Number.isFinite(value) ? `${value}` : value > 0 ? "+Inf" : "NaN";
}
