/**
 * The shared parts of one node. They outlive the services: a restarted service finds the events
 * that its predecessor has accepted but not finished.
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

/** Parts of a node that are known only after its start. */
export interface Place {
  /** The URL of the page. */
  url: string | null;
  /** The supervision tree. Null while it is being restarted. */
  tree: Supervisor | null;
}

/** The shared parts of one node. */
export interface Parts {
  readonly config: Config;
  readonly node: Node;
  readonly storage: Storage;
  /**
   * The lease that decides which node runs each singleton. Without it, the nodes decide by
   * themselves.
   */
  readonly lease?: Lease | undefined;
  /** Events that are accepted but not grouped yet. */
  readonly inbox: EventQueue<Accepted>;
  /** Events that are grouped but not stored yet. */
  readonly outbox: EventQueue<Outgoing>;
  /**
   * Limits the events in both queues to the ceiling that this node has announced to its peers, which
   * report how many events may be lost if it is killed.
   */
  readonly held: Held;
  /** The announcements of connected nodes; null before the first one. */
  readonly holdings: Map<string, Holding | null>;
  /** The losses that this node has detected. */
  readonly losses: Losses;
  readonly counters: Counters;
  /**
   * Number of events accepted since the last reset. The registry counts them here, so that the
   * count survives its restart.
   */
  readonly eventCounter: { count: number };
  readonly live: Live;
  readonly place: Place;
  readonly startedAt: number;
  readonly log: LogLine;
  readonly now: () => number;
}
