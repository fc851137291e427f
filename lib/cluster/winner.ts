/**
 * Determines which of two entries of one global name wins. Every node that has both entries
 * computes the same result.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";

/** One node's entry of a name. */
export interface NameEntry {
  readonly name: string;
  /** The node on which the name was registered. */
  readonly owner: string;
  readonly pid: Pid;
  /**
   * The time of registration, in microseconds of the cluster's time (`stamp_clock.ts`). Unique
   * among the entries of one owner and name.
   */
  readonly stamp: number;
  /** Fencing token of a name that is held by a quorum; otherwise absent. */
  readonly token?: number | undefined;
  /**
   * Whether the name is held by a quorum. If the owner of such a name is lost, the name stays
   * reserved for some time.
   */
  readonly lingers?: boolean | undefined;
  /** Whether the entry may still be only a claim that some peer has not granted yet. */
  isClaim?: boolean;
}

/**
 * Returns whether one entry wins over another of the same name: a held name over a claim, then the
 * higher token, then the earlier stamp, then the lesser node name.
 */
export function wins(one: NameEntry, other: NameEntry): boolean {
  const isClaim = one.isClaim ?? false;
  if (isClaim !== (other.isClaim ?? false)) return !isClaim;
  const [token = 0, otherToken = 0] = [one.token, other.token];
  return token !== otherToken ? token > otherToken : isEarlier(one, other);
}

/** Returns whether one entry was created before another, which determines the order of claims. */
export function isEarlier(one: NameEntry, other: NameEntry): boolean {
  return one.stamp < other.stamp || (one.stamp === other.stamp && one.owner < other.owner);
}
