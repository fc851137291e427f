/**
 * Represents code outside of actors as the pid `<0.0>`: sends signals and waits for exits for that
 * code.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid, Ref } from "../term/pid.ts";
import { ActorRef } from "./actor_ref.ts";

/** The code outside of actors. It cannot be ended, and messages to it are dropped. */
export class ExternalCaller extends ActorRef {
  readonly pid: Pid<unknown>;
  readonly isAlive = true;
  readonly #waiting = new Map<number, (reason: ExitReason) => void>();

  constructor(pid: Pid) {
    super();
    this.pid = pid as Pid<unknown>;
  }

  /** Calls `ended` when the actor that the monitor `ref` observes has exited. */
  expect(ref: Ref, ended: (reason: ExitReason) => void): void {
    this.#waiting.set(ref.id, ended);
  }

  /** Removes the callback that `expect` has set for a reference. */
  forget(ref: Ref): void {
    this.#waiting.delete(ref.id);
  }

  down(ref: Ref, _pid: Pid, reason: ExitReason): void {
    const ended = this.#waiting.get(ref.id);
    this.#waiting.delete(ref.id);
    ended?.(reason);
  }

  deliver(): void {}
  linkBroke(): void {}
  exitSignal(): void {}
  end(): void {}
}
