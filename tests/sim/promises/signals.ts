/**
 * Promise: each link and each monitor causes exactly one signal, when its actor exits or becomes
 * unreachable, and no earlier one.
 */
import type { Pid } from "../../../lib/term/pid.ts";
import { target, watcher } from "../actors.ts";
import type { MakePromise } from "../chaos.ts";
import { SignalChecker } from "../checkers/signals.ts";
import { Incarnations } from "./incarnations.ts";
import { copyOf } from "./messages.ts";

export const signals: MakePromise = ({ nodes, pick, sim }) => {
  const checker = new SignalChecker();
  const targets: { incarnation: string; short: string; pid: Pid }[] = [];
  const incarnations = new Incarnations();
  let relations = 0;

  return {
    name: "signals",
    up(short) {
      incarnations.up(short);
    },
    down(short) {
      checker.gone(incarnations.of(short));
    },
    act() {
      const short = pick([...nodes.keys()]);
      const node = nodes.get(short);
      if (node === undefined) return;
      const incarnation = incarnations.of(short);
      const dice = sim.random.next();
      if (dice < 0.4 || targets.length === 0) {
        targets.push({ short, incarnation, pid: node.spawn(target) as Pid });
      } else if (dice < 0.8) {
        const there = copyOf(pick(targets).pid, node);
        const tell = checker.take.bind(checker, incarnation);
        node.spawn(watcher, there, `${incarnation}.${relations++}`, "both", tell);
      } else {
        const { short, incarnation, pid } = pick(targets);
        if (nodes.has(short) && incarnations.of(short) === incarnation) {
          node.exit(copyOf(pid, node), sim.random.next() < 0.5 ? "kill" : "shutdown");
        }
      }
    },
    check() {
      checker.check(incarnations.views(nodes));
    },
  };
};
