/**
 * A node in a process of its own, whose workers supervisors of other nodes start, and which supervises
 * workers of other nodes itself. The first line in is the node's options; further ones are commands with
 * an `id`, which are answered with the same `id`. What happens by itself comes out with `event`. It ends
 * when its input does, so no test leaves one behind.
 */
import process from "node:process";
import type { Self } from "../../lib/actor/self.ts";
import type { ChildSpec } from "../../lib/otp/child.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { SupervisorOptions } from "../../lib/otp/supervising.ts";
import type { NodeOptions } from "../../lib/start.ts";
import { startNode } from "../../lib/start.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { starter, work } from "../otp/abroad.ts";
import type { Manner } from "../otp/abroad.ts";
import { word } from "../otp/family.ts";

function tell(value: unknown): void {
  process.stdout.write(JSON.stringify(value) + "\n");
}

/** Milliseconds on a clock that all processes of this machine share. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function run(options: NodeOptions): Promise<(command: Record<string, unknown>) => unknown> {
  const parts = await startNode({
    ...options,
    log: (level, line) => tell({ event: "log", level, line }),
  });
  const { mesh, system, remote, events } = parts;
  for (const event of ["nodeup", "nodedown"] as const) {
    events.on(event, (details) => tell({ event, at: now(), ...details }));
  }
  const ids = new Map<Pid, string>();
  events.on("exit", ({ pid, reason }) => {
    const id = ids.get(pid);
    if (id === undefined) return;
    ids.delete(pid);
    tell({ event: "end", at: now(), id, reason: word(reason) });
  });
  events.on("restart", ({ child, next }) => tell({ event: "restart", at: now(), child, next }));
  const worker = (self: Self, id: string, manner: Manner = "atOnce") => {
    ids.set(self.pid as Pid, id);
    tell({ event: "start", at: now(), id, pid: self.pid.key });
    return work(self, manner);
  };
  const expose = (): void => remote.spawner.expose("worker", worker as never);
  let tree: Supervisor | undefined;
  tell({ event: "ready", at: now(), name: mesh.name, pid: process.pid });

  return async (command) => {
    switch (command["do"]) {
      case "peers":
        return mesh.peers();
      case "expose":
        return expose();
      case "exposed":
        return mesh.exposedBy(String(command["name"]));
      case "living":
        return Array.from(ids, ([pid, id]) => ({ id, pid: pid.key }));
      case "crash":
        for (const [pid, id] of ids) {
          if (id === command["worker"]) system.send(pid as Pid<unknown>, "crash");
        }
        return true;
      case "supervise": {
        const { strategy, intensity, children } = command as unknown as SupervisorOptions;
        tree = await Supervisor.start(starter({ system } as never), {
          strategy,
          intensity,
          children: children?.map((spec) => spec as ChildSpec),
        });
        system.whenEnded(tree.pid).then((reason) => {
          tell({ event: "over", at: now(), reason: word(reason) });
        });
        return true;
      }
      case "which":
        return (await tree!.whichChildren()).map(({ id, pid, node }) => ({
          id,
          pid: typeof pid === "object" ? (pid as Pid).key : pid,
          node,
        }));
      case "stop":
        return await tree!.stop();
      default:
        throw new Error(`unknown command ${command["do"]}`);
    }
  };
}

let act: Promise<(command: Record<string, unknown>) => unknown> | undefined;
let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", async (text: string) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    const value = JSON.parse(line);
    if (act === undefined) {
      act = run(value);
      act.catch((error) => {
        tell({ event: "failed", code: error.code, message: error.message });
        process.exit(1);
      });
      continue;
    }
    const { id } = value;
    try {
      tell({ id, result: await (await act)(value) });
    } catch (error) {
      tell({ id, error: String(error) });
    }
  }
});
process.stdin.on("end", () => process.exit(0));
