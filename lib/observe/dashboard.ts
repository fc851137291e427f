/**
 * A Grafana dashboard of the metrics, for import as JSON. Deterministic.
 *
 * @module
 */

/** The part of Grafana's JSON model of a dashboard that is used here. */
export interface Dashboard {
  /** The title of the dashboard. */
  readonly title: string;
  /** The panels of the dashboard. */
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

const BY_NODE = "{{node}}";

/** Title, unit and query of each panel, in order, two per row. */
const PANELS: readonly (readonly [title: string, unit: string, expr: string, legend?: string])[] = [
  ["Messages", "ops", "rate(firn_messages_total{$of}[$__rate_interval])"],
  ["Actors", "short", "firn_actors{$of}"],
  ["Crashes", "ops", "rate(firn_actors_crashed_total{$of}[$__rate_interval])"],
  ["Restarts", "ops", "rate(firn_restarts_total{$of}[$__rate_interval])"],
  ["Event loop delay, longest of a minute", "s", "firn_event_loop_delay_max_seconds{$of}"],
  ["Actors that wait for their turn", "short", "firn_actors_ready{$of}"],
  ["Heap", "bytes", "firn_memory_heap_used_bytes{$of}"],
  ["Resident memory", "bytes", "firn_memory_resident_bytes{$of}"],
  ["Timers", "short", "firn_timers{$of}"],
  ["WebSockets", "short", "firn_sockets{$of}", "{{node}} {{url}}"],
  ["Rooms", "short", "firn_rooms{$of}"],
  ["Sessions", "short", "firn_sessions{$of}"],
  ["Round trip", "s", "firn_session_round_trip_seconds{$of}", "{{node}} to {{peer}}"],
  ["Waiting to be sent", "bytes", "firn_session_queued_bytes{$of}", "{{node}} to {{peer}}"],
  [
    "Dropped",
    "ops",
    "rate(firn_session_dropped_messages_total{$of}[$__rate_interval])",
    "{{node}} to {{peer}}",
  ],
  ["Dead letters", "ops", "rate(firn_dead_letters_total{$of}[$__rate_interval])"],
  ["Warnings", "ops", "rate(firn_warnings_total{$of}[$__rate_interval])", "{{node}} {{kind}}"],
  ["Global names", "short", "firn_global_names{$of}"],
];

/**
 * Returns the Grafana dashboard of the metrics.
 *
 * @example
 * ```ts
 * import { dashboard } from "@firn/firn/observe";
 * import { assertStringIncludes } from "@std/assert";
 *
 * // A file for Grafana's "Import dashboard".
 * const json = JSON.stringify(dashboard(), null, 2);
 * assertStringIncludes(json, "firn_actors");
 * ```
 */
export function dashboard(): Dashboard {
  const datasource = { type: "prometheus", uid: "${datasource}" };
  return {
    title: "Firn",
    uid: "firn",
    schemaVersion: 39,
    refresh: "10s",
    time: { from: "now-1h", to: "now" },
    tags: ["firn"],
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus" },
        {
          name: "node",
          type: "query",
          datasource,
          query: "label_values(firn_actors, node)",
          includeAll: true,
          multi: true,
          current: { text: "All", value: "$__all" },
          refresh: 2,
        },
      ],
    },
    panels: PANELS.map(([title, unit, expr, legendFormat = BY_NODE], index) => ({
      id: index + 1,
      type: "timeseries",
      title,
      datasource,
      gridPos: { x: index % 2 * 12, y: Math.floor(index / 2) * 8, w: 12, h: 8 },
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      targets: [{
        refId: "A",
        datasource,
        expr: expr.replace("$of", 'node=~"$node"'),
        legendFormat,
      }],
    })),
  } as Dashboard;
}
