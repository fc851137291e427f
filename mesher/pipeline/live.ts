/**
 * Live streams: the watchers of a project's events on all nodes, and broadcasts to them.
 *
 *     project:<id>                    everything but events: issues, counts, alerts
 *     events:<id>                     all its events
 *     events:<id>:<level>:<env hash>  those that pass a filter; each part may be empty
 *
 * A watcher is a member of the first room and of one of the others. No event is filtered per
 * watcher: an event is broadcast to the rooms whose filter it matches, at most four. The node's hub
 * joins a group for each room with a local watcher, and groups are known on all nodes: an event
 * without a watcher in the cluster is not encoded.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Connection, Groups, Pid, Rooms } from "@firn/firn";
import type { EventOutcome, NewEvent } from "../storage/events.ts";
import type { Counters } from "./counters.ts";
import { iso } from "./time.ts";

/** The filter of a watcher. */
export interface StreamFilter {
  readonly level?: string | undefined;
  readonly environment?: string | undefined;
}

/** Broadcasts to the live streams of one node and of others. */
export class Live {
  readonly #rooms: Rooms;
  readonly #groups: Groups;
  readonly #counters: Counters;
  /** The number of local watchers by room. */
  readonly #watched = new Map<string, number>();
  /** The actor that represents this node in the groups. Undefined while it is being restarted. */
  #hub: Pid<never> | undefined;

  constructor(rooms: Rooms, groups: Groups, counters: Counters) {
    this.#rooms = rooms;
    this.#groups = groups;
    this.#counters = counters;
  }

  /** Number of local watchers. */
  clients = 0;

  /** Called when a hub has started: joins the groups of all rooms with watchers on this node. */
  adopt(hub: Pid<never>): void {
    this.#hub = hub;
    for (const room of this.#watched.keys()) this.#groups.join(room, hub);
  }

  /** Adds a connection to a room. */
  enter(conn: Connection<never>, room: string): void {
    conn.join(room);
    const count = this.#watched.get(room) ?? 0;
    this.#watched.set(room, count + 1);
    if (count === 0 && this.#hub !== undefined) this.#groups.join(room, this.#hub);
  }

  /** Removes a connection from a room, which it has left or in which it has closed. */
  leave(conn: Connection<never>, room: string): void {
    conn.leave(room);
    const count = (this.#watched.get(room) ?? 0) - 1;
    if (count > 0) return void this.#watched.set(room, count);
    this.#watched.delete(room);
    if (this.#hub !== undefined) this.#groups.leave(room, this.#hub);
  }

  /** Sends stored events to their watchers. */
  events(rows: readonly NewEvent[], outcomes: readonly (EventOutcome | undefined)[]): void {
    const watched = new Map<string, boolean>();
    /** The rooms with watchers, by kind of event. A batch has few kinds. */
    const kinds = new Map<string, readonly string[]>();
    for (const [i, row] of rows.entries()) {
      const outcome = outcomes[i];
      // Watchers of events also watch the project, so other projects are skipped.
      if (outcome?.kind !== "stored" || !this.#isProjectWatched(watched, row.projectId)) continue;
      const { level, environment } = row.event;
      const kind = `${row.projectId}/${level}/${environment ?? ""}`;
      let rooms = kinds.get(kind);
      if (rooms === undefined) {
        rooms = roomsOf(row.projectId, level, environment).filter((room) => this.#isWatched(room));
        kinds.set(kind, rooms);
      }
      if (rooms.length === 0) continue;
      const text = JSON.stringify(eventMessage(row, outcome.issueId));
      for (const room of rooms) this.#broadcast(room, text);
    }
  }

  /** Sends a message about a project, other than an event, to its watchers. */
  tell(projectId: string, message: Readonly<Record<string, unknown>>): void {
    const room = projectRoom(projectId);
    if (this.#isWatched(room)) this.#broadcast(room, JSON.stringify(message));
  }

  #isProjectWatched(known: Map<string, boolean>, projectId: string): boolean {
    let is = known.get(projectId);
    if (is === undefined) known.set(projectId, is = this.#isWatched(projectRoom(projectId)));
    return is;
  }

  #isWatched(room: string): boolean {
    return this.#watched.has(room) || this.#groups.members(room).length > 0;
  }

  #broadcast(room: string, text: string): void {
    this.#counters.add("broadcasts");
    this.#rooms.broadcast(room, text);
  }
}

/** Returns the room of a project. */
export function projectRoom(projectId: string): string {
  return `project:${projectId}`;
}

/** Returns the room of a project's events that match a filter. */
export function eventRoom(projectId: string, { level, environment }: StreamFilter): string {
  if (level === undefined && environment === undefined) return `events:${projectId}`;
  const hash = environment === undefined
    ? ""
    : createHash("sha256").update(environment).digest("hex").slice(0, 32);
  return `events:${projectId}:${level ?? ""}:${hash}`;
}

/** Returns the rooms whose filter an event matches. */
function roomsOf(projectId: string, level: string, environment: string | null): string[] {
  const rooms = [eventRoom(projectId, {}), eventRoom(projectId, { level })];
  if (environment !== null) {
    rooms.push(eventRoom(projectId, { environment }), eventRoom(projectId, { level, environment }));
  }
  return rooms;
}

function eventMessage(row: NewEvent, issueId: string): Readonly<Record<string, unknown>> {
  const { event } = row;
  return {
    type: "event",
    issue_id: issueId,
    data: {
      id: event.id,
      project_id: row.projectId,
      issue_id: issueId,
      level: event.level,
      title: row.title,
      culprit: row.culprit,
      message: event.message.slice(0, 512),
      environment: event.environment,
      release: event.release,
      tags: event.tags,
      timestamp: iso(event.timestamp),
      received_at: iso(row.receivedAt),
    },
  };
}
