/**
 * Orders releases: by version if both have one (`1.2.3`, `shop@1.2.3-beta.1`, of one package),
 * otherwise by the time when they were first seen. Deterministic.
 *
 * @module
 */

/** The fields by which a release is ordered. */
export interface ReleaseTime {
  readonly version: string;
  /** The time when the release was first seen; undefined if unknown. */
  readonly createdAt: number | undefined;
}

const VERSION = /^(?:(.*)@)?v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(?:-([\w.-]+))?(?:\+[\w.-]+)?$/s;

/** Returns whether a release is later than another. */
export function isLaterRelease(one: ReleaseTime, other: ReleaseTime): boolean {
  if (one.version === other.version) return false;
  const order = compareVersions(one.version, other.version);
  if (order !== null) return order > 0;
  if (one.createdAt === undefined || other.createdAt === undefined) return false;
  return one.createdAt > other.createdAt;
}

/**
 * Compares two releases by semantic versioning. Returns null if one of them has no such version, or
 * if their packages differ.
 */
export function compareVersions(a: string, b: string): number | null {
  const [one, other] = [VERSION.exec(a), VERSION.exec(b)];
  if (one === null || other === null || one[1] !== other[1]) return null;
  for (const i of [2, 3, 4]) {
    const difference = Number(one[i] ?? 0) - Number(other[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return compareBeta(one[5], other[5]);
}

/**
 * Compares the pre-release parts of two equal versions, such as `beta.1`. A version without a
 * pre-release part comes after all versions with one.
 */
function compareBeta(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  const [one, other] = [a.split("."), b.split(".")];
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    const [x, y] = [one[i], other[i]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    if (x === y) continue;
    const [m, n] = [Number(x), Number(y)];
    const [isM, isN] = [!Number.isNaN(m), !Number.isNaN(n)];
    if (isM && isN) return m - n;
    if (isM !== isN) return isM ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}
