/**
 * A node with a relay over NATS in its own process: it has a room and a topic with history, and
 * records what their members receive.
 */
import process from "node:process";
import { channel } from "@firn/firn/channels";
import { type NatsConnection, type NatsJetStream, natsRelay } from "@firn/firn/cluster";
import type { NodeOptions } from "../../lib/node_options.ts";
import { Socket } from "../../lib/client/socket.ts";
import { messagesIn } from "../../lib/ws/frame.ts";
import { startCheaply } from "../kit/keys.ts";
import { importPackage } from "../kit/npm.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

export interface NatsOptions extends NodeOptions {
  readonly nats: { port: number; mesh?: string; jetstream?: boolean; queueBytesMax?: number };
}

// deno-lint-ignore no-explicit-any -- packages of npm without types here
type Any = any;

takeCommands(async ({ nats, ...options }: NatsOptions) => {
  const { connect } = await importPackage("@nats-io/transport-node@3.4.0") as Any;
  const connection = await connect({
    servers: `127.0.0.1:${nats.port}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  }) as NatsConnection;
  let jetstream: NatsJetStream | undefined;
  if (nats.jetstream) {
    const { jetstreamManager } = await importPackage("@nats-io/jetstream@3.4.0") as Any;
    jetstream = await jetstreamManager(connection);
  }
  const { mesh, queueBytesMax } = nats;
  const relay = natsRelay(connection, { mesh, queueBytesMax, jetstream });
  const node = await startCheaply({ ...options, relay });
  const kept = channel("kept", { history: { size: 100, copies: 1 } });
  const server = await node.serve({ channels: [kept] });
  tell({ event: "ready", at: now(), name: node.name, pid: process.pid });
  const received: string[] = [];
  const record = (frames: Uint8Array) => received.push(...messagesIn(frames).map(String));
  node.rooms.join("room", { sendShared: record });
  const socket = new Socket(`${server.url.replace("http", "ws")}socket`);
  const client = socket.channel("kept", {}, { recent: 100 });
  client.on("said", (payload) => received.push(`kept ${(payload as { text: string }).text}`));
  client.ready().then(() => tell({ event: "joined" }));
  return async (command) => {
    const { do: what, text = "", room = "room" } = command as Any;
    switch (what) {
      case "peers":
        return node.peers();
      case "announced":
        return await node.rooms.announced();
      case "broadcast":
        return node.rooms.broadcast(room, text);
      case "keep":
        return (await node.channels.broadcast("kept", "said", { text }))?.offset;
      case "many":
        for (let i = 0; i < Number(text); i++) {
          node.rooms.broadcast("room", `${"x".repeat(1000)}${i}`);
        }
        return undefined;
      case "received":
        return received;
      case "stop":
        return await node.stop();
      default:
        throw new Error(`unknown command ${what}`);
    }
  };
});
