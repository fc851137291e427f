/**
 * The remote children of one supervisor: where they are started, which of them wait for a node, and
 * which were lost with their node.
 *
 *     start ─▶ a node? ─yes─▶ spawned there, linked ─▶ runs ──its node is gone──▶ lost, until the node
 *       ▲        │no                                                              is back: then killed
 *       └─ look ─┘ waits
 *
 * When the session is lost, the child receives an exit signal "noconnection", and exits unless it
 * traps exits. A child that traps exits is killed as soon as its node is connected again, before
 * another child is started there. When the network is stable, at most one copy of a child therefore
 * runs.
 *
 * @module
 */
import { actorRefOf } from "../actor/actor_ref.ts";
import { ActorExitError, NoProcError } from "../actor/errors.ts";
import { Exit } from "../actor/exit.ts";
import type { NodeChange } from "../actor/node_change.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { Child, RemotePart } from "./child.ts";
import { isNodeName, type NodeSelector, type Placement, Placer } from "./placement.ts";
import { untilReady } from "./ready.ts";

/**
 * Interval at which a supervisor checks whether a node for a waiting child is connected, in
 * milliseconds.
 */
export const LOOK_MS = 100;

/**
 * Maximum number of lost children that are recorded. When it is exceeded, the oldest record is
 * dropped. That child is then not killed when its node returns, and continues to run if it traps
 * exits.
 */
const LOST_MAX = 65_536;

/** No suitable node for a child is connected, so the child must wait. */
export class NodeUnavailableError extends Error {
  /** Name of the error class. */
  override readonly name = "NodeUnavailableError";
  /** Stable code: `"noconnection"`. */
  readonly code = "noconnection";
}

/** The message that a supervisor sends to itself periodically while children wait for a node. */
export class Look {}

/** Starts the remote children of one supervisor, and tracks lost children. */
export class RemoteChildren {
  readonly #self: Self;
  readonly #system: System;
  readonly #placer = new Placer();
  readonly #lost = new Set<Pid>();
  #looking = false;

  constructor(self: Self) {
    this.#self = self;
    this.#system = systemOf(self.pid);
  }

  /**
   * Starts a child on the node of its spec. Throws {@linkcode NodeUnavailableError} if the child
   * must wait.
   */
  start(child: Child): Promise<Pid> {
    const node = this.#place(child);
    child.node = node;
    child.session = this.#sessionWith(node);
    this.#reached(node);
    return this.#spawn(child.spec.remote!, node);
  }

  /** Records that a child has started on a node. */
  arrived({ spec }: Child, { node }: Pid): void {
    if (spec.remote !== undefined) this.#placer.arrived(node);
  }

  /**
   * Returns whether a child may still run on an unreachable node. Such a child is killed when the
   * node returns.
   */
  isLost({ former }: Child): boolean {
    return former !== undefined && this.#lost.has(former);
  }

  /**
   * Records that a child has exited. If the exit reason is a lost session, the child counts as
   * lost.
   */
  left({ spec }: Child, pid: Pid, reason: ExitReason): void {
    if (spec.remote !== undefined) this.#placer.left(pid.node);
    if (reason === "noconnection" && !pid.home.local) this.#lose(pid);
  }

