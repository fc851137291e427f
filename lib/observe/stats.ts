/**
 * Statistics of a node: actors, sessions, sockets, rooms, names, memory and event loop.
 *
 * @module
 */
import type { System } from "../actor/system.ts";
import type { Clock } from "../base/clock.ts";
import type { MemoryUse } from "../host/host.ts";
import type { MembershipStats } from "../mesh/membership.ts";
import type { Session } from "../mesh/session.ts";

import { inPortions, type PauseFactor } from "./portions.ts";

/** Number of pages of the actor table that are processed between two clock reads. */
const PAGES_PER_READING = 16;

/** Maximum time that `stats` waits for the round trips to other nodes, in milliseconds. */
const ROUND_TRIP_MS = 300;

/** Maximum number of sessions, servers and rooms that are listed. */
const LISTED_MAX = 100;

/** A session of a node with another node. */
export interface SessionStats {
  /** The name of the other node. */
  readonly node: string;
  /** Number of bytes in the send queue to the other node. */
  readonly queued: number;
  /** Length of the send queue, in bytes, above which messages are dropped. */
  readonly limit: number;
  /** Number of messages to the other node that were dropped because the send queue was full. */
  readonly dropped: number;
  /** Whether the send queue is high: see `node.pressure`. */
  readonly high: boolean;
  /** Round-trip time, measured now, in milliseconds. Undefined if it is above 300. */
  readonly roundTripMs: number | undefined;
}

/** Delays of timers in milliseconds, caused by JavaScript that blocks the event loop. */
export interface LoopDelay {
  /** The delay at the last measurement. */
  readonly last: number;
  /** The mean delay of the last minute. */
  readonly mean: number;
  /** The maximum delay of the last minute. */
  readonly max: number;
}

/** The statistics of a node, as `node.stats` returns them. Lists have at most 100 entries. */
export interface NodeStats {
  /** The name of the node. */
  readonly node: string;
  /** The runtime in which the node runs. */
  readonly runtime: "deno" | "bun";
  /** When the node was started: milliseconds since 1970. */
  readonly startedAt: number;
  /** Milliseconds since the node was started. */
  readonly upMs: number;
  /** Number of live actors on the node. */
  readonly actors: number;
  /** Number of actors that were spawned since the start. */
  readonly spawned: number;
  /** Number of actors that crashed since the start. */
  readonly crashed: number;
  /** Number of restarts by supervisors. */
  readonly restarts: number;
  /** Number of messages that actors have taken since the start. */
  readonly messages: number;
  /**
   * Number of messages that were dropped because their receiver does not exist, or because they are
   * promises or other values with a method `then`.
   */
  readonly deadLetters: number;
  /** Number of timers, including timeouts of calls. */
  readonly timers: number;
  /** Number of actors that wait for a turn. */
  readonly ready: number;
  /** The delay with which timers of the node fire. */
  readonly eventLoop: LoopDelay;
  /** Memory of the process. Undefined if the host does not provide it. */
  readonly memory: MemoryUse | undefined;
  /** The sessions of the node with other nodes. */
  readonly sessions: readonly SessionStats[];
  /** Known nodes, dials and gossip: see `node.membership`. */
  readonly membership: MembershipStats;
  /** The servers of the node, each with its number of open WebSockets. */
  readonly servers: readonly { readonly url: string; readonly connections: number }[];
  /** Number of rooms with members on this node. */
  readonly rooms: number;
  /** The rooms with most members on this node. */
  readonly largestRooms: readonly { readonly room: string; readonly members: number }[];
  /** Number of names that are registered on this node. */
  readonly names: number;
  /** Number of global names. */
  readonly globalNames: number;
  /** Number of groups. */
  readonly groups: number;
  /** Number of warnings since the start, by kind. */
  readonly warnings: Readonly<Record<string, number>>;
}

/** The objects from which the statistics are read. */
export interface Counted {
  readonly runtime: "deno" | "bun";
  readonly clock: Clock;
  readonly system: System;
  readonly mesh: {
    readonly startedAt: number;
    sessions(): Iterable<Session>;
    stats(): MembershipStats;
  };
  readonly rooms: {
    readonly count: number;
    names(): Iterable<string>;
    members(room: string): ReadonlySet<unknown>;
  };
  readonly servers: () => readonly { readonly url: string; readonly connections: number }[];
  readonly registry: { readonly count: number };
  readonly groups: { readonly count: number };
  memory(): MemoryUse | undefined;
}

/** The statistics that the observation counts itself. */
export type OwnCounts = Pick<NodeStats, "eventLoop" | "restarts" | "warnings">;

/** Returns the statistics of a node. */
export async function stats(
  counted: Counted,
  own: OwnCounts,
  factor: PauseFactor,
): Promise<NodeStats> {
  const { clock, system, mesh, rooms, registry, groups } = counted;
  const sessions = await Promise.all(
    [...mesh.sessions()].slice(0, LISTED_MAX).map((session) => sessionStats(session, clock)),
  );
  let messages = system.handledBefore;
  await inPortions(
    clock,
    system.actorPages(),
    (actors) => {
      for (const actor of actors) if (actor !== undefined) messages += actor.handled;
    },
    factor,
    PAGES_PER_READING,
  );
  return {
    node: system.home.node,
    runtime: counted.runtime,
    startedAt: mesh.startedAt,
    upMs: Math.max(0, clock.wall() - mesh.startedAt),
    actors: system.size,
    spawned: system.spawned,
    crashed: system.crashes,
    messages,
    deadLetters: system.deadLetters,
    timers: system.wheel.size,
    ready: system.scheduler.waiting,
    memory: counted.memory(),
    sessions,
    membership: mesh.stats(),
    servers: counted.servers().slice(0, LISTED_MAX)
      .map(({ url, connections }) => ({ url, connections })),
    rooms: rooms.count,
    largestRooms: largestRooms(rooms),
    names: system.names.size,
    globalNames: registry.count,
    groups: groups.count,
    ...own,
  };
}

async function sessionStats(session: Session, clock: Clock): Promise<SessionStats> {
  const began = clock.now();
  const roundTripMs = await new Promise<number | undefined>((resolve) =>
    session.probe(ROUND_TRIP_MS, (isAlive) => resolve(isAlive ? clock.now() - began : undefined))
  );
  const { queued, limit, dropped, high } = session.pressure();
  return {
    node: session.met.name,
    queued,
    limit,
    dropped,
    high,
    roundTripMs: roundTripMs === undefined ? undefined : Math.round(roundTripMs * 1000) / 1000,
  };
}

/**
 * Maximum number of rooms whose sizes are compared. Limits the cost of finding the largest ones.
 */
const ROOMS_COMPARED_MAX = 10_000;

function largestRooms(rooms: Counted["rooms"]): NodeStats["largestRooms"] {
  const all: { room: string; members: number }[] = [];
  for (const room of rooms.names()) {
    if (all.push({ room, members: rooms.members(room).size }) === ROOMS_COMPARED_MAX) break;
  }
  return all.sort((a, b) => b.members - a.members).slice(0, LISTED_MAX);
}
