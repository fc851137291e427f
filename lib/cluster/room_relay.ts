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
import { utf8 } from "../base/bytes.ts";
import type { RoomSink } from "../mesh/dispatch.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { encodeRoomBroadcast, ROOM_MESSAGE_BYTES_MAX } from "../mesh/message.ts";
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

  /** Tells the other nodes. A message that fits no frame is not sent to them, which is logged. */
  broadcast(room: string, data: RoomMessage): void {
    let frame: Uint8Array | undefined;
    for (const session of this.#mesh.sessions()) {
      frame ??= this.#encode(room, data);
      if (frame === undefined) return;
      if (!session.sendData(frame) && session.dropped === 1) {
        this.#mesh.log.warn(`${session.met.name} does not read: room messages to it are dropped`);
      }
    }
  }

  roomMessage(room: string, message: Uint8Array, text: boolean): void {
    this.#rooms.deliver(room, message, text);
  }

  #encode(room: string, data: RoomMessage): Uint8Array | undefined {
    const length = typeof data !== "string"
      ? data.length
      : data.length * 3 <= ROOM_MESSAGE_BYTES_MAX
      ? 0
      : utf8(data).length;
    if (length <= ROOM_MESSAGE_BYTES_MAX) return encodeRoomBroadcast(room, data);
    this.#mesh.log.warn(
      `a message of ${length} bytes to room ${JSON.stringify(room)} was not sent to other nodes: ` +
        `the most is ${ROOM_MESSAGE_BYTES_MAX}`,
    );
    return undefined;
  }
}
