/**
 * Promise: a deadlock of actors on connected nodes is reported, and nothing else is reported as a
 * deadlock. A hidden node can query all nodes, and is not a member for any of them.
 */
import type { Self } from "../../../lib/actor/self.ts";
import type { Node } from "../../../lib/node.ts";
import type { ActorName } from "../../../lib/actor/remote.ts";
import type { Pid } from "../../../lib/term/pid.ts";
import type { MakePromise } from "../chaos.ts";
import { throwBroken } from "../checkers/checker.ts";

/** The time in milliseconds within which a deadlock is reported: two checks after `longCall`. */
const REPORTED_MS = 8_000;

/** Calls an actor that may be waiting for this one, and handles no messages in the meantime. */
async function waiting(self: Self<unknown>, other: ActorName): Promise<void> {
  await self.call(other, "wait", { timeout: 20_000 }).catch(() => {});
}

/**
 * Receives calls and answers none. An actor that waits for it is not in a deadlock. It is a named
 * function because deadlock reports contain the body's name, or else its source, which differs
 * between the runtimes.
 */
function silent(): (message: unknown) => void {
  return () => {};
}

export const observation: MakePromise = ({ nodes, pick, sim }) => {
  const inCycles = new Set<string>();
  const reports: string[][] = [];
  let count = 0;

  /** Starts two actors that wait for each other. Returns their keys. */
  const deadlock = (one: Node, other: Node): string[] => {
    const number = ++count;
    const [left, right] = [`left ${number}`, `right ${number}`];
    const pids = [
      one.spawnWith({ name: left }, waiting, { name: right, node: other.name }),
      other.spawnWith({ name: right }, waiting, { name: left, node: one.name }),
    ] as Pid[];
    const keys = pids.map(({ key }) => key);
    for (const key of keys) inCycles.add(key);
    return keys;
  };

  return {
    name: "observation",
    up(_short, node) {
      node.on("warning", ({ kind, pids }) => {
        if (kind === "deadlock") reports.push(pids.map(({ key }) => key));
      });
      node.spawnWith({ name: "silent" }, silent);
    },
    down() {},
    act() {
      if (nodes.size === 0 || sim.random.next() > 0.05) return;
      const [one, other] = [
        nodes.get(pick([...nodes.keys()]))!,
        nodes.get(pick([...nodes.keys()]))!,
      ];
      if (sim.random.next() < 0.5) deadlock(one, other);
      else one.spawn(waiting, { name: "silent", node: other.name });
    },
    async check(sim) {
      const broken: string[] = [];
      const all = [...nodes.values()];
      const made = all.map((node, i) => deadlock(node, all[(i + 1) % all.length]!));
      const hidden = await sim.start("hidden", { hidden: true, seeds: [...nodes.keys()] });
      await sim.run(REPORTED_MS);
      for (const keys of made) {
        if (!reports.some((found) => keys.every((key) => found.includes(key)))) {
          broken.push(`the deadlock of ${keys} is not reported`);
        }
      }
      for (const found of reports) {
        const others = found.filter((key) => !inCycles.has(key));
        if (others.length > 0) broken.push(`${others} are reported as a deadlock`);
      }
      for (const node of all) {
        if (node.peers().includes(hidden.name)) broken.push(`${node.name} lists a hidden node`);
        const { node: answered } = await hidden.stats({ node: node.name });
        if (answered !== node.name) broken.push(`${node.name} answers as ${answered}`);
      }
      if (hidden.global.names().length > 0) broken.push("a hidden node has names of others");
      await sim.stop("hidden");
      throwBroken(broken);
    },
  };
};
