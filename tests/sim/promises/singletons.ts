/**
 * Promise: a singleton runs once when everything is idle. No copy starts while another runs if some
 * node is connected to the nodes of both. With a quorum or a lease, no two copies run at once,
 * whatever connections are cut, and tokens increase.
 */
import { Exit } from "../../../lib/actor/exit.ts";
import type { Node } from "../../../lib/node.ts";
import { fullName } from "../../../lib/simulate.ts";
import type { Self } from "../../../lib/actor/self.ts";
import type { Pid } from "../../../lib/term/pid.ts";
import type { MakePromise } from "../chaos.ts";
import { Sessions } from "../checkers/sessions.ts";
import { SingletonChecker } from "../checkers/singletons.ts";
import { Authority } from "./authority.ts";

const NAMES = ["clock", "vault clock", "leased clock"];

export const singletons: MakePromise = ({ nodes, pick, sim }) => {
  const sessions = new Sessions();
  const checker = new SingletonChecker(sessions);
  const authority = new Authority(sim);

  const join = (short: string, node: Node, name: string): void => {
    const isExclusive = name !== "clock";
    const child = (self: Self<string | Exit>, token: number | undefined) => {
      if (nodes.get(short) !== node && nodes.has(short)) return () => {};
      sim.note(`${name} runs on ${short} ${token ?? ""}`);
      const ended = checker.start(name, node.name, token, isExclusive, sim.now);
      self.signal.addEventListener("abort", () => {
        sim.note(`${name} ends on ${short}`);
        ended();
      });
      if (name === "leased clock") self.trapExit = true;
      return async (message: string | Exit) => {
        if (message === "crash") throw new Error("as told");
        if (!(message instanceof Exit)) return;
        // A copy takes up to 700 ms to stop, except after a pause: a copy that was paused must stop
        // at once.
        const ms = sim.random.below(700);
        if (!sessions.isStale(node.name, sim.now)) await self.sleep(ms);
        self.exit("shutdown");
      };
    };
    node.global.singleton(name, {
      id: name,
      start: async (self, { token }) => {
        const pid = self.spawnLink(child, token);
        // Some starts take longer than the lease is valid, and longer than the detection of a lost
        // quorum takes.
        if (name !== "clock" && sim.random.next() < 0.1) await self.sleep(sim.random.below(5_000));
        return pid;
      },
    }, {
      timeout: Infinity,
      quorum: name === "vault clock" ? "majority" : undefined,
      lease: name === "leased clock" ? authority.from(node) : undefined,
    }).catch(() => {});
  };

  return {
    name: "singletons",
    up(short, node) {
      sessions.start(node.name);
      for (const other of node.peers()) sessions.up(node.name, other, sim.now);
      node.on("nodeup", (event) => sessions.up(node.name, event.node, sim.now));
      node.on("nodedown", (event) => sessions.down(node.name, event.node));
      for (const name of NAMES) join(short, node, name);
    },
    down(short) {
      sessions.end(fullName(short));
      checker.end(fullName(short));
    },
    paused(short, isPaused) {
      sessions.pause(fullName(short), isPaused, sim.now);
    },
    act() {
      if (sim.random.next() > 0.05 || nodes.size === 0) return;
      if (sim.random.next() < 0.5) {
        return authority.cut(pick([...nodes.values()]).name, sim.random.below(10_000));
      }
      const node = pick([...nodes.values()]);
      const pid = node.global.whereis<Pid<string>>(pick(NAMES));
      if (pid?.home.local) node.send(pid as Pid<string>, "crash");
    },
    check() {
      const found = new Map(NAMES.map((name) => [
        name,
        [...nodes.values()].map((node) => node.global.whereis(name)?.node),
      ]));
      checker.check(NAMES, found);
    },
  };
};
