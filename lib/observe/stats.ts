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

/** Number of pages of actors processed between two clock reads. */
const PAGES_PER_READING = 16;

/** Maximum time that `stats` waits for round trips. Milliseconds. */
const ROUND_TRIP_MS = 300;

/** Maximum number of sessions, servers and rooms that are listed. */
const LISTED_MAX = 100;

/** A session with another node. */
export interface SessionStats {
  /** The other node. */
  readonly node: string;
  /** Bytes in the send queue. */
  readonly queued: number;
  /** Limit in bytes above which messages are dropped. */
  readonly limit: number;
  /** Number of messages that were dropped. */
  readonly dropped: number;
  /** Whether the queue is high: see `node.pressure`. */
  readonly high: boolean;
  /** Current round-trip time in milliseconds. Undefined if above 300. */
  readonly roundTripMs: number | undefined;
}

/** Delay of timers, caused by JavaScript that blocks the event loop. Milliseconds. */
export interface LoopDelay {
  /** The delay at the last measurement. */
  readonly last: number;
  /** The mean delay of the last minute. */
  readonly mean: number;
  /** The maximum delay of the last minute. */
  readonly max: number;
}

/** A node, as `node.stats` returns it. Lists have at most 100 entries. */
export interface NodeStats {
  /** The name of the node. */
  readonly node: string;
  /** The runtime of the node. */
  readonly runtime: "deno" | "bun";
  /** Time of its start, in milliseconds since 1970. */
  readonly startedAt: number;
  /** Milliseconds since its start. */
  readonly upMs: number;
  /** Number of actors. */
  readonly actors: number;
  /** Number of actors that were spawned since the start. */
  readonly spawned: number;
  /** Number of actors that crashed since the start. */
  readonly crashed: number;
  /** Number of restarts by supervisors. */
  readonly restarts: number;
  /** Number of messages that actors have taken since the start. */
  readonly messages: number;
  /** Number of messages to actors that do not exist. */
  readonly deadLetters: number;
  /** Number of timers, including timeouts of calls. */
  readonly timers: number;
  /** Number of actors in the run queue. */
  readonly ready: number;
  /** Delay of the event loop. */
  readonly eventLoop: LoopDelay;
  /** Memory of the process. Undefined if the host does not provide it. */
  readonly memory: MemoryUse | undefined;
  /** The sessions of the node with other nodes. */
  readonly sessions: readonly SessionStats[];
  /** Known nodes, dials and gossip: see `node.membership`. */
  readonly membership: MembershipStats;
  /** Open WebSockets, by server. */
  readonly servers: readonly { readonly url: string; readonly connections: number }[];
  /** Number of rooms with members on this node. */
  readonly rooms: number;
  /** The rooms with most members on this node. */
  readonly largestRooms: readonly { readonly room: string; readonly members: number }[];
  /** Number of names on this node. */
  readonly names: number;
  /** Number of global names. */
  readonly globalNames: number;
  /** Number of groups. */
  readonly groups: number;
  /** Number of warnings since the start, by kind. */
  readonly warnings: Readonly<Record<string, number>>;
}

/** Sources of the statistics. */
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

/** Statistics counted by the observation itself. */
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

/** Maximum number of rooms that are compared by size, which bounds the cost. */
const ROOMS_COMPARED_MAX = 10_000;

function largestRooms(rooms: Counted["rooms"]): NodeStats["largestRooms"] {
  const all: { room: string; members: number }[] = [];
  for (const room of rooms.names()) {
    if (all.push({ room, members: rooms.members(room).size }) === ROOMS_COMPARED_MAX) break;
  }
  return all.sort((a, b) => b.members - a.members).slice(0, LISTED_MAX);
}
