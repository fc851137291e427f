/**
 * The actor behind `Supervisor`: its children are started in order and stopped in reverse. The
 * strategy decides which children are restarted together.
 *
 * @module
 */
import { ArgumentError } from "../actor/errors.ts";
import type { Self } from "../actor/self.ts";
import { checkNames } from "../base/spelling.ts";
import type { Pid } from "../term/pid.ts";
import { type Child, type ChildSpec, ChildSpecError, makeChild } from "./child.ts";
import { Intensity } from "./intensity.ts";
import { NodeUnavailableError } from "./remote_children.ts";
import type { Starting } from "./start.ts";
import { affected, STRATEGIES, type Strategy } from "./strategy.ts";
import { CHILDREN_A_TURN } from "./child_lifecycle.ts";
import { Due, type Ending, type RestartPlan, SupervisorBase } from "./supervisor_base.ts";
import { startFailed, SupervisorError } from "./child_info.ts";
import { UnknownCallError } from "./unknown_call.ts";

/**
 * Determines when the orderly exit of significant children ends the supervisor.
 *
 * @example
 * ```ts
 * import { AUTO_SHUTDOWNS } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(AUTO_SHUTDOWNS, ["never", "any_significant", "all_significant"]);
 * ```
 */
export const AUTO_SHUTDOWNS = ["never", "any_significant", "all_significant"] as const;

/** One of {@linkcode AUTO_SHUTDOWNS}. */
export type AutoShutdown = (typeof AUTO_SHUTDOWNS)[number];

/** Options of a supervisor. */
export interface SupervisorOptions {
  /** Determines which children are restarted together. Default "one_for_one". */
  readonly strategy?: Strategy | undefined;
  /**
   * Maximum number of restarts within `period`. When it is exceeded, the supervisor ends. Default
   * 3.
   */
  readonly intensity?: number | undefined;
  /** The time window of `intensity`, in milliseconds. Default 5000. */
  readonly period?: number | undefined;
  /** Determines when significant children end the supervisor. Default "never". */
  readonly autoShutdown?: AutoShutdown | undefined;
  /** The children. They are started in this order and stopped in reverse. Default: no children. */
  readonly children?: readonly ChildSpec[] | undefined;
}

/** The requests that a supervisor accepts. */
export type SupervisorRequest =
  | { readonly $child: "start"; readonly spec: ChildSpec }
  | { readonly $child: "terminate" | "restart" | "delete"; readonly id: string }
  | { readonly $child: "which" | "count" };

/** Options of a supervisor, checked and completed with defaults. */
interface Complete {
  readonly strategy: Strategy;
  readonly autoShutdown: AutoShutdown;
  readonly intensity: Intensity;
  readonly children: Child[];
}

/** The names of all options, to detect misspelt ones. */
const OPTIONS: Readonly<Record<keyof SupervisorOptions, true>> = {
  strategy: true,
  intensity: true,
  period: true,
  autoShutdown: true,
  children: true,
};

/** Number of specs that are checked before pending I/O and timers are handled. */
export const CHECKED_COUNT = 1_024;

/** Checks and completes options. Throws `ArgumentError` or `ChildSpecError` if they are invalid. */
export function complete(options: SupervisorOptions): Complete {
  const steps = completing(options);
  for (let step = steps.next();; step = steps.next()) if (step.done) return step.value;
}

/**
 * Checks and completes options as {@linkcode complete} does. Yields after every {@linkcode
 * CHECKED_COUNT} specs.
 */
export function* completing(options: SupervisorOptions): Generator<void, Complete> {
  checkNames(options, OPTIONS, (words) => new ArgumentError(words));
  const { strategy = "one_for_one", autoShutdown = "never", children: specs = [] } = options;
  if (!STRATEGIES.includes(strategy)) {
    throw new ArgumentError(`strategy must be one of ${STRATEGIES.join(", ")}`);
  }
  if (!AUTO_SHUTDOWNS.includes(autoShutdown)) {
    throw new ArgumentError(`autoShutdown must be one of ${AUTO_SHUTDOWNS.join(", ")}`);
  }
  const ids = new Set<string>();
  const children: Child[] = [];
  for (const spec of [...specs]) {
    const child = makeSupervisedChild(spec, autoShutdown);
    const { id } = child.spec;
    if (ids.has(id)) throw new ArgumentError(`two children are called ${JSON.stringify(id)}`);
    ids.add(id);
    if (children.push(child) % CHECKED_COUNT === 0) yield;
  }
  const intensity = new Intensity(options.intensity, options.period);
  return { strategy, autoShutdown, intensity, children };
}

function makeSupervisedChild(spec: ChildSpec, autoShutdown: AutoShutdown): Child {
  const child = makeChild(spec);
  if (!child.spec.significant || autoShutdown !== "never") return child;
  const id = JSON.stringify(spec.id);
  throw new ChildSpecError(`child ${id}: it is significant, but autoShutdown is "never"`);
}

/** The actor of a supervisor. */
export class SupervisorActor extends SupervisorBase<SupervisorRequest> {
  readonly #strategy: Strategy;
  readonly #autoShutdown: AutoShutdown;
  /** The children by id, in the order in which they are started. */
  readonly #children: Map<string, Child>;
  /**
   * The scheduled restart of all waiting children. Undefined with "one_for_one", where each child
   * has its own scheduled restart.
   */
  #wave: Due | undefined = undefined;

