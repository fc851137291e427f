/**
 * A supervisor at work: the actor behind `Supervisor`.
 *
 *     a child ends ─▶ again? ─no─▶ forgotten if temporary ─▶ significant? ─▶ goes on, or ends
 *                        │yes
 *                        ▼
 *                   too many? ─yes─▶ ends with "shutdown"
 *                        │no
 *                        ▼
 *      those who share its fate are stopped, last first ─▶ pause ─▶ all are started, first first
 *                        ▲                                                │
 *                        └──────────── a start fails: counts as an end ───┘
 *
 * What it does to its children it does one after the other, and takes the next message when it is
 * done. Only an order to end is looked for while it waits for a start function.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import { Exit } from "../actor/exit.ts";
import { NodeChange } from "../actor/node_change.ts";
import type { Self } from "../actor/self.ts";
import type { TimerRef } from "../actor/timer.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import { type Child, type ChildSpec, ChildSpecError, makeChild, nextPause } from "./child.ts";
import { wantsRestart } from "./child.ts";
import { Intensity } from "./intensity.ts";
import { Nursery } from "./nursery.ts";
import { AwayError, awayWords, Look } from "./outposts.ts";
import { asksReady } from "./ready.ts";
import { assertNear, refuse } from "./refusal.ts";
import type { Starting } from "./start.ts";
import { affected, STRATEGIES, type Strategy } from "./strategy.ts";
import { childInfo, countChildren, startFailed, SupervisorError } from "./supervision.ts";
import { UnknownCallError } from "./unknown_call.ts";

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

/** What a supervisor can be asked. */
export type SupervisorRequest =
  | { readonly $child: "start"; readonly spec: ChildSpec }
  | { readonly $child: "terminate" | "restart" | "delete"; readonly id: string }
  | { readonly $child: "which" | "count" };

/** A restart that is due: sent by the supervisor to itself. */
class Due {
  /** The one to start; without it, all that wait. */
  readonly child: Child | undefined;
  timer: TimerRef | undefined = undefined;

  constructor(child: Child | undefined) {
    this.child = child;
  }
}

/** Options that make sense, with their defaults. */
interface Complete {
  readonly strategy: Strategy;
  readonly autoShutdown: AutoShutdown;
  readonly intensity: Intensity;
  readonly children: Child[];
}

/** Completes options; throws a `RangeError`, or `ChildSpecError`, for those that make no sense. */
export function complete(options: SupervisorOptions): Complete {
  const { strategy = "one_for_one", autoShutdown = "never", children: specs = [] } = options;
  if (!STRATEGIES.includes(strategy)) {
    throw new RangeError(`strategy must be one of ${STRATEGIES.join(", ")}`);
  }
  if (!AUTO_SHUTDOWNS.includes(autoShutdown)) {
    throw new RangeError(`autoShutdown must be one of ${AUTO_SHUTDOWNS.join(", ")}`);
  }
  const ids = new Set<string>();
  const children = specs.map((spec) => makeSibling(spec, autoShutdown));
  for (const { spec: { id } } of children) {
    if (ids.has(id)) throw new RangeError(`two children are called ${JSON.stringify(id)}`);
    ids.add(id);
  }
  const intensity = new Intensity(options.intensity, options.period);
  return { strategy, autoShutdown, intensity, children };
}

function makeSibling(spec: ChildSpec, autoShutdown: AutoShutdown): Child {
  const child = makeChild(spec);
  if (!child.spec.significant || autoShutdown !== "never") return child;
  const id = JSON.stringify(spec.id);
  throw new ChildSpecError(`child ${id}: it is significant, but autoShutdown is "never"`);
}

/** The actor. */
export class Supervising {
  readonly #self: Self;
  readonly #nursery: Nursery;
  readonly #strategy: Strategy;
  readonly #autoShutdown: AutoShutdown;
  readonly #intensity: Intensity;
  #children: Child[];
  /** The restart of all that wait; not for one_for_one, where each waits for itself. */
  #wave: Due | undefined = undefined;

  constructor(self: Self, parent: Pid<never> | undefined, options: Complete) {
    this.#self = self;
    this.#strategy = options.strategy;
    this.#autoShutdown = options.autoShutdown;
    this.#intensity = options.intensity;
    this.#children = options.children;
    this.#nursery = new Nursery(self, parent, () => this.#intensity.count);
  }

