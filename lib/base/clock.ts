/**
 * The interfaces of time. Deterministic files receive the current time in milliseconds as an
 * argument. Files with effects receive a {@linkcode Clock}, which the simulator replaces.
 *
 * @module
 */

/** A started timer. Cancelling it has no effect after it has fired or was cancelled. */
export interface Timer {
  cancel(): void;
}

/** A source of time. */
export interface Clock {
  /** Returns milliseconds since an arbitrary moment, with a fraction. Never decreases. */
  now(): number;
  /**
   * Returns milliseconds since 1970, by the machine's wall clock. May jump forwards or backwards.
   */
  wall(): number;
  /**
   * Calls `task` once, after `ms` milliseconds. The timer keeps the process alive only with
   * `keepsAlive`.
   */
  after(ms: number, task: () => void, keepsAlive?: boolean): Timer;
  /**
   * Calls `task` every `ms` milliseconds until the timer is cancelled. Does not keep the process
   * alive.
   */
  every(ms: number, task: () => void): Timer;
}
