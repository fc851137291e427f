/**
 * A node with channels in its own process. It rejects WebSockets with `?events=only`, as a proxy that
 * removes their headers does.
 */
import process from "node:process";
import { channel } from "@firn/firn/channels";
import type { LeaveOptions, Server } from "@firn/firn";
import { startCheaply } from "../kit/keys.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

const room = channel("room:*", {
  presence: { grace: 3_000 },
  history: { size: 1_000, copies: 2 },
  join: (socket, params: { name?: string }) => params.name && socket.track(params.name),
  on: {
    // The reply is sent once the message has been replicated.
    say: async (payload: unknown, socket) => (await socket.broadcast("said", payload))?.offset,
  },
});

takeCommands(async (options) => {
  const node = await startCheaply(options);
  tell({ event: "ready", at: now(), name: node.name, pid: process.pid });
  let server: Server | undefined;
  return async (command) => {
    switch (command.do) {
      case "serve":
        server = await node.serve({
          channels: [room],
          port: Number(command["port"] ?? 0),
          upgrade: ({ method, url }) =>
            method === "GET" && new URL(url).searchParams.get("events") === "only"
              ? new Response("blocked", { status: 400 })
              : undefined,
        });
        return server.url;
      case "connections":
        return server?.connections;
      case "peers":
        return node.peers();
      case "count":
        return node.channels.count(String(command["topic"]));
      case "leave":
        return node.leave(command["options"] as LeaveOptions | undefined);
      default:
        throw new Error(`unknown command ${command.do}`);
    }
  };
});
