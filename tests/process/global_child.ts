/** A node with named actors in its own process. */
import process from "node:process";
import { Call } from "../../lib/actor/call.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { OnConflict } from "../../lib/cluster/lost_name.ts";
import type { Quorum } from "../../lib/cluster/quorum.ts";
import type { SingletonChild } from "../../lib/cluster/singleton_definition.ts";
import { DEFAULT_SCOPE, Groups } from "../../lib/cluster/groups.ts";
import { startNode } from "../../lib/start.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { cheapKeys } from "../kit/keys.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

/** A counter that adds numbers, and returns the sum. */
function counter(_self: Self<number | Call<"sum", number>>, sum: number) {
  return (message: number | Call<"sum", number>): void => {
    if (message instanceof Call) message.reply(sum);
    else sum += message;
  };
}

takeCommands(async (options) => {
  const parts = await startNode(options, undefined, cheapKeys);
  const { mesh, system, global } = parts;
  const groups = new Groups(parts.groups, DEFAULT_SCOPE);
  for (const event of ["nodeup", "nodedown"] as const) {
    mesh.events.on(event, (details) => tell({ event, at: now(), ...details }));
  }
  parts.events.on("name", ({ name, pid }) => tell({ event: "name", name, key: pid?.key }));
  parts.events.on("nameconflict", ({ name, loser, winner }) => {
    tell({ event: "nameconflict", name, loser: loser.key, winner: winner.key });
  });
  const actors = new Map<string, Pid<number | Call<"sum", number>>>();
  const merge: OnConflict = async ({ loser, winner }) => {
    const sum = await system.call(loser as Pid<Call<"sum", number>>, "sum");
    system.send(winner as Pid<number>, sum);
  };
  const resolvers: Record<string, OnConflict> = { exit: "exit", keep: "keep", merge };
  tell({ event: "ready", at: now(), name: mesh.name, pid: process.pid });
  return async (command) => {
    const { name, label, sum = 0, onConflict = "exit", node } = command as Record<string, string>;
    const actor = actors.get(label!);
    switch (command.do) {
      case "peers":
        return mesh.peers();
      case "spawn": {
        const pid = system.spawn(undefined, undefined, counter, [Number(sum)]);
        actors.set(label!, pid);
        void system.whenEnded(pid).then((reason) => {
          const conflict = reason as { nameConflict?: string; winner?: Pid };
          tell({
            event: "ended",
            label,
            conflict: conflict.nameConflict,
            by: conflict.winner?.key,
          });
        });
        return pid.key;
      }
      case "register":
        return await global.register(name!, actor!, {
          onConflict: resolvers[onConflict]!,
          quorum: command["quorum"] as Quorum | undefined,
        }).catch((error) => error.code);
      case "fill":
        for (let i = 0; i < Number(sum); i++) void global.register(`${name}:${i}`, actor!);
        return true;
      case "count":
        return global.names().length;
      case "unregister":
        return global.unregister(name!);
      case "whereis":
        return global.whereis(name!)?.key;
      case "names":
        return global.names().sort();
      case "sum":
        return await system.call(global.whereis(name!) as Pid<Call<"sum", number>>, "sum");
      case "exit":
        return system.exit(actor!, "kill");
      case "join":
        return groups.join(name!, actor!);
      case "members":
        return groups.members(name!).map(({ key }) => key).sort();
      case "singleton": {
        const child = (self: Self<Call<"sum", number>>, token: number | undefined) => {
          tell({ event: "runs", name, token, at: now() });
          self.signal.addEventListener("abort", () => tell({ event: "rests", name, at: now() }));
          return (call: Call<"sum", number>): void => call.reply(1);
        };
        const start: SingletonChild["start"] = (self, { token }) => self.spawnLink(child, token);
        const quorum = command["quorum"] as Quorum | undefined;
        const timeout = Number(command["timeout"] ?? 30_000);
        return await global.singleton(name!, { id: name!, start }, { quorum, timeout }).then(
          () => true,
          (error) => error.code,
        );
      }
      case "connect":
        return await mesh.connect(node!).then(() => "up", (error) => error.code);
      case "disconnect":
        return await mesh.disconnect(node!);
      default:
        throw new Error(`unknown command ${command.do}`);
    }
  };
});
