/**
 * What moves the wheel: one native timer, armed for what is due next in it, however many hang there.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Wheel, WheelTimer } from "./wheel.ts";

/** The alarm of one wheel. */
export class Alarm {
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  #timer: Timer | undefined;
  #at = Infinity;

  constructor(clock: Clock, wheel: Wheel) {
    this.#clock = clock;
    this.#wheel = wheel;
  }

  /** Hangs a timer in the wheel. */
  set(timer: WheelTimer, ms: number): void {
    const now = this.#clock.now();
    // An empty wheel has nobody to move it: bring it up to date.
    if (this.#wheel.size === 0) this.#wheel.advance(now);
    this.#wheel.add(timer, now + ms);
    if (timer.due < this.#at) this.#arm(timer.due);
  }

  /** Turns it off. */
  stop(): void {
    this.#timer?.cancel();
  }

  #arm(due: number): void {
    this.#timer?.cancel();
    this.#at = due;
    this.#timer = this.#clock.after(Math.max(0, due - this.#clock.now()), this.#ring);
  }

  readonly #ring = (): void => {
    this.#at = Infinity;
    this.#wheel.advance(this.#clock.now());
    const due = this.#wheel.nextDue();
    if (due < this.#at) this.#arm(due);
  };
}
