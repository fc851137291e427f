/**
 * Sends broadcasts to rooms on other nodes.
 *
 *     rooms.broadcast ─▶ members here
 *           └─▶ relay ─▶ one ROOM_BROADCAST to each node with members ─▶ its relay ─▶ members there
 *
 *     first member of a room ─▶ end of the turn ─▶ ROOM_INTEREST to all nodes: "joined"
 *     last member has left ─▶ within a second ───▶ ROOM_INTEREST to all nodes: "left"
 *
 * A node never forwards a received broadcast, because the sender has sent it to all nodes with
 * members. Each node announces to its peers in which rooms it has members: see
 * `mesh/room_interest.ts`. Announcements overtake broadcasts in the queue to a peer, and the
 * announcements of a turn are sent before its first broadcast. A node that has received a broadcast
 * has therefore also received the announcements of all members that the sender had then.
 *
 * A node may broadcast to a room before it has received another node's announcement of a member. It
 * therefore sends the broadcasts of the last 100 ms to a node that announces its first member:
 *
 *     node A: broadcast, not sent to B ─▶ kept for 100 ms ─▶ B announces a member ─▶ sent to B
 *
 * Rooms are announced by buckets: a bucket has left when all its rooms have left. If a bucket is
 * joined again within a second, nothing is announced.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Clock, Timer } from "../base/clock.ts";
import type { RoomSink } from "../mesh/dispatch.ts";
import { FEATURE } from "../mesh/handshake.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { encodeRoomBroadcast } from "../mesh/message.ts";
import {
  encodeInterestList,
  encodeInterestMap,
  INTEREST,
  ROOM_LIST_MAX,
} from "../mesh/room_interest.ts";
import type { Session } from "../mesh/session.ts";
import type { Relay, Rooms, TurnEnd } from "../ws/rooms.ts";
import type { RoomMessage } from "../ws/room.ts";
import { bucketOf, type RelayLink } from "./relay_link.ts";

/** Time for which rooms without members are still announced, in milliseconds. */
const LEAVE_MS = 1_000;

/**
 * Time for which a broadcast is kept for nodes that had no members, in milliseconds. Most
 * announcements of members arrive within this time.
 */
const LATE_MS = 100;
/** Maximum number of kept broadcasts. The oldest ones are dropped. */
const LATE_MAX = 1_024;
/** Maximum total length of kept broadcasts, in bytes. The oldest ones are dropped. */
const LATE_BYTES_MAX = 1_048_576;

/** A broadcast that was not sent to some nodes, because they had not announced members. */
interface LateBroadcast {
  readonly room: string;
  readonly data: RoomMessage;
  readonly bytes: number;
  readonly bucket: number;
  readonly until: number;
  /** The sessions with the nodes that have not received the broadcast. */
  readonly sessions: Session[];
}

/** The parts of the host that a relay uses. */
export interface RelayHost extends TurnEnd {
  readonly clock: Clock;
}

/** Connects the rooms of a node with the mesh. */
export class RoomRelay implements Relay, RoomSink {
  readonly #host: RelayHost;
  readonly #mesh: Mesh;
  readonly #rooms: Rooms;
  /** The number of rooms with members on this node, by bucket. */
  readonly #counts = new Map<number, number>();
  /** Buckets in `#counts` that have not been announced. */
  readonly #joined = new Set<number>();
  /** Buckets that are still announced although they are not in `#counts` any more. */
  readonly #left = new Set<number>();
  /** Broadcasts that some nodes have not received, oldest first. */
  readonly #late: LateBroadcast[] = [];
  #lateBytes = 0;
  #lateTimer: Timer | undefined;
  #isArmed = false;
  #timer: Timer | undefined;
  readonly #link: RelayLink | undefined;

