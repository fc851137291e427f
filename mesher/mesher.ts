/**
 * A running node of Mesher, as its HTTP server and its sockets use it.
 *
 * @module
 */
import type { Allowance } from "./http/allowance.ts";
import type { Attempts } from "./http/attempts.ts";
import type { Intake } from "./services/intake.ts";
import type { Rejections } from "./pipeline/rejections.ts";
import type { Keys } from "./pipeline/keys.ts";
import type { SourceMaps } from "./maps/maps.ts";
import type { Parts } from "./parts.ts";
import type { StopTree } from "./services/root.ts";

/** A running node of Mesher. */
export interface Mesher extends Parts {
  readonly keys: Keys;
  readonly rejections: Rejections;
  readonly intake: Intake;
  readonly maps: SourceMaps;
  readonly attempts: Attempts;
  /** Limits password resets by client and by account. */
  readonly resets: Allowance;
  /** Limits how often each user may look up whether an address has an account. */
  readonly lookups: Allowance;
  readonly stopTree: StopTree;
  /** Whether the node accepts requests. False while it stops. */
  isOpen: boolean;
  /** The actual ports of the servers. */
  readonly ports: { http: number; ws: number };
}
