/**
 * Counts responses and measures their latency.
 *
 * @module
 */

/** The counts and latencies of a run. */
export class Tally {
  /** Number of events that were not accepted, for any reason. */
  failed = 0;
  #accepted = 0;
  #sent = 0;
  readonly #statuses = new Map<number, number>();
  readonly #latencies: number[] = [];

  /**
   * Records the response to a request with `count` events. Status 0 means that there was no
   * response.
   */
  answered(status: number, count: number, accepted: number, ms: number): void {
    this.#sent += count;
    this.#accepted += accepted;
    this.failed += count - accepted;
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
    this.#latencies.push(ms);
  }

  /** Returns the status of all responses so far; undefined if they differ or there were none. */
  get onlyStatus(): number | undefined {
    return this.#statuses.size === 1 ? [...this.#statuses.keys()][0] : undefined;
  }

  /** Returns one line about the run so far. */
  progress(elapsedSeconds: number): string {
    const rate = Math.round(this.#accepted / elapsedSeconds);
    return `${elapsedSeconds.toFixed(0)} s   ${this.#accepted} accepted   ${rate}/s   ` +
      `${this.failed} failed   p99 ${this.#percentile(99).toFixed(0)} ms`;
  }

  /** Returns the summary at the end of the run. */
  summary(wanted: number, elapsedSeconds: number): string {
    const statuses = [...this.#statuses].sort(([a], [b]) => a - b)
      .map(([status, count]) => `${status === 0 ? "no answer" : status}: ${count}`).join(", ");
    return `wanted     ${wanted} events in ${elapsedSeconds.toFixed(1)} s
sent       ${this.#sent}
accepted   ${this.#accepted}, ${Math.round(this.#accepted / elapsedSeconds)} in a second
failed     ${this.failed}
requests   ${statuses || "none"}
latency    p50 ${this.#percentile(50).toFixed(1)} ms, p95 ${
      this.#percentile(95).toFixed(1)
    } ms, p99 ${this.#percentile(99).toFixed(1)} ms
`;
  }

  #percentile(percent: number): number {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * percent / 100))] ?? 0;
  }
}
