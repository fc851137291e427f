/**
 * The remote children of one supervisor: where they are started, who waits for a node, and what was out
 * of reach when it was last heard of.
 *
 *     start ─▶ a node? ─yes─▶ spawned there, linked ─▶ runs ──its node is gone──▶ lost, until the node
 *       ▲        │no                                                              is back: then killed
 *       └─ look ─┘ waits
 *
 * What is lost has got "noconnection" by its link, and has ended if it does not trap exits. If it does, it
 * is killed as soon as its node is within reach, and before anything else is started there. So no two
 * copies of a child live once the network has settled.
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

/** How often a supervisor looks whether a node is there that a child waits for. Milliseconds. */
export const LOOK_MS = 100;

/**
 * So many that are lost are remembered. For one more the oldest is forgotten: it is not killed when its
 * node is back, and lives on if it traps exits.
 */
const LOST_MAX = 65_536;

/** No node is there that a child may run on, and it is to wait for one. */
export class AwayError extends Error {
  /** Tells the class of the error. */
  override readonly name = "AwayError";
  /** Stable code: `"noconnection"`. */
  readonly code = "noconnection";
}

/** Sent by a supervisor to itself while children wait for a node. */
export class Look {}

/** What a supervisor knows of other nodes. */
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

  /** Starts a child on the node that its description says. Throws {@linkcode AwayError} if it is to wait. */
  start(child: Child): Promise<Pid> {
    const node = this.#place(child);
    child.node = node;
    child.session = this.#sessionWith(node);
    this.#reached(node);
    return this.#spawn(child.spec.remote!, node);
  }

  /** A child runs there. */
  arrived({ spec }: Child, { node }: Pid): void {
    if (spec.remote !== undefined) this.#placer.arrived(node);
  }

  /** Whether a child may live on, on a node that is out of reach. It is killed when the node is back. */
  isLost({ former }: Child): boolean {
    return former !== undefined && this.#lost.has(former);
  }

  /** A child has ended. */
  left({ spec }: Child, pid: Pid, reason: ExitReason): void {
    if (spec.remote !== undefined) this.#placer.left(pid.node);
    if (reason === "noconnection" && !pid.home.local) this.#lose(pid);
  }

  /**
   * Whether a child may have ended because its node has: "surely", because the session is over, whether
   * or not there is another by now, or "perhaps", because that is how the actors of a node end that stops.
   * The next start will tell.
   */
  isAway(child: Child, reason: ExitReason): "surely" | "perhaps" | undefined {
    const { spec: { remote }, node, session } = child;
    if (remote === undefined || remote.onNodeDown === "fail") return undefined;
    if (reason === "noconnection" && this.#sessionWith(node!) !== session) return "surely";
    return reason === "shutdown" ? "perhaps" : undefined;
  }

  /** A child waits for a node: there will be a {@linkcode Look}. */
  wait(child: Child): void {
    child.restarting = true;
    child.waiting = true;
    this.#lookLater();
  }

  /** Looks after those that wait: `begin` starts some of them, and gives what to end with. */
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

  /** Of those that wait, which may be worth an attempt: cheaper than one for each. */
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

  /** A node has come or gone. */
  nodeChanged({ type, node }: NodeChange): void {
    if (type === "nodeup") this.#reached(node);
  }

  /** Where a child is to be started. */
  #place(child: Child): string {
    const remote = child.spec.remote!;
    const { node: choice, fn, onNodeDown } = remote;
    const nodes = this.#candidates(fn);
    const former = formerNode(remote, child.node);
    if (former !== undefined && nodes.includes(former)) return former;
    // What its node has exposed just now may not be known here: the first attempt asks, and may be told no.
    const asks = onNodeDown === "wait" || child.node === undefined;
    if (asks && former !== undefined && this.#sessionWith(former) !== undefined) return former;
    const away = `it waits for ${former ?? `a node that exposes ${JSON.stringify(fn)}`}`;
    if (onNodeDown === "wait" && former !== undefined) throw new AwayError(away);
    if (isNodeName(choice)) {
      // The attempt will say what is wrong with it.
      if (onNodeDown === "fail" || nodes.includes(choice)) return choice;
    }
    const how = (isNodeName(choice) ? "any" : choice) as Placement | NodeSelector;
    const chosen = this.#placer.choose(how, fn, nodes, this.#system.chance());
    if (chosen !== undefined) return chosen;
    if (onNodeDown !== "fail") throw new AwayError(away);
    throw new Error(`no node is there that exposes ${JSON.stringify(fn)}`);
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
      // The node has gone, or what it exposed, since it was chosen; or it is stopping.
      const isAway = code === "noconnection" || code === "notexposed" || code === "limit";
      if (isAway && onNodeDown !== "fail") throw new AwayError(String(message), { cause: error });
      throw error;
    }
  }

  async #untilReady(pid: Pid): Promise<void> {
    try {
      await untilReady(this.#self, pid);
    } catch (error) {
      if (!(error instanceof NoProcError)) throw error;
      // It had ended before it could be asked. Why is told by the link.
      const reason = lastWord(this.#self, pid);
      throw reason instanceof Error ? reason : new ActorExitError(pid, reason ?? "noproc");
    }
  }

  #lookLater(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#system.sendAfter(this.#self.pid, new Look(), LOOK_MS);
  }

  /** Ends what is lost on a node. */
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
    // It may be there again already.
    if (this.#sessionWith(pid.node) !== undefined) this.#reached(pid.node);
  }

  #candidates(fn: string): readonly string[] {
    return this.#system.signals.remote?.candidates(fn) ?? [];
  }

  #sessionWith(node: string): object | undefined {
    return this.#system.signals.remote?.lineTo(node);
  }
}

/** The reason that the link tells, which is the true one if who was watched had ended before. */
export function lastWord(self: Self, pid: Pid): ExitReason | undefined {
  let reason: ExitReason | undefined;
  const cell = actorRefOf(self.pid);
  const isHis = (message: unknown): boolean => message instanceof Exit && message.from === pid;
  for (let word = cell?.take(isHis); word; word = cell!.take(isHis)) {
    reason ??= (word.message as Exit).reason;
  }
  return reason;
}

/** What becomes of a child whose node is gone, or may be. */
export function awayWords({ spec: { remote } }: Child, surely: boolean): string {
  if (!surely) return "restarts, or waits for a node";
  return remote!.onNodeDown === "wait"
    ? "waits for its node"
    : "runs on another node, or waits for one";
}

/** Where a child ran last, or is to run if it never ran. */
function formerNode({ node: choice }: RemotePart, node: string | undefined): string | undefined {
  return node ?? (isNodeName(choice) ? choice : undefined);
}
