/**
 * Promise: each link and each monitor yields exactly one signal, when its actor exits or becomes
 * unreachable, and none before.
 */
import type { Pid } from "../../../lib/term/pid.ts";
import { target, watcher } from "../actors.ts";
import type { MakePromise } from "../chaos.ts";
import { SignalChecker } from "../checkers/signals.ts";
import { Lives } from "./lives.ts";
import { copyOf } from "./messages.ts";

export const signals: MakePromise = ({ nodes, pick, sim }) => {
  const checker = new SignalChecker();
  const targets: { life: string; short: string; pid: Pid }[] = [];
  const lives = new Lives();
  let bonds = 0;

  return {
    name: "signals",
    up(short) {
      lives.up(short);
    },
    down(short) {
      checker.gone(lives.of(short));
    },
    act() {
      const short = pick([...nodes.keys()]);
      const node = nodes.get(short);
      if (node === undefined) return;
      const life = lives.of(short);
      const dice = sim.random.next();
      if (dice < 0.4 || targets.length === 0) {
        targets.push({ short, life, pid: node.spawn(target) as Pid });
      } else if (dice < 0.8) {
        const there = copyOf(pick(targets).pid, node);
        const tell = checker.take.bind(checker, life);
        node.spawn(watcher, there, `${life}.${bonds++}`, "both", tell);
      } else {
        const { short, life, pid } = pick(targets);
        if (nodes.has(short) && lives.of(short) === life) {
          node.exit(copyOf(pid, node), sim.random.next() < 0.5 ? "kill" : "shutdown");
        }
      }
    },
    check() {
      checker.check(lives.views(nodes));
    },
  };
};
