/**
 * Promise: when the network is idle, exactly the specified children of supervisors are alive, each
 * once, whatever crashed before.
 */
import type { Node } from "../../../lib/node.ts";
import { Supervisor } from "../../../lib/otp/supervisor.ts";
import { fullName } from "../../../lib/simulate.ts";
import type { Self } from "../../../lib/actor/self.ts";
import type { Pid } from "../../../lib/term/pid.ts";
import { child } from "../actors.ts";
import type { MakePromise } from "../chaos.ts";
import type { Fact } from "../checkers/checker.ts";
import { ChildChecker } from "../checkers/children.ts";
import { Incarnations } from "./incarnations.ts";

export const children: MakePromise = ({ nodes, pick, sim }) => {
  const checker = new ChildChecker();
  const incarnations = new Incarnations();
  /** The running actors of each child, by the child's id. */
  const alive = new Map<string, Set<Pid>>();

  const expose = (short: string, node: Node): void => {
    const incarnation = incarnations.of(short);
    node.expose("child", (self: Self<string>, id: string) => {
      const pids = alive.get(id) ?? new Set();
      alive.set(id, pids);
      pids.add(self.pid as Pid);
      return child(self, id, short, (fact: Fact) => {
        checker.take(incarnation, fact);
        if (fact.kind === "runs") sim.note(`${id} runs as ${self.pid.key}`);
        else {
          sim.note(`${id} at ${self.pid.key} ends: ${String(self.signal.reason)}`);
          pids.delete(self.pid as Pid);
        }
      });
    });
  };

  return {
    name: "children",
    up(short, node) {
      const id = incarnations.up(short);
      expose(short, node);
      const others = sim.names.filter((other) => other !== short);
      if (others.length === 0) return;
      const there = pick(others);
      Supervisor.start(node, {
        intensity: 1_000_000,
        children: [
          { id: "home", node: fullName(short), fn: "child", args: [`${id} home`] },
          {
            id: "far",
            node: fullName(there),
            fn: "child",
            args: [`${id} far`],
            onNodeDown: "wait",
          },
        ],
      }).then(() => {
        checker.take(id, { kind: "tree", tree: id });
        sim.note(`the tree ${id} is up`);
      }, (error) => {
        // The node was not connected yet, so there is no tree, and it has no children to check.
        sim.note(`the tree ${id} could not start: ${error}`);
      });
    },
    down(short) {
      checker.gone(incarnations.of(short));
      // The machine crashed, so its actors record no exit.
      for (const pids of alive.values()) {
        for (const pid of [...pids]) if (pid.node === fullName(short)) pids.delete(pid);
      }
    },
    act() {
      const all = [...alive.values()].flatMap((pids) => [...pids]);
      if (all.length === 0 || sim.random.next() > 0.1) return;
      const pid = pick(all);
      for (const node of nodes.values()) {
        if (node.name === pid.node) node.send(pid as Pid<string>, "crash");
      }
    },
    check() {
      checker.check(incarnations.views(nodes));
    },
  };
};
