/**
 * Determines which of two entries of one global name wins. Every node that knows both computes the
 * same result.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";

/** One node's entry of a name. */
export interface NameEntry {
  readonly name: string;
  /** The node on which it was registered. */
  readonly owner: string;
  readonly pid: Pid;
  /**
   * The time of registration, in microseconds of the cluster's time (`stamp_clock.ts`); unique for
   * its owner and name.
   */
  readonly stamp: number;
  /** Fencing token of a name that is held by a quorum; otherwise absent. */
  readonly token?: number | undefined;
  /** Whether the name is held by a quorum. If its node is lost, such a name is not free at once. */
  readonly lingers?: boolean | undefined;
  /** Whether the entry may still be only a claim, which a peer of its owner has not granted yet. */
  isClaim?: boolean;
}

/**
 * Returns whether one entry wins over another of the same name: held before claimed, then the
 * higher token, then the earlier stamp, then the lesser node name.
 */
export function wins(one: NameEntry, other: NameEntry): boolean {
  const isClaim = one.isClaim ?? false;
  if (isClaim !== (other.isClaim ?? false)) return !isClaim;
  const [token = 0, otherToken = 0] = [one.token, other.token];
  return token !== otherToken ? token > otherToken : isEarlier(one, other);
}

/** Returns whether one entry was created before another: the order of claims. */
export function isEarlier(one: NameEntry, other: NameEntry): boolean {
  return one.stamp < other.stamp || (one.stamp === other.stamp && one.owner < other.owner);
}