  /** Its life: starts the children, and handles messages until it is to end. */
  async live(starting: Starting): Promise<void> {
    const self = this.#self;
    self.trapExit = true;
    for (const child of this.#children) {
      try {
        const started = this.#nursery.start(child);
        if (started !== undefined) await started;
      } catch (error) {
        if (error instanceof AwayError && this.#nursery.order === undefined) {
          if (this.#hold(child)) continue;
          break;
        }
        await this.#stopAll();
        if (this.#nursery.order !== undefined) return this.#nursery.end(this.#nursery.order);
        return starting.failed(startFailed(child, error));
      }
    }
    starting.done();
    while (true) {
      const message = await self.receive();
      const end = await this.#handle(message) ?? this.#nursery.order;
      if (end === undefined) continue;
      await this.#stopAll();
      return this.#nursery.end(end);
    }
  }

  /** What to end with, or `undefined` to go on; as do most functions here. */
  #handle(message: unknown): Promise<ExitReason | undefined> | ExitReason | undefined {
    if (message instanceof Exit) {
      if (this.#nursery.isOrder(message)) return message.reason;
      const child = this.#nursery.find(message.from);
      // A stranger's end is no news: a helper of a start function, or a child that is forgotten.
      return child && this.#exited(child, message.reason);
    }
    if (message instanceof Due) return this.#due(message);
    if (message instanceof Look) return this.#look();
    if (message instanceof NodeChange) return void this.#nursery.outposts.nodeChanged(message);
    if (message instanceof Call) return this.#asked(message as Call<SupervisorRequest>);
    return undefined;
  }

  #exited(child: Child, reason: ExitReason): Promise<ExitReason | undefined> | string | undefined {
    this.#nursery.ended(child, reason);
    if (wantsRestart(child.spec.restart, reason)) {
      const away = this.#nursery.outposts.isAway(child, reason);
      if (away !== undefined) return this.#moved(child, reason, away === "surely");
      return this.#again(child, reason, this.#nursery.system.now() - child.startedAt);
    }
    if (!isNormal(reason)) this.#nursery.tell(child, reason, "none: it is temporary");
    if (child.spec.restart === "temporary") this.#forget(child);
    return this.#isOver(child) ? "shutdown" : undefined;
  }

  /** Whether the end of a child, for good and by itself, is that of the supervisor. */
  #isOver(child: Child): boolean {
    if (!child.spec.significant || this.#autoShutdown === "never") return false;
    return this.#autoShutdown === "any_significant" ||
      !this.#children.some(({ spec, pid, restarting }) =>
        spec.significant && (pid !== undefined || restarting)
      );
  }

