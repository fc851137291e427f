/**
 * Limits the number of events that a node holds before they are stored. A node never holds more
 * events than it has announced to its peers, so that the peers can report how many may be missing
 * if it is killed.
 *
 *     an event arrives ──it fits under the ceiling──▶ accepted
 *          │ it does not
 *          └─▶ the next ceiling: sent to peers ──confirmed──▶ accepted
 *     a tick in which a lower ceiling was sufficient ─▶ it is lowered: sent to peers without waiting
 *
 * Ceilings are powers of two, so that a busy node rarely waits. The node does not wait for a peer
 * that does not answer in time. That peer may report too few missing events.
 *
 * @module
 */

/** The lowest ceiling other than 0. */
const CEILING_MIN = 16;

/** The announcement that a node sends to its peers. A plain object, so that it can be sent. */
export interface Holding {
  /** The start time of the node, which distinguishes its incarnations. */
  readonly life: number;
  /** The number of the announcement. Receivers ignore an announcement with a lower number. */
  readonly turn: number;
  /** Maximum number of events that the node holds: accepted, but not stored. */
  readonly most: number;
}

/**
 * Sends an announcement to all peers. Resolves when each peer has confirmed it, or has not answered
 * in time.
 */
export type TellPeers = (holding: Holding) => Promise<void>;

/** Adapts and announces one node's ceiling, the number of events that it may hold. */
export class Held {
  readonly #life: number;
  readonly #held: () => number;
  readonly #tell: TellPeers;
  #turn = 0;
  /** The ceiling that was announced to peers: the number of events that this node may hold. */
  #most = 0;
  /** The higher ceiling that is being announced. */
  #next = 0;
  #raising: Promise<void> | undefined = undefined;
  /** The maximum number of held events since the last tick. */
  #peak = 0;

  /** Creates the ceiling of a node. `held` returns the number of events that the node holds now. */
  constructor(life: number, held: () => number, tell: TellPeers) {
    this.#life = life;
    this.#held = held;
    this.#tell = tell;
  }

  /** Returns the announcement that was last sent to peers. */
  get holding(): Holding {
    return { life: this.#life, turn: this.#turn, most: Math.max(this.#most, this.#next) };
  }

  /** Returns whether `count` more events may be held. */
  fits(count: number): boolean {
    const held = this.#held() + count;
    if (held > this.#peak) this.#peak = held;
    return held <= this.#most;
  }

  /**
   * Announces a higher ceiling, for `count` more events, or waits for one that is being announced.
   * The caller must then check `fits` again, because other events may have arrived meanwhile.
   */
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

  /**
   * Lowers the ceiling if it is higher than needed. Called at each tick. Resolves when peers have
   * confirmed the lower ceiling.
   */
  async lower(): Promise<void> {
    const lower = ceilingOf(Math.max(this.#peak, this.#held()));
    this.#peak = this.#held();
    if (this.#raising !== undefined || lower >= this.#most) return;
    this.#most = lower;
    this.#turn++;
    await this.#tell(this.holding);
  }

  /**
   * Lowers the ceiling to the lowest one that allows the events that are held now, because no more
   * events will follow. Resolves when peers have confirmed it.
   */
  async lowerToCount(): Promise<void> {
    await this.#raising;
    this.#peak = 0;
    await this.lower();
  }
}

/** Returns the lowest ceiling that allows a number of events. */
export function ceilingOf(held: number): number {
  let ceiling = held > 0 ? CEILING_MIN : 0;
  while (ceiling < held) ceiling *= 2;
  return ceiling;
}
