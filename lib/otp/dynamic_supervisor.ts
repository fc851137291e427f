/**
 * Supervisors of children that come and go: started one by one, known by their pids, in no order. OTP's
 * simple_one_for_one. They are stopped all at once.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import { Exit } from "../actor/exit.ts";
import { NodeChange } from "../actor/node_change.ts";
import type { Self } from "../actor/self.ts";
import { systemOf } from "../actor/system.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import {
  type Child,
  type ChildSpec,
  type LocalChildSpec,
  makeChild,
  nextPause,
  type RemoteChildSpec,
  wantsRestart,
} from "./child.ts";
import { Intensity } from "./intensity.ts";
import { Nursery } from "./nursery.ts";
import { AwayError, awayWords, Look } from "./outposts.ts";
import { assertNear, refuse, revive } from "./refusal.ts";
import { startAndWait, type Starter, type Starting } from "./start.ts";
import {
  type ChildCount,
  type ChildInfo,
  childInfo,
  countChildren,
  startFailed,
  SupervisorError,
} from "./supervision.ts";
import { UnknownCallError } from "./unknown_call.ts";

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
export type DynamicChildSpec =
  & (
    | Omit<LocalChildSpec, "id" | "significant">
    | Omit<RemoteChildSpec, "id" | "significant">
  )
  & { readonly id?: string };

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
    const intensity = new Intensity(options.intensity, options.period);
    const { maxChildren = Infinity } = options;
    if (!(maxChildren >= 0)) throw new RangeError("maxChildren must be 0 or more");
    const pid = await startAndWait<unknown>(
      from,
      "supervisor",
      (self, starting) => new Supervising(self, starting, intensity, maxChildren).live(starting),
    );
    return new DynamicSupervisor(pid);
  }

  /**
   * Starts a child. Rejects with `SupervisorError`: "max_children", "start_failed", or "refused", if the
   * supervisor is of another node.
   */
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
    const answer = systemOf(pid).call(pid, request, { timeout: Infinity });
    return pid.home.local ? answer : revive(answer, pid.toString());
  }
}

/** A restart that is due: sent by the supervisor to itself. */
class Due {
  readonly child: Child;

  constructor(child: Child) {
    this.child = child;
  }
}

/** A dynamic supervisor at work. */
class Supervising {
  readonly #self: Self;
  readonly #nursery: Nursery;
  readonly #intensity: Intensity;
  readonly #max: number;
  readonly #children = new Set<Child>();
  #lastId = 0;

  constructor(self: Self, starting: Starting, intensity: Intensity, max: number) {
    this.#self = self;
    this.#intensity = intensity;
    this.#max = max;
    this.#nursery = new Nursery(self, starting.parent, () => intensity.count);
  }

  async live(starting: Starting): Promise<void> {
    const self = this.#self;
    self.trapExit = true;
    starting.done();
    while (true) {
      const message = await self.receive();
      const end = await this.#handle(message) ?? this.#nursery.order;
      if (end === undefined) continue;
      await this.#nursery.stopTogether([...this.#children]);
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
    if (message instanceof Due) return this.#begin(message.child);
    if (message instanceof Look) return this.#look();
    if (message instanceof NodeChange) return void this.#nursery.outposts.nodeChanged(message);
    if (message instanceof Call) return this.#asked(message as Call<Request>);
    return undefined;
  }

  #exited(child: Child, reason: ExitReason): Promise<ExitReason | undefined> | undefined {
    this.#nursery.ended(child, reason);
    if (wantsRestart(child.spec.restart, reason)) {
      const away = this.#nursery.outposts.isAway(child, reason);
      if (away !== undefined) return this.#moved(child, reason, away === "surely");
      return this.#again(child, reason, this.#nursery.system.now() - child.startedAt);
    }
    if (!isNormal(reason)) this.#nursery.tell(child, reason, "none: it is temporary");
    this.#children.delete(child);
    return undefined;
  }

