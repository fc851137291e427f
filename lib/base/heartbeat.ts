/**
 * Decides when to ping a peer and when to consider it dead. Deterministic: time is an argument.
 *
 *     alive ──quiet for `quietMs`──▶ ping, once per `quietMs` ──nothing for `deadlineMs`──▶ dead
 *       ▲                                    │
 *       └────────────── any bytes ───────────┘
 *
 * All received bytes count. The owner calls {@linkcode Heartbeat.tick} at a regular interval. If a
 * call is late because the process was stopped or the machine slept, the delay does not count as
 * silence of the peer, because data that the peer sent in the meantime may still be unread.
 *
 * @module
 */

/** Limits on the silence of a peer. */
export interface HeartbeatLimits {
  /** Milliseconds of silence after which a ping is due. */
  readonly quietMs: number;
  /**
   * Milliseconds of silence after which the peer is considered dead. Must be more than `quietMs`.
   */
  readonly deadlineMs: number;
}

/** The result of a tick: do nothing, send a ping, or consider the peer dead. */
export type HeartbeatAdvice = "wait" | "ping" | "dead";

/** Measures how long one peer has been silent. */
export class Heartbeat {
  readonly #limits: HeartbeatLimits;
  readonly #tickMs: number;
  /**
   * Whether bytes were received since the last tick. This is a flag because reading the clock for
   * each read would cost more.
   */
  #fresh = false;
  #receivedAt: number;
  #askedAt: number;
  #tickedAt: number;

  /** `tickMs` is the interval at which the owner calls {@linkcode tick}. */
  constructor(limits: HeartbeatLimits, tickMs: number, now: number) {
    this.#limits = limits;
    this.#tickMs = tickMs;
    this.#receivedAt = now;
    this.#askedAt = now;
    this.#tickedAt = now;
  }

  /** Records that bytes were received from the peer. */
  received(): void {
    this.#fresh = true;
  }

  /** Returns whether to wait, to ping the peer, or to consider it dead, at the time `now`. */
  tick(now: number): HeartbeatAdvice {
    const missed = now - this.#tickedAt - 2 * this.#tickMs;
    this.#tickedAt = now;
    if (missed > 0) this.#receivedAt += missed;
    if (this.#fresh) {
      this.#fresh = false;
      this.#receivedAt = now;
    }
    const silence = now - this.#receivedAt;
    if (silence >= this.#limits.deadlineMs) return "dead";
    if (silence < this.#limits.quietMs || now - this.#askedAt < this.#limits.quietMs) return "wait";
    this.#askedAt = now;
    return "ping";
  }
}
