/**
 * Children that the test controls, in a system with a manual clock that records their starts and
 * exits.
 */
import { describe } from "../../lib/actor/describe.ts";
import { Exit } from "../../lib/actor/exit.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Crash, Restarting } from "../../lib/actor/report.ts";
import { systemOf } from "../../lib/actor/system.ts";
import type { LocalChildSpec } from "../../lib/otp/child.ts";
import type { Starter } from "../../lib/otp/start.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { SupervisorOptions } from "../../lib/otp/supervisor_actor.ts";
import type { ExitReason } from "../../lib/term/exit.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { ManualSystem } from "../kit/system.ts";

/** How a child reacts to a shutdown signal. */
export type Stopping = "atOnce" | "late" | "never" | "crashes";

/** How each kind of child reacts to a shutdown signal, for the titles of tests. */
export const REACTIONS: Readonly<Record<Stopping, string>> = {
  atOnce: "exits at once",
  late: "exits late",
  never: "does not exit",
  crashes: "crashes",
};

/** Time that a "late" child takes to stop, in milliseconds. */
export const LATE_MS = 40;

/** The error with which children crash. */
export const CRASH: Error = new Error("boom");

/** A system with a manual clock, its children, and a record of their starts and exits. */
export class Family {
  readonly system: ManualSystem = new ManualSystem();
  /** The starts and exits in order: "start a", "end a shutdown", …. */
  record: string[] = [];
  /** The "restart" events. */
  readonly received: Restarting[] = [];
  readonly crashes: Crash[] = [];
  /** The child that runs under each id. */
  readonly pids: Map<string, Pid> = new Map();
  readonly #ids = new Map<Pid, string>();
  /** Starts services and supervisors from outside of actors. */
  readonly outside: Starter = {
    spawn: (body, ...args) => this.system.start(body, ...args),
    call: (to, request, options) => this.system.call(to, request, options),
  };

  constructor() {
    this.system.events.on("exit", ({ pid, reason }) => {
      const id = this.#ids.get(pid);
      if (id === undefined) return;
      this.record.push(`end ${id} ${word(reason)}`);
      this.#ids.delete(pid);
    });
    this.system.events.on("restart", (event) => this.received.push(event));
    this.system.events.on("crash", (crash) => this.crashes.push(crash));
  }

  /** Returns the starts and exits since the last call. */
  news(): string[] {
    const { record } = this;
    this.record = [];
    return record;
  }

  /** Clears the record of starts, exits, restarts and crashes. */
  forget(): void {
    this.record = [];
    this.received.length = this.crashes.length = 0;
  }

  /** Records that an actor was started under an id. */
  born(id: string, pid: Pid<never>): void {
    this.record.push(`start ${id}`);
    this.pids.set(id, pid as Pid);
    this.#ids.set(pid as Pid, id);
  }

  /** Returns the spec of a child that is registered under its id, and exits by {@linkcode end}. */
  child(
    id: string,
    options: Partial<LocalChildSpec> & { readonly stopping?: Stopping } = {},
  ): LocalChildSpec {
    const { stopping = "atOnce", ...rest } = options;
    const start = (self: Self): Pid<never> => {
      const pid = self.spawnLink(obedient, id, stopping);
      this.born(id, pid);
      return pid;
    };
    return { id, start, ...rest };
  }

  /** Starts a supervisor. */
  supervise(options: SupervisorOptions, from: Starter = this.outside): Promise<Supervisor> {
    return this.run(Supervisor.start(from, options));
  }

  /** Runs the system until it is idle, then awaits the promise. */
  async run<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {});
    await this.system.settle();
    return await promise;
  }

  /** Makes a child exit, and runs the system until it is idle. */
  async end(id: string, reason: ExitReason): Promise<void> {
    this.endNow(id, reason);
    await this.system.settle();
  }

  /** Makes a child exit, without running the system. */
  endNow(id: string, reason: ExitReason): void {
    const pid = this.pids.get(id)!;
    if (reason === "kill") this.system.exit(pid, "kill");
    else this.system.send(pid as Pid<unknown>, new Leave(reason));
  }

  /** Returns whether the child with this id is alive. */
  runs(id: string): boolean {
    const pid = this.pids.get(id);
    return pid !== undefined && this.system.isAlive(pid);
  }
}

/** A message that makes its receiver exit with a reason. */
class Leave {
  readonly reason: ExitReason;

  constructor(reason: ExitReason) {
    this.reason = reason;
  }
}

function obedient(self: Self, id: string, stopping: Stopping): (message: unknown) => void {
  self.register(id);
  // A child that stops "atOnce" exits by the signal itself.
  if (stopping !== "atOnce") self.trapExit = true;
  let leaving = false;
  return (message) => {
    if (message instanceof Leave) {
      if (message.reason instanceof Error) throw message.reason;
      self.exit(message.reason);
    }
    if (!(message instanceof Exit)) return;
    // If the child's supervisor was killed, the child exits at once, so that its name is free for
    // its successor.
    if (stopping === "late" && message.reason === "killed") self.exit("killed");
    if (leaving) return;
    leaving = true;
    if (stopping === "crashes") throw CRASH;
    if (stopping === "late") systemOf(self.pid).sendAfter(self.pid, new Leave("shutdown"), LATE_MS);
  };
}

/** Returns an exit reason as a short text. */
export function word(reason: ExitReason): string {
  if (reason instanceof Error) return reason.message;
  return typeof reason === "string" ? reason : describe(reason);
}
