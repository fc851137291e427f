/**
 * What a node may hold that is not stored yet. It holds never more than it has told its peers, so that
 * they can say how much may be missing when it is killed.
 *
 *     an event comes ──it fits under the ceiling──▶ accepted
 *          │ it does not
 *          └─▶ the next ceiling: peers are told ──they have heard──▶ accepted
 *     a tick in which a lower one would have done ─▶ lower: peers are told, and not waited for
 *
 * Ceilings are powers of two, so that a busy node seldom waits. A peer that does not answer in time is not
 * waited for, and may report too little.
 *
 * @module
 */

/** The lowest ceiling above nothing. */
const CEILING_MIN = 16;

/** What a node says of itself. Plain, so that it travels. */
export interface Holding {
  /** When the node started: another life has another. */
  readonly life: number;
  /** Counts what it has said, so that what was said before is not believed after. */
  readonly turn: number;
  /** It holds at most so many events that are not stored. */
  readonly most: number;
}

/** Tells all peers; resolves when they have heard it, or are not waited for any more. */
export type TellPeers = (holding: Holding) => Promise<void>;

/** One node's ceiling. */
export class Held {
  readonly #life: number;
  readonly #held: () => number;
  readonly #tell: TellPeers;
  #turn = 0;
  /** What peers have heard. */
  #most = 0;
  /** What they are being told, when it is more. */
  #next = 0;
  #raising: Promise<void> | undefined = undefined;
  /** The most that was held since the last tick. */
  #peak = 0;

  /** `held`: how many events are held now. */
  constructor(life: number, held: () => number, tell: TellPeers) {
    this.#life = life;
    this.#held = held;
    this.#tell = tell;
  }

  /** What a peer that asks is told. */
  get holding(): Holding {
    return { life: this.#life, turn: this.#turn, most: Math.max(this.#most, this.#next) };
  }

  /** Whether `count` more may be held. */
  fits(count: number): boolean {
    const held = this.#held() + count;
    if (held > this.#peak) this.#peak = held;
    return held <= this.#most;
  }

  /** Tells peers of a ceiling under which `count` more fit, as far as one can know; ask `fits` again then. */
  raise(count: number): Promise<void> {
    return this.#raising ??= this.#raise(ceilingOf(this.#held() + count));
  }

  async #raise(most: number): Promise<void> {
    this.#next = most;
    this.#turn++;
    try {
      await this.#tell(this.holding);
    } finally {
      this.#most = Math.max(this.#most, most);
      this.#next = 0;
      this.#raising = undefined;
    }
  }

  /** A tick: a ceiling that is higher than was needed is lowered. Resolves when peers have heard. */
  async lower(): Promise<void> {
    const lower = ceilingOf(Math.max(this.#peak, this.#held()));
    this.#peak = this.#held();
    if (this.#raising !== undefined || lower >= this.#most) return;
    this.#most = lower;
    this.#turn++;
    await this.#tell(this.holding);
  }

  /** No more comes: the ceiling is lowered to what is held now. Resolves when peers have heard. */
  async rest(): Promise<void> {
    await this.#raising;
    this.#peak = 0;
    await this.lower();
  }
}

/** The ceiling for so many events. */
export function ceilingOf(held: number): number {
  let ceiling = held > 0 ? CEILING_MIN : 0;
  while (ceiling < held) ceiling *= 2;
  return ceiling;
}