  /** The node of a child is gone, which does not count: it waits, or runs on another. */
  async #moved(
    child: Child,
    reason: ExitReason,
    surely: boolean,
  ): Promise<ExitReason | undefined> {
    this.#nursery.tell(child, reason, awayWords(child, surely));
    child.restarting = true;
    const end = await this.#begin(child);
    if (end !== undefined || surely || child.pid === undefined) return end;
    // Its node was there: it has ended like any other.
    return this.#intensity.allow(this.#nursery.system.now()) ? undefined : "shutdown";
  }

  /** Perhaps a node is there that a child waits for. */
  #look(): Promise<ExitReason | undefined> {
    const { outposts } = this.#nursery;
    return outposts.look(this.#children, async () => {
      for (const child of outposts.hopeful(this.#children)) {
        const end = await this.#begin(child) ?? this.#nursery.order;
        if (end !== undefined) return end;
      }
      return undefined;
    });
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
      const next = `${ended} once too often: the supervisor ends`;
      this.#nursery.tell(child, reason, next, !failed);
      return "shutdown";
    }
    const pause = nextPause(child, upMs ?? 0, system.chance());
    const when = pause > 0 ? ` in ${Math.round(pause)} ms` : "";
    const next = `${failed ? "its start is tried again" : "restarts"}${when}`;
    this.#nursery.tell(child, reason, next, !failed);
    child.restarting = true;
    child.waiting = false;
    if (pause > 0) system.sendAfter(this.#self.pid, new Due(child), pause);
    else if (!failed) return await this.#begin(child);
    // Other messages have their turn first.
    else system.send(this.#self.pid, new Due(child));
    return undefined;
  }

  /** Starts a child again. */
  async #begin(child: Child): Promise<ExitReason | undefined> {
    // It may have been terminated while it waited.
    if (!child.restarting) return undefined;
    try {
      const started = this.#nursery.start(child);
      if (started !== undefined) await started;
    } catch (error) {
      if (this.#nursery.order === undefined) {
        if (error instanceof AwayError) return void this.#nursery.outposts.wait(child);
        return await this.#again(child, error as Error, undefined);
      }
    }
    return undefined;
  }

  async #asked(call: Call<Request>): Promise<undefined> {
    try {
      if (call.request?.$child === "start") assertNear(call as Call);
      call.reply(await this.#answer(call.request));
    } catch (error) {
      refuse(call as Call, error);
    }
  }

  async #answer(request: Request): Promise<unknown> {
    switch (request.$child) {
      case "start":
        return await this.#add(request.spec);
      case "which":
        return Array.from(this.#children, childInfo);
      case "count":
        return countChildren([...this.#children]);
      case "terminate": {
        const child = this.#find(request.pid);
        child.restarting = child.waiting = false;
        this.#children.delete(child);
        if (child.pid !== undefined) await this.#nursery.stop(child);
        return undefined;
      }
      default:
        throw new UnknownCallError("no such request to a dynamic supervisor");
    }
  }

  /** A child by its pid; one that waits for its restart, by the pid that it had. */
  #find(pid: Pid<never>): Child {
    const child = this.#nursery.find(pid) ??
      Array.from(this.#children).find(({ restarting, former }) =>
        restarting && former?.equals(pid)
      );
    if (child !== undefined) return child;
    throw new SupervisorError("not_found", `there is no child ${pid}`);
  }

  async #add(spec: DynamicChildSpec): Promise<Pid> {
    if (this.#children.size >= this.#max) {
      throw new SupervisorError("max_children", `there are ${this.#max} children already`);
    }
    const child = makeChild(
      { ...spec, id: spec.id ?? `dynamic_${++this.#lastId}` } as ChildSpec,
    );
    try {
      await this.#nursery.start(child);
    } catch (error) {
      throw startFailed(child, error);
    }
    this.#children.add(child);
    return child.pid!;
  }
}
