/**
 * Sends broadcasts to rooms on other nodes.
 *
 *     rooms.broadcast ─▶ members here
 *           └─▶ relay ─▶ one ROOM_BROADCAST to each connected node ─▶ its relay ─▶ members there
 *
 * A node never forwards a received broadcast, because the sender has sent it to all nodes. The members on other
 * nodes are not tracked, so a broadcast costs one frame per node, even for nodes without members.
 *
 * @module
 */
import type { RoomSink } from "../mesh/dispatch.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { encodeRoomBroadcast } from "../mesh/message.ts";
import type { Relay, RoomMessage, Rooms } from "../ws/rooms.ts";

/** Connects the rooms of a node with the mesh. */
export class RoomRelay implements Relay, RoomSink {
  readonly #mesh: Mesh;
  readonly #rooms: Rooms;

  constructor(mesh: Mesh, rooms: Rooms) {
    this.#mesh = mesh;
    this.#rooms = rooms;
    rooms.relay = this;
    mesh.roomSink = this;
  }

  /** Sends to the other nodes. `Rooms` has checked that the message fits into a frame. */
  broadcast(room: string, data: RoomMessage): void {
    let frame: Uint8Array | undefined;
    for (const session of this.#mesh.sessions()) {
      if (session.met.isHidden) continue;
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
