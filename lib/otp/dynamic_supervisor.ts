/**
 * Supervisors of children that come and go: started one by one, known by their pids, in no order. OTP's
 * simple_one_for_one. They are stopped all at once.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import { Exit } from "../actor/exit.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { Pid } from "../term/pid.ts";
import { type Child, type ChildSpec, makeChild, nextPause, wantsRestart } from "./child.ts";
import { INTENSITY, Intensity, PERIOD_MS } from "./intensity.ts";
import { startAndWait, type Starter, type Starting } from "./start.ts";
import {
  type ChildCount,
  type ChildInfo,
  count,
  info,
  reportChild,
  startFailed,
  stopChild,
  SupervisorError,
} from "./supervisor.ts";

/** How to supervise children that come and go. */
export interface DynamicSupervisorOptions {
  /** More restarts than this within `period` end the supervisor. Default 3. */
  readonly intensity?: number | undefined;
  /** Milliseconds. Default 5000. */
  readonly period?: number | undefined;
  /** One child more is refused. Default: no limit. */
  readonly maxChildren?: number | undefined;
}

/** A child that comes and goes: it needs no id of its own. */
export type DynamicChildSpec = Omit<ChildSpec, "id" | "significant"> & { readonly id?: string };

type Request =
  | { readonly $child: "start"; readonly spec: DynamicChildSpec }
  | { readonly $child: "terminate"; readonly pid: Pid<never> }
  | { readonly $child: "which" | "count" };

/** A dynamic supervisor that was started. */
export class DynamicSupervisor {
  /** The actor. */
  readonly pid: Pid<unknown>;

  /** For a supervisor that runs already. */
  constructor(pid: Pid<never>) {
    this.pid = pid as Pid<unknown>;
  }

  /**
   * Starts one, without children.
   *
   * @example
   * ```ts
   * import { DynamicSupervisor, Node, type Self } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Node.start({ logLevel: "silent" });
   * const rooms = await DynamicSupervisor.start(node, { maxChildren: 100 });
   * const room = (_self: Self<string>, _name: string) => (_message: string) => {};
   * const pid = await rooms.startChild({ start: (self) => self.spawnLink(room, "lobby") });
   * assertEquals((await rooms.countChildren()).active, 1);
   * await rooms.terminateChild(pid);
   * assertEquals(node.isAlive(pid), false);
   * ```
   */
  static async start(
    from: Starter,
    options: DynamicSupervisorOptions = {},
  ): Promise<DynamicSupervisor> {
    const pid = await startAndWait<unknown>(
      from,
      (self, starting) => new Supervising(self, options).live(starting),
    );
    return new DynamicSupervisor(pid);
  }

  /** Starts a child. Rejects with `SupervisorError`, "max_children" or "start_failed". */
  startChild(spec: DynamicChildSpec): Promise<Pid> {
    return this.#ask({ $child: "start", spec });
  }

  /** Stops a child and forgets it. */
  terminateChild(pid: Pid<never>): Promise<void> {
    return this.#ask({ $child: "terminate", pid });
  }

  /** The children, in the order of their start. */
  whichChildren(): Promise<ChildInfo[]> {
    return this.#ask({ $child: "which" });
  }

  /** How many children there are. */
  countChildren(): Promise<ChildCount> {
    return this.#ask({ $child: "count" });
  }

  /** Stops the children, all at once, and then the supervisor; resolves when it has ended. */
  async stop(reason: ExitReason = "shutdown"): Promise<void> {
    const system = systemOf(this.pid);
    const ended = system.whenEnded(this.pid);
    system.exit(this.pid, reason);
    await ended;
  }

  #ask<T>(request: Request): Promise<T> {
    const pid = this.pid as unknown as Pid<Call<Request, T>>;
    return systemOf(this.pid).call(pid, request, { timeout: Infinity });
  }
}

class Due {
  readonly child: Child;

  constructor(child: Child) {
    this.child = child;
  }
}

/** A dynamic supervisor at work. */
class Supervising {
  readonly #self: Self;
  readonly #system: System;
  readonly #intensity: Intensity;
  readonly #max: number;
  readonly #children = new Set<Child>();
  readonly #byPid = new Map<Pid, Child>();
  #lastId = 0;

  constructor(self: Self, options: DynamicSupervisorOptions) {
    this.#self = self;
    this.#system = systemOf(self.pid);
    this.#intensity = new Intensity(options.intensity ?? INTENSITY, options.period ?? PERIOD_MS);
    this.#max = options.maxChildren ?? Infinity;
  }

