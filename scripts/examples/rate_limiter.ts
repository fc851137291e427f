/**
 * A rate limiter for a whole cluster: a token bucket for each client, on the home node of its key.
 * An idle bucket is passivated, because it is full, as a new bucket is.
 */
import { type Node, service } from "@firn/firn";
import { type Shards, shards } from "@firn/firn/cluster";

const [RATE, BURST] = [5, 10];

export interface Bucket {
  state: { readonly tokens: number; readonly at: number };
  call: { take(): boolean };
}

const bucket = service<Bucket>({
  init() {
    return { tokens: BURST, at: this.self.now() };
  },
  call: {
    take({ tokens, at }) {
      const now = this.self.now();
      const left = Math.min(BURST, tokens + RATE * (now - at) / 1000);
      return [left >= 1, { tokens: left >= 1 ? left - 1 : left, at: now }];
    },
  },
});

/**
 * Starts the rate limiter on a node; every node calls this, and then `limits.call(client).take()`.
 */
export function rateLimiter(node: Node): Shards<Bucket> {
  return shards(node, "rate", { actor: bucket, passivateAfter: 60_000 });
}
