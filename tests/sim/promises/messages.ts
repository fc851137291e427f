/**
 * Promise: between two actors messages arrive in order and at most once, also behind large ones, and none
 * of an old life arrives in a new one.
 */
import { type Home, Pid } from "../../../lib/term/pid.ts";
import type { Self } from "../../../lib/actor/self.ts";
import type { Node } from "../../../lib/node.ts";
import type { MakePromise } from "../chaos.ts";

interface Numbered {
  /** Who sends: a life of a node. */
  readonly from: string;
  readonly number: number;
  /** To whom it was sent, if it was by pid. */
  readonly to: string | undefined;
  readonly ballast: string;
}

export const messages: MakePromise = ({ nodes, pick, sim }) => {
  const broken: string[] = [];
  const sent = new Map<string, number>();
  /** Pids of sinks that live or lived, wherever. */
  const sinks: { short: string; pid: Pid<Numbered> }[] = [];
  const lives = new Map<string, number>();
  let arrived = 0;
  let sends = 0;

  const sink = (short: string, node: Node): void => {
    const last = new Map<string, number>();
    const pid = node.spawnWith({ name: "sink" }, (self: Self<Numbered>) => (message: Numbered) => {
      arrived++;
      const { from, number, to } = message;
      if (number <= (last.get(from) ?? -1)) {
        broken.push(`${self.pid}: ${number} of ${from} came after ${last.get(from)}`);
      }
      last.set(from, number);
      if (to !== undefined && to !== self.pid.key) {
        broken.push(`${self.pid.key} got what was for ${to}`);
      }
    });
    sinks.push({ short, pid: pid as Pid<Numbered> });
  };

  return {
    name: "messages",
    up(short, node) {
      lives.set(short, (lives.get(short) ?? 0) + 1);
      sink(short, node);
    },
    down() {},
    act() {
      const shorts = [...nodes.keys()];
      if (shorts.length < 2) return;
      for (let i = 0; i < 5; i++) {
        sends++;
        const short = pick(shorts);
        const node = nodes.get(short)!;
        const target = pick(sinks);
        const from = `${short}${lives.get(short)}`;
        // A number for each pair, by pid or by name alike.
        const pair = `${from}>${target.short}`;
        const number = sent.get(pair) ?? 0;
        sent.set(pair, number + 1);
        const ballast = sim.random.next() < 0.05 ? "x".repeat(100_000) : "";
        if (sim.random.next() < 0.5) {
          node.send({ name: "sink", node: `${target.short}@${target.short}.sim:9100` }, {
            from,
            number,
            to: undefined,
            ballast,
          });
        } else {
          // As it came over the wire, which is how a program has it.
          const there = copyOf(target.pid, node);
          node.send(there, { from, number, to: target.pid.key, ballast });
        }
      }
    },
    check() {
      if (broken.length > 0) throw new Error(broken.slice(0, 5).join("\n"));
      // One of a hundred could have, even if nodes are away for most of the time.
      if (nodes.size > 1 && arrived === 0 && sends > 100) {
        throw new Error(`none of ${sends} messages has arrived`);
      }
    },
  };
};

/** The pid as a node has it that got it over the wire: no shortcut through this process. */
export function copyOf<M>(pid: Pid<M>, node: Node): Pid<M> {
  const here = homeOf(node);
  // One of this very life of the node is known to it by itself.
  if (pid.home === here) return pid;
  const { node: name, creation } = pid.home;
  const home: Home = { node: name, creation, local: false, system: here.system };
  return new Pid<M>(home, pid.id, undefined);
}

/** A pid's home, where it is this life of a node: of an actor that ends at once. */
function homeOf(node: Node): Home {
  return node.spawn(() => {}).home;
}
