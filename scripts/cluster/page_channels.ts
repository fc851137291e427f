/**
 * The channels of the demo's page: rooms with presence and history, and the status of the cluster.
 *
 * @module
 */
import {
  type Channel,
  channel,
  ChannelError,
  type ChannelSocket,
} from "../../lib/exports/channels.ts";
import type { Node } from "../../mod.ts";
import { parseMessage, type ServerMessage } from "./protocol.ts";

/** The connection from the channels to the server of their node. */
export interface PagePorts {
  readonly node: Node;
  status(): ServerMessage;
  /** Called with each message in a room. */
  said(room: string, data: unknown): void;
}

/** Returns the topic of a room. */
export const topicOf = (room: string): string => `room:${room}`;

/** The channels of a node. */
export interface PageChannels {
  readonly channels: readonly Channel[];
  /** Sends the status to all pages that are connected to this node. */
  sendStatus(): void;
}

/** Defines the channels of a node. */
export function pageChannels({ node, status, said }: PagePorts): PageChannels {
  const watchers = new Set<ChannelSocket>();
  const track = (socket: ChannelSocket, who: unknown): void => {
    if (typeof who !== "string" || who.length > 40) throw new ChannelError("badname");
    socket.track(who || "somebody", { node: node.name });
  };
  /** Checks a message as {@linkcode parseMessage} checks those of `/ws`. */
  const checked = ({ topic }: ChannelSocket, data: unknown): string => {
    const room = topic.slice(topicOf("").length);
    const parsed = parseMessage(JSON.stringify({ type: "broadcast", room, data }));
    if (!parsed.ok) throw new ChannelError("badmessage", parsed.why, { why: parsed.why });
    return room;
  };

  const rooms = channel(topicOf("*"), {
    presence: true,
    history: { size: 100, copies: 2 },
    join: (socket, { who }: { who?: unknown }) => track(socket, who),
    on: {
      async say(data: unknown, socket) {
        const room = checked(socket, data);
        await socket.broadcast("said", { data, from: node.name });
        said(room, data);
      },
      async others(data: unknown, socket) {
        const room = checked(socket, data);
        await socket.broadcastFrom("said", { data, from: node.name });
        said(room, data);
      },
      name: (who: unknown, socket) => track(socket, who),
    },
  });

  const cluster = channel("cluster", {
    join(socket) {
      watchers.add(socket);
      return status();
    },
    leave: (socket) => void watchers.delete(socket),
    on: { status },
  });

  return {
    channels: [rooms as Channel, cluster as Channel],
    sendStatus(): void {
      for (const socket of watchers) socket.push("status", status());
    },
  };
}
