/**
 * Detects skew, which is the difference between the clocks of two nodes. Nodes exchange their time
 * of day when a session opens, and again when one of their clocks has been set. Nodes work with any
 * skew. It is reported because logs and timestamps of the two nodes cannot be compared.
 * Deterministic: times are arguments.
 *
 * @module
 */

/**
 * Minimum skew that is reported, in milliseconds. It must be large, because a message with a node's
 * time may take up to `pingTimeout` to arrive.
 */
export const SKEW_MS = 30_000;

/**
 * Minimum amount by which the wall clock must move relative to the monotonic clock to count as
 * having been set, in milliseconds.
 */
const STEP_MS = 1_000;

/** Compares the clocks of peers with the clock of this node. */
export class ClockSkew {
  #offset: number | undefined;
  /** The last reported skew of each peer. */
  readonly #reported = new Map<string, number>();

  /**
   * Returns by how many milliseconds this node's clock was set (negative: back), or 0 if by less
   * than {@linkcode STEP_MS}. Counts from the first call, or from the last call that did not return
   * 0.
   */
  step(now: number, wall: number): number {
    const offset = wall - now;
    const step = this.#offset === undefined ? 0 : offset - this.#offset;
    if (this.#offset !== undefined && Math.abs(step) < STEP_MS) return 0;
    this.#offset = offset;
    return Math.round(step);
  }

  /**
   * Compares a peer's time of day with this node's. Returns the milliseconds by which the peer's
   * clock is ahead (negative: behind) if a new skew must be reported, 0 if a reported skew has
   * ended, and otherwise undefined.
   */
  compare(node: string, theirs: number, ours: number): number | undefined {
    const skew = Math.round(theirs - ours);
    const reported = this.#reported.get(node);
    if (Math.abs(skew) < SKEW_MS) return this.#reported.delete(node) ? 0 : undefined;
    if (reported !== undefined && Math.abs(skew - reported) < SKEW_MS) return undefined;
    this.#reported.set(node, skew);
    return skew;
  }

  /** Called when the session with a node has ended. Removes the last reported skew of that node. */
  over(node: string): void {
    this.#reported.delete(node);
  }
}

/** Describes a skew, for example "25 h behind". */
export function skewWords(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  const [amount, unit] = seconds < 120
    ? [seconds, "s"]
    : seconds < 7200
    ? [seconds / 60, "min"]
    : seconds < 172_800
    ? [seconds / 3600, "h"]
    : [seconds / 86_400, "days"];
  return `${Math.round(amount as number)} ${unit} ${ms < 0 ? "behind" : "ahead"}`;
}