  /**
   * Returns whether a child may have exited because its node is lost. "surely": its session has
   * ended, even if there is a new one. "perhaps": its exit reason is one that actors on a stopping
   * node have; the next start decides.
   */
  nodeLoss(child: Child, reason: ExitReason): "surely" | "perhaps" | undefined {
    const { spec: { remote }, node, session } = child;
    if (remote === undefined || remote.onNodeDown === "fail") return undefined;
    if (reason === "noconnection" && this.#sessionWith(node!) !== session) return "surely";
    return reason === "shutdown" ? "perhaps" : undefined;
  }

  /** Schedules a {@linkcode Look} for a child that waits for a node. */
  wait(child: Child): void {
    child.restarting = true;
    child.waiting = true;
    this.#lookLater();
  }

  /**
   * Calls `begin`, which starts waiting children. Schedules another {@linkcode Look} if some of
   * them still wait. Returns the exit reason if the supervisor must end.
   */
  async look(
    children: Iterable<Child>,
    begin: () => Promise<ExitReason | undefined>,
  ): Promise<ExitReason | undefined> {
    this.#looking = false;
    const end = await begin();
    if (end !== undefined) return end;
    for (const { waiting, restarting } of children) if (waiting && restarting) this.#lookLater();
    return undefined;
  }

  /** Returns the waiting children for which a suitable node is connected. */
  startable(children: Iterable<Child>): Child[] {
    const candidates = new Map<string, readonly string[]>();
    return [...children].filter(({ spec: { remote }, node, waiting }) => {
      if (!waiting || remote === undefined) return waiting;
      let nodes = candidates.get(remote.fn);
      if (nodes === undefined) candidates.set(remote.fn, nodes = this.#candidates(remote.fn));
      const former = formerNode(remote, node);
      return remote.onNodeDown === "wait" && former !== undefined
        ? nodes.includes(former)
        : nodes.length > 0;
    });
  }

  /** Called when a node was connected or lost. */
  nodeChanged({ type, node }: NodeChange): void {
    if (type === "nodeup") this.#reached(node);
  }

  /**
   * Returns the node on which a child must be started. Throws {@linkcode NodeUnavailableError} if
   * no node is suitable.
   */
  #place(child: Child): string {
    const remote = child.spec.remote!;
    const { node: choice, fn, onNodeDown } = remote;
    const nodes = this.#candidates(fn);
    const former = formerNode(remote, child.node);
    if (former !== undefined && nodes.includes(former)) return former;
    // A connected node may have exposed the function so recently that this node has not received
    // the change. An attempt to start the child will show this.
    const asks = onNodeDown === "wait" || child.node === undefined;
    if (asks && former !== undefined && this.#sessionWith(former) !== undefined) return former;
    const away = `it waits for ${former ?? `a node that exposes ${JSON.stringify(fn)}`}`;
    if (onNodeDown === "wait" && former !== undefined) throw new NodeUnavailableError(away);
    if (isNodeName(choice)) {
      // Returns the node even if it is not available: the attempt to start the child then fails with
      // the reason.
      if (onNodeDown === "fail" || nodes.includes(choice)) return choice;
    }
    const how = (isNodeName(choice) ? "any" : choice) as Placement | NodeSelector;
    const chosen = this.#placer.choose(how, fn, nodes, this.#system.chance());
    if (chosen !== undefined) return chosen;
    if (onNodeDown !== "fail") throw new NodeUnavailableError(away);
    throw new Error(`no connected node exposes ${JSON.stringify(fn)}`);
  }

  async #spawn({ fn, args, timeout, ready, onNodeDown }: RemotePart, node: string): Promise<Pid> {
    let pid: Pid | undefined;
    try {
      pid = await this.#self.spawnLink({ node, fn, timeout, owned: true }, ...args) as Pid;
      if (ready) await this.#untilReady(pid);
      return pid;
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown };
      if (pid !== undefined && code === "noconnection") this.#lose(pid);
      else if (pid !== undefined) this.#system.exit(pid, "kill");
      // After the node was chosen, it was lost, has begun to stop, or has stopped exposing the
      // function.
      const nodeLoss = code === "noconnection" || code === "notexposed" || code === "limit";
      if (nodeLoss && onNodeDown !== "fail") {
        throw new NodeUnavailableError(String(message), { cause: error });
      }
      throw error;
    }
  }

  async #untilReady(pid: Pid): Promise<void> {
    try {
      await untilReady(this.#self, pid);
    } catch (error) {
      if (!(error instanceof NoProcError)) throw error;
      // The actor exited before the request arrived. The exit signal of the link contains the
      // reason.
      const reason = lastExitReason(this.#self, pid);
      throw reason instanceof Error ? reason : new ActorExitError(pid, reason ?? "noproc");
    }
  }

  #lookLater(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#system.sendAfter(this.#self.pid, new Look(), LOOK_MS);
  }

  /** Kills the lost children of a node that is reachable again. */
  #reached(node: string): void {
    if (this.#lost.size === 0) return;
    for (const pid of this.#lost) {
      if (pid.node !== node) continue;
      this.#lost.delete(pid);
      this.#system.exit(pid, "kill", this.#self.pid as Pid);
    }
    this.#self.demonitorNode(node);
  }

  #lose(pid: Pid): void {
    if (this.#lost.size >= LOST_MAX) this.#lost.delete(this.#lost.values().next().value!);
    this.#lost.add(pid);
    this.#self.monitorNode(pid.node);
    // The node may already be connected again.
    if (this.#sessionWith(pid.node) !== undefined) this.#reached(pid.node);
  }

  #candidates(fn: string): readonly string[] {
    return this.#system.signals.remote?.candidates(fn) ?? [];
  }

  #sessionWith(node: string): object | undefined {
    return this.#system.signals.remote?.nodeLink(node);
  }
}

/**
 * Removes the exit signals of a linked actor from the mailbox. Returns the reason of the first one.
 * If the actor exited before a request arrived, only this signal has its real exit reason.
 */
export function lastExitReason(self: Self, pid: Pid): ExitReason | undefined {
  let reason: ExitReason | undefined;
  const actorRef = actorRefOf(self.pid);
  const isHis = (message: unknown): boolean => message instanceof Exit && message.from === pid;
  for (let word = actorRef?.take(isHis); word; word = actorRef!.take(isHis)) {
    reason ??= (word.message as Exit).reason;
  }
  return reason;
}

/** Describes what happens to a child whose node is, or may be, lost. */
export function nodeLossText({ spec: { remote } }: Child, surely: boolean): string {
  if (!surely) return "restarts, or waits for a node";
  return remote!.onNodeDown === "wait"
    ? "waits for its node"
    : "runs on another node, or waits for one";
}

/**
 * Returns the node on which a child last ran, or the node named in its spec if the child never ran.
 */
function formerNode({ node: choice }: RemotePart, node: string | undefined): string | undefined {
  return node ?? (isNodeName(choice) ? choice : undefined);
}
