/**
 * Promise: if two registrations of a name conflict, and some node is connected to both, at most one
 * of them keeps the name. With a quorum, there is at most one holder, and its token increases.
 */
import type { Pid } from "../../../lib/term/pid.ts";
import { fullName } from "../../../lib/simulate.ts";
import type { MakePromise } from "../chaos.ts";
import { ClaimChecker } from "../checkers/claims.ts";
import { Sessions } from "../checkers/sessions.ts";

const NAMES = ["desk", "lamp"];
const QUORUM_NAMES = ["vault", "safe"];

export const claims: MakePromise = ({ nodes, pick, sim, parts }) => {
  const sessions = new Sessions();
  const checker = new ClaimChecker(sessions);

  return {
    name: "claims",
    up(short, node) {
      sessions.start(node.name);
      for (const other of node.peers()) sessions.up(node.name, other, sim.now);
      node.on("nodeup", (event) => sessions.up(node.name, event.node, sim.now));
      node.on("nodedown", (event) => sessions.down(node.name, event.node));
      node.on("exit", ({ pid }) => checker.release(node.name, undefined, pid.key));
      node.on("nameconflict", ({ name, loser }) => {
        sim.note(`${short} loses ${name}`);
        checker.release(node.name, name, loser.key);
      });
      node.on("quorumlost", ({ name, pid }) => {
        sim.note(`${short} has no quorum for ${name}`);
        checker.release(node.name, name, pid.key);
      });
    },
    down(short) {
      sessions.end(fullName(short));
      checker.release(fullName(short));
    },
    paused(short, isPaused) {
      sessions.pause(fullName(short), isPaused, sim.now);
    },
    act() {
      const shorts = [...nodes.keys()];
      if (shorts.length === 0) return;
      const needsQuorum = sim.random.below(2) === 0;
      const name = pick(needsQuorum ? QUORUM_NAMES : NAMES);
      // Makes several requests at once, so that claims conflict.
      for (let i = sim.random.below(4); i > 0; i--) {
        const short = pick(shorts);
        const node = nodes.get(short)!;
        const since = sim.now;
        if (sim.random.next() < 0.35) {
          if (node.global.unregister(name)) checker.release(node.name, name);
          continue;
        }
        const pid = node.spawn(() => () => {}) as Pid;
        const options = needsQuorum ? { quorum: "majority" } as const : {};
        node.global.register(name, pid, options).then((registered) => {
          if (!registered) return node.exit(pid, "kill");
          if (nodes.get(short) !== node) return;
          const entry = parts(short)?.registry.ours(name);
          if (!entry?.pid.equals(pid)) return;
          const { token } = entry;
          sim.note(`${short} has ${name} ${pid.key} ${token ?? ""}`);
          checker.take(
            { name, node: node.name, pid: pid.key, since, token },
            needsQuorum,
            sim.now,
          );
        }, () => node.exit(pid, "kill"));
      }
    },
    check() {
      checker.check();
    },
  };
};
