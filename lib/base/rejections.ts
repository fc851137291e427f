/**
 * Unhandled rejections reported by a host.
 *
 * @module
 */

/** Returns whether a rejection has been handled, given its reason and promise. */
export type Claims = (reason: unknown, promise: Promise<unknown>) => boolean;

/** The result of registering {@linkcode Claims} with a host. */
export interface RejectionClaim {
  /**
   * Whether claimed rejections are reported only to this claim, and to nothing else in this
   * process. May become false.
   */
  readonly isSole: boolean;
  /** Unregisters the claim. */
  release(): void;
}
