/**
 * Unhandled rejections reported by a host.
 *
 * @module
 */

/**
 * Returns whether an unhandled rejection belongs to the registered system. If so, the system
 * handles it.
 */
export type Claims = (reason: unknown, promise: Promise<unknown>) => boolean;

/** The result of registering {@linkcode Claims} with a host. */
export interface RejectionClaim {
  /**
   * Whether claimed rejections are reported to these {@linkcode Claims} only, and to no other
   * listener in the process. May change to false.
   */
  readonly isSole: boolean;
  /** Unregisters the claim. */
  release(): void;
}
