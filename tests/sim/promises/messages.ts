/**
 * Promise: messages between two actors arrive in order and at most once, even after large ones, and
 * none of an old incarnation arrives in a new one.
 */
import { type Home, Pid } from "../../../lib/term/pid.ts";
import type { Node } from "../../../lib/node.ts";
import { type Numbered, sink } from "../actors.ts";
import type { MakePromise } from "../chaos.ts";
import { MessageChecker } from "../checkers/messages.ts";
import { Incarnations } from "./incarnations.ts";

export const messages: MakePromise = ({ nodes, pick, sim }) => {
  const checker = new MessageChecker();
  const sent = new Map<string, number>();
  /** Pids of all sinks, alive or exited, on any node. */
  const sinks: { short: string; pid: Pid<Numbered> }[] = [];
  const incarnations = new Incarnations();

  return {
    name: "messages",
    up(short, node) {
      const incarnation = incarnations.up(short);
      const tell = checker.take.bind(checker, incarnation);
      const pid = node.spawnWith<Numbered, [string, typeof tell]>(
        { name: "sink" },
        sink,
        short,
        tell,
      );
      sinks.push({ short, pid });
    },
    down() {},
    act() {
      const shorts = [...nodes.keys()];
      if (shorts.length < 2) return;
      for (let i = 0; i < 5; i++) {
        const short = pick(shorts);
        const node = nodes.get(short)!;
        const target = pick(sinks);
        const from = incarnations.of(short);
        // Messages to a node have one sequence of numbers, whether sent by pid or by name.
        const pair = `${from}>${target.short}`;
        const number = sent.get(pair) ?? 0;
        sent.set(pair, number + 1);
        checker.take(from, { kind: "sent", to: target.short, number });
        const ballast = sim.random.next() < 0.05 ? "x".repeat(100_000) : "";
        if (sim.random.next() < 0.5) {
          node.send({ name: "sink", node: `${target.short}@${target.short}.sim:9100` }, {
            from,
            number,
            to: undefined,
            ballast,
          });
        } else {
          // The pid is decoded from its encoded form, as a program receives it.
          const there = copyOf(target.pid, node);
          node.send(there, { from, number, to: target.pid.key, ballast });
        }
      }
    },
    check() {
      checker.check(incarnations.views(nodes));
    },
  };
};

/** Returns the pid as a node decodes it, so that sending by it does not bypass the network. */
export function copyOf<M>(pid: Pid<M>, node: Node): Pid<M> {
  const here = homeOf(node);
  // A node resolves pids of its own incarnation itself.
  if (pid.home === here) return pid;
  const { node: name, creation } = pid.home;
  const home: Home = { node: name, creation, local: false, system: here.system };
  return new Pid<M>(home, pid.id, undefined);
}

/** Returns the incarnation of a node from the pid of an actor that exits at once. */
function homeOf(node: Node): Home {
  return node.spawn(() => {}).home;
}
