/**
 * A hierarchical timing wheel: the cost of setting and cancelling a timer does not depend on the
 * number of timers. Deterministic: time is an argument.
 *
 *     level 0: 256 slots of 1 ms │ level 1: of 256 ms │ level 2: of 65.5 s │ level 3: of 4.66 h
 *
 * A timer is in the slot of its due tick, on the lowest level whose range includes that tick. When
 * the time of a slot of a higher level begins, its timers move to lower levels. A slot is a doubly
 * linked ring of its timers, so nothing else is allocated.
 *
 * @module
 */

const BITS = 8;
const SLOTS: number = 1 << BITS;
const MASK: number = SLOTS - 1;
const LEVELS = 4;

/** The cost of moving a timer to a lower level, as a fraction of the cost of firing it. */
const MOVE_COST = 1 / 16;

/** Maximum delay of a timer: about 49 days. A timer with a longer delay fires after this time. */
export const REACH_MS: number = 2 ** (BITS * LEVELS) - 1;

/** A timer in the wheel. The wheel writes its first three fields. */
export interface WheelTimer {
  /**
   * Due time in whole milliseconds on the wheel's clock. If the delay has not begun yet, the
   * negated delay.
   */
  due: number;
  /** The neighbours in the slot; undefined while the timer is not in the wheel. */
  next: WheelTimer | undefined;
  previous: WheelTimer | undefined;
  /** Called when the timer is due, after it was removed from the wheel. */
  fire(): void;
}

/** The head of the ring of the timers in one slot. */
class Slot implements WheelTimer {
  due = 0;
  next: WheelTimer = this;
  previous: WheelTimer = this;
  fire(): void {}
}

/** The timing wheel: sets, cancels and fires timers. */
export class Wheel {
  /** Number of timers in the wheel. */
  size = 0;
  /** The next tick to process. */
  #tick: number;
  /** The tick before `#tick`, if some of its timers have not fired yet. */
  #begun: number | undefined = undefined;
  readonly #slots: Slot[] = [];
  /** Timers whose delays have not begun. Their `due` is the negated delay. */
  readonly #waiting = new Slot();

  constructor(now: number) {
    this.#tick = Math.floor(now);
    for (let i = 0; i < SLOTS * LEVELS; i++) this.#slots.push(new Slot());
  }

  /** Adds a timer that fires at `due`, or in the next tick if `due` has passed. */
  add(timer: WheelTimer, due: number): void {
    const tick = Math.max(Math.ceil(due), this.#tick);
    timer.due = Math.min(tick, this.#tick + REACH_MS);
    this.size++;
    this.#hang(timer);
  }

  /**
   * Adds a timer whose delay begins at the next {@linkcode begin}, so that the caller need not read
   * the clock.
   */
  addWaiting(timer: WheelTimer, ms: number): void {
    timer.due = -ms;
    this.size++;
    link(timer, this.#waiting);
  }

  /** Whether timers wait for `begin`. */
  get hasWaiting(): boolean {
    return this.#waiting.next !== this.#waiting;
  }

  /**
   * Begins the delays of the waiting timers. Returns the time at which the first of them is due.
   */
  begin(now: number): number {
    const head = this.#waiting;
    let waiting = 0;
    for (let timer = head.next; timer !== head; timer = timer.next!) waiting++;
    if (waiting === this.size) this.#skipTo(now);
    let first = Infinity;
    for (let timer = head.next; timer !== head; timer = head.next) {
      this.remove(timer);
      this.add(timer, now - timer.due);
      first = Math.min(first, timer.due);
    }
    return first;
  }

  /** Sets an empty wheel to the current time. */
  catchUp(now: number): void {
    if (this.size === 0) this.#skipTo(now);
  }

  #skipTo(now: number): void {
    this.#tick = Math.max(this.#tick, Math.floor(now) + 1);
  }

  /** Removes a timer. Has no effect if it is not in the wheel. */
  remove(timer: WheelTimer): void {
    const { next, previous } = timer;
    if (next === undefined) return;
    previous!.next = next;
    next.previous = previous;
    timer.next = undefined;
    timer.previous = undefined;
    this.size--;
  }

  /**
   * Fires at most `most` of the timers that are due at `now`, in the order of their ticks; a timer
   * that moves to a lower level counts as a sixteenth of a timer. Skips empty ticks. Returns
   * whether work is left.
   */
  advance(now: number, most: number = Infinity): boolean {
    const end = Math.floor(now);
    let left = most;
    for (let tick = this.nextDue(); tick <= end; tick = this.nextDue()) {
      if (tick !== this.#begun) {
        this.#tick = tick;
        if ((tick & MASK) === 0) left = this.#cascade(tick, left);
        if (left <= 0) return true;
        this.#tick++;
      }
      const head = this.#slots[tick & MASK]!;
      // A timer that fires may add a timer to this slot that is due one full revolution later.
      while (head.next !== head && head.next.due <= tick) {
        if (left-- <= 0) {
          this.#begun = tick;
          return true;
        }
        const timer = head.next;
        this.remove(timer);
        timer.fire();
      }
      this.#begun = undefined;
    }
    this.#tick = Math.max(this.#tick, end + 1);
    return false;
  }

  /**
   * Returns the time at which `advance` must be called next, because a timer is due or must move to
   * a lower level. `Infinity` if the wheel is empty.
   */
  nextDue(): number {
    if (this.size === 0) return Infinity;
    if (this.#begun !== undefined) return this.#begun;
    let due = Infinity;
    for (let level = 0; level < LEVELS; level++) {
      const span = 2 ** (BITS * level);
      // A slot that began before this tick has been processed; a slot that begins at this tick has
      // not.
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
    link(timer, this.#slots[level * SLOTS + slot]!);
  }

  /**
   * Moves the timers of the slots that begin at `tick` to lower levels, until `left` is used up.
   * Returns what remains of `left`: if more than 0, all timers were moved.
   */
  #cascade(tick: number, left: number): number {
    for (let level = LEVELS - 1; level > 0; level--) {
      const span = 2 ** (BITS * level);
      if (tick % span !== 0) continue;
      const head = this.#slots[level * SLOTS + (Math.floor(tick / span) & MASK)]!;
      for (let timer = head.next; timer !== head; timer = head.next) {
        if (left <= 0) return left;
        left -= MOVE_COST;
        head.next = timer.next!;
        head.next.previous = head;
        this.#hang(timer);
      }
    }
    return left;
  }
}

/** Adds a timer at the end of a slot. */
function link(timer: WheelTimer, head: Slot): void {
  const last = head.previous;
  timer.next = head;
  timer.previous = last;
  last.next = timer;
  head.previous = timer;
}
