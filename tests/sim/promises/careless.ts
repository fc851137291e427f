/**
 * Promise: actors that catch every error exit like all others, on any node and in any wait, and a
 * node with such actors stops in bounded time.
 */
import { Call } from "../../../lib/actor/call.ts";
import type { Self } from "../../../lib/actor/self.ts";
import type { Node } from "../../../lib/node.ts";
import { task } from "../../../lib/otp/task.ts";
import type { Pid } from "../../../lib/term/pid.ts";
import type { MakePromise } from "../chaos.ts";
import { checkLoops, type Loop } from "../checkers/careless.ts";

/** The maximum number of loops at a time. */
const RUNNING_MAX = 8;

/** Operations, one of which each loop repeats. `there` is the name of another node. */
const ROUNDS: readonly ((self: Self, there: string) => unknown)[] = [
  (self) => self.receive(),
  (self) => self.receive({ timeout: 50 }),
  (self, there) => self.call({ name: "sometimes", node: there }, 1, { timeout: 50 }),
  (self, there) => self.call({ name: "missing", node: there }, 1),
  (self, there) => self.spawn({ node: there, fn: "missing" }),
  (self) => task.await(task.async(self, (own) => own.receive({ timeout: 20 }))),
];

/** Loops until its actor exits, and ignores every error. */
async function careless(self: Self, loop: Loop, round: number, there: string): Promise<void> {
  self.signal.addEventListener("abort", () => loop.roundsAtEnd = loop.rounds, { once: true });
  for (;;) {
    loop.rounds++;
    try {
      self.send("witness", loop);
      await ROUNDS[round]!(self, there);
    } catch {
      // The error is ignored on purpose.
    } finally {
      loop.cleaned ||= loop.roundsAtEnd !== undefined;
    }
    try {
      // Waits, so that an operation that fails at once is not retried at once: without the wait, no
      // virtual time would pass.
      await self.receive({ timeout: 60 });
    } catch {
      // The error is ignored on purpose.
    } finally {
      loop.cleaned ||= loop.roundsAtEnd !== undefined;
    }
  }
}

export const catchAll: MakePromise = ({ nodes, pick, sim }) => {
  const loops: { readonly node: Node; readonly loop: Loop }[] = [];
  const running: { node: Node; pid: Pid; loop: Loop }[] = [];
  const nodesBy = new Map<string, Node>();
  let last = 0;

  return {
    name: "careless",
    up(short, node) {
      nodesBy.set(short, node);
      node.spawnWith({ name: "witness" }, () => (message) => {
        const { roundsAtEnd, rounds } = message as Loop;
        if (roundsAtEnd !== undefined && rounds > roundsAtEnd) (message as Loop).late++;
      });
      let count = 0;
      node.spawnWith({ name: "sometimes" }, () => (message) => {
        if (message instanceof Call && ++count % 2 === 0) message.reply(count);
      });
    },
    down(short) {
      // A crashed machine runs no `finally` blocks, so they are not expected.
      for (const { node, loop } of loops) if (node === nodesBy.get(short)) loop.cleaned = true;
    },
    act() {
      const shorts = [...nodes.keys()];
      if (shorts.length === 0) return;
      const node = nodes.get(pick(shorts))!;
      const round = sim.random.below(ROUNDS.length);
      const there = nodes.get(pick(shorts))!.name;
      const name = `loop ${++last} around ${ROUNDS[round]}`;
      const loop = begun(name);
      loops.push({ node, loop });
      running.push({ node, loop, pid: node.spawn(careless, loop, round, there) as Pid });
      // Most events of a simulation come from these loops, so few run at a time, and each ends.
      const ending = running.length > RUNNING_MAX ? running.shift()! : pick(running);
      if (running.length < RUNNING_MAX && sim.random.next() < 0.5) return;
      ending.node.exit(ending.pid, sim.random.next() < 0.5 ? "kill" : "shutdown");
    },
    rest() {
      for (const { node, pid } of running) node.exit(pid, "kill");
    },
    async check(simulation) {
      checkLoops(loops.map(({ loop }) => loop));
      const last: Loop[] = [];
      for (const [short, node] of [...nodes]) {
        for (const round of ROUNDS.keys()) {
          // The `finally` block of this loop is not checked, because its node stops.
          const loop: Loop = { ...begun(`${short} ${round}`), cleaned: true };
          last.push(loop);
          node.spawn(careless, loop, round, node.name);
        }
      }
      await simulation.run(100);
      for (const short of [...nodes.keys()]) {
        const began = simulation.now;
        await simulation.stop(short);
        const took = simulation.now - began;
        if (took > STOP_MS) throw new Error(`${short} took ${took} ms to stop`);
      }
      checkLoops(last);
    },
  };
};

/** Returns the state of a loop that is about to begin. */
function begun(name: string): Loop {
  return { name, rounds: 0, roundsAtEnd: undefined, cleaned: false, late: 0 };
}

/** The maximum time in milliseconds to stop a node whose actors exit at once. */
const STOP_MS = 15_000;
