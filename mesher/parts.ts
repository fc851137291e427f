/**
 * The shared parts of one node. They outlive any service: a restarted service finds what
 * its predecessor had accepted and not finished.
 *
 * @module
 */
import type { Lease, Node, Supervisor } from "@firn/firn";
import type { Held, Holding } from "./cluster/held.ts";
import type { Losses } from "./cluster/losses.ts";
import type { Config } from "./config.ts";
import type { LogLine } from "./log.ts";
import type { Counters } from "./pipeline/counters.ts";
import type { Live } from "./pipeline/live.ts";
import type { EventQueue } from "./pipeline/queue.ts";
import type { Accepted, Outgoing } from "./pipeline/accepted.ts";
import type { Storage } from "./storage/storage.ts";

/** Values that are known after the start. */
export interface Place {
  /** Where the page is. */
  url: string | null;
  /** Null while it is being started again. */
  tree: Supervisor | null;
}

/** The shared parts of one node. */
export interface Parts {
  readonly config: Config;
  readonly node: Node;
  readonly storage: Storage;
  /** Decides which node runs what runs once in the cluster; without it the nodes decide by themselves. */
  readonly lease?: Lease | undefined;
  /** Accepted, and not grouped yet. */
  readonly inbox: EventQueue<Accepted>;
  /** Grouped, and not stored yet. */
  readonly outbox: EventQueue<Outgoing>;
  /** How much of both peers know of. */
  readonly held: Held;
  /** The announcements of connected nodes; null before the first. */
  readonly holdings: Map<string, Holding | null>;
  /** Those that have gone. */
  readonly losses: Losses;
  readonly counters: Counters;
  /** Accepted events since it was reset, as the registry counts them. It outlives the registry. */
  readonly eventCounter: { count: number };
  readonly live: Live;
  readonly place: Place;
  readonly startedAt: number;
  readonly log: LogLine;
  readonly now: () => number;
}
