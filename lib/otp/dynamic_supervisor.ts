/**
 * Supervisors of dynamically started children, which are identified by their pids and have no
 * order, as with OTP's simple_one_for_one. All children are stopped concurrently.
 *
 * @module
 */
import { trackedFor } from "../actor/behind.ts";
import { ArgumentError } from "../actor/errors.ts";
import { checkNames } from "../base/spelling.ts";
import { systemOf } from "../actor/system.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import {
  type DynamicChildSpec,
  type DynamicRequest,
  DynamicSupervisorActor,
} from "./dynamic_supervisor_actor.ts";
import { Intensity } from "./intensity.ts";
import { ask } from "./remote_errors.ts";
import { startAndWait, type Starter } from "./start.ts";
import type { Started, StartedPid } from "./child.ts";
import type { AnyPid } from "./service_definition.ts";
import type { ChildCount, ChildInfo } from "./child_info.ts";

/** Options of a dynamic supervisor. */
export interface DynamicSupervisorOptions {
  /**
   * Maximum number of restarts within `period`. When it is exceeded, the supervisor ends. Default
   * 3.
   */
  readonly intensity?: number | undefined;
  /** The time window in which `intensity` counts restarts, in milliseconds. Default 5000. */
  readonly period?: number | undefined;
  /**
   * Maximum number of children. If it is reached, starting another child fails with "max_children".
   * Default: no limit.
   */
  readonly maxChildren?: number | undefined;
}

/** The names of all options, to detect misspelt ones. */
const OPTIONS: Readonly<Record<keyof DynamicSupervisorOptions, true>> = {
  intensity: true,
  period: true,
  maxChildren: true,
};

/** A running dynamic supervisor. */
export class DynamicSupervisor {
  /** The pid of the supervisor. */
  readonly pid: Pid<unknown>;

  /** Creates the interface of a dynamic supervisor that is already running. */
  constructor(pid: Pid<never>) {
    this.pid = pid as Pid<unknown>;
  }

  /**
   * Starts a dynamic supervisor without children.
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
  static start(
    from: Starter,
    options: DynamicSupervisorOptions = {},
  ): Promise<DynamicSupervisor> {
    return trackedFor(from, async () => {
      checkNames(options, OPTIONS, (words) => new ArgumentError(words));
      const intensity = new Intensity(options.intensity, options.period);
      const { maxChildren = Infinity } = options;
      if (!(maxChildren >= 0)) throw new ArgumentError("maxChildren must be 0 or more");
      const pid = await startAndWait<unknown>(
        from,
        "supervisor",
        (self, starting) =>
          new DynamicSupervisorActor(self, starting.parent, intensity, maxChildren).live(starting),
      );
      return new DynamicSupervisor(pid);
    });
  }

  /**
   * Starts a child. Resolves with the pid that its start function returned. Rejects with
   * `SupervisorError`: "max_children", "start_failed", or "refused" if the supervisor is on another
   * node.
   */
  startChild<S extends Started = AnyPid>(spec: DynamicChildSpec<S>): Promise<StartedPid<S>> {
    return this.#ask({ $child: "start", spec });
  }

  /**
   * Stops a child and removes it.
   *
   * @throws {NoConnectionError} `code` "noconnection": the child's node is unreachable, and the
   * child may still run there. The child is not restarted, and is killed when its node returns.
   */
  terminateChild(pid: Pid<never>): Promise<void> {
    return this.#ask({ $child: "terminate", pid });
  }

  /** Returns the children in the order of their start. */
  whichChildren(): Promise<ChildInfo[]> {
    return this.#ask({ $child: "which" });
  }

  /** Counts the children by kind. */
  countChildren(): Promise<ChildCount> {
    return this.#ask({ $child: "count" });
  }

  /**
   * Stops the children concurrently, and then the supervisor. Resolves when the supervisor has
   * exited, or at once if it had exited before.
   *
   * @throws {NoConnectionError} `code` "noconnection": the supervisor's node is unreachable.
   */
  stop(reason: ExitReason = "shutdown"): Promise<void> {
    return systemOf(this.pid).end(this.pid, reason);
  }

  #ask<T>(request: DynamicRequest): Promise<T> {
    return ask(this.pid, request, { timeout: Infinity });
  }
}
