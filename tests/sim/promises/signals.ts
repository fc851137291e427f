/**
 * Promise: each link and each monitor gives exactly one signal, when its actor ends or cannot be reached
 * any more, and none before.
 */
import type { Self } from "../../../lib/actor/self.ts";
import { Down, Exit } from "../../../lib/actor/exit.ts";
import type { Pid } from "../../../lib/term/pid.ts";
import type { MakePromise } from "../chaos.ts";
import { copyOf } from "./messages.ts";

interface Bond {
  readonly target: Pid;
  /** Where the watcher lives. */
  readonly short: string;
  readonly what: string;
  exits: number;
  downs: number;
}

export const signals: MakePromise = ({ nodes, pick, sim }) => {
  const bonds: Bond[] = [];
  const targets: { short: string; life: number; pid: Pid }[] = [];
  const lives = new Map<string, number>();
  const isThere = (short: string, life: number) => nodes.has(short) && lives.get(short) === life;

  return {
    name: "signals",
    up(short) {
      lives.set(short, (lives.get(short) ?? 0) + 1);
    },
    down(short) {
      // What watched there is gone with it.
      for (let i = bonds.length - 1; i >= 0; i--) {
        if (bonds[i]!.short === short) bonds.splice(i, 1);
      }
    },
    act() {
      const short = pick([...nodes.keys()]);
      const node = nodes.get(short);
      if (node === undefined) return;
      const dice = sim.random.next();
      if (dice < 0.4 || targets.length === 0) {
        const pid = node.spawn(async (self: Self) => {
          self.trapExit = true;
          for await (const message of self) if (!(message instanceof Exit)) return;
        }) as Pid;
        targets.push({ short, life: lives.get(short)!, pid });
      } else if (dice < 0.8) {
        const target = pick(targets);
        const bond = { target: target.pid, short, what: "", exits: 0, downs: 0 };
        bonds.push(bond);
        const there = copyOf(target.pid, node);
        node.spawn(async (self: Self<unknown>) => {
          self.trapExit = true;
          self.link(there);
          self.monitor(there);
          for await (const message of self) {
            if (message instanceof Exit) bond.exits++;
            else if (message instanceof Down) bond.downs++;
          }
        });
      } else {
        const target = pick(targets);
        if (isThere(target.short, target.life)) {
          node.exit(copyOf(target.pid, node), sim.random.next() < 0.5 ? "kill" : "shutdown");
        }
      }
    },
    check() {
      for (const { target, exits, downs, short } of bonds) {
        const home = targets.find(({ pid }) => pid === target)!;
        const lives_ = isThere(home.short, home.life) && nodes.get(home.short)!.isAlive(target);
        // A session that was lost meanwhile tells as well, of one that lives on.
        const most = 1;
        if (exits > most || downs > most) {
          throw new Error(`${short} heard ${exits} exits and ${downs} downs of ${target.key}`);
        }
        if (!lives_ && (exits !== 1 || downs !== 1)) {
          throw new Error(`${target.key} is gone: ${short} heard ${exits} exits, ${downs} downs`);
        }
        if (exits !== downs) {
          throw new Error(`${short} heard ${exits} exits, but ${downs} downs of ${target.key}`);
        }
      }
    },
  };
};
