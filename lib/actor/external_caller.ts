/**
 * What is no actor, as actors see it: `<0.0>`, who sends the signals of the program around them, and
 * waits for ends in its name.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid, Ref } from "../term/pid.ts";
import { ActorRef } from "./actor_ref.ts";

/** The program outside of actors. It cannot be ended, and messages to it are lost. */
export class ExternalCaller extends ActorRef {
  readonly pid: Pid<unknown>;
  readonly isAlive = true;
  readonly #waiting = new Map<number, (reason: ExitReason) => void>();

  constructor(pid: Pid) {
    super();
    this.pid = pid as Pid<unknown>;
  }

  /** Calls `ended` when the actor has ended that a reference monitors. */
  expect(ref: Ref, ended: (reason: ExitReason) => void): void {
    this.#waiting.set(ref.id, ended);
  }

  /** That end is waited for no more. */
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
