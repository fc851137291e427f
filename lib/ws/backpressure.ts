/**
 * What happens to messages for a peer that does not read fast enough. Quiet.
 *
 *     "close"    the connection ends with 1013
 *     "drop"     the message is lost
 *     "latest"   it waits, and a later one takes its place: one of each room, and one sent directly
 *
 * @module
 */

/** What happens to a message that does not fit under `backpressureLimit`. */
export const BACKPRESSURE_POLICIES = ["close", "drop", "latest"] as const;

/** One of {@linkcode BACKPRESSURE_POLICIES}. */
export type BackpressurePolicy = (typeof BACKPRESSURE_POLICIES)[number];

/** How much may wait, and what happens to more, of one connection or of one room. */
export interface BackpressureOptions {
  /** Bytes that may wait to be sent to one peer. */
  readonly backpressureLimit?: number | undefined;
  /** What happens to a message that does not fit under it. */
  readonly backpressurePolicy?: BackpressurePolicy | undefined;
}

/** The same, complete. */
export interface Backpressure {
  readonly bytesMax: number;
  readonly policy: BackpressurePolicy;
}

/** Throws what `fail` makes of the words, for an option that cannot be. */
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

/** What a room or a connection says, completed by what holds otherwise. */
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
