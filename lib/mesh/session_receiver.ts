/**
 * What one session brings: a frame is handed on, unless a large one for the same addressee is still on its
 * way, which it must not overtake.
 *
 * @module
 */
import type { Session, SessionEnd, SessionHandler } from "./session.ts";
import type { HoldKey } from "./holdback_queue.ts";
import { type ActorSink, dispatch, type DispatchTarget } from "./dispatch.ts";
import { decodeRoomName, TAG } from "./message.ts";

/** Acts for the actors of this node in one session. */
export interface SessionActors extends ActorSink {
  /** The same as `take`, for a row whose body stands in `bytes`. */
  takeAt(tag: number, bytes: Uint8Array, from: number, to: number): string | undefined;
  /** For whom a row is that begins like this. */
  keyOf(tag: number, head: Uint8Array): HoldKey | undefined;
  /** The session is over. */
  lost(): void;
}

/** Who has sessions. */
export interface SessionOwner extends DispatchTarget {
  /** More than half of what may wait for a peer waits, or not any more. */
  pressure(connection: Session, high: boolean): void;
  /** The session is over. */
  over(session: SessionReceiver, connection: Session, end: SessionEnd, words: string): void;
}

/** The receiving end of one session. */
export class SessionReceiver implements SessionHandler {
  /** Given as soon as there is a connection. Without it the rows of actors are skipped. */
  actors: SessionActors | undefined = undefined;
  readonly #owner: SessionOwner;

  constructor(owner: SessionOwner) {
    this.#owner = owner;
  }

  messageAt(tag: number, bytes: Uint8Array, from: number, to: number): string | undefined {
    return this.actors?.takeAt(tag, bytes, from, to);
  }

  message(
    connection: Session,
    tag: number,
    body: Uint8Array,
    bulk?: number,
  ): string | undefined {
    const isLarge = bulk !== undefined;
    const { holds } = connection;
    if (!isLarge && holds.count > 0) {
      const key = roomKey(tag, body);
      if (key !== undefined && holds.isHeld(key)) return this.#wait(connection, tag, body, key);
    }
    return dispatch(this.#owner, connection.met.name, tag, body, this.actors, isLarge);
  }

  begin(_connection: Session, tag: number, head: Uint8Array): HoldKey | undefined {
    return roomKey(tag, head) ?? this.actors?.keyOf(tag, head);
  }

  pressure(connection: Session, high: boolean): void {
    this.#owner.pressure(connection, high);
  }

  over(connection: Session, end: SessionEnd, words: string): void {
    this.#owner.over(this, connection, end, words);
  }

  #wait(connection: Session, tag: number, body: Uint8Array, key: HoldKey): string | undefined {
    const copy = body.slice();
    const run = (): void => {
      const broken = dispatch(this.#owner, connection.met.name, tag, copy);
      if (broken !== undefined) connection.abort("protocol", `it sent ${broken}`);
    };
    return connection.holds.hold(key, copy.length, run)
      ? undefined
      : "too much behind a large message";
  }
}

function roomKey(tag: number, head: Uint8Array): HoldKey | undefined {
  if (tag !== TAG.ROOM_BROADCAST && tag !== TAG.ROOM_BROADCAST_BINARY) return undefined;
  const room = decodeRoomName(head);
  return room === undefined ? undefined : `room ${room}`;
}
