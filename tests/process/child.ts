/**
 * A node in a process of its own, driven by a test over standard input and output, one JSON value a
 * line. The first line in is the node's options; every further one is a command with an `id`, which
 * is answered with the same `id`. What happens by itself comes out with `event`.
 *
 * It ends when its input does, so no test leaves one behind.
 */
import process from "node:process";
import { startNode, systemHost } from "../../lib/start.ts";
import type { NodeOptions } from "../../lib/start.ts";
import { serve } from "../../lib/ws/server.ts";

interface Command {
  readonly id: number;
  readonly do: string;
  readonly room?: string;
  readonly text?: string;
  readonly count?: number;
  readonly everyMs?: number;
  readonly name?: string;
}

const decoder = new TextDecoder();

/** When the members that `listen` made here got how many frames, and what was in them. */
const heard = new Map<string, { at: number[]; bytes: number }>();

function tell(value: unknown): void {
  process.stdout.write(JSON.stringify(value) + "\n");
}

/** Milliseconds on a clock that all processes of this machine share. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function run(options: NodeOptions): Promise<(command: Command) => unknown> {
  const host = systemHost();
  const { mesh, rooms } = await startNode(
    { ...options, log: (level, line) => tell({ event: "log", level, line }) },
    host,
  );
  for (const event of ["nodeup", "nodedown", "refused"] as const) {
    mesh.events.on(event, (details) => tell({ event, at: now(), ...details }));
  }
  const server = await serve(host, {
    rooms,
    message(conn, data) {
      const [verb, room = "", ...rest] = String(data).split(" ");
      if (verb === "join") {
        conn.join(room);
        conn.send(`joined ${room}`);
      } else if (verb === "say") rooms.broadcast(room, rest.join(" "));
      else if (verb === "sayFrom") rooms.broadcastFrom(conn, room, rest.join(" "));
      else conn.send(`what is ${verb}?`);
    },
  });
  tell({ event: "ready", at: now(), name: mesh.name, url: server.url, pid: process.pid });

  return async (command) => {
    const { room = "room", text = "", count = 1 } = command;
    switch (command.do) {
      case "peers":
        return mesh.peers();
      case "sessions":
        return Array.from(mesh.sessions(), (s) => ({
          name: s.met.name,
          session: String(s.met.session),
          unsent: s.unsent,
          dropped: s.dropped,
        }));
      case "members":
        return rooms.members(room).size;
      case "say":
        for (let i = 0; i < count; i++) rooms.broadcast(room, `${text}${i}`);
        return count;
      case "saySpaced":
        for (let i = 0; i < count; i++) {
          rooms.broadcast(room, JSON.stringify({ at: now() }));
          await new Promise((wake) => setTimeout(wake, command.everyMs ?? 1));
        }
        return count;
      case "listen": {
        const log = { at: [] as number[], bytes: 0 };
        heard.set(room, log);
        rooms.join(room, {
          sendShared(frames) {
            log.bytes += frames.length;
            for (const [, sent] of decoder.decode(frames).matchAll(/\{"at":([\d.]+)\}/g)) {
              log.at.push(now() - Number(sent));
            }
          },
        });
        return true;
      }
      case "heard":
        return heard.get(room);
      case "memory":
        (globalThis as { gc?: () => void }).gc?.();
        return process.memoryUsage().rss;
      case "connect":
        return await mesh.connect(command.name!).then(() => "up", (error) => error.code);
      case "disconnect":
        return await mesh.disconnect(command.name!);
      case "stop":
        await server.stop();
        await mesh.stop();
        return true;
      default:
        throw new Error(`unknown command ${command.do}`);
    }
  };
}

let act: Promise<(command: Command) => unknown> | undefined;
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
    const { id } = value as Command;
    try {
      tell({ id, result: await (await act)(value) });
    } catch (error) {
      tell({ id, error: String(error) });
    }
  }
});
process.stdin.on("end", () => process.exit(0));
