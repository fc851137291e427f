/**
 * Implements one room: its name, its members on this node, and the sending of frames to them.
 *
 * @module
 */
import { utf8 } from "../base/bytes.ts";
import type { PortionQueue } from "../base/portions.ts";
import type { BackpressureOptions } from "./backpressure.ts";
import type { SharedCompression } from "./deflate.ts";
import { messagesIn } from "./frame.ts";

/** Maximum length of a name of a room, in bytes of UTF-8. */
export const ROOM_NAME_BYTES_MAX = 255;

/** A message to a room: a string is sent as text, bytes as binary. */
export type RoomMessage = string | Uint8Array;

/** A member of rooms: a connection, or a result of `roomMember`. */
export interface Member {
  /**
   * Receives complete RFC 6455 frames (unmasked, unfragmented) for a room, in a buffer that is not
   * changed afterwards. A member that sends messages instead of frames reads them from
   * {@linkcode RoomTerms.messages}. Must not call back into rooms.
   */
  sendShared(frames: Uint8Array, room: RoomTerms): void;
  /**
   * Compresses the frames for this member and others with the same parameters. Default: no
   * compression.
   */
  readonly packing?: SharedCompression | undefined;
}

/** The room of a broadcast, with what members need to deliver the broadcast. */
export interface RoomTerms {
  /** The name of the room. */
  readonly name: string;
  /**
   * The backpressure options of the room. `undefined`: the options of the member's server apply.
   */
  readonly backpressure: BackpressureOptions | undefined;
  /**
   * Returns the messages in frames that {@linkcode Member.sendShared} received: strings for text,
   * bytes for binary. They are decoded once for all members of the room.
   */
  messages(frames: Uint8Array): readonly RoomMessage[];
  /**
   * Runs a task at once or, if many such tasks have run in this turn, after pending I/O has been
   * handled. For members to which sending is expensive. Tasks run in order.
   */
  later(task: () => void): void;
}

/**
 * The reason of a {@linkcode RoomError}.
 *
 * - `"badroom"`: the name is empty, longer than 255 bytes of UTF-8, or has a lone surrogate;
 * - `"toomanyrooms"`: the member has joined the maximum number of rooms;
 * - `"toolarge"`: the message is longer than a node can send to others. It was sent to no
 *   member;
 * - `"badoption"`: an option of the room is invalid.
 */
export type RoomFault = "badroom" | "toomanyrooms" | "toolarge" | "badoption";

/**
 * Thrown by {@linkcode Rooms} when a room cannot be joined or broadcast to.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { RoomError } from "@firn/firn/ws";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const error = assertThrows(() => node.rooms.broadcast("", "hello"), RoomError);
 * assertEquals(error.code, "badroom");
 * ```
 */
export class RoomError extends RangeError {
  /** The name of the class. */
  override readonly name = "RoomError";
  /** Stable code of the reason. */
  readonly code: RoomFault;

  /** Creates the error from the code and the message. */
  constructor(code: RoomFault, message: string) {
    super(message);
    this.code = code;
  }
}

/** A room with members. */
export class Room implements RoomTerms {
  readonly name: string;
  readonly backpressure: BackpressureOptions | undefined;
  readonly members: Set<Member>;
  readonly #deliveries: PortionQueue | undefined;
  /** The frames for which {@linkcode messages} was called last. */
  #frames: Uint8Array | undefined;
  /** The messages that were decoded from `#frames`. */
  #messages: readonly RoomMessage[] = [];

  /** Without `deliveries`, the tasks of {@linkcode later} run at once. */
  constructor(
    name: string,
    backpressure: BackpressureOptions | undefined,
    members: Set<Member>,
    deliveries: PortionQueue | undefined,
  ) {
    this.name = name;
    this.backpressure = backpressure;
    this.members = members;
    this.#deliveries = deliveries;
  }

  /** See {@linkcode RoomTerms.later}. */
  later(task: () => void): void {
    if (this.#deliveries === undefined) task();
    else this.#deliveries.run(task);
  }

  messages(frames: Uint8Array): readonly RoomMessage[] {
    if (this.#frames !== frames) {
      this.#frames = frames;
      this.#messages = messagesIn(frames);
    }
    return this.#messages;
  }

  /** Drops the cached messages, after all members have received them. */
  forget(): void {
    this.#frames = undefined;
    this.#messages = [];
  }
}

/** A range of bytes of the open batch that one member must not receive. */
export interface Exclusion {
  readonly from: number;
  readonly to: number;
}

/**
 * Sends the same frames to all members that are not in `skip`. Compresses them once for all members
 * with the same compression.
 */
export function handOut(
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

/** Sends to a member the ranges between its exclusions, which are in order and do not overlap. */
export function handOutAround(
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

/** Throws {@linkcode RoomError} if the name of a room is invalid. */
export function checkName(room: string): void {
  if (room.length > 0 && room.isWellFormed()) {
    // UTF-8 has at most three bytes for each UTF-16 code unit.
    if (room.length * 3 <= ROOM_NAME_BYTES_MAX || utf8(room).length <= ROOM_NAME_BYTES_MAX) return;
  }
  const shown = JSON.stringify(room.length > 40 ? `${room.slice(0, 40)}…` : room);
  throw new RoomError(
    "badroom",
    `no room can be called ${shown}: give it 1 to ${ROOM_NAME_BYTES_MAX} bytes of UTF-8`,
  );
}
