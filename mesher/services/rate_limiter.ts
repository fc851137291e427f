/**
 * Counts the events of the projects that are assigned to this node. Projects without events in the
 * current window and the previous one are removed.
 *
 * @module
 */
import { type Service, service } from "@firn/firn";
import { isRateIdle, type RateLimit, type RateState, takeRate } from "../domain/rate.ts";

/** The service's name on each node. */
export const RATE_LIMITER = "rate_limiter";

/** The number of events that are allowed now, and the time until the next one is allowed. */
export interface RateAnswer {
  readonly granted: number;
  readonly retryAfterMs: number;
}

/** The counters of the rate limiter, by project. */
export interface RateCounts {
  readonly limit: RateLimit;
  readonly now: () => number;
  readonly counts: Map<string, RateState>;
}

/** The protocol of the rate limiter. */
export interface RateLimiter {
  state: RateCounts;
  start: [limit: RateLimit, now: () => number];
  call: { take(projectId: string, wanted: number): RateAnswer };
  info: "sweep";
}

/** The service that counts the events of the projects that are assigned to a node. */
export const rateLimiter: Service<RateLimiter> = service({
  init(limit, now) {
    this.self.sendInterval(this.self.pid, "sweep", limit.windowMs);
    return { limit, now, counts: new Map() };
  },
  call: {
    take(state, projectId, wanted) {
      const known = state.counts.get(projectId) ?? null;
      const verdict = takeRate(known, state.now(), wanted, state.limit);
      state.counts.set(projectId, verdict.state);
      return [{ granted: verdict.granted, retryAfterMs: verdict.retryAfterMs }, state];
    },
  },
  info(state) {
    for (const [projectId, count] of state.counts) {
      if (isRateIdle(count, state.now(), state.limit.windowMs)) state.counts.delete(projectId);
    }
    return state;
  },
});
