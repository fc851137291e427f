/**
 * Supervisors: actors that start children in order, start them again when they end, and stop them in
 * reverse. OTP's rules; remote children and failover come with the actors of other nodes.
 *
 *     start ─▶ children, first to last ─▶ supervising ──too many restarts · told to stop──▶ stopping
 *                     │ one fails              │ a child ends                              │
 *                     └─▶ those before it      └─▶ strategy: stop, last first; start again  └─▶ end
 *                         are stopped
 *
 * A supervisor is an ordinary actor in a loop. What it does to its children it does one after the
 * other, and takes the next message when it is done.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import { Down, Exit } from "../actor/exit.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { Pid } from "../term/pid.ts";
import { type Child, type ChildSpec, makeChild, nextPause, wantsRestart } from "./child.ts";
import { INTENSITY, Intensity, PERIOD_MS } from "./intensity.ts";
import { startAndWait, type Starter, type Starting } from "./start.ts";
import { affected, STRATEGIES, type Strategy } from "./strategy.ts";

/** When the end of significant children ends the supervisor. */
export const AUTO_SHUTDOWNS = ["never", "any_significant", "all_significant"] as const;

/** One of {@linkcode AUTO_SHUTDOWNS}. */
export type AutoShutdown = (typeof AUTO_SHUTDOWNS)[number];

/** How to supervise. */
export interface SupervisorOptions {
  /** Default "one_for_one". */
  readonly strategy?: Strategy | undefined;
  /** More restarts than this within `period` end the supervisor. Default 3. */
  readonly intensity?: number | undefined;
  /** Milliseconds. Default 5000. */
  readonly period?: number | undefined;
  /** Default "never". */
  readonly autoShutdown?: AutoShutdown | undefined;
  /** Started in this order, stopped in reverse. */
  readonly children?: readonly ChildSpec[] | undefined;
}

/** Why a supervisor did not do what it was asked, in OTP's words. */
export type SupervisorFault =
  | "already_started" // a child of that id runs
  | "already_present" // a child of that id is there, and does not run
  | "not_found" // there is no child of that id
  | "running" // it runs, so it cannot be deleted or restarted
  | "restarting" // it is about to be started again
  | "max_children" // there are as many as there may be
  | "start_failed"; // its start function failed; `cause` says why

/** A supervisor did not do what it was asked, or could not start. */
export class SupervisorError extends Error {
  /** Tells the class of the error. */
  override readonly name = "SupervisorError";
  /** Which of the reasons. */
  readonly code: SupervisorFault;

