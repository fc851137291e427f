/**
 * Starts and stops the children of a supervisor, and reports their exits.
 *
 *     start ─▶ runs ──ends by itself──▶ ended        stop ─▶ "shutdown" or "kill" ─▶ ended
 *       │                                              └──timeout────▶ "kill" ──────▶ ended
 *       └──fails · the supervisor must end
 *
 * @module
 */
import { actorRefOf } from "../actor/actor_ref.ts";
import { Down, Exit, readableReason } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import type { SupervisedChild } from "../actor/supervisors.ts";
import { type System, systemOf } from "../actor/system.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import { Pid } from "../term/pid.ts";
import type { Child, Started } from "./child.ts";
import { lastExitReason, RemoteChildren } from "./remote_children.ts";
import { isOrder } from "./start.ts";

/** Number of children that are started or stopped before pending I/O and timers are handled. */
export const CHILDREN_A_TURN = 64;

/**
 * The result of a start function, which the supervisor sends to itself when the function's promise
 * settles.
 */
class Settled {
  /** Whether the supervisor no longer waits for the result. */
  isAbandoned = false;
  outcome: { readonly started: Started } | { readonly error: unknown } | undefined = undefined;
}

/** Starts and stops the children of one supervisor. */
export class ChildLifecycle {
  readonly self: Self;
  readonly system: System;
  /**
   * The actor that started the supervisor. Only exit signals of this actor and of the node end the
   * supervisor.
   */
  readonly #parent: Pid<never> | undefined;
  readonly #running = new Map<Pid, Child>();
  /**
   * The reason of an exit signal that must end the supervisor. Set if the signal arrived while the
   * supervisor waited for a start function, or paused.
   */
  order: ExitReason | undefined = undefined;
  /** Returns the number of restarts within the supervisor's period, for reports. */
  readonly #restarts: () => number;
  /** Starts the children on other nodes, and tracks their nodes. */
  readonly remoteChildren: RemoteChildren;

  constructor(
    self: Self,
    parent: Pid<never> | undefined,
    restarts: () => number,
    list: () => readonly SupervisedChild[],
  ) {
    this.self = self;
    this.system = systemOf(self.pid);
    this.#parent = parent;
    this.#restarts = restarts;
    this.remoteChildren = new RemoteChildren(self);
    this.system.supervises(self.pid as Pid, this.#running, list);
  }

  /** Returns the child to which a pid belongs. */
  find(pid: Pid<never>): Child | undefined {
    pid = this.system.here(pid);
    const child = this.#running.get(pid as Pid);
    if (child !== undefined || pid.home.local) return child;
    // Another pid object may identify the same actor, for example if it was received from a third
    // node.
    const actorRef = this.system.lookup(pid);
    if (typeof actorRef === "string") return undefined;
    actorRef.released();
    return this.#running.get(actorRef.pid as Pid);
  }

  /**
   * Returns whether an exit signal must end the supervisor: it came from the supervisor's parent,
   * or from outside of actors.
   */
  isOrder(exit: Exit): boolean {
    return isOrder(this.system, this.#parent, exit);
  }

  /**
   * Starts a child. Throws or rejects with the cause of a failure, or with `NodeUnavailableError`
   * if the child must wait for a node. While a start function is pending, an exit signal that must
   * end the supervisor also ends the wait: sets `order` to the signal's reason, and rejects.
   */
  start(child: Child): void | Promise<void> {
    const { start } = child.spec;
    if (start === undefined) return this.#startLater(child, this.remoteChildren.start(child));
    let started: Started | Promise<Started>;
    try {
      started = start(this.self);
    } catch (error) {
      throw readableReason(error);
    }
    if (started instanceof Promise) return this.#startLater(child, started);
    this.#adopt(child, started);
  }

  async #startLater(child: Child, starting: Promise<Started>): Promise<void> {
    const { self, system } = this;
    const settled = new Settled();
    const settle = (outcome: NonNullable<Settled["outcome"]>): void => {
      settled.outcome = outcome;
      if (!settled.isAbandoned && system.isAlive(self.pid)) system.send(self.pid, settled);
      else if ("started" in outcome) this.#tooLate(outcome.started);
    };
    starting.then(
      (started) => settle({ started }),
      (error) => settle({ error: readableReason(error) }),
    );
    const message = await self.receive({
      match: (message) => message === settled || (message instanceof Exit && this.isOrder(message)),
    });
    settled.isAbandoned = true;
    const { outcome } = settled;
    if (message instanceof Exit) {
      this.order = message.reason;
      if (outcome !== undefined && "started" in outcome) this.#tooLate(outcome.started);
      throw new Error("the supervisor must end");
    }
    if ("error" in outcome!) throw outcome.error;
    this.#adopt(child, outcome!.started);
  }

  /**
   * Resolves after pending I/O and timers were handled. Called between portions of children. If the
   * supervisor must end in the meantime, sets `order` and rejects.
   */
  async pause(): Promise<void> {
    const { self, system } = this;
    const turn = new Settled();
    system.yieldToIo(() => {
      if (system.isAlive(self.pid)) system.send(self.pid, turn);
    });
    const message = await self.receive({
      match: (message) => message === turn || (message instanceof Exit && this.isOrder(message)),
    });
    if (!(message instanceof Exit)) return;
    this.order = message.reason;
    throw new Error("the supervisor must end");
  }

  #adopt(child: Child, started: Started): void {
    const { self, system } = this;
    const pid = pidOf(started);
    if (!actorRefOf(self.pid)?.links?.has(pid)) {
      if (system.isAlive(pid)) {
        system.exit(pid, "kill");
        throw new TypeError(`${pid} is not linked with its supervisor: start it from \`self\``);
      }
      // A child that has already exited may not be linked any more. Linking again ensures that its
      // exit is reported.
      self.link(pid);
    }
    this.remoteChildren.arrived(child, pid);
    child.pid = pid;
    if (child.former !== undefined) child.startedAgain++;
    child.former = undefined;
    child.restarting = false;
    child.waiting = false;
    child.startedAt = system.now();
    this.#running.set(pid, child);
  }

