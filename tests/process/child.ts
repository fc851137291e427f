/** A node in its own process that serves rooms on the test's commands. */
import process from "node:process";
import { startNode, systemHost } from "../../lib/start.ts";
import { serve } from "../../lib/ws/server.ts";
import { cheapKeys } from "../kit/keys.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

interface Command {
  readonly do: string;
  readonly room?: string;
  readonly text?: string;
  readonly count?: number;
  readonly everyMs?: number;
  readonly name?: string;
}

const decoder = new TextDecoder();

/** The arrival times and contents of the frames received by the members that `listen` created. */
const observed = new Map<string, { at: number[]; bytes: number }>();

takeCommands<Command>(async (options) => {
  const host = systemHost();
  // Starts without waiting for sessions, because each is reported to the listeners below.
  const { mesh, rooms } = await startNode({ joinTimeout: 0, ...options }, host, cheapKeys);
  for (const event of ["nodeup", "nodedown", "refused"] as const) {
    mesh.events.on(event, (details) => tell({ event, at: now(), ...details }));
  }
  const server = await serve(host, {
    rooms,
    message(conn, data) {
      const [verb, room = "", ...rest] = String(data).split(" ");
      if (verb === "join") {
        conn.join(room);
        // Acknowledges only when other nodes know the room, so that their broadcasts reach it.
        rooms.announced().then(() => conn.send(`joined ${room}`));
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
        observed.set(room, log);
        rooms.join(room, {
          sendShared(frames) {
            log.bytes += frames.length;
            for (const [, sent] of decoder.decode(frames).matchAll(/\{"at":([\d.]+)\}/g)) {
              log.at.push(now() - Number(sent));
            }
          },
        });
        await rooms.announced();
        return true;
      }
      case "received":
        return observed.get(room);
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
});