  /** For the runtime. */
  constructor(code: SupervisorFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** A child as `whichChildren` tells of it. */
export interface ChildInfo {
  /** Its name among its siblings. */
  readonly id: string;
  /** Its pid; "restarting" while it waits for its restart; undefined when it does not run. */
  readonly pid: Pid | "restarting" | undefined;
  /** What it is. */
  readonly type: "worker" | "supervisor";
}

/** How many children there are. */
export interface ChildCount {
  /** All that are known. */
  readonly specs: number;
  /** Those that run. */
  readonly active: number;
  /** Supervisors among all. */
  readonly supervisors: number;
  /** Workers among all. */
  readonly workers: number;
}

/** What a supervisor can be asked. */
export type SupervisorRequest =
  | { readonly $child: "start"; readonly spec: ChildSpec }
  | { readonly $child: "terminate" | "restart" | "delete"; readonly id: string }
  | { readonly $child: "which" | "count" };

/** A supervisor that was started. */
export class Supervisor {
  /** The actor. */
  readonly pid: Pid<unknown>;

  /** For a supervisor that runs already. */
  constructor(pid: Pid<never>) {
    this.pid = pid as Pid<unknown>;
  }

  /**
   * Starts a supervisor, linked if an actor starts it, and resolves when its children have started.
   *
   * @throws {SupervisorError} `code` "start_failed": a child could not be started; those before it
   * have been stopped.
   * @throws {ChildSpecError} `code` "badchild": a child's description cannot be.
   *
   * @example
   * ```ts
   * import { Node, type Self, Supervisor } from "@firn/firn";
   * import { assertEquals, assertNotEquals } from "@std/assert";
   *
   * await using node = await Node.start({ logLevel: "silent" });
   * const worker = (self: Self<string>) => {
   *   self.register("worker");
   *   return (message: string) => {
   *     if (message === "crash") throw new Error("as told");
   *   };
   * };
   * const tree = await Supervisor.start(node, {
   *   strategy: "one_for_one",
   *   children: [{ id: "worker", start: (self) => self.spawnLink(worker) }],
   * });
   * const [before] = await tree.whichChildren();
   * node.send("worker", "crash");
   * await new Promise((later) => setTimeout(later, 10));
   * const [after] = await tree.whichChildren();
   * assertEquals(after!.id, "worker");
   * assertNotEquals(after!.pid, before!.pid);
   * ```
   */
  static async start(from: Starter, options: SupervisorOptions): Promise<Supervisor> {
    const children = checked(options).map(makeChild);
    const pid = await startAndWait<unknown>(
      from,
      (self, starting) => new Supervising(self, options, children).live(starting),
    );
    return new Supervisor(pid);
  }

  /** Starts one more child, at the end. Gives its pid. */
  startChild(spec: ChildSpec): Promise<Pid> {
    return this.#ask({ $child: "start", spec });
  }

  /** Stops a child; it stays known, unless it is temporary. */
  terminateChild(id: string): Promise<void> {
    return this.#ask({ $child: "terminate", id });
  }

  /** Starts a child again that was terminated or has ended. */
  restartChild(id: string): Promise<Pid> {
    return this.#ask({ $child: "restart", id });
  }

  /** Forgets a child that does not run. */
  deleteChild(id: string): Promise<void> {
    return this.#ask({ $child: "delete", id });
  }

  /** The children, in the order of their start. */
  whichChildren(): Promise<ChildInfo[]> {
    return this.#ask({ $child: "which" });
  }

  /** How many children there are. */
  countChildren(): Promise<ChildCount> {
    return this.#ask({ $child: "count" });
  }

  /** Stops the children, last first, and then the supervisor; resolves when it has ended. */
  async stop(reason: ExitReason = "shutdown"): Promise<void> {
    const system = systemOf(this.pid);
    const ended = system.whenEnded(this.pid);
    system.exit(this.pid, reason);
    await ended;
  }

  #ask<T>(request: SupervisorRequest): Promise<T> {
    const pid = this.pid as unknown as Pid<Call<SupervisorRequest, T>>;
    return systemOf(this.pid).call(pid, request, { timeout: Infinity });
  }
}

/** A restart that is due: sent by the supervisor to itself. */
class Due {
  readonly child: Child;

  constructor(child: Child) {
    this.child = child;
  }
}

/** A supervisor at work. */
class Supervising {
  readonly #self: Self;
  readonly #system: System;
  readonly #strategy: Strategy;
  readonly #autoShutdown: AutoShutdown;
  readonly #intensity: Intensity;
  #children: Child[];

  constructor(self: Self, options: SupervisorOptions, children: Child[]) {
    this.#self = self;
    this.#system = systemOf(self.pid);
    this.#strategy = options.strategy ?? "one_for_one";
    this.#autoShutdown = options.autoShutdown ?? "never";
    this.#intensity = new Intensity(options.intensity ?? INTENSITY, options.period ?? PERIOD_MS);
    this.#children = children;
  }

  async live(starting: Starting): Promise<void> {
    const self = this.#self;
    self.trapExit = true;
    const failed = await this.#startFrom(0, this.#children.length);
    if (failed !== undefined) {
      await this.#stopAll();
      starting.failed(startFailed(failed.child, failed.error));
      self.exit({ shutdown: "start_failed" });
    }
    starting.done();
    for (let end = undefined as ExitReason | undefined;; end = undefined) {
      const message = await self.receive();
      if (message instanceof Exit) end = await this.#exited(message);
      else if (message instanceof Due) end = await this.#due(message.child);
      else if (message instanceof Call) await this.#asked(message as Call<SupervisorRequest>);
      if (end === undefined) continue;
      await this.#stopAll();
      self.exit(end);
    }
  }

  /** What to end with, or `undefined` to go on. */
  async #exited({ from, reason }: Exit): Promise<ExitReason | undefined> {
    const child = this.#children.find(({ pid }) => pid === from);
    // Not a child: its parent, or whoever told it to end. A stranger's normal end is no news.
    if (child === undefined) return reason === "normal" ? undefined : reason;
    child.pid = undefined;
    if (wantsRestart(child.spec.restart, reason)) return await this.#restart(child, reason);
    this.#report(child, reason, "it is not started again");
    if (child.spec.restart === "temporary") this.#forget(child);
    return this.#afterEnd(child);
  }

