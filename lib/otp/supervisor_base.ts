/**
 * The common part of `Supervisor` and `DynamicSupervisor`: restarts, and requests that both kinds
 * accept.
 *
 *     a child exits ─▶ restart? ─no─▶ removed if temporary ─▶ significant? ─▶ continues, or ends
 *                        │yes
 *                        ▼
 *                   too many? ─yes─▶ ends with "shutdown", or gives up a child with a limit of its own
 *                        │no
 *                        ▼
 *      children of its group are stopped, last first ─▶ pause ─▶ all are started, first to last
 *                        ▲                                                │
 *                        └──────────── a start fails: counts as an exit ───┘
 *
 * A supervisor starts and stops children one after another, and then handles the next message.
 * While it waits for a start function, it only checks for exit signals that must end it. The two
 * kinds of supervisors differ in which children restart together, and in their requests.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import { NoConnectionError } from "../actor/errors.ts";
import { Exit } from "../actor/exit.ts";
import { NodeChange } from "../actor/node_change.ts";
import type { Self } from "../actor/self.ts";
import type { TimerRef } from "../actor/timer.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import { type Child, isRestarted, nextPause } from "./child.ts";
import type { Intensity } from "./intensity.ts";
import { ChildLifecycle, CHILDREN_A_TURN } from "./child_lifecycle.ts";
import { Look, nodeLossText, NodeUnavailableError } from "./remote_children.ts";
import { isReadyRequest } from "./ready.ts";
import { assertNear, refuse } from "./remote_errors.ts";
import { childInfo, countChildren, startFailed } from "./child_info.ts";

/**
 * The result of most methods: the reason for which the supervisor must end. Undefined if it
 * continues.
 */
export type Ending = ExitReason | undefined;

/** The message that a supervisor sends to itself when a scheduled restart is due. */
export class Due {
  /** The child to restart. Undefined to restart all waiting children. */
  readonly child: Child | undefined;
  timer: TimerRef | undefined = undefined;

  constructor(child: Child | undefined) {
    this.child = child;
  }
}

/** The children to restart at once, or the restart to schedule. */
export type RestartPlan = readonly Child[] | { readonly due: Due; readonly pause: number };

/**
 * The actor of a supervisor. Each kind of supervisor overrides the abstract methods. These methods
 * decide and return the next step. They call the base class only to start or stop a child on
 * request:
 *
 *     Exit ─▶ #handle ─▶ #exited ─▶ #again ─▶ #restart ─▶ planRestart ─▶ #begin ─▶ ChildLifecycle.start
 */
export abstract class SupervisorBase<Request extends { readonly $child: string }> {
  protected readonly self: Self;
  protected readonly lifecycle: ChildLifecycle;
  readonly #intensity: Intensity;

  /** The constructor must be called in the first turn of the actor. */
  constructor(self: Self, parent: Pid<never> | undefined, intensity: Intensity) {
    self.trapExit = true;
    this.self = self;
    this.#intensity = intensity;
    this.lifecycle = new ChildLifecycle(
      self,
      parent,
      () => intensity.count,
      () =>
        Array.from(
          this.children,
          (child) => ({ ...childInfo(child), restarts: child.startedAgain }),
        ),
    );
  }

  /** The children in the supervisor's list. */
  protected abstract readonly children: Iterable<Child>;
  /** Handles the requests that only this kind of supervisor accepts. */
  protected abstract answer(request: Request): unknown;
  /** Handles a child that has exited and is not restarted. */
  protected abstract over(child: Child): Ending;
  /** Stops the children that restart together with `child`, in reverse order. */
  protected abstract stopGroup(child: Child): void | Promise<void>;
  /**
   * Plans the restart of a child and of those that restart with it: at once, or after `pause`
   * milliseconds, or, with `later`, after the messages that are already queued.
   */
  protected abstract planRestart(child: Child, pause: number, later: boolean): RestartPlan;
  /**
   * Returns the children that a scheduled restart must start now. Returns none if a later restart
   * has replaced it.
   */
  protected abstract due(due: Due): readonly Child[];
  /** Handles a child that waits for a node. Returns whether the children after it may start. */
  protected abstract hold(child: Child): boolean;
  /**
   * Returns the waiting children whose node may be available, in groups. The groups are started one
   * by one.
   */
  protected abstract waitingGroups(): readonly (readonly Child[])[];
  /** Stops all children. */
  protected abstract stopAll(): Promise<void>;

  /** Handles messages until the supervisor must end, and ends it. */
  protected async supervise(): Promise<void> {
    while (true) {
      const message = await this.self.receive();
      const end = await this.#handle(message) ?? this.lifecycle.order;
      if (end === undefined) continue;
      await this.stopAll();
      return this.lifecycle.end(end);
    }
  }

  #handle(message: unknown): Ending | Promise<Ending> {
    if (message instanceof Exit) {
      if (this.lifecycle.isOrder(message)) return message.reason;
      const child = this.lifecycle.find(message.from);
      // Ignores the exit of an actor that is not a child, such as a helper of a start function or a
      // removed child.
      return child && this.#exited(child, message.reason);
    }
    if (message instanceof Due) return this.#begin(this.due(message));
    if (message instanceof Look) {
      return this.lifecycle.remoteChildren.look(this.children, () => this.#beginWaiting());
    }
    if (message instanceof NodeChange) {
      return void this.lifecycle.remoteChildren.nodeChanged(message);
    }
    if (message instanceof Call) return this.#asked(message as Call<Request>);
    return undefined;
  }

