/**
 * Rooms across the cluster: the second half of the journey of a broadcast.
 *
 *     rooms.broadcast ─▶ members here
 *           └─▶ relay ─▶ one ROOM_BROADCAST to each connected node ─▶ its relay ─▶ members there
 *
 * A node never forwards what it was sent: who said it has told everybody. Nobody tracks where a
 * room has members, so a broadcast costs one frame per node whether or not anyone listens there.
 *
 * @module
 */
import type { RoomSink } from "../mesh/dispatch.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { encodeRoomBroadcast } from "../mesh/message.ts";
import type { Relay, RoomMessage, Rooms } from "../ws/rooms.ts";

/** Ties the rooms of a node to the mesh. */
export class RoomRelay implements Relay, RoomSink {
  readonly #mesh: Mesh;
  readonly #rooms: Rooms;

  constructor(mesh: Mesh, rooms: Rooms) {
    this.#mesh = mesh;
    this.#rooms = rooms;
    rooms.relay = this;
    mesh.roomSink = this;
  }

  /** Sends to the other nodes. The message fits a frame: rooms have checked its length. */
  broadcast(room: string, data: RoomMessage): void {
    let frame: Uint8Array | undefined;
    for (const session of this.#mesh.sessions()) {
      frame ??= encodeRoomBroadcast(room, data);
      if (!session.sendData(frame) && session.dropped === 1) {
        this.#mesh.log.warn(`${session.met.name} does not read: room messages to it are dropped`);
      }
    }
  }

  roomMessage(room: string, message: Uint8Array, text: boolean): void {
    this.#rooms.deliver(room, message, text);
  }
}
