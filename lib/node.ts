/**
 * `Node`: a running system, as its user sees it.
 *
 * @module
 */
import type { MeshEvents } from "./dist/mesh.ts";
import { normalName } from "./dist/name.ts";
import type { NodeOptions, Parts } from "./start.ts";
import { startNode } from "./start.ts";
import type { Rooms } from "./ws/rooms.ts";
import { serve, type Server } from "./ws/server.ts";
import type { ServeOptions } from "./ws/options.ts";

/**
 * A node: one member of a cluster, with its sessions to the others and its rooms.
 *
 * Nodes with the same cookie that know one another's names form a full mesh over TLS 1.3, in which
 * each has proved to the other that it holds the cookie. Nothing is global: a program may run
 * several.
 *
 * @example Two nodes, one room
 * ```ts
 * import { Node } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const cookie = "the same on every node";
 * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
 * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
 * await b.connect(a.name);
 * assertEquals(b.peers(), [a.name]);
 * ```
 */
export class Node {
  readonly #parts: Parts;
  readonly #servers: Server[] = [];

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Starts a node: it listens, and dials its seeds in the background, again and again with pauses
   * that grow to 10 seconds.
   *
   * @throws {NodeNameError} `code` "badname": the name or a seed is not `name@host:port`.
   * @throws {CookieError} `code` "badcookie": empty, or too weak to listen beyond this machine.
   * @throws {NodeOptionError} `code` "badoption": another option cannot be.
   * @throws {ListenError} `code` of the system: the port is in use, or may not be used.
   */
  static async start(options: NodeOptions = {}): Promise<Node> {
    return new Node(await startNode(options));
  }

  /** This node's name, `name@host:port`, with the port that it really has. */
  get name(): string {
    return this.#parts.mesh.name;
  }

  /** Rooms that span the cluster. */
  get rooms(): Rooms {
    return this.#parts.rooms;
  }

  /** The names of the nodes that this one has a session with, in order. */
  peers(): string[] {
    return this.#parts.mesh.peers();
  }

  /**
   * Has a session with the node of that name; one that is up already will do. If there is none, it
   * is dialled once. A node that was met stays known: its session is restored when it is lost.
   *
   * @throws {NodeConnectError} The dial failed: `code` says why ("refused", "timeout", "untrusted", …).
   */
  connect(name: string): Promise<void> {
    return this.#parts.mesh.connect(normalName(name));
  }

  /**
   * Ends the session with a node, which is told, and neither side dials the other again by itself.
   * Resolves to false if there was no session.
   */
  disconnect(name: string): Promise<boolean> {
    return this.#parts.mesh.disconnect(normalName(name));
  }

  /**
   * Calls `listener` at each event: `"nodeup"` and `"nodedown"` (with the reason: "closed",
   * "timeout", "shutdown", "disconnected", "restarted" or "protocol") of other nodes, `"refused"`
   * when somebody was not let in or did not let us in. Gives back what stops that.
   */
  on<Name extends keyof MeshEvents>(
    name: Name,
    listener: (event: MeshEvents[Name]) => void,
  ): () => void {
    return this.#parts.mesh.events.on(name, listener);
  }

  /**
   * Serves WebSockets, and plain HTTP on the same port. The connections' rooms are this node's, so
   * they span the cluster.
   *
   * @throws {OptionError} `code` "badoption": an option cannot be.
   * @throws {ListenError} `code` of the system: the port is in use, or may not be used.
   */
  async serve<Data = undefined>(options: ServeOptions<Data> = {}): Promise<Server> {
    const server = await serve(this.#parts.host, { rooms: this.rooms, ...options });
    this.#servers.push(server);
    return server;
  }

  /**
   * Stops the node's servers, then says goodbye to the other nodes, who see `nodedown` with
   * "shutdown", and listens no more.
   */
  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
    await this.#parts.mesh.stop();
  }

  /** Stops the node, at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
