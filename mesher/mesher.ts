/**
 * A running node of Mesher, as its HTTP and sockets see it.
 *
 * @module
 */
import type { Allowance } from "./http/allowance.ts";
import type { Attempts } from "./http/attempts.ts";
import type { Intake } from "./services/intake.ts";
import type { Rejections } from "./pipeline/rejections.ts";
import type { Keys } from "./pipeline/keys.ts";
import type { Parts } from "./parts.ts";
import type { StopTree } from "./services/root.ts";

/** The node. */
export interface Mesher extends Parts {
  readonly keys: Keys;
  readonly rejections: Rejections;
  readonly intake: Intake;
  readonly attempts: Attempts;
  /** How often each user may learn whether an address has an account. */
  readonly tellings: Allowance;
  readonly stopTree: StopTree;
  /** False while it stops: no more is accepted. */
  isOpen: boolean;
  /** The ports that the servers really have. */
  readonly ports: { http: number; ws: number };
}