  /**
   * Handles a child whose start function returned after the supervisor had stopped waiting for it.
   * Kills the child, unless the supervisor itself spawned it.
   */
  #tooLate(started: Started): void {
    const pid = pidOf(started);
    // A child that the supervisor spawned was linked. It has received the supervisor's exit signal,
    // and may still be cleaning up, so it is not killed.
    const own = pid.home.local &&
      this.system.find(pid.id)?.ancestors.includes(this.self.pid as Pid);
    if (!own) this.system.exit(pid, "kill");
  }

  /** Ends the supervisor for a reason, without a crash report. */
  end(reason: ExitReason): void {
    actorRefOf(this.self.pid)?.end(reason);
  }

  /** Records that a child has exited. */
  ended(child: Child, reason: ExitReason): void {
    const { pid } = child;
    if (pid === undefined) return;
    this.#running.delete(pid);
    child.former = pid;
    child.pid = undefined;
    this.remoteChildren.left(child, pid, reason);
  }

  /**
   * Stops a child by its shutdown rule, and waits for its exit. Uses a monitor, because the child
   * may have removed its link and must still be awaited.
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
    this.#reportStop(child, late, lastExitReason(self, pid) ?? reason);
  }

  /**
   * Stops children concurrently, each by its shutdown rule, and waits for all of them. Drops all
   * other messages, because the supervisor ends afterwards.
   */
  async stopTogether(children: readonly Child[]): Promise<void> {
    const { self, system } = this;
    const reasons = new Map<Pid, ExitReason>();
    /**
     * The children that have not exited, by the number of the monitor's reference. Several children
     * may have had the same pid, but each monitor has its own reference.
     */
    const waiting = new Map<number, Child>();
    let count = 0;
    for (const child of children) {
      if (child.pid === undefined) continue;
      // The pause rejects if the supervisor must end. The rejection is ignored, because the
      // supervisor ends anyway.
      if (++count % CHILDREN_A_TURN === 0) await this.pause().catch(() => {});
      waiting.set(self.monitor(child.pid).id, child);
      const reason = child.spec.shutdown === "brutalKill" ? "kill" : "shutdown";
      system.exit(child.pid, reason, self.pid as Pid);
    }
    const began = system.now();
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
        this.#reportStop(child, late, reason);
      }
    }
  }

  #reportStop(child: Child, late: boolean, reason: ExitReason): void {
    const { shutdown } = child.spec;
    if (shutdown !== "brutalKill" && late) {
      this.report(
        child,
        reason,
        `none: it was killed, because it did not stop within ${shutdown} ms`,
      );
    } else if (!isNormal(reason) && !(shutdown === "brutalKill" && reason === "killed")) {
      this.report(child, reason, "none: it had to stop anyway");
    }
  }

  /** Reports that a child has exited or could not be started. */
  report(child: Child, reason: ExitReason, next: string, ended = true): void {
    const { events } = this.system;
    if (!events.has("restart")) return;
    const where = child.spec.remote && child.node !== undefined ? ` (node ${child.node})` : "";
    events.emit("restart", {
      supervisor: this.self.pid as Pid,
      supervisorName: this.system.supervisors.nameOf(this.self.pid as Pid),
      child: child.spec.id,
      pid: ended ? child.pid ?? child.former : undefined,
      reason,
      restarts: child.limit?.count ?? this.#restarts(),
      next: next + where,
    });
  }

  /** Emits the event "givenup": a child has exceeded its own restart limit. */
  reportGivenUp(child: Child, reason: ExitReason): void {
    const { events } = this.system;
    if (!events.has("givenup")) return;
    const restarts = child.limit!.count;
    events.emit("givenup", {
      supervisor: this.self.pid as Pid,
      child: child.spec.id,
      reason,
      restarts,
    });
  }
}

/** Returns the milliseconds in which a child must exit after "shutdown", before it is killed. */
function graceMs({ spec }: Child): number {
  return spec.shutdown === "brutalKill" ? Infinity : spec.shutdown;
}

function pidOf(started: Started): Pid {
  const pid = started instanceof Pid ? started : started?.pid;
  if (pid instanceof Pid) return pid as Pid;
  throw new TypeError("its start function returned no pid");
}
