/**
 * A wall clock without jumps: it follows small corrections of the system's clock, and ignores large ones.
 *
 * @module
 */

/**
 * Maximum step of the wall clock that is followed. A larger one means that the clock was set, and
 * is ignored. Milliseconds.
 */
const STEP_MS_MAX = 5_000;

/** Interval at which the wall clock is read; between, only the steady clock is. Milliseconds. */
const READ_MS = 100;

/** Returns a wall clock, in milliseconds since 1970, that does not jump. */
export function steadyWall(wall: () => number, now: () => number): () => number {
  let ahead = wall() - now();
  let readAt = -Infinity;
  return () => {
    const at = now();
    if (at - readAt >= READ_MS) {
      readAt = at;
      const step = wall() - at - ahead;
      if (Math.abs(step) <= STEP_MS_MAX) ahead += step;
    }
    return at + ahead;
  };
}
