/**
 * The rate limit of a project: a sliding window of two counters. The previous window counts in
 * proportion to its overlap, so that at no time twice the limit is allowed, and no timer must reset
 * anything.
 *
 * ```
 * seen = count + previous * (1 - elapsed / window)
 * ```
 *
 * The functions take and return plain data: one actor in the whole cluster keeps the state of a
 * project.
 *
 * @module
 */

/** A rate limit: `limit` events per window of `windowMs` milliseconds. */
export interface RateLimit {
  readonly limit: number;
  readonly windowMs: number;
}

/** The state of a project's limit: the counts of the current and of the previous window. */
export interface RateState {
  /** Start of the current window, in milliseconds since the epoch. */
  readonly since: number;
  readonly count: number;
  readonly previous: number;
}

/** The result of `takeRate`. */
export interface RateVerdict {
  /** Number of the requested events that are allowed now, counted from the first. */
  readonly granted: number;
  /** Milliseconds until one more event is allowed; 0 if all were granted. */
  readonly retryAfterMs: number;
  readonly state: RateState;
}

/** Counts up to `wanted` events at the time `now`. `state` is null for the first call. */
export function takeRate(
  state: RateState | null,
  now: number,
  wanted: number,
  { limit, windowMs }: RateLimit,
): RateVerdict {
  const current = windowAt(state, now, windowMs);
  const seen = seenIn(current, now, windowMs);
  const granted = Math.min(wanted, Math.max(0, Math.floor(limit - seen + 1e-9)));
  const next = { ...current, count: current.count + granted };
  const retryAfterMs = granted === wanted ? 0 : waitMs(next, now, limit, windowMs);
  return { granted, retryAfterMs, state: next };
}

/** Returns the state without `unused` events, which were granted but not used. */
export function giveBackRate({ since, count, previous }: RateState, unused: number): RateState {
  const late = Math.max(0, unused - count);
  return { since, count: count - (unused - late), previous: Math.max(0, previous - late) };
}

/** Returns whether a state can be dropped, because its counts no longer affect the limit. */
export function isRateIdle(state: RateState, now: number, windowMs: number): boolean {
  return now - state.since >= 2 * windowMs;
}

function windowAt(state: RateState | null, now: number, windowMs: number): RateState {
  if (state === null) return { since: now, count: 0, previous: 0 };
  const windows = Math.floor((now - state.since) / windowMs);
  // A clock that was set back does not start a new window.
  if (windows <= 0) return state;
  const since = state.since + windows * windowMs;
  return { since, count: 0, previous: windows === 1 ? state.count : 0 };
}

function seenIn({ since, count, previous }: RateState, now: number, windowMs: number): number {
  const elapsed = Math.min(1, Math.max(0, (now - since) / windowMs));
  return count + previous * (1 - elapsed);
}

/** Returns the milliseconds until one more event is allowed. */
function waitMs(state: RateState, now: number, limit: number, windowMs: number): number {
  const room = limit - 1 - state.count;
  const left = state.since + windowMs - now;
  if (room >= 0 && state.previous > 0) {
    // The next event is allowed within this window, when enough of the previous window no longer
    // overlaps.
    const elapsed = (1 - room / state.previous) * windowMs;
    return Math.max(1, Math.ceil(state.since + elapsed - now));
  }
  if (state.count <= 0) return Math.max(1, left);
  // The next event is allowed in the next window, for which this window is the previous one.
  const share = Math.max(0, 1 - Math.max(0, limit - 1) / state.count);
  return Math.max(1, Math.ceil(left + share * windowMs));
}