  #afterEnd(child: Child): ExitReason | undefined {
    if (!child.spec.significant || this.#autoShutdown === "never") return undefined;
    const others = this.#children.some((other) =>
      other.spec.significant && other.pid !== undefined
    );
    return this.#autoShutdown === "any_significant" || !others ? "shutdown" : undefined;
  }

  async #restart(child: Child, reason: ExitReason): Promise<ExitReason | undefined> {
    const now = this.#system.now();
    if (!this.#intensity.allow(now)) {
      this.#report(child, reason, "too many restarts: the supervisor ends");
      return "shutdown";
    }
    const pause = nextPause(child, now, this.#system.chance());
    this.#report(child, reason, pause > 0 ? `restarts in ${Math.round(pause)} ms` : "restarts");
    child.restarting = true;
    if (pause === 0) return await this.#due(child);
    this.#system.sendAfter(this.#self.pid, new Due(child), pause);
    return undefined;
  }

  /** Starts a child again, with the siblings that share its fate. */
  async #due(child: Child): Promise<ExitReason | undefined> {
    const failed = this.#children.indexOf(child);
    // It may have been deleted, or started, while it waited.
    if (failed < 0 || !child.restarting) return undefined;
    const [from, to] = affected(this.#strategy, failed, this.#children.length);
    const before = this.#children.slice(0, from);
    const after = this.#children.slice(to);
    const group = this.#children.slice(from, to);
    await this.#stopEach(group);
    // Those that are never started again do not come back because a sibling failed.
    const again = group.filter((one) => one === child || one.spec.restart !== "temporary");
    this.#children = [...before, ...again, ...after];
    const broken = await this.#startFrom(from, from + again.length);
    if (broken === undefined) return undefined;
    const reason = broken.error instanceof Error ? broken.error : { start: broken.error };
    return await this.#retry(broken.child, reason);
  }

  /** A restart that failed counts, and is tried again when other messages have had their turn. */
  #retry(child: Child, reason: ExitReason): ExitReason | undefined {
    const now = this.#system.now();
    if (!this.#intensity.allow(now)) {
      this.#report(child, reason, "too many restarts: the supervisor ends");
      return "shutdown";
    }
    const pause = nextPause(child, now, this.#system.chance());
    this.#report(child, reason, "its start failed; it is tried again");
    child.restarting = true;
    this.#system.sendAfter(this.#self.pid, new Due(child), pause);
    return undefined;
  }

  /** Starts the children from one index up to another that do not run. */
  async #startFrom(
    from: number,
    to: number,
  ): Promise<{ child: Child; error: unknown } | undefined> {
    for (const child of this.#children.slice(from, to)) {
      if (child.pid !== undefined) continue;
      try {
        const started = child.spec.start(this.#self);
        const ready = started instanceof Promise ? await started : started;
        child.pid = ("pid" in ready ? ready.pid : ready) as Pid;
        child.restarting = false;
        child.startedAt = this.#system.now();
      } catch (error) {
        return { child, error };
      }
    }
    return undefined;
  }

  #stopAll(): Promise<void> {
    return this.#stopEach(this.#children);
  }

  /** Stops children, last first. */
  async #stopEach(children: readonly Child[]): Promise<void> {
    for (const child of children.toReversed()) {
      if (child.pid !== undefined) await stopChild(this.#self, this.#system, child);
    }
  }

  async #asked(call: Call<SupervisorRequest>): Promise<void> {
    try {
      call.reply(await this.#answer(call.request));
    } catch (error) {
      call.refuse(error);
    }
  }

  async #answer(request: SupervisorRequest): Promise<unknown> {
    switch (request.$child) {
      case "start":
        return await this.#add(request.spec);
      case "which":
        return this.#children.map(info);
      case "count":
        return count(this.#children);
      case "terminate": {
        const child = this.#find(request.id);
        if (child.pid !== undefined) await stopChild(this.#self, this.#system, child);
        child.restarting = false;
        if (child.spec.restart === "temporary") this.#forget(child);
        return undefined;
      }
      case "restart": {
        const child = this.#stopped(request.id);
        const index = this.#children.indexOf(child);
        const failed = await this.#startFrom(index, index + 1);
        if (failed !== undefined) throw startFailed(child, failed.error);
        return child.pid;
      }
      case "delete":
        this.#forget(this.#stopped(request.id));
        return undefined;
    }
  }

  async #add(spec: ChildSpec): Promise<Pid> {
    const child = makeChild(spec);
    const known = this.#children.find((other) => other.spec.id === spec.id);
    if (known !== undefined) {
      const code = known.pid === undefined ? "already_present" : "already_started";
      throw new SupervisorError(code, `there is a child ${JSON.stringify(spec.id)} already`);
    }
    this.#children.push(child);
    const failed = await this.#startFrom(this.#children.length - 1, this.#children.length);
    if (failed === undefined) return child.pid!;
    this.#forget(child);
    throw startFailed(child, failed.error);
  }

  #find(id: string): Child {
    const child = this.#children.find(({ spec }) => spec.id === id);
    if (child !== undefined) return child;
    throw new SupervisorError("not_found", `there is no child ${JSON.stringify(id)}`);
  }

  #stopped(id: string): Child {
    const child = this.#find(id);
    const code = child.restarting ? "restarting" : child.pid === undefined ? undefined : "running";
    if (code === undefined) return child;
    throw new SupervisorError(code, `the child ${JSON.stringify(id)} is ${code}`);
  }

  #forget(child: Child): void {
    this.#children = this.#children.filter((other) => other !== child);
  }

  #report(child: Child, reason: ExitReason, next: string): void {
    if (isNormal(reason)) return;
    reportChild(this.#system, this.#self, child, reason, this.#intensity.count, next);
  }
}

