/**
 * The lost nodes, and how many events may be missing with each: as in the log, kept for the page of the cluster.
 * One that was unreachable and comes back alive has
 * lost nothing, and is taken off.
 *
 * @module
 */

/** How many are kept: the latest. */
export const LOSSES_MAX = 20;
/** Survivors notice one end within this. Milliseconds. */
const NOTICED_MS = 60_000;

/** A node that went. Plain, so that it travels. */
export interface Loss {
  readonly node: string;
  /** Its incarnation by its announcement (`held.ts`); null if there was none. */
  readonly life: number | null;
  /** When it was noticed. */
  readonly at: number;
  /** The reason. */
  readonly reason: string;
  /** The most accepted events that may not be stored; null if unknown. */
  readonly most: number | null;
}

/** What one node has seen. */
export class Losses {
  #list: readonly Loss[] = [];

  /** Oldest first. */
  get list(): readonly Loss[] {
    return this.#list;
  }

  add(loss: Loss): void {
    this.#list = [...this.#list, loss].slice(-LOSSES_MAX);
  }

  /** That incarnation is alive: removes it. */
  lives(node: string, life: number): void {
    if (!this.#list.some((loss) => isOf(loss, node, life))) return;
    this.#list = this.#list.filter((loss) => !isOf(loss, node, life));
  }
}

/**
 * What several nodes have seen, each end once and the last first. It was noticed when the first noticed
 * it; at most as much is missing as the most that one of them was told.
 */
export function united(seen: readonly (readonly Loss[])[]): Loss[] {
  const ends: Loss[] = [];
  // Those with an announcement of that incarnation first, so that the others find it.
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
  return loss.life === null ? Math.abs(end.at - loss.at) < NOTICED_MS : end.life === loss.life;
}

function both(end: Loss, loss: Loss): Loss {
  const most = end.most === null || loss.most === null
    ? end.most ?? loss.most
    : Math.max(end.most, loss.most);
  return { ...end, at: Math.min(end.at, loss.at), most };
}
