/**
 * The shared parts of one node. They outlive any service: a restarted service finds the events that
 * its predecessor accepted and did not finish.
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

/** Values that are known only after the start. */
export interface Place {
  /** The URL of the page. */
  url: string | null;
  /** Null while the service is being restarted. */
  tree: Supervisor | null;
}

/** The shared parts of one node. */
export interface Parts {
  readonly config: Config;
  readonly node: Node;
  readonly storage: Storage;
  /** Decides which node runs each singleton; without it, the nodes decide by themselves. */
  readonly lease?: Lease | undefined;
  /** Events that are accepted and not grouped yet. */
  readonly inbox: EventQueue<Accepted>;
  /** Events that are grouped and not stored yet. */
  readonly outbox: EventQueue<Outgoing>;
  /** The number of events in both queues that peers know of. */
  readonly held: Held;
  /** The announcements of connected nodes; null before the first one. */
  readonly holdings: Map<string, Holding | null>;
  /** Lost nodes. */
  readonly losses: Losses;
  readonly counters: Counters;
  /**
   * Number of accepted events since the last reset, counted by the registry. It outlives the
   * registry.
   */
  readonly eventCounter: { count: number };
  readonly live: Live;
  readonly place: Place;
  readonly startedAt: number;
  readonly log: LogLine;
  readonly now: () => number;
}
