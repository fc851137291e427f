/** A node in its own process with puppets: actors that execute the commands of the test. */
import process from "node:process";
import { startNode } from "../../lib/start.ts";
import { prepareStage } from "../actor/conformance.ts";
import { cheapKeys } from "../kit/keys.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

takeCommands(async (options) => {
  const parts = await startNode(options, undefined, cheapKeys);
  const { mesh, system } = parts;
  for (const event of ["nodeup", "nodedown"] as const) {
    mesh.events.on(event, (details) => tell({ event, at: now(), ...details }));
  }
  prepareStage(parts);
  tell({ event: "ready", at: now(), name: mesh.name, pid: process.pid });
  return async (command) => {
    switch (command.do) {
      case "peers":
        return mesh.peers();
      case "size":
        return system.size;
      case "kept":
        return mesh.peers().map((name) => parts.remote.nodeLink(name)?.kept);
      case "memory":
        (globalThis as { gc?: () => void }).gc?.();
        return process.memoryUsage().heapUsed;
      case "connect":
        return await mesh.connect(String(command["name"])).then(() => "up", (error) => error.code);
      case "disconnect":
        return await mesh.disconnect(String(command["name"]));
      case "stop":
        system.stop();
        await mesh.stop();
        return true;
      default:
        throw new Error(`unknown command ${command.do}`);
    }
  };
});
