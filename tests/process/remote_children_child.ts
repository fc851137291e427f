/**
 * A node in its own process whose workers are supervised by other nodes, and which supervises
 * workers of other nodes.
 */
import process from "node:process";
import type { Self } from "../../lib/actor/self.ts";
import type { ChildSpec } from "../../lib/otp/child.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { SupervisorOptions } from "../../lib/otp/supervisor_actor.ts";
import { startNode } from "../../lib/start.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { starter, work } from "../otp/remote_workers.ts";
import type { Manner } from "../otp/remote_workers.ts";
import { word } from "../otp/family.ts";
import { cheapKeys } from "../kit/keys.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

takeCommands(async (options) => {
  const parts = await startNode(options, undefined, cheapKeys);
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
    switch (command.do) {
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
        return (await tree!.whichChildren()).map(({ id, pid, state, node }) => ({
          id,
          pid: pid?.key ?? state,
          node,
        }));
      case "stop":
        return await tree!.stop();
      default:
        throw new Error(`unknown command ${command.do}`);
    }
  };
});
