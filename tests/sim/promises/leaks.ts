/**
 * Promise: exited actors leave no state, on their node and on others: no actor, call, monitor, name
 * or timer. It checks all state, so it runs alone in its simulation.
 */
import type { Self } from "../../../lib/actor/self.ts";
import type { Node } from "../../../lib/node.ts";
import type { Simulation } from "../../../lib/simulate.ts";
import type { Parts } from "../../../lib/start.ts";
import type { Pid } from "../../../lib/term/pid.ts";
import { acquaintance } from "../actors.ts";
import type { MakePromise } from "../chaos.ts";
import { checkLeft, leftOf } from "../checkers/leaks.ts";
import { copyOf } from "./messages.ts";

export const leaks: MakePromise = ({ nodes, pick, sim }) => {
  const actors: { short: string; node: Node; pid: Pid }[] = [];

  return {
    name: "leaks",
    up(_short, node) {
      // The hub never exits, so actors that watch it must remove their monitors.
      node.spawnWith({ name: "hub" }, () => () => {});
      // If a spawn is answered after the session was lost, its actor has no owner, and exits after
      // a timeout.
      node.expose("idle", async (self: Self) => void await self.receive({ timeout: 5_000 }));
    },
    down(short) {
      for (let i = actors.length - 1; i >= 0; i--) {
        if (actors[i]!.short === short) actors.splice(i, 1);
      }
    },
    act() {
      const shorts = [...nodes.keys()];
      if (shorts.length === 0) return;
      const short = pick(shorts);
      const node = nodes.get(short)!;
      const other = actors.length > 0 ? copyOf(pick(actors).pid, node) : undefined;
      const traps = () => sim.random.next() < 0.5;
      const pid = node.spawn(acquaintance, other, traps) as Pid;
      actors.push({ short, node, pid });
      node.global.register(`n${sim.random.below(5)}`, pid).catch(() => {});
      node.groups.join("g", pid);
      const there = nodes.get(pick(shorts))!.name;
      node.spawn({ node: there, fn: "idle" }).then(
        (spawned) => node.exit(spawned, "kill"),
        () => {},
      );
      if (sim.random.next() < 0.3) node.exit(pick(actors).pid, "kill");
    },
    rest() {
      for (const { node, pid } of actors) node.exit(pid, "kill");
    },
    check() {
      for (const short of nodes.keys()) {
        // Only one actor, the hub, may be left on each node.
        checkLeft(short, leftOf(partsOf(sim, short), 1, nodes.size - 1));
      }
    },
  };
};

/** Returns the parts of a node. */
function partsOf(sim: Simulation, short: string): Parts {
  return (sim as unknown as { partsOf(short: string): Parts }).partsOf(short);
}
