/**
 * The server of one node of the demo: the page with its channels, its health, and the chat on
 * `/ws` for other programs. Messages in a room reach both.
 *
 * Any origin may connect, because the demo contains nothing confidential.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { observer } from "../../lib/observe/observer.ts";
import { RoomError } from "../../lib/ws/room.ts";
import type { Connection, Node, Server } from "../../mod.ts";
import { type PageChannels, pageChannels, topicOf } from "./page_channels.ts";
import {
  type ClientMessage,
  type NodeStatus,
  parseMessage,
  type ServerMessage,
} from "./protocol.ts";
import type { Terms } from "./report.ts";

/**
 * Forbids external resources except the other nodes, and enables clocks with a resolution of
 * microseconds.
 */
function headersOf(pages: readonly string[]): Record<string, string> {
  const nodes = pages.flatMap((page) => [page, page.replace("http", "ws")]).join(" ");
  return {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; " +
      "script-src 'unsafe-inline' 'self'; img-src data:; base-uri 'none'; " +
      `connect-src 'self' ${nodes}`,
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
  };
}

const RUNTIME = "Bun" in globalThis ? "bun" : "deno";

/** Serves the chat on a node. */
export function serveChat(node: Node, terms: Terms): Promise<Server> {
  return new Chat(node, terms).serve();
}

class Chat {
  readonly #node: Node;
  readonly #terms: Terms;
  readonly #page: string;
  readonly #headers: Record<string, string>;
  readonly #channels: PageChannels;
  /** Connections that have subscribed to the status of the cluster. */
  readonly #watchers = new Set<Connection>();
  /** The reason why each node was last lost. */
  readonly #losses = new Map<string, string>();

  constructor(node: Node, terms: Terms) {
    this.#node = node;
    this.#terms = terms;
    const pages = [...new Set(terms.nodes.map(({ page }) => page))];
    this.#headers = headersOf(pages);
    this.#page = readFileSync(new URL("./page.html", import.meta.url), "utf8")
      .replace("[/* the pages of all nodes */]", JSON.stringify(pages));
    this.#channels = pageChannels({
      node,
      status: () => this.#status(),
      said: (room, data) => node.rooms.broadcast(room, this.#delivery({ room, data })),
    });
  }

  serve(): Promise<Server> {
    this.#node.on("nodeup", () => this.#tellWatchers());
    this.#node.on("nodedown", (event) => {
      this.#losses.set(event.node, event.reason);
      this.#tellWatchers();
    });
    // Users may break the demo, which only listens on this machine.
    const watch = observer(this.#node, { authorize: () => "control" });
    return this.#node.serve({
      channels: this.#channels.channels,
      origins: "*",
      port: this.#terms.port,
      reusePort: this.#terms.reusePort,
      fetch: (request, remote) => {
        const { pathname } = new URL(request.url);
        if (pathname.startsWith("/observer")) return watch(request, remote);
        return this.#fetch(pathname);
      },
      upgrade: (request) => {
        if (["/ws", "/socket/websocket"].includes(new URL(request.url).pathname)) return;
        return new Response("the WebSocket is at /ws\n", { status: 404 });
      },
      message: (conn, data) => this.#message(conn, data),
      close: (conn) => this.#watchers.delete(conn),
    });
  }

  #fetch(path: string): Response {
    switch (path) {
      case "/":
        return new Response(this.#page, { headers: this.#headers });
      case "/health":
        return Response.json(this.#health());
      case "/ws":
        return new Response("this is for WebSockets\n", { status: 426 });
      default:
        return new Response("there is a page at /\n", { status: 404 });
    }
  }

  #health(): Record<string, unknown> {
    const { name } = this.#node;
    return { ok: true, node: name, peers: this.#node.peers(), runtime: RUNTIME, pid: process.pid };
  }

  #message(conn: Connection, data: string | Uint8Array): void {
    const parsed = parseMessage(data);
    if (!parsed.ok) return send(conn, { type: "error", message: parsed.why });
    try {
      this.#obey(conn, parsed.message);
    } catch (error) {
      if (!(error instanceof RoomError)) throw error;
      send(conn, { type: "error", message: error.message });
    }
  }

  #obey(conn: Connection, message: ClientMessage): void {
    switch (message.type) {
      case "join":
        conn.join(message.room);
        // Replies only when the other nodes know the room, so that broadcasts of their clients
        // reach this client.
        this.#node.rooms.announced().then(() => send(conn, { type: "joined", room: message.room }));
        return;
      case "leave":
        conn.leave(message.room);
        return send(conn, { type: "left", room: message.room });
      case "broadcast":
        this.#node.rooms.broadcast(message.room, this.#delivery(message));
        return this.#sendToPages(message);
      case "broadcastFrom":
        this.#node.rooms.broadcastFrom(conn, message.room, this.#delivery(message));
        return this.#sendToPages(message);
      case "watch":
        this.#watchers.add(conn);
        return send(conn, this.#status());
      default:
        message satisfies never;
    }
  }

  #delivery({ room, data }: { readonly room: string; readonly data: unknown }): string {
    return encode({ type: "message", room, data, from: this.#node.name });
  }

  /** Sends a message to the pages in a room, if there are any. */
  #sendToPages({ room, data }: { readonly room: string; readonly data: unknown }): void {
    const { channels, name } = this.#node;
    const topic = topicOf(room);
    if (Object.keys(channels.presence(topic)).length === 0) return;
    channels.broadcast(topic, "said", { data, from: name }).catch(() => {});
  }

  #tellWatchers(): void {
    this.#channels.sendStatus();
    const status = this.#status();
    for (const conn of this.#watchers) send(conn, status);
  }

  #status(): ServerMessage {
    const peers = this.#node.peers();
    const nodes = this.#terms.nodes.map((card): NodeStatus => {
      if (card.name === this.#node.name || peers.includes(card.name)) return { ...card, up: true };
      const reason = this.#losses.get(card.name);
      return reason === undefined ? { ...card, up: false } : { ...card, up: false, reason };
    });
    return { type: "status", node: this.#node.name, runtime: RUNTIME, pid: process.pid, nodes };
  }
}

function encode(message: ServerMessage): string {
  return JSON.stringify(message);
}

function send(conn: Connection, message: ServerMessage): void {
  conn.send(encode(message));
}
