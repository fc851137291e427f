/**
 * Rooms: named sets of connections on this node, and the fast way to all of their members.
 *
 *     broadcast(r, a) ┐                          ┌─▶ member 1 ─┐
 *     broadcast(r, b) ├─▶ batch: [a][b][c] ─seal─┼─▶ member 2 ─┼─ one write each, when the turn ends
 *     broadcast(r, c) ┘   encoded once           └─▶ member 3 ─┘
 *
 * Members whose peers inflate get it compressed, which is done once for all of them.
 *
 * What is broadcast to a room in one turn is encoded once, one frame behind the other, into the open
 * batch; sealing it copies it out once, and every member's stream is handed the same bytes. At most
 * one batch is open. Order holds because whatever could be told apart from the outside seals it
 * first: a broadcast to another room, a direct send to a member, a join, a leave.
 *
 * Membership belongs to this node alone. Other nodes hear of a broadcast through the {@linkcode
 * Relay}, and theirs come in through {@linkcode Rooms.deliver}, which tells nobody else.
 *
 * @module
 */
import { utf8 } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { type BackpressureOptions, checkBackpressure } from "./backpressure.ts";
import type { SharedCompression } from "./deflate.ts";
import { appendMessage, checkBytes, encodeMessage, messagesIn } from "./frame.ts";
import { Scratch } from "./scratch.ts";

/** A room's name has at most this many bytes of UTF-8. */
export const ROOM_NAME_BYTES_MAX = 255;

/**
 * A message to a room has at most this many bytes by default: what one frame between nodes carries beside the
 * longest name of a room. It holds on a node without a cluster too, so that a program that works alone works
 * on several nodes.
 */
export const ROOM_MESSAGE_BYTES_MAX: number = 16 * 1024 * 1024 - 262;

/** A member is in at most this many rooms by default. */
const ROOMS_MAX = 1000;

/** A message to a room: a string is sent as text, bytes as binary. */
export type RoomMessage = string | Uint8Array;

/** What a room needs of a connection. */
export interface Member {
  /**
   * Receives whole RFC 6455 frames (unmasked, unfragmented) for a room, in memory that does not change any more.
   * A member that sends messages and not frames reads them from {@linkcode RoomTerms.messages}. Must not call
   * back into rooms.
   */
  sendShared(frames: Uint8Array, room: RoomTerms): void;
  /** Lays them out for this member and others like it. Default: they stay as they are. */
  readonly packing?: SharedCompression | undefined;
}

/** What a member is told of the room that it is sent something for. */
export interface RoomTerms {
  /** Its name. */
  readonly name: string;
  /** What happens to members that do not read fast enough; `undefined`: what their server says. */
  readonly backpressure: BackpressureOptions | undefined;
  /**
   * Returns the messages in frames that {@linkcode Member.sendShared} received: strings for text, bytes for
   * binary. They are decoded once for all members of the room.
   */
  messages(frames: Uint8Array): readonly RoomMessage[];
}

/** How a broadcast reaches the rooms of other nodes: filled by the cluster. */
export interface Relay {
  /** Tells the other nodes, once each. */
  broadcast(room: string, data: RoomMessage): void;
}

/** Calls a task at the end of this turn, before streams send. A `Host` is one. */
export interface TurnEnd {
  /** Runs `task` then. */
  atFlush(task: () => void): void;
}

/** Limits of {@linkcode Rooms}. */
export interface RoomsOptions {
  /** A member may be in this many rooms; joining one more throws. Default 1000. */
  readonly roomsMax?: number | undefined;
  /** The longest message, in bytes; a longer one throws and is sent to no member. Default 16 MiB - 262. */
  readonly messageBytesMax?: number | undefined;
}

/** Why a room cannot be joined, in one word. */
export type RoomFault =
  /** The name is empty, longer than 255 bytes of UTF-8, or has a lone surrogate. */
  | "badroom"
  /** The connection is in as many rooms as it may. */
  | "toomanyrooms"
  /** The message is longer than a node may send to others. It was sent to no member, on no node. */
  | "toolarge"
  /** An option of the room cannot be. */
  | "badoption";

/** Thrown by {@linkcode Rooms} when a room cannot be joined or broadcast to. */
export class RoomError extends RangeError {
  /** Tells the class of the error. */
  override readonly name = "RoomError";
  /** Which of the reasons. */
  readonly code: RoomFault;

  /** With its code and words. */
  constructor(code: RoomFault, message: string) {
    super(message);
    this.code = code;
  }
}

