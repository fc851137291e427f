/**
 * Promise: once the network has settled, exactly the children that supervisors specify are alive, each
 * once, whatever crashed meanwhile.
 */
import type { Self } from "../../../lib/actor/self.ts";
import type { Node } from "../../../lib/node.ts";
import { Supervisor } from "../../../lib/otp/supervisor.ts";
import { fullName } from "../../../lib/simulate.ts";
import type { Pid } from "../../../lib/term/pid.ts";
import type { MakePromise } from "../chaos.ts";

export const children: MakePromise = ({ nodes, pick, sim }) => {
  /** Who runs, by the child's id and the life of its supervisor. */
  const alive = new Map<string, Set<Pid>>();
  const lives = new Map<string, number>();
  /** The last supervisor of each node, while the node lives. */
  const trees = new Map<string, { id: string; tree: Supervisor | undefined }>();

  const expose = (short: string, node: Node): void => {
    node.expose("child", (self: Self<string>, id: string) => {
      const pids = alive.get(id) ?? new Set();
      alive.set(id, pids);
      pids.add(self.pid as Pid);
      sim.note(`${id} runs as ${self.pid.key}`);
      self.signal.addEventListener("abort", () => {
        sim.note(`${id} at ${self.pid.key} ends: ${String(self.signal.reason)}`);
        pids.delete(self.pid as Pid);
      }, { once: true });
      return (message) => {
        // A stack is the runtime's own: with it the bytes would differ from one to the other.
        if (message === "crash") throw Object.assign(new Error(`${short}: as told`), { stack: "" });
      };
    });
  };

  return {
    name: "children",
    up(short, node) {
      const life = (lives.get(short) ?? 0) + 1;
      lives.set(short, life);
      expose(short, node);
      const others = sim.names.filter((other) => other !== short);
      if (others.length === 0) return;
      const id = `${short}${life}`;
      const there = pick(others);
      const entry: { id: string; tree: Supervisor | undefined } = { id, tree: undefined };
      trees.set(short, entry);
      Supervisor.start(node, {
        intensity: 1_000_000,
        children: [
          { id: "home", node: fullName(short), fn: "child", args: [`${id} home`] },
          {
            id: "far",
            node: fullName(there),
            fn: "child",
            args: [`${id} far`],
            onNodeDown: "wait",
          },
        ],
      }).then((tree) => {
        entry.tree = tree;
        sim.note(`the tree ${id} is up`);
      }, (error) => {
        sim.note(`the tree ${id} could not start: ${error}`);
        // Its node was not there yet: no tree, no children.
        if (trees.get(short) === entry) trees.delete(short);
      });
    },
    down(short) {
      trees.delete(short);
      // Its machine is gone, and what ran there is not told so.
      for (const pids of alive.values()) {
        for (const pid of [...pids]) if (pid.node === fullName(short)) pids.delete(pid);
      }
    },
    act() {
      const all = [...alive.values()].flatMap((pids) => [...pids]);
      if (all.length === 0 || sim.random.next() > 0.1) return;
      const pid = pick(all);
      for (const node of nodes.values()) {
        if (node.name === pid.node) node.send(pid as Pid<string>, "crash");
      }
    },
    check() {
      const wanted = new Set<string>();
      for (const { id, tree } of trees.values()) {
        if (tree !== undefined) {
          for (const child of ["home", "far"]) wanted.add(`${id} ${child}`);
        }
      }
      for (const id of wanted) {
        const count = alive.get(id)?.size ?? 0;
        if (count !== 1) throw new Error(`${count} of the child ${id} are alive`);
      }
      for (const [id, pids] of alive) {
        if (!wanted.has(id) && pids.size > 0) {
          throw new Error(`${[...pids].join(" ")}: ${id} is nobody's child, and lives`);
        }
      }
    },
  };
};
