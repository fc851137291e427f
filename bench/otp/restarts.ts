/**
 * A supervisor whose children are ended in bursts, and a promise that resolves when all of them run
 * again. As in a node, restarts are reported as text, to a log that discards it.
 *
 * @module
 */
import { System } from "../../lib/actor/system.ts";
import { service } from "../../lib/otp/service.ts";
import { restartText } from "../../lib/otp/child_info.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { systemHost } from "../../lib/start.ts";
import type { Pid } from "../../lib/term/pid.ts";

/** The kind of the children. */
export type Kind = "service" | "actor";

/** The way in which the children are ended. */
export type End = "kill" | "throw";

/** A supervisor and its children. */
export class Restarts {
  readonly #system: System;
  readonly #pids: Pid<string>[] = [];
  #running = 0;
  #all: () => void = () => {};
  /**
   * Total length of all reports. It is counted so that their formatting cannot be optimised away.
   */
  reported = 0;

  private constructor(system: System) {
    this.#system = system;
  }

  /** Starts `count` children, with OTP's defaults except for an intensity that is never reached. */
  static async start(count: number, kind: Kind): Promise<Restarts> {
    const home = { node: "bench@127.0.0.1:1", creation: 1, local: true };
    const system = new System(home, systemHost());
    const restarts = new Restarts(system);
    const worker = service<{ state: number; start: [index: number] }>({
      init: (index) => index,
      info: () => {
        throw new Error("crash requested");
      },
    });
    const children = Array.from({ length: count }, (_, index) => ({
      id: `child ${index}`,
      start: (self: Parameters<typeof worker.start>[0]) => {
        if (kind === "service") {
          return worker.start(self, index).then((pid) => restarts.#began(index, pid));
        }
        const pid = self.spawnLink!(() => {
          return (_message: string): void => {
            throw new Error("crash requested");
          };
        });
        return restarts.#began(index, pid);
      },
    }));
    system.events.on("crash", () => {});
    system.events.on("restart", (event) => restarts.reported += restartText(event).length);
    await Supervisor.start({
      spawn: (body, ...args) => system.spawn(undefined, undefined, body, args),
      call: (to, request, options) => system.call(to, request, options),
    }, { intensity: 1_000_000, children });
    return restarts;
  }

  #began(index: number, pid: Pid<never>): Pid<never> {
    this.#pids[index] = pid as Pid<string>;
    if (++this.#running === this.#pids.length) this.#all();
    return pid;
  }

  /** Ends all children, and resolves when all of them run again. */
  burst(end: End): Promise<void> {
    const again = new Promise<void>((all) => this.#all = all);
    this.#running = 0;
    for (const pid of [...this.#pids]) {
      if (end === "kill") this.#system.exit(pid, "kill");
      else this.#system.send(pid, "end");
    }
    return again;
  }

  /** Stops the supervisor and its system. */
  stop(): void {
    this.#system.stop();
  }
}
