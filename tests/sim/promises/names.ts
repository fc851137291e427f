/**
 * Promise: once the network has settled, all nodes find the same actor under a global name, it lives, and
 * of those who hold a name by a true answer one is found.
 */
import type { Pid } from "../../../lib/term/pid.ts";
import type { MakePromise } from "../chaos.ts";

const NAMES = ["cart", "till", "shelf"];

export const names: MakePromise = ({ nodes, pick, sim }) => {
  /** Who was told that it holds a name, and has not given it back. */
  const holders: { short: string; name: string; pid: Pid }[] = [];

  return {
    name: "names",
    up(short, node) {
      node.on("nameconflict", ({ name, loser, winner }) => {
        sim.note(`${short}: ${name} of ${loser.key} goes to ${winner.key}`);
      });
      node.on("name", ({ name, pid }) => sim.note(`${short}: ${name} is ${pid?.key}`));
    },
    down(short) {
      for (let i = holders.length - 1; i >= 0; i--) {
        if (holders[i]!.short === short) holders.splice(i, 1);
      }
    },
    act() {
      const shorts = [...nodes.keys()];
      if (shorts.length === 0) return;
      const short = pick(shorts);
      const node = nodes.get(short)!;
      const name = pick(NAMES);
      const dice = sim.random.next();
      if (dice < 0.5) {
        const pid = node.spawn(() => () => {}) as Pid;
        node.global.register(name, pid).then((registered) => {
          sim.note(`${name} ${pid.key}: ${registered}`);
          if (!registered) node.exit(pid, "kill");
          else if (nodes.get(short) === node) holders.push({ short, name, pid });
        }, () => {});
      } else if (dice < 0.7) {
        if (!node.global.unregister(name)) return;
        sim.note(`${name} is unregistered on ${short}`);
        // Whoever of this node held it; those that have ended are no concern.
        for (let i = holders.length - 1; i >= 0; i--) {
          if (holders[i]!.short === short && holders[i]!.name === name) holders.splice(i, 1);
        }
      } else if (dice < 0.9 && holders.length > 0) {
        const { short, pid } = pick(holders);
        nodes.get(short)?.exit(pid, "kill");
      }
    },
    check() {
      for (const name of NAMES) {
        const found = new Set([...nodes.values()].map((node) => node.global.whereis(name)?.key));
        if (found.size > 1) throw new Error(`${name} is ${[...found].join(" and ")}`);
        const [key] = [...found];
        const alive = holders.filter((held) =>
          held.name === name && nodes.get(held.short)!.isAlive(held.pid)
        );
        if (key === undefined && alive.length > 0) {
          throw new Error(`nobody is ${name}, though ${alive[0]!.pid.key} holds it and lives`);
        }
        if (key !== undefined && !isAlive(key)) throw new Error(`${name} is ${key}, who is dead`);
        if (alive.length > 1) {
          throw new Error(`${alive.map(({ pid }) => pid.key).join(" and ")} hold ${name}`);
        }
      }
    },
  };

  function isAlive(key: string): boolean {
    return [...nodes.values()].some((node) => node.actors().some((pid) => pid.key === key));
  }
};
