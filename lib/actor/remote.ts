/**
 * How what actors do reaches another node: declared here, filled above. One of the house's two
 * hatches.
 *
 * @module
 */
import type { Home, Pid, Ref } from "../term/pid.ts";
import type { ActorRef } from "./actor_ref.ts";

/** The way to one life of another node, while there is a session with it. */
export interface NodeLink {
  /** The cell of an actor there, made if there is none. */
  distant(id: number): ActorRef;
  /** The cell of an actor there, if there is one. */
  known(id: number): ActorRef | undefined;
  /** A cell for whoever is registered under a name there. */
  named(name: string): ActorRef;
  /** Sends a message to an actor there: shorter than by its cell. */
  send(id: number, message: unknown): void;
  /** Likewise to whoever is registered under a name there. */
  sendNamed(name: string, message: unknown): void;
}

/** All other nodes. */
export interface Remote {
  /** The way to where a pid is from, or why there is none. */
  lineOf(home: Home): NodeLink | "noproc" | "noconnection";
  /** The way to the present life of a node. */
  lineTo(node: string): NodeLink | undefined;
  /** The nodes that expose a function of this name, in order: those there is a session with, and this one. */
  candidates(fn: string): string[];
  /** The name under which this node exposes a function, or has exposed it last. */
  exposedName(fn: object): string | undefined;
  /** Spawns what another node has exposed, linked with `from` and monitored by it if that is wanted. */
  spawn(
    from: ActorRef,
    target: RemoteSpawn,
    link: boolean,
    ref: Ref | undefined,
    args: readonly unknown[],
  ): Promise<Pid>;
}

/**
 * What to spawn on which node: a function that the node has exposed. Made by `remote(…).on(node)`, which
 * knows the function's arguments and messages, or written by hand.
 */
export interface RemoteSpawn<Message = unknown, Args extends unknown[] = unknown[]> {
  /** The node, `name@host:port`; this one's own name is a node like any other. */
  readonly node: string;
  /** The name under which that node has exposed the function. */
  readonly fn: string;
  /** Milliseconds to wait for the node's answer; `Infinity` for never giving up. Default 5000. */
  readonly timeout?: number | undefined;
  /**
   * True: it does not outlive the session with who spawns it. If it traps exits it has a few seconds to
   * end by itself, and is killed then.
   */
  readonly owned?: boolean | undefined;
  /** Never present: keeps the types of the function's arguments and messages. */
  readonly spawns?: ((...args: Args) => Pid<Message>) | undefined;
}

/** An actor by its name on a node, this one or another. */
export interface ActorName {
  /** Its name there. */
  readonly name: string;
  /** `name@host:port`. */
  readonly node: string;
}
