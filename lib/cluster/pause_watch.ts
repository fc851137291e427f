/**
 * Detects that this process was paused, by SIGSTOP or because the machine slept. Peers may have
 * disconnected the node during the pause.
 *
 * @module
 */
import type { System } from "../actor/system.ts";
import { Deadline } from "../actor/timer.ts";

/** Bounds of the interval between two checks of the clock, in milliseconds. */
const TICK_MS_MAX = 1_000;
const TICK_MS_MIN = 20;

/** Detects pauses of the process, by checking the clock periodically. */
export class PauseWatch {
  readonly #system: System;
  readonly #tickMs: number;
  readonly #paused: (ms: number) => void;
  readonly #deadline: Deadline;
  #seenAt = 0;
  #isOn = false;

  /** When a pause has ended, `paused` is called with its length in milliseconds. */
  constructor(system: System, deadlineMs: number, paused: (ms: number) => void) {
    this.#system = system;
    this.#tickMs = Math.max(TICK_MS_MIN, Math.min(TICK_MS_MAX, deadlineMs / 8));
    this.#paused = paused;
    this.#deadline = new Deadline(() => this.#tick());
  }

  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#seenAt = this.#system.now();
    this.#system.setTimer(this.#deadline, this.#tickMs);
  }

  stop(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#system.wheel.remove(this.#deadline);
  }

  #tick(): void {
    if (!this.#isOn) return;
    const now = this.#system.now();
    const pause = now - this.#seenAt;
    this.#seenAt = now;
    this.#system.setTimer(this.#deadline, this.#tickMs);
    if (pause > 2 * this.#tickMs) this.#paused(pause - this.#tickMs);
  }
}
