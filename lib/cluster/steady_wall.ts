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

/** Returns a wall clock, in milliseconds since 1970, that does not jump. */
export function steadyWall(wall: () => number, now: () => number): () => number {
  let ahead = wall() - now();
  return () => {
    const [time, steady] = [wall(), now() + ahead];
    if (Math.abs(time - steady) > STEP_MS_MAX) return steady;
    ahead += time - steady;
    return time;
  };
}