/** One room that has members. */
class Room implements RoomTerms {
  readonly name: string;
  readonly backpressure: BackpressureOptions | undefined;
  readonly members: Set<Member>;
  /** The frames that were decoded last, and what is in them. */
  #frames: Uint8Array | undefined;
  #messages: readonly RoomMessage[] = [];

  constructor(name: string, backpressure: BackpressureOptions | undefined, members: Set<Member>) {
    this.name = name;
    this.backpressure = backpressure;
    this.members = members;
  }

  messages(frames: Uint8Array): readonly RoomMessage[] {
    if (this.#frames !== frames) {
      this.#frames = frames;
      this.#messages = messagesIn(frames);
    }
    return this.#messages;
  }

  /** Drops what {@linkcode messages} keeps: all members have it. */
  forget(): void {
    this.#frames = undefined;
    this.#messages = [];
  }
}

/** Bytes of the open batch that one member is not to get. */
interface Exclusion {
  readonly from: number;
  readonly to: number;
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
  /** Tells other nodes what is broadcast here. Empty on a node without a cluster. */
  relay: Relay | undefined;

  readonly #turn: TurnEnd;
  readonly #roomsMax: number;
  readonly #messageBytesMax: number;
  readonly #rooms: Map<string, Room> = new Map();
  /** Which rooms each member is in. Who is in none is not here. */
  readonly #joined: Map<Member, Set<string>> = new Map();
  /** Rooms with a say of their own on backpressure, with or without members. */
  readonly #limits: Map<string, BackpressureOptions> = new Map();

