/**
 * Rejections that nothing has handled, as a host reports them.
 *
 * @module
 */

/** Returns whether a rejection is dealt with, by its reason and its promise. */
export type Claims = (reason: unknown, promise: Promise<unknown>) => boolean;

/** What a host returns for {@linkcode Claims}. */
export interface RejectionClaim {
  /** What is claimed is seen by nothing else in this process. May become false. */
  readonly isSole: boolean;
  /** Takes it back. */
  release(): void;
}
