/**
 * What supervisors of both kinds do to a child: start it, stop it, and tell of its end.
 *
 *     start ─▶ runs ──ends by itself──▶ ended        stop ─▶ "shutdown" or "kill" ─▶ its end
 *       │                                              └──time over──▶ "kill" ──────▶ its end
 *       └──fails · the supervisor is told to end
 *
 * @module
 */
import { cellOf } from "../actor/cell.ts";
import { ActorExitError, NoProcError } from "../actor/errors.ts";
import { Down, Exit } from "../actor/exit.ts";
import type { NodeChange } from "../actor/node_change.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import { Pid } from "../term/pid.ts";
import type { Child, Started } from "./child.ts";
import { isNodeName, Placer } from "./placement.ts";
import { untilReady } from "./ready.ts";

/** How often a supervisor looks whether a node is there that a child waits for. Milliseconds. */
export const LOOK_MS = 100;

/**
 * So many children that were out of reach when they were last heard of are remembered, to be killed when
 * their node is back. The oldest is forgotten for one more; it ends by its link, unless it traps exits.
 */
export const LOST_MAX = 65_536;

/** No node is there that a child may run on, and it is to wait for one. */
export class AwayError extends Error {
  /** Tells the class of the error. */
  override readonly name = "AwayError";
  /** Stable code: `"noconnection"`. */
  readonly code = "noconnection";
}

/** Sent by a supervisor to itself while children wait for a node. */
export class Look {}

/** A start function's promise has settled: sent by the supervisor to itself. */
class Settled {
  /** Nobody waits for it any more. */
  given = false;
  outcome: { readonly started: Started } | { readonly error: unknown } | undefined = undefined;
}

/** The children of one supervisor that run, by pid. */
export class Nursery {
  readonly self: Self;
  readonly system: System;
  /** Who started the supervisor: its order to end is obeyed, as is the node's, and nobody else's. */
  readonly #parent: Pid<never> | undefined;
  readonly #running = new Map<Pid, Child>();
  /** The supervisor was told to end while it waited for a start function: with this reason. */
  order: ExitReason | undefined = undefined;
  /** Restarts that count, for the reports. */
  readonly #restarts: () => number;
  readonly #placer = new Placer();
  /** Those of other nodes whose end is only known from the end of the session. */
  readonly #lost = new Set<Pid>();
  #looking = false;

  constructor(self: Self, parent: Pid<never> | undefined, restarts: () => number) {
    this.self = self;
    this.system = systemOf(self.pid);
    this.#parent = parent;
    this.#restarts = restarts;
    this.system.supervises(self.pid as Pid, this.#running);
  }

  /** The child that runs as this actor. */
  find(pid: Pid<never>): Child | undefined {
    const child = this.#running.get(pid as Pid);
    if (child !== undefined || pid.home.local) return child;
    // Another object may stand for the same actor, such as one that a third node has told of.
    const cell = this.system.signals.who(pid);
    if (typeof cell === "string") return undefined;
    cell.released();
    return this.#running.get(cell.pid as Pid);
  }

  /** Whether an exit signal is the order to end: of who started it, or of a program around actors. */
  isOrder({ from }: Exit): boolean {
    return from === this.#parent || from.id === this.system.pid.id;
  }

  /**
   * Starts a child; throws, or rejects, with why it could not be started: with {@linkcode AwayError}, if
   * it is to wait for a node. A start function that never settles is waited for until the supervisor is
   * told to end: then `order` is set.
   */
  start(child: Child): void | Promise<void> {
    const { start } = child.spec;
    if (start === undefined) return this.#startThere(child);
    const started = start(this.self);
    if (started instanceof Promise) return this.#startLater(child, started);
    this.#adopt(child, started);
  }

  /** Starts one on the node that its description says. */
  #startThere(child: Child): Promise<void> {
    const node = this.#place(child);
    child.node = node;
    child.session = this.#sessionWith(node);
    // What may still run there goes first: the session keeps the order.
    this.#reached(node);
    return this.#startLater(child, this.#spawnThere(child, node));
  }

  /** Where a child is to be started. */
  #place(child: Child): string {
    const { node: choice, fn, onNodeDown } = child.spec.remote!;
    const nodes = this.system.signals.remote?.candidates(fn) ?? [];
    const named = isNodeName(choice) ? choice : undefined;
    const former = child.node ?? named;
    if (former !== undefined && nodes.includes(former)) return former;
    // What its node has exposed just now may not be known here: the first attempt asks, and may be told no.
    const asks = !child.waiting && (onNodeDown === "wait" || child.node === undefined);
    if (asks && former !== undefined && this.#sessionWith(former) !== undefined) return former;
    const away = new AwayError(`it waits for ${former ?? `a node that exposes ${fn}`}`);
    if (onNodeDown === "wait" && former !== undefined) throw away;
    // The attempt will say what is wrong with it.
    if (onNodeDown === "fail" && named !== undefined) return named;
    if (named !== undefined && nodes.includes(named)) return named;
    const how = isNodeName(choice) ? "any" : choice;
    const chosen = this.#placer.choose(how as "any", fn, nodes, this.system.chance());
    if (chosen !== undefined) return chosen;
    if (onNodeDown !== "fail") throw away;
    throw new Error(`no node is there that exposes ${JSON.stringify(fn)}`);
  }

