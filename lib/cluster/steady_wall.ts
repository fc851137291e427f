/**
 * Provides a wall clock without jumps: it follows small corrections of the system's clock, and
 * ignores large ones.
 *
 * @module
 */

/**
 * Maximum step of the wall clock that the steady clock follows, in milliseconds. A larger step
 * means that the wall clock was set, and is ignored.
 */
const STEP_MS_MAX = 5_000;

/**
 * Progress of the wall clock after which it is compared with the monotonic clock again, in
 * milliseconds.
 */
const CHECK_MS = 100;

/** Returns a wall clock, in milliseconds since 1970, that does not jump. */
export function steadyWall(wall: () => number, now: () => number): () => number {
  let ahead = wall() - now();
  /** The last time at which the wall clock and the monotonic clock agreed. `Infinity`: never. */
  let agreedAt = Infinity;
  return () => {
    const time = wall();
    if (time >= agreedAt && time < agreedAt + CHECK_MS) return time;
    const steady = now() + ahead;
    const isJump = Math.abs(time - steady) > STEP_MS_MAX;
    agreedAt = isJump ? Infinity : time;
    if (isJump) return steady;
    ahead += time - steady;
    return time;
  };
}
