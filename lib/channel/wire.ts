/**
 * Encodes and decodes Phoenix's channel protocol, version 2, as described in the Phoenix guide
 * "Writing a Channels Client".
 *
 *     text     [join_ref, ref, topic, event, payload]
 *              [join_ref, ref, topic, event, payload, details]   Firn's extension
 *     binary   kind (1 byte), the length of each field (1 byte each), the fields, the payload:
 *              0 push       join_ref, ref, topic, event         (from the server: without ref)
 *              1 reply      join_ref, ref, topic, status
 *              2 broadcast  topic, event
 *
 * @module
 */
import { concat, utf8 } from "../base/bytes.ts";

/**
 * Maximum length of a topic or an event, in bytes of UTF-8. The binary form has one byte for this
 * length.
 */
export const TOPIC_BYTES_MAX = 255;

/** The events that the protocol defines. */
export const EVENT = {
  JOIN: "phx_join",
  LEAVE: "phx_leave",
  REPLY: "phx_reply",
  ERROR: "phx_error",
  CLOSE: "phx_close",
  HEARTBEAT: "heartbeat",
  PRESENCE_STATE: "presence_state",
  PRESENCE_DIFF: "presence_diff",
} as const;

/** The topic of heartbeats. */
export const PHOENIX_TOPIC = "phoenix";

const KIND = { PUSH: 0, REPLY: 1, BROADCAST: 2 } as const;

/** A message from a client. */
export interface ClientMessage {
  /** The `ref` of the join that the message belongs to. */
  readonly joinRef: string | null;
  /** The number of the message. The reply repeats it. */
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  /** The payload of the message: a JSON value, or bytes. */
  readonly payload: unknown;
  /**
   * The position from which the client resumes, and the number of earlier messages that it
   * requests. Only Firn's client sends them.
   */
  readonly details: unknown;
}

/** Decodes a message from a client. Returns undefined if it is malformed. */
export function readMessage(data: string | Uint8Array): ClientMessage | undefined {
  return typeof data === "string" ? readText(data) : readBinary(data);
}

function readText(text: string): ClientMessage | undefined {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(row) || row.length < 5 || row.length > 6) return undefined;
  const [joinRef, ref, topic, event, payload, details] = row;
  if (!isRef(joinRef) || !isRef(ref)) return undefined;
  if (typeof topic !== "string" || typeof event !== "string") return undefined;
  return { joinRef, ref, topic, event, payload, details };
}

function readBinary(bytes: Uint8Array): ClientMessage | undefined {
  const [kind, joinRefLength, refLength, topicLength, eventLength] = bytes;
  if (kind !== KIND.PUSH || eventLength === undefined) return undefined;
  const fields: string[] = [];
  let at = 5;
  for (const length of [joinRefLength!, refLength!, topicLength!, eventLength]) {
    const text = decoded(bytes.subarray(at, at += length));
    if (text === undefined || at > bytes.length) return undefined;
    fields.push(text);
  }
  const [joinRef, ref, topic, event] = fields as [string, string, string, string];
  const payload = bytes.slice(at);
  return { joinRef: joinRef || null, ref: ref || null, topic, event, payload, details: undefined };
}

/** Encodes a message to one client. `payload` is a JSON value or bytes. */
export function encodePush(
  joinRef: string | null,
  topic: string,
  event: string,
  payload: unknown,
): string | Uint8Array {
  return payload instanceof Uint8Array
    ? binary(KIND.PUSH, [joinRef ?? "", topic, event], payload)
    : JSON.stringify([joinRef, null, topic, event, payload ?? {}]);
}

/** Encodes the reply to a message. `response` is a JSON value or bytes. */
export function encodeReply(
  { joinRef, ref, topic }: Pick<ClientMessage, "joinRef" | "ref" | "topic">,
  status: "ok" | "error",
  response: unknown,
  details?: unknown,
): string | Uint8Array {
  if (response instanceof Uint8Array) {
    return binary(KIND.REPLY, [joinRef ?? "", ref ?? "", topic, status], response);
  }
  const row = [joinRef, ref, topic, EVENT.REPLY, { status, response: response ?? {} }];
  if (details !== undefined) row.push(details as never);
  return JSON.stringify(row);
}

/** Encodes a message to all clients of a topic. Called once per message, not per client. */
export function encodeBroadcast(
  topic: string,
  event: string,
  payload: unknown,
): string | Uint8Array {
  return payload instanceof Uint8Array
    ? binary(KIND.BROADCAST, [topic, event], payload)
    : JSON.stringify([null, null, topic, event, payload ?? {}]);
}

/** Adds details to a text broadcast returned by {@linkcode encodeBroadcast}. */
export function withDetails(broadcast: string, details: unknown): string {
  return `${broadcast.slice(0, -1)},${JSON.stringify(details)}]`;
}

/** Returns whether a value is valid as a topic or an event: 1 to 255 bytes of UTF-8. */
export function isName(text: unknown): text is string {
  return typeof text === "string" && text.length > 0 && text.length <= TOPIC_BYTES_MAX &&
    text.isWellFormed() && (text.length * 3 <= TOPIC_BYTES_MAX ||
      utf8(text).length <= TOPIC_BYTES_MAX);
}

function isRef(ref: unknown): ref is string | null {
  return ref === null || (typeof ref === "string" && ref.length <= TOPIC_BYTES_MAX);
}

function binary(kind: number, fields: readonly string[], payload: Uint8Array): Uint8Array {
  const texts = fields.map(utf8);
  const head = new Uint8Array([kind, ...texts.map(({ length }) => length)]);
  return concat([head, ...texts, payload]);
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
