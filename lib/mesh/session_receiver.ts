/**
 * Implements the receiving side of a session: passes each message to {@linkcode dispatch}, except
 * that a broadcast waits while an earlier large one to the same room is incomplete.
 *
 * @module
 */
import { dispatch, type NodeMessages, type Receivers } from "./dispatch.ts";
import type { HoldKey } from "./holdback_queue.ts";
import type { Inbound } from "./inbound.ts";
import { decodeRoomName, TAG } from "./message.ts";
import type { Session, SessionEnd, SessionHandler } from "./session.ts";

/** The interface of the owner of sessions, `Mesh`. */
export interface SessionOwner extends NodeMessages {
  /**
   * Called when the outbox of a session has exceeded half of its limit (`high`), or fallen below an
   * eighth.
   */
  pressure(connection: Session, high: boolean): void;
  /** Called when a session has ended. */
  over(session: SessionReceiver, connection: Session, end: SessionEnd, words: string): void;
}

/** Handles the messages of one session. */
export class SessionReceiver implements SessionHandler, Receivers {
  /**
   * Handles the messages of actors. Set when the session is attached; before that, these messages
   * are skipped.
   */
  actors: Inbound | undefined = undefined;
  readonly owner: SessionOwner;

  constructor(owner: SessionOwner) {
    this.owner = owner;
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
    return dispatch(connection, this, tag, body, isLarge);
  }

  begin(_connection: Session, tag: number, head: Uint8Array): HoldKey | undefined {
    return roomKey(tag, head) ?? this.actors?.keyOf(tag, head);
  }

  pressure(connection: Session, high: boolean): void {
    this.owner.pressure(connection, high);
  }

  over(connection: Session, end: SessionEnd, words: string): void {
    this.owner.over(this, connection, end, words);
  }

  #wait(connection: Session, tag: number, body: Uint8Array, key: HoldKey): string | undefined {
    const copy = body.slice();
    const run = (): void => {
      const broken = dispatch(connection, this, tag, copy);
      if (broken !== undefined) connection.abort("protocol", `it sent ${broken}`);
    };
    return connection.holds.hold(key, copy.length, run)
      ? undefined
      : "too many bytes are held behind a large message";
  }
}

/**
 * Returns the key of the room of a broadcast, under which broadcasts are held; `undefined` for any
 * other message.
 */
function roomKey(tag: number, head: Uint8Array): HoldKey | undefined {
  if (tag !== TAG.ROOM_BROADCAST && tag !== TAG.ROOM_BROADCAST_BINARY) return undefined;
  const room = decodeRoomName(head);
  return room === undefined ? undefined : `room ${room}`;
}
