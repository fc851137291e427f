/**
 * Stores the links to all connected nodes, one per session, through which local actors reach remote
 * ones.
 *
 * @module
 */
import type { ActorRef } from "../actor/actor_ref.ts";
import type { Remote, RemoteSpawn } from "../actor/remote.ts";
import type { System } from "../actor/system.ts";
import type { Home, Pid, Ref } from "../term/pid.ts";
import type { Authorization } from "./authorization.ts";
import { type ClusterSink, Inbound } from "./inbound.ts";
import { FEATURE } from "./handshake.ts";
import type { Session } from "./session.ts";
import type { TraceCarrier } from "./trace_context.ts";
import { RemoteIncarnation } from "./node_table.ts";
import { Outbound } from "./outbound.ts";
import { Spawner } from "./spawner.ts";
import { type CallAnswerer, HeldCalls } from "./transferred_call.ts";

/** Finds the link to each connected node, for the actors of one node. */
export class RemoteNodes implements Remote, CallAnswerer {
  readonly spawner: Spawner;
  /** Calls forwarded to other nodes. */
  readonly held: HeldCalls;
  /** Handles names and groups. Set by `start.ts`. */
  cluster: ClusterSink<Outbound> | undefined = undefined;
  /**
   * Returns the functions that a peer exposes, or undefined if there is no session with it. Set by
   * `start.ts`.
   */
  exposedBy: (node: string) => readonly string[] | undefined = () => undefined;
  /**
   * Called with the receiver of each message that cannot be sent, and the reason. Set by
   * `start.ts`.
   */
  onUnsendable: (to: string, words: string) => void = () => {};
  /** The trace contexts of messages. `undefined` unless this node has switched on tracing. */
  traces: TraceCarrier | undefined = undefined;
  readonly #system: System;
  readonly #messageBytesMax: number;
  readonly #nodeLinks = new Map<string, Outbound>();
  readonly #mailboxMax: number | undefined;
  readonly #authorization: Authorization | undefined;

  constructor(
    system: System,
    messageBytesMax: number,
    mailboxMax?: number,
    authorization?: Authorization,
  ) {
    this.#system = system;
    this.#messageBytesMax = messageBytesMax;
    this.#mailboxMax = mailboxMax;
    this.#authorization = authorization;
    this.spawner = new Spawner(system);
    this.held = new HeldCalls(system, this);
    if (authorization !== undefined) this.spawner.authorization = authorization;
    system.signals.remote = this;
  }

  /** Attaches a new session. Returns the handler of its messages. */
  attach(session: Session): Inbound {
    const { met, outbox } = session;
    const { name, creation, features } = met;
    const home = new RemoteIncarnation(this.#system, name, creation);
    const nodeLink = new Outbound(this.#system, home, outbox, this.#messageBytesMax, features);
    nodeLink.homes.held = this.held;
    if (features & FEATURE.TRACE) nodeLink.traces = this.traces;
    nodeLink.onUnsendable = this.onUnsendable;
    this.#nodeLinks.set(name, nodeLink);
    if (!met.isHidden) this.cluster?.up(nodeLink);
    const over = (): void => {
      if (this.#nodeLinks.get(name) === nodeLink) this.#nodeLinks.delete(name);
    };
    return new Inbound(
      this.#system,
      nodeLink,
      this.spawner,
      session,
      () => met.isHidden ? undefined : this.cluster,
      over,
      this.#mailboxMax,
      this.#authorization,
    );
  }

  answerHeld(home: Home, number: number, status: number, value: unknown): void {
    const nodeLink = this.nodeLinkOf(home);
    if (typeof nodeLink !== "string") nodeLink.answer(number, status, value);
  }

  spawn(
    from: ActorRef,
    target: RemoteSpawn,
    link: boolean,
    ref: Ref | undefined,
    args: readonly unknown[],
  ): Promise<Pid> {
    return this.spawner.spawn(this.#nodeLinks.get(target.node), from, target, link, ref, args);
  }

  nodeLink(node: string): Outbound | undefined {
    return this.#nodeLinks.get(node);
  }

  candidates(fn: string): string[] {
    const nodes = [...this.#nodeLinks.keys()].filter((node) => this.exposedBy(node)?.includes(fn));
    if (this.spawner.has(fn)) nodes.push(this.#system.home.node);
    return nodes.sort();
  }

  exposedName(fn: object): string | undefined {
    return this.spawner.nameOf(fn);
  }

  nodeLinkOf(home: Home): Outbound | "noproc" | "noconnection" {
    const found = home instanceof RemoteIncarnation ? home.nodeLink : undefined;
    if (found?.isOpen) return found as Outbound;
    const nodeLink = this.#nodeLinks.get(home.node);
    if (nodeLink === undefined) {
      return home.node === this.#system.home.node ? "noproc" : "noconnection";
    }
    // With another creation, the pid belongs to an earlier or later incarnation of the node than
    // the connected one.
    if (nodeLink.home.creation !== home.creation) return "noproc";
    if (home instanceof RemoteIncarnation) home.nodeLink = nodeLink;
    return nodeLink;
  }
}