  #exited(child: Child, reason: ExitReason): Ending | Promise<Ending> {
    this.lifecycle.ended(child, reason);
    if (isRestarted(child.spec.restart, reason)) {
      const away = this.lifecycle.remoteChildren.nodeLoss(child, reason);
      if (away !== undefined) return this.#moved(child, reason, away === "surely");
      return this.#again(child, reason, this.lifecycle.system.now() - child.startedAt);
    }
    if (!isNormal(reason)) this.lifecycle.report(child, reason, "none: it is temporary");
    return this.over(child);
  }

  /**
   * Restarts a child that has exited, or whose start has failed. In the second case, `upMs` is
   * undefined.
   */
  async #again(child: Child, reason: ExitReason, upMs: number | undefined): Promise<Ending> {
    const { system } = this.lifecycle;
    const failed = upMs === undefined;
    const ended = failed ? "its start failed" : "it ended";
    if (!this.#allows(child)) {
      if (child.limit !== undefined) return this.#giveUp(child, reason, ended, !failed);
      this.lifecycle.report(child, reason, `${ended} once too often: the supervisor ends`, !failed);
      return "shutdown";
    }
    const pause = nextPause(child, upMs ?? 0, system.chance());
    const when = pause > 0 ? ` in ${Math.round(pause)} ms` : "";
    const next = `${failed ? "its start is tried again" : "restarts"}${when}`;
    this.lifecycle.report(child, reason, next, !failed);
    return await this.#restart(child, pause, failed);
  }

  /**
   * Restarts a child whose node is lost, or may be lost: the child waits, or runs on another node.
   * If the node is surely lost, the restart does not count.
   */
  async #moved(child: Child, reason: ExitReason, surely: boolean): Promise<Ending> {
    this.lifecycle.report(child, reason, nodeLossText(child, surely));
    const end = await this.#restart(child, 0, false);
    if (end !== undefined || surely || child.pid === undefined) return end;
    // The child runs again, so its node was not lost. The exit counts as any other exit.
    return this.#allows(child) || child.limit !== undefined ? undefined : "shutdown";
  }

  /**
   * Counts a restart, for the child's own limit or for the supervisor's. Returns false if the limit
   * is exceeded.
   */
  #allows(child: Child): boolean {
    return (child.limit ?? this.#intensity).allow(this.lifecycle.system.now());
  }

  /** Gives up a child that has exceeded its own restart limit. */
  #giveUp(child: Child, reason: ExitReason, ended: string, didRun: boolean): Ending {
    child.restarting = child.waiting = false;
    this.lifecycle.report(child, reason, `${ended} once too often: it is given up`, didRun);
    this.lifecycle.reportGivenUp(child, reason);
    return this.over(child);
  }

  async #restart(child: Child, pause: number, later: boolean): Promise<Ending> {
    child.restarting = true;
    child.waiting = false;
    await this.stopGroup(child);
    const plan = this.planRestart(child, pause, later);
    if (!("due" in plan)) return await this.#begin(plan);
    this.#schedule(plan.due, plan.pause);
    return undefined;
  }

  /**
   * Sends the message of a restart to the supervisor, after a pause or behind the queued messages.
   */
  #schedule(due: Due, pause: number): void {
    const { system } = this.lifecycle;
    if (pause > 0) due.timer = system.sendAfter(this.self.pid, due, pause);
    else system.send(this.self.pid, due);
  }

  /** Starts the waiting children whose node may be available. */
  async #beginWaiting(): Promise<Ending> {
    for (const group of this.waitingGroups()) {
      const end = await this.#begin(group) ?? this.lifecycle.order;
      if (end !== undefined) return end;
    }
    return undefined;
  }

  /** Starts the given children, except those that no longer wait for a restart. */
  async #begin(children: readonly Child[]): Promise<Ending> {
    let count = 0;
    for (const child of [...children]) {
      // The child may have been terminated in the meantime.
      if (!child.restarting) continue;
      try {
        const started = this.lifecycle.start(child);
        if (started !== undefined) await started;
        if (++count % CHILDREN_A_TURN === 0) await this.lifecycle.pause();
      } catch (error) {
        if (this.lifecycle.order !== undefined) return undefined;
        if (error instanceof NodeUnavailableError) {
          if (this.hold(child)) continue;
          return undefined;
        }
        const end = await this.#again(child, error as Error, undefined);
        // If the child will be retried, the children after it are started with it. If the child was
        // given up, the others start without it.
        if (end !== undefined || child.restarting) return end;
      }
    }
    return undefined;
  }

  /** Stops a child on request. Rejects if the child may still be alive on an unreachable node. */
  protected async terminate(child: Child): Promise<void> {
    if (child.pid !== undefined) await this.lifecycle.stop(child);
    if (!this.lifecycle.remoteChildren.isLost(child)) return;
    throw new NoConnectionError(`${child.former}: it will be killed when its node returns`);
  }

  /** Starts a child on request. Rejects with `SupervisorError` if the start fails. */
  protected async start(child: Child): Promise<Pid> {
    try {
      await this.lifecycle.start(child);
    } catch (error) {
      throw startFailed(child, error);
    }
    return child.pid!;
  }

  async #asked(call: Call<Request>): Promise<undefined> {
    // A starter on another node requests whether the supervisor has started. It has, because it
    // handles messages.
    if (isReadyRequest(call as Call)) return void call.reply(true);
    try {
      call.reply(await this.#answer(call));
    } catch (error) {
      refuse(call as Call, error);
    }
  }

  #answer(call: Call<Request>): unknown {
    switch (call.request?.$child) {
      case "which":
        return Array.from(this.children, childInfo);
      case "count":
        return countChildren([...this.children]);
      case "start":
        assertNear(call as Call);
    }
    return this.answer(call.request);
  }
}