/**
 * Stops a child by its shutdown rule and waits for its end. It watches the child instead of listening
 * for the exit signal of the link: a child may have unlinked itself, and must be waited for all the
 * same.
 */
export async function stopChild(self: Self, system: System, child: Child): Promise<void> {
  const pid = child.pid!;
  const ref = self.monitor(pid);
  const down = (message: unknown): boolean => message instanceof Down && message.ref === ref;
  const { shutdown } = child.spec;
  if (shutdown === "brutalKill") system.exit(pid, "kill", self.pid as Pid);
  else system.exit(pid, "shutdown", self.pid as Pid);
  const timeout = shutdown === "brutalKill" ? Infinity : shutdown;
  const ended = await self.receive({ match: down, timeout });
  if (ended === undefined) {
    system.exit(pid, "kill", self.pid as Pid);
    await self.receive({ match: down });
  }
  child.pid = undefined;
  // The signal of the link came before the end was told; it is no news any more.
  const late = (message: unknown): boolean => message instanceof Exit && message.from === pid;
  await self.receive({ match: late, timeout: 0 });
}

/** Tells of a child that ended in disorder. */
export function reportChild(
  system: System,
  self: Self,
  child: Child,
  reason: ExitReason,
  restarts: number,
  next: string,
): void {
  if (!system.events.has("restart")) return;
  system.events.emit("restart", {
    supervisor: self.pid as Pid,
    child: child.spec.id,
    reason,
    restarts,
    next,
  });
}

/** A child as it is told of. */
export function info(child: Child): ChildInfo {
  const { id, type } = child.spec;
  return { id, pid: child.restarting ? "restarting" : child.pid, type };
}

/** How many there are. */
export function count(children: readonly Child[]): ChildCount {
  const supervisors = children.filter(({ spec }) => spec.type === "supervisor").length;
  return {
    specs: children.length,
    active: children.filter(({ pid }) => pid !== undefined).length,
    supervisors,
    workers: children.length - supervisors,
  };
}

/** The failure of a start function. */
export function startFailed(child: Child, error: unknown): SupervisorError {
  const words = error instanceof Error ? error.message : String(error);
  const id = JSON.stringify(child.spec.id);
  return new SupervisorError("start_failed", `child ${id} could not be started: ${words}`, error);
}

/** The children of options that make sense; throws a `RangeError` for others. */
function checked(options: SupervisorOptions): readonly ChildSpec[] {
  const { strategy = "one_for_one", intensity = INTENSITY, period = PERIOD_MS, children = [] } =
    options;
  if (!STRATEGIES.includes(strategy)) {
    throw new RangeError(`strategy must be one of ${STRATEGIES.join(", ")}`);
  }
  if (!(intensity >= 0) || !(period > 0)) {
    throw new RangeError("intensity must be 0 or more, and period more than 0 milliseconds");
  }
  const ids = new Set<string>();
  for (const { id } of children) {
    if (ids.has(id)) throw new RangeError(`two children are called ${JSON.stringify(id)}`);
    ids.add(id);
  }
  return children;
}
