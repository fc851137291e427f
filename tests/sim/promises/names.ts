/**
 * Promise: when the network is idle, all nodes find the same live actor under a global name. The
 * registration of this actor has resolved to `true`.
 */
import type { Pid } from "../../../lib/term/pid.ts";
import type { MakePromise } from "../chaos.ts";
import { NameChecker, NAMES } from "../checkers/names.ts";
import { Incarnations } from "./incarnations.ts";

export const names: MakePromise = ({ nodes, pick, sim }) => {
  const checker = new NameChecker();
  const incarnations = new Incarnations();
  /** The actors whose registration resolved to `true`, and whose name was not unregistered. */
  const holders: { short: string; name: string; pid: Pid }[] = [];
  /**
   * The pids whose names were unregistered. While a node is paused, `register` resolves late,
   * possibly after the name was unregistered.
   */
  const released = new Set<string>();

  return {
    name: "names",
    up(short, node) {
      incarnations.up(short);
      node.on("nameconflict", ({ name, loser, winner }) => {
        sim.note(`${short}: ${name} of ${loser.key} goes to ${winner.key}`);
      });
      node.on("name", ({ name, pid }) => sim.note(`${short}: ${name} is ${pid?.key}`));
    },
    down(short) {
      checker.gone(incarnations.of(short));
      for (let i = holders.length - 1; i >= 0; i--) {
        if (holders[i]!.short === short) holders.splice(i, 1);
      }
    },
    act() {
      const shorts = [...nodes.keys()];
      if (shorts.length === 0) return;
      const short = pick(shorts);
      const node = nodes.get(short)!;
      const incarnation = incarnations.of(short);
      const name = pick(NAMES);
      const dice = sim.random.next();
      if (dice < 0.5) {
        const pid = node.spawn(() => () => {}) as Pid;
        node.global.register(name, pid).then((registered) => {
          sim.note(`${name} ${pid.key}: ${registered}`);
          if (!registered) node.exit(pid, "kill");
          else if (nodes.get(short) === node && !released.has(pid.key)) {
            holders.push({ short, name, pid });
            checker.take(incarnation, { kind: "holds", name, pid: pid.key });
          }
        }, () => {});
      } else if (dice < 0.7) {
        const held = node.global.whereis(name);
        if (!node.global.unregister(name)) return;
        if (held !== undefined) released.add(held.key);
        sim.note(`${name} is unregistered on ${short}`);
        checker.take(incarnation, { kind: "released", name });
        for (let i = holders.length - 1; i >= 0; i--) {
          if (holders[i]!.short === short && holders[i]!.name === name) holders.splice(i, 1);
        }
      } else if (dice < 0.9 && holders.length > 0) {
        const { short, pid } = pick(holders);
        nodes.get(short)?.exit(pid, "kill");
      }
    },
    check() {
      checker.check(incarnations.views(nodes));
    },
  };
};
