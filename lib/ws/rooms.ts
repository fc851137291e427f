/**
 * Rooms: named sets of connections on this node, with fast broadcasts to their members.
 *
 *     broadcast(r, a) ┐                          ┌─▶ member 1 ─┐
 *     broadcast(r, b) ├─▶ batch: [a][b][c] ─seal─┼─▶ member 2 ─┼─ one write each, when the turn ends
 *     broadcast(r, c) ┘   encoded once           └─▶ member 3 ─┘
 *
 * For members with compression, the batch is compressed once.
 *
 * The broadcasts to a room in one turn are encoded once, as consecutive frames, into the open
 * batch. Sealing copies it once, and every member's stream receives the same bytes. At most one
 * batch is open. Order is kept because every operation that depends on it seals the batch first: a
 * broadcast to another room, a direct send to a member, a join, a leave.
 *
 * Membership is local to this node. Broadcasts are sent to other nodes by the {@linkcode Relay},
 * and theirs arrive by {@linkcode Rooms.deliver}, which does not forward them.
 *
 * @module
 */
import { utf8 } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { ChurnMap } from "../base/churn_map.ts";
import { PortionQueue, type YieldsToIo } from "../base/portions.ts";
import { type BackpressureOptions, checkBackpressure } from "./backpressure.ts";
import { appendMessage, checkBytes, encodeMessage } from "./frame.ts";
import {
  checkName,
  type Exclusion,
  handOut,
  handOutAround,
  type Member,
  Room,
  RoomError,
  type RoomMessage,
} from "./room.ts";
import { Scratch } from "./scratch.ts";

/**
 * Default limit of a message to a room, in bytes: the length that fits into one frame between nodes
 * together with the longest room name. It also applies without a cluster, so that a program that
 * works on one node works on several.
 */
export const ROOM_MESSAGE_BYTES_MAX: number = 16 * 1024 * 1024 - 262;

/** Default timeout of {@linkcode Rooms.announced}, in milliseconds. */
const ANNOUNCE_MS = 2_000;

/** Default maximum number of rooms that a member can join. */
const ROOMS_MAX = 1000;

/** Broadcasts to the rooms of other nodes. Implemented by `cluster/room_relay.ts`. */
export interface Relay {
  /** Sends a broadcast to each other node once. */
  broadcast(room: string, data: RoomMessage): void;
  /** Called when a room gets its first member on this node. */
  joined(room: string): void;
  /** Called when a room loses its last member on this node. */
  left(room: string): void;
  /**
   * Resolves when the other nodes know which rooms have members on this node. The result lists the
   * nodes that did not answer within `ms` milliseconds.
   */
  announced(ms: number): Promise<string[]>;
}

/** Calls a task at the end of this turn, before streams send. Implemented by `Host`. */
export interface TurnEnd {
  /** Runs `task` at the end of this turn. */
  atFlush(task: () => void): void;
  /** Runs `task` after pending I/O and timers have been handled. */
  yieldToIo?(task: () => void): void;
}

/** Limits of {@linkcode Rooms}. */
export interface RoomsOptions {
  /** Maximum number of rooms per member; joining another throws. Default 1000. */
  readonly roomsMax?: number | undefined;
  /**
   * Maximum length of a message, in bytes; a longer one throws and is sent to no member. Default 16
   * MiB - 262.
   */
  readonly messageBytesMax?: number | undefined;
}

const NO_MEMBERS: ReadonlySet<Member> = new Set();
const NO_ROOMS: ReadonlySet<string> = new Set();

/**
 * The rooms of one node.
 *
 * @example
 * ```ts
 * import { Rooms } from "./rooms.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const tasks: (() => void)[] = [];
 * const rooms = new Rooms({ atFlush: (task) => tasks.push(task) });
 * const got: Uint8Array[] = [];
 * rooms.join("lobby", { sendShared: (frames) => got.push(frames) });
 * rooms.broadcast("lobby", "hi");
 * rooms.broadcast("lobby", "ho");
 * for (const task of tasks) task();
 * assertEquals(got, [new Uint8Array([0x81, 2, 0x68, 0x69, 0x81, 2, 0x68, 0x6f])]);
 * ```
 */
export class Rooms {
  /** Sends broadcasts to other nodes. `undefined` without a cluster. */
  relay: Relay | undefined;
  /** Called for each broadcast of this node while tracing is on; otherwise `undefined`. */
  traced: ((room: string) => void) | undefined = undefined;

  readonly #turn: TurnEnd;
  readonly #deliveries: PortionQueue | undefined;
  readonly #roomsMax: number;
  readonly #messageBytesMax: number;
  readonly #rooms: ChurnMap<string, Room> = new ChurnMap();
  /** The rooms of each member. Members without rooms are not included. */
  readonly #joined: ChurnMap<Member, Set<string>> = new ChurnMap();
  /** Rooms with backpressure options, with or without members. */
  readonly #limits: Map<string, BackpressureOptions> = new Map();