  constructor(self: Self, parent: Pid<never> | undefined, options: Complete) {
    super(self, parent, options.intensity);
    this.#strategy = options.strategy;
    this.#autoShutdown = options.autoShutdown;
    this.#children = new Map(options.children.map((child) => [child.spec.id, child]));
  }

  protected override get children(): Iterable<Child> {
    return this.#children.values();
  }

  /** Runs the supervisor: starts the children, and supervises them. */
  async live(starting: Starting): Promise<void> {
    let count = 0;
    for (const child of [...this.children]) {
      try {
        const started = this.lifecycle.start(child);
        if (started !== undefined) await started;
        if (++count % CHILDREN_A_TURN === 0) await this.lifecycle.pause();
      } catch (error) {
        if (error instanceof NodeUnavailableError && this.lifecycle.order === undefined) {
          if (this.hold(child)) continue;
          break;
        }
        await this.stopAll();
        if (this.lifecycle.order !== undefined) return this.lifecycle.end(this.lifecycle.order);
        return starting.failed(startFailed(child, error));
      }
    }
    starting.done();
    await this.supervise();
  }

  protected override over(child: Child): Ending {
    if (child.spec.restart === "temporary") this.#forget(child);
    return this.#isOver(child) ? "shutdown" : undefined;
  }

  /** Returns whether the final exit of a child ends the supervisor, according to `autoShutdown`. */
  #isOver(child: Child): boolean {
    if (!child.spec.significant || this.#autoShutdown === "never") return false;
    return this.#autoShutdown === "any_significant" ||
      ![...this.children].some(({ spec, pid, restarting }) =>
        spec.significant && (pid !== undefined || restarting)
      );
  }

  protected override async stopGroup(child: Child): Promise<void> {
    if (this.#strategy === "one_for_one") return;
    const all = [...this.children];
    const [from, to] = affected(this.#strategy, all.indexOf(child), all.length);
    const group = all.slice(from, to);
    for (const one of group.toReversed()) {
      if (one.pid !== undefined) await this.lifecycle.stop(one);
      // A temporary child is not restarted when a sibling has failed.
      if (one !== child && one.spec.restart === "temporary") this.#forget(one);
      else one.restarting = true;
    }
  }

  protected override planRestart(child: Child, pause: number, later: boolean): RestartPlan {
    const alone = this.#strategy === "one_for_one";
    // Restarts at once, unless a restart of all waiting children is scheduled.
    if (pause === 0 && !later && this.#wave === undefined) {
      return alone ? [child] : [...this.children];
    }
    const due = new Due(alone ? child : undefined);
    if (alone) child.waits = due;
    else {
      // The new restart replaces the scheduled restart, but does not run earlier.
      const before = this.#wave?.timer;
      const left = before === undefined ? 0 : this.lifecycle.system.cancelTimer(before) || 0;
      pause = Math.max(pause, left);
      this.#wave = due;
    }
    return { due, pause };
  }

  protected override due(due: Due): readonly Child[] {
    // A later scheduled restart has replaced `due`.
    if (due !== (due.child === undefined ? this.#wave : due.child.waits)) return [];
    this.#wave = undefined;
    return due.child === undefined ? [...this.children] : [due.child];
  }

  /** Makes a child wait for a node. Except with "one_for_one", the children after it wait too. */
  protected override hold(child: Child): boolean {
    this.lifecycle.remoteChildren.wait(child);
    if (this.#strategy === "one_for_one") return true;
    const all = [...this.children];
    for (const one of all.slice(all.indexOf(child) + 1)) {
      if (one.pid === undefined) one.restarting = one.waiting = true;
    }
    return false;
  }

  protected override waitingGroups(): readonly (readonly Child[])[] {
    const { remoteChildren } = this.lifecycle;
    // The scheduled restart will start all waiting children together.
    if (this.#wave !== undefined) return [];
    if (this.#strategy === "one_for_one") return [remoteChildren.startable(this.children)];
    const waiting = [...this.children].filter(({ waiting }) => waiting);
    return remoteChildren.startable(waiting.slice(0, 1)).length > 0 ? [waiting] : [];
  }

  protected override async stopAll(): Promise<void> {
    for (const child of [...this.children].reverse()) {
      if (child.pid !== undefined) await this.lifecycle.stop(child);
    }
  }

  protected override async answer(request: SupervisorRequest): Promise<unknown> {
    switch (request?.$child) {
      case "start":
        return await this.#add(request.spec);
      case "terminate": {
        const child = this.#find(request.id);
        child.restarting = child.waiting = false;
        if (child.spec.restart === "temporary") this.#forget(child);
        return await this.terminate(child);
      }
      case "restart":
        return await this.start(this.#stopped(request.id));
      case "delete":
        this.#forget(this.#stopped(request.id));
        return undefined;
      default:
        throw new UnknownCallError("no such request to a supervisor");
    }
  }

  async #add(spec: ChildSpec): Promise<Pid> {
    const child = makeSupervisedChild(spec, this.#autoShutdown);
    const known = this.#children.get(spec.id);
    if (known !== undefined) {
      const runs = known.pid !== undefined || known.restarting;
      throw new SupervisorError(
        runs ? "already_started" : "already_present",
        `there is a child ${JSON.stringify(spec.id)} already${known.pid ? `: ${known.pid}` : ""}`,
        undefined,
        known.pid,
      );
    }
    const pid = await this.start(child);
    this.#children.set(spec.id, child);
    return pid;
  }

  #find(id: string): Child {
    const child = this.#children.get(id);
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
    if (this.#children.get(child.spec.id) === child) this.#children.delete(child.spec.id);
  }
}