  /** The batch, from 0 up to `#length`. A turn's frames past its end seal it first. */
  readonly #scratch: Scratch = new Scratch();
  #length = 0;
  /** Whose batch is open. */
  #open: Room | undefined;
  /** Who is not to get what of the open batch. */
  readonly #exclusions: Map<Member, Exclusion[]> = new Map();
  /** The end of this turn will seal. */
  #armed = false;
  readonly #endTurn = (): void => {
    this.#armed = false;
    this.#seal();
  };

  /** `turn` tells when this turn ends. */
  constructor(turn: TurnEnd, options: RoomsOptions = {}) {
    this.#turn = turn;
    this.#roomsMax = options.roomsMax ?? ROOMS_MAX;
    this.#messageBytesMax = options.messageBytesMax ?? ROOM_MESSAGE_BYTES_MAX;
  }

  /** How many rooms have members here. */
  get count(): number {
    return this.#rooms.size;
  }

  /** Returns the names of the rooms that have members here. */
  names(): IterableIterator<string> {
    return this.#rooms.keys();
  }

  /** Who is in a room, here. It changes as they come and go. */
  members(room: string): ReadonlySet<Member> {
    return this.#rooms.get(room)?.members ?? NO_MEMBERS;
  }

  /**
   * Says what happens to members of a room, here, that do not read what is broadcast to it fast
   * enough; `undefined`: what their server says again. It stays until it is said anew, whoever comes
   * and goes. Throws {@linkcode RoomError}.
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

  /** The rooms that a member is in. It changes as it comes and goes. */
  of(member: Member): ReadonlySet<string> {
    return this.#joined.get(member) ?? NO_ROOMS;
  }

  /** Adds a member. Being in it already changes nothing. Throws {@linkcode RoomError}. */
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
    if (known === undefined) this.#rooms.set(room, this.#make(room, new Set([member])));
    else {
      // What was broadcast before is not for the newcomer.
      if (this.#open === known) this.#seal();
      known.members.add(member);
    }
    if (joined === undefined) this.#joined.set(member, new Set([room]));
    else joined.add(room);
  }

  /** Takes a member out. It still gets what was broadcast before. */
  leave(room: string, member: Member): void {
    const joined = this.#joined.get(member);
    if (joined === undefined || !joined.delete(room)) return;
    if (joined.size === 0) this.#joined.delete(member);
    this.#remove(room, member);
  }

  /** Takes a member out of all rooms. */
  leaveAll(member: Member): void {
    const joined = this.#joined.get(member);
    if (joined === undefined) return;
    this.#joined.delete(member);
    for (const room of joined) this.#remove(room, member);
  }

  /**
   * Sends to every member of a room, on every node. Throws {@linkcode RoomError} if the room's name is invalid
   * or the message is too large; then no member receives it.
   */
  broadcast(room: string, data: RoomMessage): void {
    this.#checkLength(room, data);
    if (!this.#append(room, data, undefined, typeof data === "string")) checkName(room);
    this.relay?.broadcast(room, data);
  }

  /** Sends to every member of a room but this one, on every node. Throws as {@linkcode broadcast} does. */
  broadcastFrom(member: Member, room: string, data: RoomMessage): void {
    this.#checkLength(room, data);
    if (!this.#append(room, data, member, typeof data === "string")) checkName(room);
    this.relay?.broadcast(room, data);
  }

  /**
   * Sends to the members here alone: a broadcast that another node has relayed. `text`: bytes are
   * valid UTF-8, to be sent as text.
   */
  deliver(room: string, data: RoomMessage, text: boolean = typeof data === "string"): void {
    this.#append(room, data, undefined, text);
  }

  /** Hands out what is still open for this member, so that what it is sent next comes after. */
  settle(member: Member): void {
    if (this.#open?.members.has(member)) this.#seal();
  }

  /** Adds a message to its room's batch. False if nobody here is in that room. */
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

  /** The batch is full, or the message is larger than any batch. */
  #large(room: Room, data: RoomMessage, except: Member | undefined, text: boolean): void {
    if (this.#length > 0) {
      this.#begin(room);
      this.#append(room.name, data, except, text);
      return;
    }
    const skip = except === undefined ? undefined : new Set([except]);
    handOut(room, encodeMessage(data, text), skip);
  }

  #exclude(member: Member, from: number, to: number): void {
    const exclusions = this.#exclusions.get(member);
    if (exclusions === undefined) this.#exclusions.set(member, [{ from, to }]);
    else exclusions.push({ from, to });
  }

  /** Hands the open batch to its members. */
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
    return new Room(name, this.#limits.get(name), members);
  }

  /** Throws if other nodes could not be sent this: then no member here is sent it either. */
  #checkLength(room: string, data: RoomMessage): void {
    if (typeof data !== "string") checkBytes(data);
    // Three bytes are the most that one unit of a string can take.
    if (data.length * (typeof data === "string" ? 3 : 1) <= this.#messageBytesMax) return;
    const length = typeof data === "string" ? utf8(data).length : data.length;
    if (length <= this.#messageBytesMax) return;
    throw new RoomError(
      "toolarge",
      `a message of ${length} bytes to room ${JSON.stringify(room)} was not sent: ` +
        `the most is ${this.#messageBytesMax}`,
    );
  }

  #remove(name: string, member: Member): void {
    const room = this.#rooms.get(name);
    assert(room !== undefined, "a member of a room that is not there");
    if (this.#open === room) this.#seal();
    room.members.delete(member);
    if (room.members.size === 0) this.#rooms.delete(name);
  }
}

/** Hands the same frames to all but some, packed once for each way of packing. */
function handOut(
  room: Room,
  frames: Uint8Array,
  skip: { has(member: Member): boolean } | undefined,
): void {
  let packing: SharedCompression | undefined;
  let packed = frames;
  let others: Map<SharedCompression | undefined, Uint8Array> | undefined;
  for (const member of room.members) {
    if (skip !== undefined && skip.has(member)) continue;
    if (member.packing !== packing) {
      (others ??= new Map([[undefined, frames]])).set(packing, packed);
      packing = member.packing;
      packed = others.get(packing) ?? packing!.pack(frames);
    }
    member.sendShared(packed, room);
  }
  room.forget();
}

/** Hands out what lies between the exclusions, which are in order and do not overlap. */
function handOutAround(
  member: Member,
  room: Room,
  frames: Uint8Array,
  exclusions: readonly Exclusion[],
): void {
  let at = 0;
  for (const { from, to } of exclusions) {
    if (from > at) member.sendShared(frames.subarray(at, from), room);
    at = to;
  }
  if (at < frames.length) member.sendShared(frames.subarray(at), room);
}

function checkName(room: string): void {
  if (room.length > 0 && room.isWellFormed()) {
    // Three bytes are the most that one unit of a string can take.
    if (room.length * 3 <= ROOM_NAME_BYTES_MAX || utf8(room).length <= ROOM_NAME_BYTES_MAX) return;
  }
  const shown = JSON.stringify(room.length > 40 ? `${room.slice(0, 40)}…` : room);
  throw new RoomError(
    "badroom",
    `no room can be called ${shown}: give it 1 to ${ROOM_NAME_BYTES_MAX} bytes of UTF-8`,
  );
}
