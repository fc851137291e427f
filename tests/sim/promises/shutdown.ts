/**
 * Promise: a node that stops ends its supervision trees in order, and no service loses data,
 * whatever crashed and was restarted before.
 */
import type { Node } from "../../../lib/node.ts";
import { service } from "../../../lib/otp/service.ts";
import { Supervisor } from "../../../lib/otp/supervisor.ts";
import type { Pid } from "../../../lib/term/pid.ts";
import type { MakePromise } from "../chaos.ts";
import { ShutdownChecker } from "../checkers/shutdown.ts";

const TREES = 3;
const CHILDREN = 3;

/** One incarnation of a node. */
interface Stage {
  readonly checker: ShutdownChecker;
  /** The children in the order of their start, and their current pids. */
  readonly pids: Map<string, Pid<unknown>>;
}

interface Buffer {
  state: number;
  cast: { add(): void; crash(): void };
  start: [];
}

export const shutdown: MakePromise = ({ nodes, pick, sim }) => {
  const stages = new Map<Node, Stage>();

  /** A service that keeps lines until it terminates. Slow ones need time to write them. */
  const buffer = ({ checker, pids }: Stage, child: string, isSlow: boolean) =>
    service<Buffer>({
      name: child,
      init() {
        pids.set(child, this.self.pid as Pid<unknown>);
        checker.started(child);
        return 0;
      },
      cast: {
        add(lines) {
          checker.added(child);
          return lines + 1;
        },
        crash() {
          throw new Error("as told");
        },
      },
      async terminate(lines, reason) {
        if (isSlow) await this.self.receive({ match: () => false, timeout: 30 });
        checker.wrote(child, lines, String(reason));
      },
    });

  const plant = async (node: Node, stage: Stage): Promise<void> => {
    for (let tree = 0; tree < TREES; tree++) {
      const children = Array.from({ length: CHILDREN }, (_, index) => {
        const id = `tree${tree}.${index}`;
        const kind = buffer(stage, id, (tree + index) % 2 === 0);
        return { id, start: (self: Parameters<typeof kind.start>[0]) => kind.start(self) };
      });
      await Supervisor.start(node, { intensity: 1_000_000, children } as never);
    }
  };

  return {
    name: "shutdown",
    up(_short, node) {
      const stage = { checker: new ShutdownChecker(), pids: new Map() };
      plant(node, stage).then(() => stages.set(node, stage), () => {});
    },
    down() {},
    act() {
      for (const node of nodes.values()) {
        const stage = stages.get(node);
        if (stage === undefined) continue;
        const pid = pick([...stage.pids.values()]);
        const name = sim.random.next() < 0.1 ? "crash" : "add";
        node.send(pid, { $cast: name, args: [] } as never);
      }
    },
    async check() {
      for (const [short, node] of nodes) {
        const stage = stages.get(node)!;
        stage.checker.stopping();
        await sim.stop(short);
        stage.checker.check([...stage.pids.keys()]);
      }
    },
  };
};