  /** A child has ended, or its start has failed (`upMs` is then undefined), and is to run again. */
  async #again(
    child: Child,
    reason: ExitReason,
    upMs: number | undefined,
  ): Promise<ExitReason | undefined> {
    const { system } = this.#nursery;
    const failed = upMs === undefined;
    const ended = failed ? "its start failed" : "it ended";
    if (!this.#intensity.allow(system.now())) {
      this.#nursery.tell(child, reason, `${ended} once too often: the supervisor ends`, !failed);
      return "shutdown";
    }
    const pause = nextPause(child, upMs ?? 0, system.chance());
    const when = pause > 0 ? ` in ${Math.round(pause)} ms` : "";
    this.#nursery.tell(
      child,
      reason,
      `${failed ? "its start is tried again" : "restarts"}${when}`,
      !failed,
    );
    await this.#stopGroup(child);
    const alone = this.#strategy === "one_for_one";
    if (pause === 0 && !failed && this.#wave === undefined) {
      return await this.#begin(alone ? [child] : this.#children);
    }
    this.#schedule(new Due(alone ? child : undefined), pause);
    return undefined;
  }

  /** The node of a child is gone, which does not count: it waits, or runs on another. */
  async #moved(
    child: Child,
    reason: ExitReason,
    surely: boolean,
  ): Promise<ExitReason | undefined> {
    this.#nursery.tell(child, reason, awayWords(child, surely));
    await this.#stopGroup(child);
    // Those that wait for a pause take it along.
    if (this.#wave !== undefined) return undefined;
    const end = await this.#begin(this.#strategy === "one_for_one" ? [child] : this.#children);
    if (end !== undefined || surely || child.pid === undefined) return end;
    // Its node was there: it has ended like any other.
    return this.#intensity.allow(this.#nursery.system.now()) ? undefined : "shutdown";
  }

  /** A child waits for a node; under the other strategies, those behind it wait too: then false. */
  #hold(child: Child): boolean {
    this.#nursery.outposts.wait(child);
    if (this.#strategy === "one_for_one") return true;
    for (const one of this.#children.slice(this.#children.indexOf(child) + 1)) {
      if (one.pid === undefined) one.restarting = one.waiting = true;
    }
    return false;
  }

  /** Perhaps a node is there that a child waits for. */
  #look(): Promise<ExitReason | undefined> {
    const { outposts } = this.#nursery;
    return outposts.look(this.#children, () => {
      // All that wait are begun together when the wave comes.
      if (this.#wave !== undefined) return Promise.resolve(undefined);
      if (this.#strategy === "one_for_one") return this.#begin(outposts.hopeful(this.#children));
      const waiting = this.#children.filter(({ waiting }) => waiting);
      const [first] = outposts.hopeful(waiting.slice(0, 1));
      return first === undefined ? Promise.resolve(undefined) : this.#begin(waiting);
    });
  }

  /** Stops, last first, those who share the fate of a child that is to run again. */
  async #stopGroup(child: Child): Promise<void> {
    child.restarting = true;
    child.waiting = false;
    if (this.#strategy === "one_for_one") return;
    const at = this.#children.indexOf(child);
    const [from, to] = affected(this.#strategy, at, this.#children.length);
    const group = this.#children.slice(from, to);
    for (const one of group.toReversed()) {
      if (one.pid !== undefined) await this.#nursery.stop(one);
      // Those that are never started again do not come back because a sibling failed.
      if (one !== child && one.spec.restart === "temporary") this.#forget(one);
      else one.restarting = true;
    }
  }

  /** A wave takes the place of one that still waits, and waits as long as that one would have. */
  #schedule(due: Due, pause: number): void {
    const { system } = this.#nursery;
    if (due.child === undefined) {
      const before = this.#wave?.timer;
      pause = Math.max(pause, before === undefined ? 0 : system.cancelTimer(before) || 0);
      this.#wave = due;
    } else due.child.waits = due;
    if (pause > 0) due.timer = system.sendAfter(this.#self.pid, due, pause);
    // Other messages have their turn first.
    else system.send(this.#self.pid, due);
  }

  #due(due: Due): Promise<ExitReason | undefined> | undefined {
    // One that waited may have been overtaken by a later one.
    if (due !== (due.child === undefined ? this.#wave : due.child.waits)) return undefined;
    this.#wave = undefined;
    return this.#begin(due.child === undefined ? this.#children : [due.child]);
  }

  /** Starts again those of the children that wait for it. */
  async #begin(children: readonly Child[]): Promise<ExitReason | undefined> {
    for (const child of [...children]) {
      // It may have been terminated while it waited.
      if (!child.restarting) continue;
      try {
        const started = this.#nursery.start(child);
        if (started !== undefined) await started;
      } catch (error) {
        if (this.#nursery.order !== undefined) return undefined;
        if (error instanceof AwayError) {
          if (this.#hold(child)) continue;
          return undefined;
        }
        return await this.#again(child, error as Error, undefined);
      }
    }
    return undefined;
  }

  /** Stops the children, last first. */
  async #stopAll(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.pid !== undefined) await this.#nursery.stop(child);
    }
  }

  async #asked(call: Call<SupervisorRequest>): Promise<undefined> {
    // Who has started it from another node: it handles messages, so it has started.
    if (asksReady(call as Call)) return void call.reply(true);
    try {
      if (call.request?.$child === "start") assertNear(call as Call);
      call.reply(await this.#answer(call.request));
    } catch (error) {
      refuse(call as Call, error);
    }
  }

  async #answer(request: SupervisorRequest): Promise<unknown> {
    switch (request.$child) {
      case "start":
        return await this.#add(request.spec);
      case "which":
        return this.#children.map(childInfo);
      case "count":
        return countChildren(this.#children);
      case "terminate": {
        const child = this.#find(request.id);
        if (child.pid !== undefined) await this.#nursery.stop(child);
        child.restarting = child.waiting = false;
        if (child.spec.restart === "temporary") this.#forget(child);
        return undefined;
      }
      case "restart":
        return await this.#start(this.#stopped(request.id));
      case "delete":
        this.#forget(this.#stopped(request.id));
        return undefined;
      default:
        throw new UnknownCallError("no such request to a supervisor");
    }
  }

  async #add(spec: ChildSpec): Promise<Pid> {
    const child = makeSibling(spec, this.#autoShutdown);
    const known = this.#children.find((other) => other.spec.id === spec.id);
    if (known !== undefined) {
      const runs = known.pid !== undefined || known.restarting;
      throw new SupervisorError(
        runs ? "already_started" : "already_present",
        `there is a child ${JSON.stringify(spec.id)} already`,
      );
    }
    const pid = await this.#start(child);
    this.#children.push(child);
    return pid;
  }

  async #start(child: Child): Promise<Pid> {
    try {
      await this.#nursery.start(child);
    } catch (error) {
      throw startFailed(child, error);
    }
    return child.pid!;
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
}