  /** `link`: the transport that carries messages in addition to the mesh, or instead of it. */
  constructor(host: RelayHost, mesh: Mesh, rooms: Rooms, link?: RelayLink) {
    this.#host = host;
    this.#link = link;
    this.#mesh = mesh;
    this.#rooms = rooms;
    rooms.relay = this;
    mesh.roomSink = this;
    mesh.events.on("nodeup", ({ node }) => this.#up(mesh.session(node)));
    mesh.events.on("nodedown", () => this.#hasNoPeers() && this.#peersLost());
  }

  /**
   * Sends a broadcast to the nodes with members. `Rooms` has checked that the message fits into a
   * frame.
   */
  broadcast(room: string, data: RoomMessage): void {
    if (this.#joined.size > 0) this.#announce();
    const bucket = bucketOf(room);
    if (this.#link !== undefined) {
      this.#link.room(bucket, room, data);
      if (this.#link.isAlone) return;
    }
    let frame: Uint8Array | undefined;
    let skipped: Session[] | undefined;
    for (const session of this.#mesh.sessions()) {
      if (session.met.isHidden) continue;
      if (session.rooms?.has(bucket) === false) {
        (skipped ??= []).push(session);
        continue;
      }
      frame ??= encodeRoomBroadcast(room, data);
      if (!session.sendData(frame) && session.dropped === 1) {
        this.#mesh.log.warn(`${session.met.name} does not read: room messages to it are dropped`);
      }
    }
    if (skipped !== undefined) this.#keep(room, data, bucket, skipped);
  }

  /**
   * Keeps a broadcast for nodes that announce a member late. The frame is encoded only when it is
   * sent.
   */
  #keep(room: string, data: RoomMessage, bucket: number, sessions: Session[]): void {
    const late = this.#late;
    const isText = typeof data === "string";
    const bytes = isText ? Buffer.byteLength(data) : data.length;
    const until = this.#host.clock.now() + LATE_MS;
    late.push({ room, data: isText ? data : new Uint8Array(data), bytes, bucket, until, sessions });
    this.#lateBytes += bytes;
    while (late.length > LATE_MAX || this.#lateBytes > LATE_BYTES_MAX) this.#forget();
    this.#lateTimer ??= this.#host.clock.after(LATE_MS, () => this.#expire());
  }

  /** Drops the oldest kept broadcast. */
  #forget(): void {
    this.#lateBytes -= this.#late.shift()!.bytes;
  }

  /**
   * Drops the broadcasts that were kept long enough, so that they and ended sessions do not stay in
   * memory.
   */
  #expire(): void {
    const late = this.#late;
    const now = this.#host.clock.now();
    while (late.length > 0 && late[0]!.until <= now) this.#forget();
    this.#lateTimer = late.length === 0
      ? undefined
      : this.#host.clock.after(LATE_MS, () => this.#expire());
  }

  /** Sends a node the broadcasts that it has missed because its announcement arrived late. */
  #sendLate(session: Session): void {
    const now = this.#host.clock.now();
    for (const { room, data, bucket, until, sessions } of this.#late) {
      const at = sessions.indexOf(session);
      if (at < 0 || until < now || !session.rooms!.has(bucket)) continue;
      sessions.splice(at, 1);
      session.sendData(encodeRoomBroadcast(room, data));
    }
  }

  joined(room: string): void {
    const bucket = bucketOf(room);
    const count = this.#counts.get(bucket) ?? 0;
    this.#counts.set(bucket, count + 1);
    if (count > 0 || this.#left.delete(bucket)) return;
    this.#joined.add(bucket);
    this.#link?.enter(bucket);
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#host.atFlush(() => {
      this.#isArmed = false;
      this.#announce();
    });
  }

  left(room: string): void {
    const bucket = bucketOf(room);
    const count = this.#counts.get(bucket)!;
    if (count > 1) return void this.#counts.set(bucket, count - 1);
    this.#counts.delete(bucket);
    if (this.#joined.delete(bucket)) return this.#link?.exit(bucket);
    this.#left.add(bucket);
    if (this.#hasNoPeers()) this.#withdraw();
    else this.#timer ??= this.#host.clock.after(LEAVE_MS, () => this.#withdraw());
  }

  async announced(ms: number): Promise<string[]> {
    this.#announce();
    const missing: string[] = [];
    const flushed = this.#link?.flush().catch(() => void missing.push("relay"));
    await Promise.all(
      Array.from(
        this.#listeners(),
        (session) =>
          new Promise<void>((answered) =>
            session.probe(ms, (isAlive) => {
              if (!isAlive && this.#mesh.session(session.met.name) === session) {
                missing.push(session.met.name);
              }
              answered();
            })
          ),
      ),
    );
    await flushed;
    return missing;
  }

  roomMessage(room: string, message: Uint8Array, text: boolean): void {
    this.#rooms.deliver(room, message, text);
  }

  /** Iterates over the sessions with nodes that support ROOM_INTEREST. */
  *#listeners(): Generator<Session> {
    for (const session of this.#mesh.sessions()) if (isListener(session)) yield session;
  }

  /** Sends the buckets of all rooms of this node to a new peer. */
  #up(session: Session | undefined): void {
    if (session === undefined || !isListener(session)) return;
    session.onRoomsChanged = () => this.#sendLate(session);
    session.sendControl(this.#all());
  }

  #all(): Uint8Array {
    const buckets = [...this.#counts.keys(), ...this.#left];
    return buckets.length > ROOM_LIST_MAX
      ? encodeInterestMap(buckets)
      : encodeInterestList(INTEREST.JOINED, buckets, buckets.length);
  }

  #announce(): void {
    const { size } = this.#joined;
    if (size === 0) return;
    this.#send(() =>
      size > ROOM_LIST_MAX ? this.#all() : encodeInterestList(INTEREST.JOINED, this.#joined, size)
    );
    this.#joined.clear();
  }

  #hasNoPeers(): boolean {
    return this.#mesh.sessions().next().done === true;
  }

  /**
   * Called when the last peer has disconnected. Cancels the timers, and drops the broadcasts that
   * were kept for peers.
   */
  #peersLost(): void {
    this.#withdraw();
    this.#lateTimer?.cancel();
    this.#lateTimer = undefined;
    this.#late.length = this.#lateBytes = 0;
  }

  #withdraw(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { size } = this.#left;
    if (size === 0) return;
    for (const bucket of this.#left) this.#link?.exit(bucket);
    const buckets = size > ROOM_LIST_MAX ? this.#counts.keys() : undefined;
    this.#send(() =>
      buckets === undefined
        ? encodeInterestList(INTEREST.LEFT, this.#left, size)
        : encodeInterestMap(buckets)
    );
    this.#left.clear();
  }

  #send(encode: () => Uint8Array): void {
    let frame: Uint8Array | undefined;
    for (const session of this.#listeners()) session.sendControl(frame ??= encode());
  }
}

function isListener({ met }: Session): boolean {
  return !met.isHidden && (met.features & FEATURE.ROOM_INTEREST) !== 0;
}
