/**
 * A node with puppets in a process of its own. The first line in is the node's options; further ones are
 * commands with an `id`, which are answered with the same `id`. What happens by itself comes out with
 * `event`. It ends when its input does, so no test leaves one behind.
 */
import process from "node:process";
import type { NodeOptions } from "../../lib/start.ts";
import { startNode } from "../../lib/start.ts";
import { prepareStage } from "../actor/conformance.ts";

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
  const { mesh, system } = parts;
  for (const event of ["nodeup", "nodedown"] as const) {
    mesh.events.on(event, (details) => tell({ event, at: now(), ...details }));
  }
  prepareStage(parts);
  tell({ event: "ready", at: now(), name: mesh.name, pid: process.pid });
  return async (command) => {
    switch (command["do"]) {
      case "peers":
        return mesh.peers();
      case "size":
        return system.size;
      case "kept":
        return mesh.peers().map((name) => parts.remote.lineTo(name)?.kept);
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