  async #spawnThere(child: Child, node: string): Promise<Pid> {
    const { fn, args, timeout, ready, onNodeDown } = child.spec.remote!;
    try {
      const pid = await this.self.spawnLink({ node, fn, timeout }, ...args);
      if (ready) await this.#untilReady(pid);
      return pid as Pid;
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown };
      // The node has gone, or what it exposed, since it was chosen; or it is stopping.
      const isAway = code === "noconnection" || code === "notexposed" || code === "limit";
      if (isAway && onNodeDown !== "fail") throw new AwayError(String(message), { cause: error });
      throw error;
    }
  }

  async #untilReady(pid: Pid<never>): Promise<void> {
    try {
      await untilReady(this.self, pid);
    } catch (error) {
      if (!(error instanceof NoProcError)) throw error;
      // It had ended before it could be asked. Why is told by the link.
      const reason = this.#lastWord(pid as Pid);
      throw reason instanceof Error ? reason : new ActorExitError(pid as Pid, reason ?? "noproc");
    }
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
    for (const { waiting } of children) if (waiting) this.#lookLater();
    return undefined;
  }

  #lookLater(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.system.sendAfter(this.self.pid, new Look(), LOOK_MS);
  }

  /** A node has come or gone. */
  nodeChanged({ type, node }: NodeChange): void {
    if (type === "nodeup") this.#reached(node);
  }

  /** Ends what was out of reach on a node: it may live, if it traps exits. */
  #reached(node: string): void {
    if (this.#lost.size === 0) return;
    for (const pid of this.#lost) {
      if (pid.node !== node) continue;
      this.#lost.delete(pid);
      this.system.exit(pid, "kill", this.self.pid as Pid);
    }
    this.self.demonitorNode(node);
  }

  #lose(pid: Pid): void {
    if (this.#lost.size >= LOST_MAX) this.#lost.delete(this.#lost.values().next().value!);
    this.#lost.add(pid);
    this.self.monitorNode(pid.node);
    // It may be there again already.
    if (this.#sessionWith(pid.node) !== undefined) this.#reached(pid.node);
  }

  #sessionWith(node: string): object | undefined {
    return this.system.signals.remote?.lineTo(node);
  }

  async #startLater(child: Child, starting: Promise<Started>): Promise<void> {
    const { self, system } = this;
    const settled = new Settled();
    const settle = (outcome: NonNullable<Settled["outcome"]>): void => {
      settled.outcome = outcome;
      if (!settled.given && system.isAlive(self.pid)) system.send(self.pid, settled);
      else if ("started" in outcome) this.#tooLate(outcome.started);
    };
    starting.then((started) => settle({ started }), (error) => settle({ error }));
    const message = await self.receive({
      match: (message) => message === settled || (message instanceof Exit && this.isOrder(message)),
    });
    settled.given = true;
    const { outcome } = settled;
    if (message instanceof Exit) {
      this.order = message.reason;
      if (outcome !== undefined && "started" in outcome) this.#tooLate(outcome.started);
      throw new Error("the supervisor was told to end meanwhile");
    }
    if ("error" in outcome!) throw outcome.error;
    this.#adopt(child, outcome!.started);
  }

  #adopt(child: Child, started: Started): void {
    const { self, system } = this;
    const pid = pidOf(started);
    if (!cellOf(self.pid)?.links?.has(pid)) {
      if (system.isAlive(pid)) {
        system.exit(pid, "kill");
        throw new TypeError(`${pid} is not linked with its supervisor: start it from \`self\``);
      }
      // One that has ended already may have been linked or not: now its end is told in any case.
      self.link(pid);
    }
    if (child.spec.remote !== undefined) this.#placer.arrived(pid.node);
    child.pid = pid;
    child.former = undefined;
    child.restarting = false;
    child.waiting = false;
    child.startedAt = system.now();
    this.#running.set(pid, child);
  }

  /** A child that has started when its supervisor had gone. */
  #tooLate(started: Started): void {
    const pid = pidOf(started);
    // One that the supervisor spawned was linked, and has been told; it may be cleaning up.
    const own = pid.home.local &&
      this.system.find(pid.id)?.ancestors.includes(this.self.pid as Pid);
    if (!own) this.system.exit(pid, "kill");
  }

  /** Ends the supervisor, by what it was told or has decided: no crash. */
  end(reason: ExitReason): void {
    cellOf(this.self.pid)?.end(reason);
  }

  /** Notes that a child has ended. */
  ended(child: Child, reason: ExitReason): void {
    const { pid } = child;
    if (pid === undefined) return;
    this.#running.delete(pid);
    child.former = pid;
    child.pid = undefined;
    if (child.spec.remote !== undefined) this.#placer.left(pid.node);
    if (reason === "noconnection" && !pid.home.local) this.#lose(pid);
  }

  /**
   * Stops a child by its shutdown rule and waits for its end. It watches the child instead of listening
   * for the exit signal of the link: a child may have unlinked itself, and must be waited for all the
   * same.
   */
  async stop(child: Child): Promise<void> {
    const { self, system } = this;
    const pid = child.pid!;
    const { shutdown } = child.spec;
    const ref = self.monitor(pid);
    const match = (message: unknown): boolean => message instanceof Down && message.ref === ref;
    let down: unknown;
    if (shutdown !== "brutalKill") {
      system.exit(pid, "shutdown", self.pid as Pid);
      down = await self.receive({ match, timeout: shutdown });
    }
    const late = down === undefined;
    if (late) {
      system.exit(pid, "kill", self.pid as Pid);
      down = await self.receive({ match });
    }
    const { reason } = down as Down;
    this.ended(child, reason);
    this.#tellStop(child, late, this.#lastWord(pid) ?? reason);
  }

  /**
   * Stops many at once, each by its shutdown rule, and waits for the last. All other messages are
   * dropped: the supervisor ends after this.
   */
  async stopTogether(children: readonly Child[]): Promise<void> {
    const { self, system } = this;
    const began = system.now();
    const reasons = new Map<Pid, ExitReason>();
    /** By the number of the reference: one that ends is known by that, and not by its pid. */
    const waiting = new Map<number, Child>();
    for (const child of children) {
      if (child.pid === undefined) continue;
      waiting.set(self.monitor(child.pid).id, child);
      const reason = child.spec.shutdown === "brutalKill" ? "kill" : "shutdown";
      system.exit(child.pid, reason, self.pid as Pid);
    }
    const byTime = [...waiting.values()].sort((a, b) => graceMs(a) - graceMs(b));
    for (let next = 0; waiting.size > 0;) {
      while (next < byTime.length && byTime[next]!.pid === undefined) next++;
      const patience = next < byTime.length ? graceMs(byTime[next]!) : Infinity;
      const timeout = Math.max(0, began + patience - system.now());
      const message: unknown = await self.receive({ timeout });
      if (message === undefined) system.exit(byTime[next++]!.pid!, "kill", self.pid as Pid);
      else if (message instanceof Exit) reasons.set(message.from, message.reason);
      else if (message instanceof Down) {
        const child = waiting.get(message.ref.id);
        if (child === undefined) continue;
        waiting.delete(message.ref.id);
        const reason = reasons.get(child.pid!) ?? message.reason;
        this.ended(child, message.reason);
        const late = child.spec.shutdown !== Infinity &&
          system.now() - began >= graceMs(child) && message.reason === "killed";
        this.#tellStop(child, late, reason);
      }
    }
  }

  /** The reason that the link tells, which is the true one if the child had ended before. */
  #lastWord(pid: Pid): ExitReason | undefined {
    let reason: ExitReason | undefined;
    const cell = cellOf(this.self.pid);
    const isHis = (message: unknown): boolean => message instanceof Exit && message.from === pid;
    for (let word = cell?.take(isHis); word; word = cell!.take(isHis)) {
      reason ??= (word.message as Exit).reason;
    }
    return reason;
  }

  #tellStop(child: Child, late: boolean, reason: ExitReason): void {
    const { shutdown } = child.spec;
    if (shutdown !== "brutalKill" && late) {
      this.tell(child, reason, `none: it was killed, having had ${shutdown} ms to stop`);
    } else if (!isNormal(reason) && !(shutdown === "brutalKill" && reason === "killed")) {
      this.tell(child, reason, "none: it was to stop in any case");
    }
  }

  /** Tells of a child's end, or that it could not be started. */
  tell(child: Child, reason: ExitReason, next: string, ended = true): void {
    const { events } = this.system;
    if (!events.has("restart")) return;
    const where = child.spec.remote && child.node !== undefined ? ` (node ${child.node})` : "";
    events.emit("restart", {
      supervisor: this.self.pid as Pid,
      child: child.spec.id,
      pid: ended ? child.pid ?? child.former : undefined,
      reason,
      restarts: this.#restarts(),
      next: next + where,
    });
  }
}

/** What becomes of a child whose node is gone, or may be. */
export function awayWords({ spec: { remote } }: Child, surely: boolean): string {
  if (!surely) return "restarts, or waits for a node";
  return remote!.onNodeDown === "wait"
    ? "waits for its node"
    : "runs on another node, or waits for one";
}

/** How long a child may take to stop. */
function graceMs({ spec }: Child): number {
  return spec.shutdown === "brutalKill" ? Infinity : spec.shutdown;
}

function pidOf(started: Started): Pid {
  const pid = started instanceof Pid ? started : started?.pid;
  if (pid instanceof Pid) return pid as Pid;
  throw new TypeError("its start function gave no pid");
}
