/**
 * A case of the tables: the frames that a client sends, and the only valid response of the server.
 *
 * The server under test echoes every message as one frame of the same kind. The comparison is
 * strict: these frames, in this order, byte for byte, then the expected close, and no further
 * bytes.
 */
import { buildFrame, bytesOf, closePayload, type FrameShape } from "../kit/ws_client.ts";

/** A frame that the server must send. */
export interface Expected {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** A case: what the client sends, and what the server must send. */
export interface Case {
  /** Group, section and number, as in the public test suite for RFC 6455. */
  readonly id: string;
  /** The title, which states what the client does. */
  readonly title: string;
  /** The frames that the client sends. */
  readonly sends: readonly Uint8Array[];
  /** The frames that the server must send, without the close frame. */
  readonly expects: readonly Expected[];
  /**
   * The code of the server's close frame; 1005 is a close frame without a code. Undefined: the
   * connection stays open until the client closes it.
   */
  readonly close?: number;
  /** Whether the case is too large to be sent byte by byte. */
  readonly large?: boolean;
}

/** Opcodes of RFC 6455, section 5.2. */
export const TEXT = 1;
export const BINARY = 2;
export const CONTINUATION = 0;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Returns a frame of the client. */
export function frame(
  opcode: number,
  payload: string | Uint8Array = "",
  shape: FrameShape = {},
): Uint8Array {
  return buildFrame({ opcode, payload, ...shape });
}

/** Returns the frames of a fragmented message. */
export function fragments(
  opcode: number,
  ...parts: readonly (string | Uint8Array)[]
): Uint8Array[] {
  return parts.map((part, i) =>
    frame(i === 0 ? opcode : CONTINUATION, part, { fin: i === parts.length - 1 })
  );
}

/** Returns a close frame of the client. */
export function close(code?: number, reason: string | Uint8Array = ""): Uint8Array {
  return frame(CLOSE, code === undefined ? "" : closePayload(code, reason));
}

/** Returns the server's echo of a text message. */
export function text(payload: string | Uint8Array): Expected {
  return { opcode: TEXT, payload: bytesOf(payload) };
}

/** Returns the server's echo of a binary message. */
export function binary(payload: Uint8Array): Expected {
  return { opcode: BINARY, payload };
}

/** Returns the server's pong. */
export function pong(payload: string | Uint8Array): Expected {
  return { opcode: PONG, payload: bytesOf(payload) };
}

/** Numbers the cases of one section. */
export function section(
  id: string,
  rows: readonly Omit<Case, "id">[],
): Case[] {
  return rows.map((row, i) => ({ id: `${id}.${i + 1}`, ...row }));
}
