/**
 * The check of `--once`: kills a node, and asserts that the cluster handles it.
 *
 * @module
 */
import type { Cluster } from "./cluster.ts";
import type { Round } from "./round.ts";
import { DemoError } from "./runtimes.ts";
import type { Screen } from "./screen.ts";

/**
 * Kills the last node, restarts it, and returns a description of the observations. `first` is the
 * result of a round that was run before.
 */
export async function checkCluster(
  cluster: Cluster,
  screen: Screen,
  first: Round,
): Promise<string[]> {
  demandAll(first);
  const victim = cluster.nodes.at(-1)!;
  const others = cluster.nodes.length - 1;
  const { pid } = victim;

  cluster.kill(victim);
  screen.happened(victim.short, `is killed (kill -9 ${pid})`);
  await cluster.until(() => victim.state === "down" && cluster.isWhole);
  const without = others > 0 ? await cluster.play() : undefined;
  if (without !== undefined) demandAll(without);

  cluster.start(victim);
  screen.happened(victim.short, "is restarted");
  await cluster.untilWhole();
  const last = await cluster.play();
  demandAll(last);
  if (last.nodes.length !== cluster.nodes.length) throw new DemoError("a node is missing");

  const rounds = [first, ...(without === undefined ? [] : [without]), last];
  const messages = rounds.reduce((sum, round) => sum + round.delivered, 0);
  const noticed = others === 0 ? [] : [`its loss noticed by ${others}`];
  return [
    others === 0 ? "1 node" : `${others + 1} nodes in one mesh`,
    `${messages} of ${messages} messages delivered once`,
    `${victim.short} killed`,
    ...noticed,
    "restarted and connected again",
  ];
}

function demandAll({ delivered, expected, faults }: Round): void {
  if (faults.length > 0) throw new DemoError(faults[0]!);
  if (delivered === expected) return;
  throw new DemoError(`only ${delivered} of ${expected} messages were delivered`);
}
