/**
 * Runs the commands of several stages with a limited number at a time.
 *
 * @module
 */

/** Runs one command. Must not reject. */
export type Job = () => Promise<void>;

/**
 * Runs the jobs of all queues, at most `limit` at the same time. The next job is taken from the
 * queue with the fewest running jobs; if several queues have equally few, from the first of them.
 * Stages that mostly wait thus run at the same time as stages that compute.
 */
export async function runPool(queues: readonly (readonly Job[])[], limit: number): Promise<void> {
  const all = queues.map((jobs) => ({ left: [...jobs], running: 0 }));
  const work = async (): Promise<void> => {
    for (;;) {
      const open = all.filter(({ left }) => left.length > 0);
      if (open.length === 0) return;
      const next = open.reduce((a, b) => b.running < a.running ? b : a);
      next.running++;
      await next.left.shift()!();
      next.running--;
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
}
