/**
 * Defines backpressure: what happens to a message whose peer does not read fast enough.
 * Deterministic.
 *
 *     "close"    the connection is closed with code 1013
 *     "drop"     the message is dropped
 *     "latest"   the message is stored, and sent when the queue is empty; a later message to the
 *                same room, or for direct messages a later direct message, replaces it
 *
 * @module
 */

/**
 * The policy for a message that exceeds `backpressureLimit`.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { BACKPRESSURE_POLICIES } from "@firn/firn/ws";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * for (const backpressurePolicy of BACKPRESSURE_POLICIES) {
 *   await node.serve({ backpressureLimit: 1_000_000, backpressurePolicy });
 * }
 * ```
 */
export const BACKPRESSURE_POLICIES = ["close", "drop", "latest"] as const;

/** One of {@linkcode BACKPRESSURE_POLICIES}. */
export type BackpressurePolicy = (typeof BACKPRESSURE_POLICIES)[number];

/** Options of a connection or a room that limit the bytes queued for a peer. */
export interface BackpressureOptions {
  /** Maximum number of bytes queued for one peer. Default 16 MiB. */
  readonly backpressureLimit?: number | undefined;
  /** The policy for a message that exceeds the limit. Default "close". */
  readonly backpressurePolicy?: BackpressurePolicy | undefined;
}

/** Backpressure options with defaults filled in. */
export interface Backpressure {
  readonly bytesMax: number;
  readonly policy: BackpressurePolicy;
}

/** Checks the options. Throws an error created by `fail` if one of them is invalid. */
export function checkBackpressure(
  { backpressureLimit: limit, backpressurePolicy: policy }: BackpressureOptions,
  fail: (words: string) => Error,
): void {
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) {
    throw fail(`option backpressureLimit is ${limit}: use a whole number from 1`);
  }
  if (policy === undefined || BACKPRESSURE_POLICIES.includes(policy)) return;
  throw fail(
    `option backpressurePolicy is ${JSON.stringify(policy)}: use "close", "drop" or "latest"`,
  );
}

/** Returns the options with defaults from `otherwise`. */
export function completeBackpressure(
  options: BackpressureOptions | undefined,
  otherwise: Backpressure,
): Backpressure {
  if (options === undefined) return otherwise;
  const { backpressureLimit, backpressurePolicy } = options;
  return {
    bytesMax: backpressureLimit ?? otherwise.bytesMax,
    policy: backpressurePolicy ?? otherwise.policy,
  };
}
