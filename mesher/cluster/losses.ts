/**
 * Records lost nodes, and how many of their events may be missing, for the page of the cluster. A
 * node that was only unreachable is removed when it returns.
 *
 * @module
 */

/** Maximum number of losses that are kept. When it is exceeded, the oldest loss is removed. */
export const LOSSES_MAX = 20;
/**
 * Time in milliseconds within which reports of several nodes about one lost node are treated as the
 * same loss.
 */
const SAME_LOSS_MS = 60_000;

/** A lost node. A plain object, so that it can be sent. */
export interface Loss {
  readonly node: string;
  /**
   * The incarnation of the lost node, from its announcement (`held.ts`). Null if the node had sent
   * no announcement.
   */
  readonly life: number | null;
  /** The time at which the loss was detected, in milliseconds since the epoch. */
  readonly at: number;
  /** The reason why the session with the node ended. */
  readonly reason: string;
  /** Maximum number of accepted events that may not be stored; null if unknown. */
  readonly most: number | null;
}

/** The losses that one node has detected. */
export class Losses {
  #list: readonly Loss[] = [];

  /** The losses, oldest first. */
  get list(): readonly Loss[] {
    return this.#list;
  }

  add(loss: Loss): void {
    this.#list = [...this.#list, loss].slice(-LOSSES_MAX);
  }

  /** Removes the loss of an incarnation that is alive. */
  lives(node: string, life: number): void {
    if (!this.#list.some((loss) => isOf(loss, node, life))) return;
    this.#list = this.#list.filter((loss) => !isOf(loss, node, life));
  }
}

/**
 * Combines the losses that several nodes have reported into one list without repetitions, the
 * latest loss first. The time of a loss is that of the earliest report, and its number of missing
 * events is the largest number that was reported.
 */
export function mergeLosses(seen: readonly (readonly Loss[])[]): Loss[] {
  const ends: Loss[] = [];
  // Losses with an incarnation come first, so that losses without one can be matched with them.
  const all = seen.flat().toSorted((a, b) => rank(a) - rank(b) || a.at - b.at);
  for (const loss of all) {
    const place = ends.findIndex((end) => isSame(end, loss));
    if (place < 0) ends.push(loss);
    else ends[place] = both(ends[place]!, loss);
  }
  return ends.toSorted((a, b) => b.at - a.at).slice(0, LOSSES_MAX);
}

function isOf(loss: Loss, node: string, life: number): boolean {
  return loss.node === node && loss.life === life;
}

function rank({ life }: Loss): number {
  return life === null ? 1 : 0;
}

function isSame(end: Loss, loss: Loss): boolean {
  if (end.node !== loss.node) return false;
  return loss.life === null ? Math.abs(end.at - loss.at) < SAME_LOSS_MS : end.life === loss.life;
}

function both(end: Loss, loss: Loss): Loss {
  const most = end.most === null || loss.most === null
    ? end.most ?? loss.most
    : Math.max(end.most, loss.most);
  return { ...end, at: Math.min(end.at, loss.at), most };
}
