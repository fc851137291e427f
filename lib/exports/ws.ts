/**
 * WebSockets and rooms: everything that `@firn/firn` does not export. Rooms for other servers,
 * options of clients, errors.
 *
 * @module
 */
export {
  BACKPRESSURE_POLICIES,
  type BackpressureOptions,
  type BackpressurePolicy,
} from "../ws/backpressure.ts";
export {
  CONNECTION_STATES,
  type ConnectionHandlers,
  type ConnectionState,
  PingError,
} from "../ws/connection.ts";
export { ReconnectError, type ReconnectOptions } from "../ws/reconnect.ts";
export type { SharedCompression } from "../ws/deflate.ts";
export {
  type Client,
  CLIENT_STATES,
  type ClientChange,
  type ClientOptions,
  type ClientState,
  HandshakeError,
  type PerAttempt,
} from "../ws/client.ts";
export { CloseCodeError } from "../ws/close.ts";
export { type Acceptance, type DeflateOptions, OptionError } from "../ws/options.ts";
export type { SendResult } from "../ws/outbox.ts";
export type { Relay, RoomsOptions, TurnEnd } from "../ws/rooms.ts";
export {
  type Member,
  RoomError,
  type RoomFault,
  type RoomMessage,
  type RoomTerms,
} from "../ws/room.ts";
export {
  eventStream,
  type EventStreamOptions,
  type MessageSocket,
  roomMember,
} from "../ws/room_member.ts";
export type { StopOptions } from "../ws/server.ts";
