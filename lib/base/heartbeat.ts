/**
 * When to ask whether the other side lives, and when to give up. Quiet: time is an argument.
 *
 *     heard ──quiet for `quietMs`──▶ ask, once per `quietMs` ──nothing for `deadlineMs`──▶ dead
 *       ▲                                    │
 *       └────────────── any bytes ───────────┘
 *
 * Any traffic counts as a sign of life. The owner calls {@linkcode Heartbeat.tick} regularly; if
 * the calls themselves come late (this process was stopped, the machine slept), the time it missed
 * is not held against the peer, because what the peer sent meanwhile may still wait to be read.
 *
 * @module
 */

/** How long silence may last. */
export interface HeartbeatLimits {
  /** Silence after which a ping is due. Milliseconds. */
  readonly quietMs: number;
  /** Silence after which the other side is dead. Milliseconds, more than `quietMs`. */
  readonly deadlineMs: number;
}

/** What the owner should do now. */
export type HeartbeatAdvice = "wait" | "ping" | "dead";

/** The silence of one peer. */
export class Heartbeat {
  readonly #limits: HeartbeatLimits;
  readonly #tickMs: number;
  /** True if bytes came since the last tick: setting it costs less than reading a clock. */
  #fresh = false;
  #heardAt: number;
  #askedAt: number;
  #tickedAt: number;

  /** `tickMs` is how often the owner means to call {@linkcode tick}. */
  constructor(limits: HeartbeatLimits, tickMs: number, now: number) {
    this.#limits = limits;
    this.#tickMs = tickMs;
    this.#heardAt = now;
    this.#askedAt = now;
    this.#tickedAt = now;
  }

  /** Bytes came from the peer. */
  heard(): void {
    this.#fresh = true;
  }

  /** What to do at `now`. */
  tick(now: number): HeartbeatAdvice {
    const missed = now - this.#tickedAt - 2 * this.#tickMs;
    this.#tickedAt = now;
    if (missed > 0) this.#heardAt += missed;
    if (this.#fresh) {
      this.#fresh = false;
      this.#heardAt = now;
    }
    const silence = now - this.#heardAt;
    if (silence >= this.#limits.deadlineMs) return "dead";
    if (silence < this.#limits.quietMs || now - this.#askedAt < this.#limits.quietMs) return "wait";
    this.#askedAt = now;
    return "ping";
  }
}
