/**
 * A short history for tests that run it repeatedly: three nodes, a global name, a crash, a restart.
 */
import { simulate, type Simulation, type SimulationResult } from "../../lib/simulate.ts";
import type { Node } from "../../lib/node.ts";

/** Starts three connected nodes. */
export async function three(sim: Simulation): Promise<[Node, Node, Node]> {
  const a = await sim.start("a");
  const b = await sim.start("b", { seeds: ["a"] });
  const c = await sim.start("c", { seeds: ["a"] });
  await sim.until(
    "all nodes are connected",
    () => [a, b, c].every((node) => node.peers().length === 2),
  );
  return [a, b, c];
}

/** Runs the history of a seed. */
export function shortHistory(seed: number): Promise<SimulationResult<number>> {
  return simulate({ seed }, async (sim) => {
    const [a, b] = await three(sim);
    await a.global.register("cart", a.spawn(() => () => {}));
    sim.crash("a");
    await sim.until("the name is removed", () => b.global.whereis("cart") === undefined);
    await sim.restart("a");
    await sim.until("the node has returned", () => b.peers().length === 2);
    return sim.now;
  });
}
