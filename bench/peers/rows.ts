/**
 * The metrics of the comparison of actors, one row each, with their targets.
 *
 * @module
 */

/** The runs of a program, in order of execution. A run reports one or several metrics. */
export const RUNS = [
  "send",
  "send-burst",
  "send-async",
  "pingpong",
  "call",
  "call-entity",
  "spawn",
  "spawn-async",
  "spawn-await",
  "restart",
  "idle",
  "idle-async",
  "names",
  "timers",
  "fairness",
] as const;

/** One of {@linkcode RUNS}. */
export type Run = (typeof RUNS)[number];

/** A metric of the comparison of actors, with its target. */
export interface Row {
  /** The name of the metric in Firn's output. */
  readonly metric: string;
  /** The name of the metric in the output of the other programs, if it is different. */
  readonly peer?: string;
  readonly title: string;
  readonly run: Run;
  readonly unit: Unit;
  /** Required minimum ratio to Erlang in the same run. */
  readonly times?: number;
  /** Absolute limit: minimum if more is better, else maximum. */
  readonly limit?: number;
}

/** The units, each with the format of a value and whether more is better. */
export const UNITS = {
  "M/s": { scale: 1e-6, digits: 2, more: true },
  "B": { scale: 1, digits: 0, more: false },
  "s": { scale: 1, digits: 2, more: false },
  "ms": { scale: 1, digits: 2, more: false },
  "µs": { scale: 1, digits: 2, more: false },
  "% used": { scale: 1, digits: 1, more: false },
  "% left": { scale: 1, digits: 1, more: true },
} as const;

/** One of {@linkcode UNITS}. */
export type Unit = keyof typeof UNITS;

/** All metrics, in the order of the table. */
export const ROWS: readonly Row[] = [
  { metric: "send", title: "send, to a handler", run: "send", unit: "M/s", times: 4 },
  {
    metric: "send-burst",
    peer: "send",
    title: "… that has no time for all",
    run: "send-burst",
    unit: "M/s",
    times: 4,
  },
  {
    metric: "send-async",
    peer: "send",
    title: "send, to an async loop",
    run: "send-async",
    unit: "M/s",
    times: 1,
  },
  { metric: "pingpong", title: "ping-pong, round trips", run: "pingpong", unit: "M/s", times: 5 },
  { metric: "call", title: "call, awaited", run: "call", unit: "M/s", times: 3 },
  { metric: "call.entity", title: "… of a cluster's entity", run: "call-entity", unit: "M/s" },
  { metric: "spawn", title: "spawn and exit, handler", run: "spawn", unit: "M/s", times: 4 },
  {
    metric: "spawn-async",
    peer: "spawn",
    title: "spawn and exit, async",
    run: "spawn-async",
    unit: "M/s",
    times: 2,
  },
  {
    metric: "spawn-await",
    title: "spawn, monitor, await DOWN",
    run: "spawn-await",
    unit: "M/s",
    times: 4,
  },
  { metric: "restart", title: "crash, restart, answer", run: "restart", unit: "µs" },
  { metric: "idle.seconds", title: "a million handlers", run: "idle", unit: "s", times: 2 },
  { metric: "idle.bytes", title: "… each, heap", run: "idle", unit: "B", limit: 600 },
  { metric: "idle.rss", title: "… each, of the process", run: "idle", unit: "B" },
  {
    metric: "idle-async.seconds",
    peer: "idle.seconds",
    title: "a million async loops",
    run: "idle-async",
    unit: "s",
    times: 2,
  },
  {
    metric: "idle-async.bytes",
    peer: "idle.bytes",
    title: "… each, heap",
    run: "idle-async",
    unit: "B",
    limit: 1000,
  },
  {
    metric: "idle-async.rss",
    peer: "idle.rss",
    title: "… each, of the process",
    run: "idle-async",
    unit: "B",
  },
  { metric: "whereis", title: "whereis", run: "names", unit: "M/s", times: 2 },
  { metric: "register", title: "register", run: "names", unit: "M/s", times: 2 },
  {
    metric: "timers.set",
    title: "timer set, 100,000 pending",
    run: "timers",
    unit: "µs",
    limit: 1,
  },
  { metric: "timers.cancel", title: "timer cancelled", run: "timers", unit: "µs", limit: 1 },
  {
    metric: "timers.cpu",
    title: "a core, while they wait",
    run: "timers",
    unit: "% used",
    limit: 5,
  },
  { metric: "fairness.p50", title: "echo beside 1,000 busy, p50", run: "fairness", unit: "ms" },
  { metric: "fairness.p99", title: "… p99", run: "fairness", unit: "ms", limit: 5 },
  { metric: "fairness.share", title: "… the actors'", run: "fairness", unit: "% left", limit: 80 },
];

/** Formats a value in its unit. */
export function written(unit: Unit, value: number): string {
  const { scale, digits } = UNITS[unit];
  return (value * scale).toFixed(digits);
}
