/**
 * Encodes and decodes the messages that a relay carries between nodes or meshes. Deterministic.
 *
 *     u8 version (1), u8 kind, text16 origin, text16 room or topic, message
 *
 * The origin is the name of the sender's mesh, or of the sender if it has none: receivers with the
 * same origin drop the message, so that no message returns to its sender. `text16` is a u16 length,
 * little-endian, and UTF-8, here of 1 to 255 bytes.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import { Reader, utf8 } from "../base/bytes.ts";

const VERSION = 1;

/**
 * The number of each kind of relayed message whose content is a text. The number plus 1 is sent if
 * the content is bytes.
 */
export const RELAYED = {
  /** A broadcast to a room. */
  ROOM: 0,
  /** A frame for the clients of a topic. */
  TOPIC: 2,
  /** A frame for the history of a topic. */
  EVENT: 4,
} as const;

const NAME_BYTES_MAX = 255;

/** Maximum size of the header of a relayed message, in bytes. */
export const RELAYED_HEAD_BYTES_MAX: number = 2 + 2 * (2 + NAME_BYTES_MAX);

/** A decoded message. */
export interface Relayed {
  readonly kind: (typeof RELAYED)[keyof typeof RELAYED];
  readonly origin: string;
  /** Name of the room or topic. */
  readonly name: string;
  /** A view of the received bytes. Valid UTF-8 if `isText` is true. */
  readonly message: Uint8Array;
  readonly isText: boolean;
}

/** Encodes a message for the transport of a relay. */
export function encodeRelayed(
  kind: number,
  origin: Uint8Array,
  name: string,
  data: string | Uint8Array,
): Uint8Array {
  const isText = typeof data === "string";
  const [room, message] = [utf8(name), isText ? utf8(data) : data];
  const bytes = new Uint8Array(6 + origin.length + room.length + message.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = kind + (isText ? 0 : 1);
  view.setUint16(2, origin.length, true);
  bytes.set(origin, 4);
  let at = 4 + origin.length;
  view.setUint16(at, room.length, true);
  bytes.set(room, at += 2);
  bytes.set(message, at + room.length);
  return bytes;
}

/** Decodes a message. Returns `undefined` if it is malformed or of a later version. */
export function decodeRelayed(bytes: Uint8Array): Relayed | undefined {
  const reader = new Reader(bytes);
  const version = reader.u8();
  const kind = reader.u8();
  const origin = shortText(reader);
  const name = shortText(reader);
  if (!reader.ok || version !== VERSION || kind > RELAYED.EVENT + 1) return undefined;
  const message = reader.bytes(reader.left);
  const isText = kind % 2 === 0;
  if (isText && !isUtf8(message)) return undefined;
  return { kind: (kind & ~1) as Relayed["kind"], origin, name, message, isText };
}

function shortText(reader: Reader): string {
  const length = reader.u16();
  if (length === 0 || length > NAME_BYTES_MAX) reader.ok = false;
  return reader.ok ? reader.text(length) : "";
}
