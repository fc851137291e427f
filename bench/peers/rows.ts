/**
 * What is compared, a row for each figure, and what each has to reach. Quiet.
 *
 * @module
 */

/** The runs of a program, in the order in which they are made. A run gives one figure or several. */
export const RUNS = [
  "send",
  "send-burst",
  "send-async",
  "pingpong",
  "call",
  "spawn",
  "spawn-async",
  "spawn-await",
  "idle",
  "idle-async",
  "names",
  "timers",
  "fairness",
] as const;

/** One of {@linkcode RUNS}. */
export type Run = (typeof RUNS)[number];

/** One figure of ours, and what it is compared with. */
export interface Row {
  /** Our name for it. */
  readonly metric: string;
  /** Theirs, where that is another. */
  readonly peer?: string;
  readonly title: string;
  readonly run: Run;
  readonly unit: Unit;
  /** At least so many times as good as Erlang's in the same run. */
  readonly times?: number;
  /** On the right side of this. */
  readonly limit?: number;
}

/** How a figure is written, and whether more of it is better. */
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

/** The table. */
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

/** How many times as good `value` is as `other`. */
export function timesAsGood(unit: Unit, value: number, other: number): number {
  return UNITS[unit].more ? value / other : other / value;
}

/** A figure in its unit. */
export function written(unit: Unit, value: number): string {
  const { scale, digits } = UNITS[unit];
  return (value * scale).toFixed(digits);
}
