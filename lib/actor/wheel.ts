/**
 * A hierarchical timing wheel: to set and to cancel a timer costs the same however many there are.
 * Quiet: time is an argument.
 *
 *     level 0: 256 slots of 1 ms │ level 1: 256 × 256 ms │ level 2: 256 × 65.5 s │ level 3: 256 × 4.66 h
 *
 * A timer hangs in the slot of its due tick, on the lowest level whose span reaches that far. When a
 * slot of a higher level begins, what hangs in it moves down. Slots are rings of intrusive links, so
 * nothing is made for a timer beside the timer itself.
 *
 * @module
 */

const BITS = 8;
const SLOTS: number = 1 << BITS;
const MASK: number = SLOTS - 1;
const LEVELS = 4;

/** The farthest that a timer can be from the wheel's tick: about 49 days. One that is farther fires then. */
export const REACH_MS: number = 2 ** (BITS * LEVELS) - 1;

/** Something that can hang in the wheel. The wheel writes its first three fields. */
export interface WheelTimer {
  /** Whole milliseconds on the wheel's clock; meaningful while it hangs. */
  due: number;
  /** Neighbours in the slot; undefined while it does not hang. */
  next: WheelTimer | undefined;
  previous: WheelTimer | undefined;
  /** Its time has come. It hangs no more. */
  fire(): void;
}

/** The ends of a slot's ring. */
class Slot implements WheelTimer {
  due = 0;
  next: WheelTimer = this;
  previous: WheelTimer = this;
  fire(): void {}
}

/** The wheel. */
export class Wheel {
  /** How many timers hang. */
  size = 0;
  /** The next tick to look at. */
  #tick: number;
  readonly #slots: Slot[] = [];

  constructor(now: number) {
    this.#tick = Math.floor(now);
    for (let i = 0; i < SLOTS * LEVELS; i++) this.#slots.push(new Slot());
  }

  /** Hangs a timer to fire at `due`, or in the next tick if that is past. */
  add(timer: WheelTimer, due: number): void {
    const tick = Math.max(Math.ceil(due), this.#tick);
    timer.due = Math.min(tick, this.#tick + REACH_MS);
    this.size++;
    this.#hang(timer);
  }

  /** Takes a timer off. One that does not hang is left as it is. */
  remove(timer: WheelTimer): void {
    const { next, previous } = timer;
    if (next === undefined) return;
    previous!.next = next;
    next.previous = previous;
    timer.next = undefined;
    timer.previous = undefined;
    this.size--;
  }

  /** Fires all that are due at `now`, in the order of their ticks. From one to the next it jumps. */
  advance(now: number): void {
    const end = Math.floor(now);
    for (let tick = this.nextDue(); tick <= end; tick = this.nextDue()) {
      this.#tick = tick;
      if ((tick & MASK) === 0) this.#cascade(tick);
      this.#tick++;
      const head = this.#slots[tick & MASK]!;
      while (head.next !== head) {
        const timer = head.next;
        this.remove(timer);
        timer.fire();
      }
    }
    this.#tick = Math.max(this.#tick, end + 1);
  }

  /**
   * When `advance` is to be called next: when a timer is due, or one moves down that is due later.
   * `Infinity` when nothing hangs.
   */
  nextDue(): number {
    if (this.size === 0) return Infinity;
    let due = Infinity;
    for (let level = 0; level < LEVELS; level++) {
      const span = 2 ** (BITS * level);
      // A slot that began before this tick has been looked at; one that begins with it has not.
      const first = Math.ceil(this.#tick / span);
      for (let at = first; at < first + SLOTS && at * span < due; at++) {
        const head = this.#slots[level * SLOTS + (at & MASK)]!;
        if (head.next !== head) due = at * span;
      }
    }
    return due;
  }

  #hang(timer: WheelTimer): void {
    const away = timer.due - this.#tick;
    let level = 0;
    let slot = timer.due & MASK;
    if (away >= SLOTS) {
      level = away < 2 ** 16 ? 1 : away < 2 ** 24 ? 2 : 3;
      slot = Math.floor(timer.due / 2 ** (BITS * level)) & MASK;
    }
    const head = this.#slots[level * SLOTS + slot]!;
    const last = head.previous;
    timer.next = head;
    timer.previous = last;
    last.next = timer;
    head.previous = timer;
  }

  /** Moves down what hangs in the slots that begin at `tick`. */
  #cascade(tick: number): void {
    for (let level = LEVELS - 1; level > 0; level--) {
      const span = 2 ** (BITS * level);
      if (tick % span !== 0) continue;
      const head = this.#slots[level * SLOTS + (Math.floor(tick / span) & MASK)]!;
      let timer = head.next;
      head.next = head;
      head.previous = head;
      while (timer !== head) {
        const next = timer.next!;
        this.#hang(timer);
        timer = next;
      }
    }
  }
}
