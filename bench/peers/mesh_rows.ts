/**
 * The metrics of the comparison between nodes, one row each, with their targets.
 *
 * @module
 */

/** The runs of a pair of nodes, in order of execution. */
export const DIST_RUNS = [
  "send-64",
  "send-object",
  "send-16k",
  "trip",
  "call",
  "spawn",
  "spawn-many",
  "behind",
] as const;

/** One of {@linkcode DIST_RUNS}. */
export type DistRun = (typeof DIST_RUNS)[number];

/** One metric of the comparison, with its targets. */
export interface DistRow {
  readonly metric: string;
  readonly title: string;
  readonly run: DistRun;
  readonly unit: DistUnit;
  /**
   * Required ratio to Erlang over TLS in the same rounds: minimum if more is better, else maximum.
   */
  readonly tls?: number;
  /** Required ratio to Erlang over plain TCP, as a minimum or maximum like `tls`. */
  readonly tcp?: number;
  /** Absolute limit: minimum if more is better, else maximum. */
  readonly limit?: number;
}

/** The units, each with the format of a value and whether more is better. */
export const DIST_UNITS = {
  "k/s": { scale: 1e-3, digits: 1, more: true },
  "s": { scale: 1, digits: 2, more: false },
  "ms": { scale: 1, digits: 2, more: false },
  "µs": { scale: 1, digits: 0, more: false },
} as const;

/** One of {@linkcode DIST_UNITS}. */
export type DistUnit = keyof typeof DIST_UNITS;

/** The rows of the table. */
export const DIST_ROWS: readonly DistRow[] = [
  {
    metric: "send-64",
    title: "one way, 64 bytes",
    run: "send-64",
    unit: "k/s",
    tls: 4,
    tcp: 1,
  },
  {
    metric: "send-64.cpu",
    title: "… CPU of both, a million",
    run: "send-64",
    unit: "s",
    tls: 0.5,
  },
  {
    metric: "send-object",
    title: "one way, a small object",
    run: "send-object",
    unit: "k/s",
    tls: 4,
    tcp: 1,
  },
  {
    metric: "send-object.cpu",
    title: "… CPU of both, a million",
    run: "send-object",
    unit: "s",
    tls: 0.5,
  },
  { metric: "send-16k", title: "one way, 16 KiB", run: "send-16k", unit: "k/s", tls: 3.5 },
  { metric: "trip.p50", title: "there and back, p50", run: "trip", unit: "µs", tls: 0.6 },
  { metric: "trip.p99", title: "… p99", run: "trip", unit: "µs", tls: 0.6 },
  { metric: "call.p50", title: "call, p50", run: "call", unit: "µs", tls: 0.6 },
  { metric: "call.p99", title: "… p99", run: "call", unit: "µs", tls: 0.6 },
  { metric: "spawn.p50", title: "spawn, first message back", run: "spawn", unit: "µs", tls: 0.75 },
  { metric: "spawn.p99", title: "… p99", run: "spawn", unit: "µs" },
  {
    metric: "spawn-many",
    title: "spawns, 1000 in flight",
    run: "spawn-many",
    unit: "k/s",
    tls: 1.8,
  },
  { metric: "behind.p50", title: "there and back behind 16 MiB", run: "behind", unit: "ms" },
  { metric: "behind.p99", title: "… p99", run: "behind", unit: "ms", limit: 5 },
];