  /** The buffer of the open batch, which ends at `#length`. The batch is sealed when it is full. */
  readonly #scratch: Scratch = new Scratch();
  #length = 0;
  /** The room of the open batch. */
  #open: Room | undefined;
  /** The ranges of the open batch that are not sent to a member, by member. */
  readonly #exclusions: Map<Member, Exclusion[]> = new Map();
  /** Whether the task that seals the batch at the end of this turn is registered. */
  #armed = false;
  readonly #endTurn = (): void => {
    this.#armed = false;
    this.#seal();
  };

  /** `turn` runs tasks at the end of a turn. */
  constructor(turn: TurnEnd, options: RoomsOptions = {}) {
    this.#turn = turn;
    this.#deliveries = turn.yieldToIo && new PortionQueue(turn as YieldsToIo);
    this.#roomsMax = options.roomsMax ?? ROOMS_MAX;
    this.#messageBytesMax = options.messageBytesMax ?? ROOM_MESSAGE_BYTES_MAX;
  }

  /** The number of rooms with members on this node. */
  get count(): number {
    return this.#rooms.size;
  }

  /** Returns the names of the rooms with members on this node. */
  names(): IterableIterator<string> {
    return this.#rooms.keys();
  }

  /** Returns a live view of the members of a room on this node. */
  members(room: string): ReadonlySet<Member> {
    return this.#rooms.get(room)?.members ?? NO_MEMBERS;
  }

  /**
   * Sets the backpressure options of a room on this node, for members that read too slowly;
   * `undefined` restores the options of the members' server. The options stay in effect until they
   * are set again. Throws {@linkcode RoomError}.
   *
   * @example Prices, of which only the latest matters
   * ```ts
   * import { serve } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await serve({ open: (conn) => conn.join("prices") });
   * const { rooms } = server;
   * rooms.limit("prices", { backpressureLimit: 64 * 1024, backpressurePolicy: "latest" });
   * rooms.broadcast("prices", "42");
   * assertEquals(rooms.count, 0);
   * ```
   */
  limit(room: string, options: BackpressureOptions | undefined): void {
    checkName(room);
    if (options !== undefined) {
      checkBackpressure(options, (words) => new RoomError("badoption", words));
      this.#limits.set(room, { ...options });
    } else this.#limits.delete(room);
    const known = this.#rooms.get(room);
    if (known === undefined) return;
    if (this.#open === known) this.#seal();
    this.#rooms.set(room, this.#make(room, known.members));
  }

  /** Returns a live view of the rooms of a member. */
  of(member: Member): ReadonlySet<string> {
    return this.#joined.get(member) ?? NO_ROOMS;
  }

  /**
   * Adds a member, unless it is in the room already. Throws {@linkcode RoomError}.
   *
   * The member receives each later broadcast of this node. If the room had no member on this node,
   * the other nodes are informed at the end of this turn; each then sends what it has broadcast to
   * the room in the last 100 ms. What another node broadcast before that does not reach the member.
   * To be sure that no later broadcast is missed, await {@linkcode announced}.
   */
  join(room: string, member: Member): void {
    const joined = this.#joined.get(member);
    if (joined?.has(room)) return;
    checkName(room);
    if (joined !== undefined && joined.size >= this.#roomsMax) {
      throw new RoomError(
        "toomanyrooms",
        `cannot join ${JSON.stringify(room)}: already in ${joined.size} rooms, leave one first`,
      );
    }
    const known = this.#rooms.get(room);
    if (known === undefined) {
      this.#rooms.set(room, this.#make(room, new Set([member])));
      this.relay?.joined(room);
    } else {
      // Earlier broadcasts are sent first, because the new member must not receive them.
      if (this.#open === known) this.#seal();
      known.members.add(member);
    }
    if (joined === undefined) this.#joined.set(member, new Set([room]));
    else joined.add(room);
  }

  /**
   * Resolves when every connected node knows in which rooms this node has members: their broadcasts
   * from then on reach all members that joined before this call. `missing` lists the nodes that did
   * not answer within `timeout` milliseconds, by default 2000. It costs a round trip to each node.
   * Never rejects.
   *
   * @example
   * ```ts
   * import { serve, type Server } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using server: Server = await serve({
   *   async open(conn) {
   *     conn.join("orders");
   *     await server.rooms.announced();
   *     conn.send("ready");
   *   },
   * });
   * assertEquals(await server.rooms.announced(), { missing: [] });
   * ```
   */
  announced(
    { timeout = ANNOUNCE_MS }: { readonly timeout?: number | undefined } = {},
  ): Promise<{ missing: string[] }> {
    const missing = this.relay?.announced(timeout) ?? Promise.resolve([]);
    return missing.then((missing) => ({ missing }));
  }

  /** Removes a member. Earlier broadcasts are still sent to it. */
  leave(room: string, member: Member): void {
    const joined = this.#joined.get(member);
    if (joined === undefined || !joined.delete(room)) return;
    if (joined.size === 0) this.#joined.delete(member);
    this.#remove(room, member);
  }

  /** Removes a member from all rooms. */
  leaveAll(member: Member): void {
    const joined = this.#joined.get(member);
    if (joined === undefined) return;
    this.#joined.delete(member);
    for (const room of joined) this.#remove(room, member);
  }

  /**
   * Sends to every member of a room, on every node. Throws {@linkcode RoomError} if the room's name
   * is invalid or the message is too large; then no member receives it.
   */
  broadcast(room: string, data: RoomMessage): void {
    this.traced?.(room);
    this.checkLength(room, data);
    if (!this.#append(room, data, undefined, typeof data === "string")) checkName(room);
    this.relay?.broadcast(room, data);
  }

  /**
   * Sends to every member of a room except this one, on every node. Throws {@linkcode RoomError}
   * like {@linkcode broadcast}.
   */
  broadcastFrom(member: Member, room: string, data: RoomMessage): void {
    this.traced?.(room);
    this.checkLength(room, data);
    if (!this.#append(room, data, member, typeof data === "string")) checkName(room);
    this.relay?.broadcast(room, data);
  }

  /**
   * Delivers a broadcast of another node to the members on this node. With `text`, the message is
   * sent as text; bytes must then be valid UTF-8.
   */
  deliver(room: string, data: RoomMessage, text: boolean = typeof data === "string"): void {
    this.#append(room, data, undefined, text);
  }

  /** Sends the open batch if this member is in its room, so that a later message is behind it. */
  settle(member: Member): void {
    if (this.#open?.members.has(member)) this.#seal();
  }

  /** Adds a message to its room's batch. Returns false if the room has no members on this node. */
  #append(name: string, data: RoomMessage, except: Member | undefined, text: boolean): boolean {
    const room = this.#rooms.get(name);
    if (room === undefined) return false;
    if (this.#open !== room) this.#begin(room);
    const from = this.#length;
    const to = appendMessage(this.#scratch, from, data, text);
    if (to < 0) this.#large(room, data, except, text);
    else {
      this.#length = to;
      if (except !== undefined) this.#exclude(except, from, to);
    }
    return true;
  }

  #begin(room: Room): void {
    this.#seal();
    this.#open = room;
    if (this.#armed) return;
    this.#armed = true;
    this.#turn.atFlush(this.#endTurn);
  }

  /**
   * Adds a message that does not fit into the open batch: sends the batch first, or sends the
   * message directly if it is larger than any batch.
   */
  #large(room: Room, data: RoomMessage, except: Member | undefined, text: boolean): void {
    if (this.#length > 0) {
      this.#begin(room);
      return void this.#append(room.name, data, except, text);
    }
    const skip = except === undefined ? undefined : new Set([except]);
    handOut(room, encodeMessage(data, text), skip);
  }

  #exclude(member: Member, from: number, to: number): void {
    const exclusions = this.#exclusions.get(member);
    if (exclusions === undefined) this.#exclusions.set(member, [{ from, to }]);
    else exclusions.push({ from, to });
  }

  /** Sends the open batch to its members. */
  #seal(): void {
    const room = this.#open;
    if (room === undefined) return;
    this.#open = undefined;
    const length = this.#length;
    this.#length = 0;
    if (length === 0) return;
    const frames = this.#scratch.bytes.slice(0, length);
    if (this.#exclusions.size === 0) handOut(room, frames, undefined);
    else this.#handOutExcept(room, frames);
    assert(this.#length === 0, "a member called back into rooms");
  }

  #handOutExcept(room: Room, frames: Uint8Array): void {
    for (const [member, exclusions] of this.#exclusions) {
      if (room.members.has(member)) handOutAround(member, room, frames, exclusions);
    }
    handOut(room, frames, this.#exclusions);
    this.#exclusions.clear();
  }

  #make(name: string, members: Set<Member>): Room {
    return new Room(name, this.#limits.get(name), members, this.#deliveries);
  }

  /**
   * Throws {@linkcode RoomError} if the message is too long to be sent to other nodes. `more` is
   * the number of bytes that will be added to the message.
   */
  checkLength(room: string, data: RoomMessage, more: number = 0): void {
    if (typeof data !== "string") checkBytes(data);
    // UTF-8 has at most three bytes for each UTF-16 code unit.
    const most = this.#messageBytesMax - more;
    if (data.length * (typeof data === "string" ? 3 : 1) <= most) return;
    const length = typeof data === "string" ? utf8(data).length : data.length;
    if (length <= most) return;
    throw new RoomError(
      "toolarge",
      `a message of ${length} bytes to room ${JSON.stringify(room)} was not sent: ` +
        `the most is ${most}`,
    );
  }

  #remove(name: string, member: Member): void {
    const room = this.#rooms.get(name);
    assert(room !== undefined, "a member of a room that is not there");
    if (this.#open === room) this.#seal();
    room.members.delete(member);
    if (room.members.size > 0) return;
    this.#rooms.delete(name);
    this.relay?.left(name);
  }
}
