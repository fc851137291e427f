/**
 * The interface through which actors reach other nodes. A higher layer implements it.
 *
 * @module
 */
import type { Home, Pid, Ref } from "../term/pid.ts";
import type { ActorRef } from "./actor_ref.ts";

/** The link to one incarnation of another node, while there is a session with that node. */
export interface NodeLink {
  /** Returns the reference to an actor on the linked node, and creates it if necessary. */
  remoteActor(id: number): ActorRef;
  /** Returns the existing reference to an actor on the linked node; undefined if there is none. */
  known(id: number): ActorRef | undefined;
  /** Returns a reference to the actor registered under a name on the linked node. */
  named(name: string): ActorRef;
  /** Sends a message to an actor on the linked node, without creating a reference. */
  send(id: number, message: unknown): void;
  /** Sends a message to the actor registered under a name on the linked node. */
  sendNamed(name: string, message: unknown): void;
}

/** Access to the other nodes of the cluster. */
export interface Remote {
  /** Returns the link to the node of a pid, or the reason why it cannot be reached. */
  nodeLinkOf(home: Home): NodeLink | "noproc" | "noconnection";
  /** Returns the link to the current incarnation of a node. */
  nodeLink(node: string): NodeLink | undefined;
  /**
   * Returns the sorted names of the nodes that expose a function, among the connected nodes and
   * this node.
   */
  candidates(fn: string): string[];
  /** Returns the name under which this node exposes a function, or has exposed it before. */
  exposedName(fn: object): string | undefined;
  /** Spawns a function that another node exposes, optionally linked with or monitored by `from`. */
  spawn(
    from: ActorRef,
    target: RemoteSpawn,
    link: boolean,
    ref: Ref | undefined,
    args: readonly unknown[],
  ): Promise<Pid>;
}

/**
 * A remote spawn: a node, and a function that it exposes. Create it with `remote(…).on(node)`,
 * which keeps the types of the function, or write it as an object.
 */
export interface RemoteSpawn<Message = unknown, Args extends unknown[] = unknown[]> {
  /** The node, `name@host:port`. May be this node. */
  readonly node: string;
  /** The name under which the node exposes the function. */
  readonly fn: string;
  /** Milliseconds to wait for the node's reply; `Infinity` waits forever. Default 5000. */
  readonly timeout?: number | undefined;
  /**
   * Whether the actor ends when the session with the node that spawned it ends. If the actor traps
   * exits, it has a few seconds to exit, and is then killed. Default: false.
   */
  readonly owned?: boolean | undefined;
  /** Never set: carries the types of the function's arguments and messages. */
  readonly spawns?: ((...args: Args) => Pid<Message>) | undefined;
}

/** Identifies an actor by its registered name and its node, which may be this node. */
export interface ActorName {
  /** The name under which the actor is registered on that node. */
  readonly name: string;
  /** The name of the node, `name@host:port`. */
  readonly node: string;
}
