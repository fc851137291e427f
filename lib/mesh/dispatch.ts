/**
 * From a frame of an open session to the one who acts on it. Bodies are decoded and judged here;
 * what is returned is the rule that the peer broke, which ends its session.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import {
  decodeClock,
  decodeExposed,
  decodeList,
  decodeProof,
  decodeProve,
  decodeRoomBroadcast,
  TAG,
} from "./message.ts";
import { isNormalName } from "./name.ts";

/** Takes what other nodes broadcast to rooms. `message` is valid during the call only. */
export interface RoomSink {
  /** `text`: the message is valid UTF-8, to be sent on as text. */
  roomMessage(room: string, message: Uint8Array, text: boolean, from: string): void;
}

/** Acts on what actors of one other node say. */
export interface ActorSink {
  /** `alone`: the row was a large one, whose term depends on none before it. */
  take(tag: number, body: Uint8Array, alone: boolean): string | undefined;
}

/** Who acts on frames. */
export interface DispatchTarget {
  /** A peer has named nodes that it is connected with. */
  peerList(names: readonly string[], from: string): void;
  /** A peer's digest of the nodes that it is connected with. A returned text is the rule that it broke. */
  peerDigest?(body: Uint8Array, from: string): string | undefined;
  /** A peer exposes functions, or does not any more. */
  exposed(added: boolean, names: readonly string[], from: string): void;
  /** A peer's time of day, in milliseconds since 1970. */
  clock?(wall: number, from: string): void;
  /** A peer asks which cookies this node has. */
  prove?(nonce: Uint8Array, from: string): void;
  /** A peer's proofs of the cookies that it has. */
  proof?(proofs: readonly Uint8Array[], from: string): void;
  /** Filled by the cluster; without it room messages are skipped. */
  readonly roomSink: RoomSink | undefined;
}

/** Hands a frame on. Unknown tags are skipped: a later version may know them. */
export function dispatch(
  inbound: DispatchTarget,
  from: string,
  tag: number,
  body: Uint8Array,
  actors?: ActorSink,
  alone = false,
): string | undefined {
  switch (tag) {
    case TAG.PEER_LIST: {
      const names = decodeList(body);
      if (names === undefined) return "a malformed PEER_LIST";
      if (!names.every(isNormalName)) return "a PEER_LIST with something that is no node name";
      inbound.peerList(names, from);
      return undefined;
    }
    case TAG.PEER_DIGEST:
      return inbound.peerDigest?.(body, from);
    case TAG.EXPOSED: {
      const decoded = decodeExposed(body);
      if (decoded === undefined) return "a malformed EXPOSED";
      inbound.exposed(decoded.added, decoded.names, from);
      return undefined;
    }
    case TAG.CLOCK: {
      const wall = decodeClock(body);
      if (wall === undefined) return "a malformed CLOCK";
      inbound.clock?.(wall, from);
      return undefined;
    }
    case TAG.PROVE: {
      const nonce = decodeProve(body);
      if (nonce === undefined) return "a malformed PROVE";
      inbound.prove?.(nonce, from);
      return undefined;
    }
    case TAG.PROOF: {
      const proofs = decodeProof(body);
      if (proofs === undefined) return "a malformed PROOF";
      inbound.proof?.(proofs, from);
      return undefined;
    }
    case TAG.ROOM_BROADCAST:
    case TAG.ROOM_BROADCAST_BINARY: {
      const decoded = decodeRoomBroadcast(body);
      if (decoded === undefined) return "a malformed ROOM_BROADCAST";
      const text = tag === TAG.ROOM_BROADCAST;
      if (text && !isUtf8(decoded.message)) return "a ROOM_BROADCAST that is not UTF-8";
      inbound.roomSink?.roomMessage(decoded.room, decoded.message, text, from);
      return undefined;
    }
    case TAG.NAME:
    case TAG.CHALLENGE:
    case TAG.REPLY:
    case TAG.ACK:
    case TAG.REJECT:
      return "a message of the handshake, after it";
    default:
      return actors?.take(tag, body, alone);
  }
}
