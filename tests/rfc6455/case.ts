/**
 * What a case of the table is: what a client sends, and the only thing that the server may answer.
 *
 * The server under test echoes every message as one frame of the same kind. The verdict is strict:
 * these frames, in this order, byte for byte, then this end, and nothing behind it.
 */
import { buildFrame, bytesOf, closePayload, type FrameShape } from "../kit/ws_client.ts";

/** A frame that the server must send. */
export interface Expected {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** One row of the table. */
export interface Case {
  /** Group, section and number, as the public suite for RFC 6455 counts them. */
  readonly id: string;
  /** What the client does. */
  readonly title: string;
  /** What the client sends, frame by frame. */
  readonly sends: readonly Uint8Array[];
  /** The frames that come back, the close frame not among them. */
  readonly expects: readonly Expected[];
  /**
   * The code of the server's close frame; 1005: one without a code. `undefined`: the connection is
   * alive, and ends when the client says goodbye.
   */
  readonly close?: number;
  /** Too large to go byte by byte. */
  readonly large?: boolean;
}

/** Opcodes by name. */
export const TEXT = 1;
export const BINARY = 2;
export const CONTINUATION = 0;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** A frame from the client. */
export function frame(
  opcode: number,
  payload: string | Uint8Array = "",
  shape: FrameShape = {},
): Uint8Array {
  return buildFrame({ opcode, payload, ...shape });
}

/** A message in several frames. */
export function fragments(
  opcode: number,
  ...parts: readonly (string | Uint8Array)[]
): Uint8Array[] {
  return parts.map((part, i) =>
    frame(i === 0 ? opcode : CONTINUATION, part, { fin: i === parts.length - 1 })
  );
}

/** A close frame from the client. */
export function close(code?: number, reason: string | Uint8Array = ""): Uint8Array {
  return frame(CLOSE, code === undefined ? "" : closePayload(code, reason));
}

/** What the server says to a text. */
export function text(payload: string | Uint8Array): Expected {
  return { opcode: TEXT, payload: bytesOf(payload) };
}

/** What the server says to binary. */
export function binary(payload: Uint8Array): Expected {
  return { opcode: BINARY, payload };
}

/** What the server says to a ping. */
export function pong(payload: string | Uint8Array): Expected {
  return { opcode: PONG, payload: bytesOf(payload) };
}

/** Numbers the rows of one section. */
export function section(
  id: string,
  rows: readonly Omit<Case, "id">[],
): Case[] {
  return rows.map((row, i) => ({ id: `${id}.${i + 1}`, ...row }));
}
