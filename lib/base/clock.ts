/**
 * Time as an argument. Quiet files take `now` in milliseconds; loud ones take a {@linkcode Clock}.
 *
 * @module
 */

/** A timer that was armed. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Where time comes from. */
export interface Clock {
  /** Milliseconds since some moment; never goes back, with a fraction. */
  now(): number;
  /** Milliseconds since 1970 by the machine's calendar; may jump. */
  wall(): number;
  /** Calls `task` once, `ms` from now. Only with `keepsAlive` does the timer keep the process alive. */
  after(ms: number, task: () => void, keepsAlive?: boolean): Timer;
  /** Calls `task` every `ms` until it is cancelled; does not keep the process alive. */
  every(ms: number, task: () => void): Timer;
}