  async live(starting: Starting): Promise<void> {
    const self = this.#self;
    self.trapExit = true;
    starting.done();
    while (true) {
      const message = await self.receive();
      let end: ExitReason | undefined;
      if (message instanceof Exit) end = await this.#exited(message);
      else if (message instanceof Due) end = await this.#begin(message.child);
      else if (message instanceof Call) await this.#asked(message as Call<Request>);
      if (end === undefined) continue;
      await this.#stopAll();
      self.exit(end);
    }
  }

  async #exited({ from, reason }: Exit): Promise<ExitReason | undefined> {
    const child = this.#byPid.get(from);
    if (child === undefined) return reason === "normal" ? undefined : reason;
    this.#byPid.delete(from);
    child.pid = undefined;
    if (wantsRestart(child.spec.restart, reason)) {
      return await this.#again(child, reason, "restarts");
    }
    this.#children.delete(child);
    this.#report(child, reason, "it is not started again");
    return undefined;
  }

  async #again(child: Child, reason: ExitReason, next: string): Promise<ExitReason | undefined> {
    const now = this.#system.now();
    if (!this.#intensity.allow(now)) {
      this.#report(child, reason, "too many restarts: the supervisor ends");
      return "shutdown";
    }
    const pause = nextPause(child, now, this.#system.chance());
    this.#report(child, reason, pause > 0 ? `${next} in ${Math.round(pause)} ms` : next);
    child.restarting = true;
    if (pause === 0 && next === "restarts") return await this.#begin(child);
    this.#system.sendAfter(this.#self.pid, new Due(child), pause);
    return undefined;
  }

  /** Starts a child again. */
  async #begin(child: Child): Promise<ExitReason | undefined> {
    if (!this.#children.has(child) || !child.restarting) return undefined;
    try {
      await this.#start(child);
    } catch (error) {
      const reason = error instanceof Error ? error : { start: error };
      return await this.#again(child, reason, "its start failed; it is tried again");
    }
    return undefined;
  }

  async #start(child: Child): Promise<Pid> {
    const started = child.spec.start(this.#self);
    const ready = started instanceof Promise ? await started : started;
    child.pid = ("pid" in ready ? ready.pid : ready) as Pid;
    child.restarting = false;
    child.startedAt = this.#system.now();
    this.#byPid.set(child.pid, child);
    return child.pid;
  }

  /** Tells all to stop, then waits for each. */
  async #stopAll(): Promise<void> {
    const running = [...this.#children].filter(({ pid }) => pid !== undefined);
    for (const { pid, spec } of running) {
      this.#system.exit(
        pid!,
        spec.shutdown === "brutalKill" ? "kill" : "shutdown",
        this.#self.pid as Pid,
      );
    }
    const began = this.#system.now();
    for (const child of running) {
      const { shutdown } = child.spec;
      const left = shutdown === "brutalKill" || shutdown === Infinity
        ? shutdown
        : Math.max(0, shutdown - (this.#system.now() - began));
      await stopChild(this.#self, this.#system, {
        ...child,
        spec: { ...child.spec, shutdown: left },
      });
    }
  }

  async #asked(call: Call<Request>): Promise<void> {
    try {
      call.reply(await this.#answer(call.request));
    } catch (error) {
      call.refuse(error);
    }
  }

  async #answer(request: Request): Promise<unknown> {
    switch (request.$child) {
      case "start":
        return await this.#add(request.spec);
      case "which":
        return Array.from(this.#children, info);
      case "count":
        return count([...this.#children]);
      case "terminate": {
        const child = this.#byPid.get(request.pid as Pid);
        if (child === undefined) throw new SupervisorError("not_found", `no child ${request.pid}`);
        this.#byPid.delete(child.pid!);
        this.#children.delete(child);
        await stopChild(this.#self, this.#system, child);
        return undefined;
      }
    }
  }

  async #add(spec: DynamicChildSpec): Promise<Pid> {
    if (this.#children.size >= this.#max) {
      throw new SupervisorError("max_children", `there are ${this.#max} children already`);
    }
    const child = makeChild({ ...spec, id: spec.id ?? `dynamic_${++this.#lastId}` });
    this.#children.add(child);
    try {
      return await this.#start(child);
    } catch (error) {
      this.#children.delete(child);
      throw startFailed(child, error);
    }
  }

  #report(child: Child, reason: ExitReason, next: string): void {
    if (isNormal(reason)) return;
    reportChild(this.#system, this.#self, child, reason, this.#intensity.count, next);
  }
}
