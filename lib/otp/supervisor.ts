/**
 * Supervisors: actors that start children in order, restart them when they exit, and stop them in
 * reverse. They follow OTP, for local and remote children; `lib/otp/README.md` lists the
 * differences.
 *
 *     start ─▶ children, first to last ─▶ supervising ──too many restarts · shutdown ─────▶ stopping
 *                     │ one fails              │ a child ends                              │
 *                     └─▶ those before it      └─▶ strategy: stop, last first; restart  ──  └─▶ end
 *                         are stopped
 *
 * A supervisor is an ordinary actor with a loop: see `supervisor_actor.ts`. This file is its public
 * API.
 *
 * @module
 */
import { systemBehind, trackedFor } from "../actor/behind.ts";
import type { ActorFunction, Self } from "../actor/self.ts";
import { systemOf } from "../actor/system.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { ChildSpec, Started, StartedPid } from "./child.ts";
import type { AnyPid } from "./service_definition.ts";
import { Readiness } from "./ready.ts";
import { ask } from "./remote_errors.ts";
import { startAndWait, type Starter } from "./start.ts";
import {
  complete,
  completing,
  SupervisorActor,
  type SupervisorOptions,
  type SupervisorRequest,
} from "./supervisor_actor.ts";
import type { ChildCount, ChildInfo } from "./child_info.ts";

/** A running supervisor. */
export class Supervisor {
  /** The pid of the supervisor. */
  readonly pid: Pid<unknown>;

  /** Creates the interface of a supervisor that is already running. */
  constructor(pid: Pid<never>) {
    this.pid = pid as Pid<unknown>;
  }

  /**
   * Starts a supervisor. If an actor starts it, it is linked with that actor. Resolves when the
   * children have started.
   *
   * Exit signals of its starter and of the node end the supervisor. It ignores exit signals of
   * other actors.
   *
   * @throws {SupervisorError} `code` "start_failed": a child could not be started; earlier children
   * have been stopped.
   * @throws {ChildSpecError} `code` "badchild": a child's spec is invalid.
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
   * const restarted = new Promise((restarted) => node.on("restart", restarted));
   * node.send("worker", "crash");
   * await restarted;
   * const [after] = await tree.whichChildren();
   * assertEquals(after!.id, "worker");
   * assertNotEquals(after!.pid, before!.pid);
   * ```
   */
  static start(from: Starter, options: SupervisorOptions): Promise<Supervisor> {
    return trackedFor(from, async () => {
      const system = systemBehind(from);
      const steps = completing(options);
      let step = steps.next();
      for (; !step.done; step = steps.next()) {
        if (system !== undefined) await new Promise<void>((next) => system.yieldToIo(next));
      }
      const completed = step.value;
      const pid = await startAndWait<unknown>(
        from,
        "supervisor",
        (self, starting) => new SupervisorActor(self, starting.parent, completed).live(starting),
      );
      return new Supervisor(pid);
    });
  }

  /**
   * Returns a function that runs a supervisor, for `node.expose`. A supervisor on another node can
   * then start it as a child, so that the tree spans both nodes. The child's spec has `type:
   * "supervisor"` and `ready: true`.
   *
   * @throws {ChildSpecError} `code` "badchild": a child's spec is invalid.
   *
   * @example
   * ```ts
   * import { Node, type Self, Supervisor, treeText } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
   * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
   * await a.connect(b.name);
   *
   * const worker = (_self: Self<string>) => (_message: string) => {};
   * b.expose("pool", Supervisor.body({ children: [{ id: "w", start: (self) => self.spawnLink(worker) }] }));
   *
   * const pool = { id: "pool", node: b.name, fn: "pool", type: "supervisor", ready: true } as const;
   * const tree = await Supervisor.start(a, { children: [pool] });
   * assertEquals((await treeText(tree)).split("\n").length, 3);
   * ```
   */
  static body(options: SupervisorOptions): ActorFunction<unknown> {
    complete(options);
    return async function supervisor(self: Self): Promise<void> {
      const readiness = new Readiness(self);
      await new SupervisorActor(self, readiness.parent, complete(options)).live(readiness);
      if (!readiness.hasFailed) return;
      const wait = readiness.guard(() => {});
      for await (const message of self) wait(message);
    };
  }

  /**
   * Adds a child after the existing ones and starts it. Resolves with the pid that its start function
   * returned. Rejects with `SupervisorError`: "already_started", "already_present", "start_failed",
   * or "refused", if the supervisor is on another node.
   */
  startChild<S extends Started = AnyPid>(spec: ChildSpec<S>): Promise<StartedPid<S>> {
    return this.#ask({ $child: "start", spec });
  }

  /**
   * Stops a child. The child stays listed, unless it is temporary.
   *
   * @throws {NoConnectionError} `code` "noconnection": the child's node is unreachable, and the
   * child may still run there. The child is not restarted, and is killed when its node returns.
   */
  terminateChild(id: string): Promise<void> {
    return this.#ask({ $child: "terminate", id });
  }

  /** Starts a child that was terminated or has exited. Resolves with its new pid. */
  restartChild(id: string): Promise<AnyPid> {
    return this.#ask({ $child: "restart", id });
  }

  /** Removes a child that does not run. */
  deleteChild(id: string): Promise<void> {
    return this.#ask({ $child: "delete", id });
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
   * Stops the children in reverse order, and then the supervisor. Resolves when the supervisor has
   * exited, or at once if it had exited before.
   *
   * @throws {NoConnectionError} `code` "noconnection": the supervisor's node is unreachable.
   */
  stop(reason: ExitReason = "shutdown"): Promise<void> {
    return systemOf(this.pid).end(this.pid, reason);
  }

  #ask<T>(request: SupervisorRequest): Promise<T> {
    return ask(this.pid, request, { timeout: Infinity });
  }
}
