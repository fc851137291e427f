/**
 * Defines every message that nodes exchange, one row each in the wire table:
 *
 * | tag  | name                  | body, all integers little-endian                             | from     | answer |
 * |------|-----------------------|--------------------------------------------------------------|----------|--------|
 * | 0x01 | NAME                  | text16 name, u32 creation, u8 version, u32 features, u8 flags, 32 nonce | initiator | CHALLENGE |
 * | 0x02 | CHALLENGE             | text16 name, u32 creation, u8 version, u32 features, 32 nonce, 32 proof | responder | REPLY |
 * | 0x03 | REPLY                 | 32 proof, u64 last session, u16 count, count × text16 exposed, u64 started at | initiator | ACK |
 * | 0x04 | ACK                   | u16 count, count × text16 exposed, u64 started at            | responder |        |
 * | 0x05 | REJECT                | u8 reason, text16 words                                      | either, in place of an answer | |
 * | 0x12 | PEER_LIST             | u16 count, count × text16 name: peers of the sender | either, when a session is up, when other nodes have connected, and after a PEER_DIGEST | |
 * | 0x10 | SEND                  | u64 to, term                                                 | either | |
 * | 0x11 | SEND_NAMED            | text16 name, term                                            | either | |
 * | 0x13 | LINK                  | u64 from, u64 to                                             | either | EXIT if there is no such actor |
 * | 0x14 | UNLINK                | u64 from, u64 to                                             | either | UNLINKED |
 * | 0x15 | EXIT                  | u64 from, u64 to, reason: a linked actor has ended           | either | |
 * | 0x16 | MONITOR               | u64 from, u64 to, u64 ref                                    | either | DOWN if there is no such actor |
 * | 0x17 | DEMONITOR             | u64 from, u64 to, u64 ref                                    | either | |
 * | 0x18 | DOWN                  | u64 ended, u64 to, u64 ref, reason                           | either | |
 * | 0x19 | SPAWN                 | u64 request, u64 from, u8 flags, text16 function, u64 ref, arguments: a term | either | SPAWNED |
 * | 0x1A | SPAWNED               | u64 request, u8 status, u64 id, reason                       | either | |
 * | 0x1B | GLOBAL_REGISTER       | text16 name, u64 pid, text16 owner, u64 stamp, u64 request; if flags are set: u8 flags, u64 token | the owner | GLOBAL_REGISTERED |
 * | 0x1C | GLOBAL_UNREGISTER     | text16 name                                                  | the owner | |
 * | 0x1D | GLOBAL_SYNC           | u32 count, count × (text16 name, u64 pid, text16 owner), count × u64 stamp; if an entry has a token: count × u64 token; a count of 0 ends the list | the owner, when a session is up | |
 * | 0x1E | ROOM_BROADCAST        | text16 room, u32 length, message in UTF-8                    | the node of the sender | |
 * | 0x1F | ROOM_BROADCAST_BINARY | text16 room, u32 length, message                             | the node of the sender | |
 * | 0x20 | GOODBYE               | u8 reason                                                    | the side that ends the session | |
 * | 0x21 | EXIT_SIGNAL           | u64 from, u64 to, reason: `exit(pid, reason)`                | either | |
 * | 0x22 | UNLINKED              | u64 from, u64 to                                             | the receiver of an UNLINK | |
 * | 0x23 | CALL                  | u64 request, u64 to, term                                    | either | ANSWER |
 * | 0x24 | CALL_NAMED            | u64 request, text16 name, term                               | either | ANSWER |
 * | 0x25 | ANSWER                | u64 request, u8 status, term, reason or nothing              | the callee's node | |
 * | 0x26 | CALL_OVER             | u64 request: the caller no longer waits                      | the caller's node | |
 * | 0x27 | MONITOR_NAMED         | u64 from, text16 name, u64 ref                               | either | DOWN if there is no such actor |
 * | 0x28 | HOME                  | u16 index, u32 creation, text16 name: the node that an index in a pid refers to | either, before the first use of the index | |
 * | 0x29 | EXPOSED               | u8 1 if the functions are exposed now, 0 if no longer; u16 count, count × text16 function | either, when its exposed functions change | |
 * | 0x2A | BULK                  | u32 number, u32 length, the beginning of a large frame: tag and body | either | |
 * | 0x2B | FRAGMENT              | u32 number, the next bytes of that large frame               | the sender of BULK | |
 * | 0x2C | GLOBAL_REGISTERED     | u64 request, u8 status, text16 owner, empty unless the name is taken; if the claim's token is too low: u64 last token | the receiver of a GLOBAL_REGISTER | |
 * | 0x2D | GROUP_JOIN            | u32 count, count × (text16 scope, text16 group, u64 pid)     | the members' node | |
 * | 0x2E | GROUP_LEAVE           | the same as GROUP_JOIN                                       | the members' node | |
 * | 0x2F | TAKEN                 | u32 number of bytes of fragments read since the last TAKEN   | the receiver of fragments | |
 * | 0x38 | CLUSTER_VIEW          | u64 time in microseconds, u64 highest token, u16 sessions, list of known members, list of those that left (a list: u16 count, count × text16) | either, when a session is up | |
 * | 0x39 | GLOBAL_INQUIRE        | text16 name, u64 stamp, u8 1 if the rival is held, else 0; u64 rival's pid, text16 rival's owner, u64 rival's stamp, u64 rival's token | a node that knows a rival of that entry | GLOBAL_HELD or GLOBAL_UNREGISTER |
 * | 0x3A | GLOBAL_HELD           | text16 name, u64 stamp: the entry is held, not claimed       | the receiver of a GLOBAL_INQUIRE | |
 * | 0x3B | GLOBAL_RESOLVED       | text16 name, u64 stamp of the entry that lost, u64 pid that keeps the name, or 0xffff…: none | the owner whose resolver decided | |
 * | 0x40 | CLOCK                 | u64 time of day in milliseconds since 1970                   | either, when a session is up, and when its clock is set | |
 * | 0x41 | PROVE                 | 32 nonce: a request for a proof of each accepted cookie      | the side that no longer accepts the session's cookie | PROOF |
 * | 0x42 | PROOF                 | u8 count, count × 32 proof over that nonce, one for each accepted cookie | the receiver of a PROVE | |
 * | 0x43 | PEER_DIGEST           | u8 1 if it is an answer, else 0; u32 count, u64 digest of the names of the sender and its peers | either, every 10 s to one peer | PEER_LIST and PEER_DIGEST if the receiver's digest differs |
 * | 0x44 | ROOM_INTEREST         | u8 what, then for 0 (left) and 1 (joined): u16 count, count × u32 bucket; for 2 (all): 32,768 bytes, bit b % 8 of byte b / 8 for bucket b. A bucket is the upper 18 bits of the hash of a room's name: `hashOf` in `cluster/rendezvous.ts` | the members' node, when a session is up, and after changes; with the feature 0x40 | |
 * | 0xF0 | PING                  | 8 bytes                                                      | either, after silence | PONG |
 * | 0xF1 | PONG                  | the same 8 bytes                                             | the receiver of a PING | |
 *
 * `text16` is a u16 length and UTF-8. Readers ignore bytes after the fields that they know, so a
 * later version can add fields; after the handshake, unknown tags are skipped. A u64 that
 * identifies an actor is a pid as in `term/pid.ts`; refs and requests are numbers assigned by the
 * node that created them. Terms and reasons fill the rest of the body.
 *
 * Longer than 400 lines: it is one table, with an encoder and a decoder for each row.
 *
 * @module
 */
import { concat, Reader, utf8, Writer } from "../base/bytes.ts";
import { encodeFrame, FRAME_BYTES_MAX, FRAME_HEAD_BYTES, startFrame } from "./frame.ts";

/** The tags of messages, by the names in the table above. */
export const TAG = {
  NAME: 0x01,
  CHALLENGE: 0x02,
  REPLY: 0x03,
  ACK: 0x04,
  REJECT: 0x05,
  PEER_LIST: 0x12,
  PEER_DIGEST: 0x43,
  SEND: 0x10,
  SEND_NAMED: 0x11,
  LINK: 0x13,
  UNLINK: 0x14,
  EXIT: 0x15,
  MONITOR: 0x16,
  DEMONITOR: 0x17,
  DOWN: 0x18,
  SPAWN: 0x19,
  SPAWNED: 0x1a,
  GLOBAL_REGISTER: 0x1b,
  GLOBAL_UNREGISTER: 0x1c,
  GLOBAL_SYNC: 0x1d,
  ROOM_BROADCAST: 0x1e,
  ROOM_BROADCAST_BINARY: 0x1f,
  GOODBYE: 0x20,
  EXIT_SIGNAL: 0x21,
  UNLINKED: 0x22,
  CALL: 0x23,
  CALL_NAMED: 0x24,
  ANSWER: 0x25,
  CALL_OVER: 0x26,
  MONITOR_NAMED: 0x27,
  HOME: 0x28,
  EXPOSED: 0x29,
  BULK: 0x2a,
  FRAGMENT: 0x2b,
  GLOBAL_REGISTERED: 0x2c,
  GROUP_JOIN: 0x2d,
  GROUP_LEAVE: 0x2e,
  TAKEN: 0x2f,
  CLUSTER_VIEW: 0x38,
  GLOBAL_INQUIRE: 0x39,
  GLOBAL_HELD: 0x3a,
  GLOBAL_RESOLVED: 0x3b,
  CLOCK: 0x40,
  PROVE: 0x41,
  PROOF: 0x42,
  ROOM_INTEREST: 0x44,
  PING: 0xf0,
  PONG: 0xf1,
} as const;

/** The status codes of an ANSWER, each with the data that follows it. */
export const ANSWER = {
  /** The call was answered. The data is the reply, as a term. */
  REPLY: 0,
  /** The call was rejected. The data is the rejection value, usually an error, as a term. */
  REFUSED: 1,
  /** The actor has exited. The data is the exit reason. */
  ENDED: 2,
  /** The actor does not exist. There is no data. */
  MISSING: 3,
  /** The mailbox is full, and the call was dropped. There is no data. */
  FULL: 4,
  // The following are replies to forwarded calls. They are sent to the node that has forwarded the
  // call, with the number that it assigned to the call: see `transferred_call.ts`.
  /** The call was answered. The data is the reply, as a term. */
  HELD_REPLY: 16,
  /** The call was rejected. The data is the same as in REFUSED. */
  HELD_REFUSED: 17,
  /** The call was forwarded to an actor whose mailbox is full. There is no data. */
  HELD_FULL: 18,
} as const;

/** Flags of a SPAWN. */
export const SPAWN_FLAG = { LINK: 1, MONITOR: 2, OWNED: 4 } as const;

/** The status of a SPAWNED, by number. All except the first are failures. */
export const SPAWN_STATUS = [
  "ok",
  "notexposed", // no function is exposed under that name
  "refused", // the requesting node is not allowed to spawn it
  "limit", // the node is stopping
] as const;

/** Length of a nonce, and of a proof, in bytes. */
export const NONCE_BYTES = 32;

/** Maximum number of names in one list. A longer list is malformed. */
export const LIST_COUNT_MAX = 1024;

/** Maximum length of a list of names in the handshake, in bytes. Further names are omitted. */
const HANDSHAKE_LIST_BYTES_MAX = 3_072;

/** Maximum length of an encoded room name, in bytes. */
export const ROOM_BYTES_MAX = 255;

/**
 * Maximum number of bytes of a room broadcast in addition to its message: tag, room length, room
 * and message length.
 */
export const ROOM_HEAD_BYTES_MAX: number = 1 + 2 + ROOM_BYTES_MAX + 4;

/** Maximum length in bytes of a message that fits into a frame with the longest room name. */
export const ROOM_MESSAGE_BYTES_MAX: number = FRAME_BYTES_MAX - ROOM_HEAD_BYTES_MAX;

/** The reason why a handshake was rejected, by number (from 1). */
export const REJECT_REASONS = [
  "protocol", // an invalid or out-of-order message
  "version", // no version in common
  "cookie", // the proof is wrong
  "name", // the initiator's name is invalid
  "wrongnode", // the responder is not the dialed node
  "duplicate", // there is a session already, or one is being opened
  "stopping", // the responder is stopping
  "certificate", // the certificate cannot be read, or belongs to another node
  "nameinuse", // a live node has the initiator's name, possibly the responder itself
  "limit", // the responder has too many sessions, in total or with that address
] as const;

/** One of {@linkcode REJECT_REASONS}. */
export type RejectReason = (typeof REJECT_REASONS)[number];

/** Maximum number of characters read from a REJECT's text. Further characters are dropped. */
const WORDS_LENGTH_MAX = 200;

/** Matches control characters, direction marks, and line and paragraph separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The reason why a session is ended deliberately, by number (from 1). */
export const GOODBYE_REASONS = ["shutdown", "disconnected"] as const;

/** One of {@linkcode GOODBYE_REASONS}. */
export type GoodbyeReason = (typeof GOODBYE_REASONS)[number];

/**
 * Required flag of NAME: the initiator reads the responder's certificate, so that the initiator's
 * proof covers the certificate.
 */
export const FLAG_READS_CERTIFICATE = 1;
/** Flag of NAME: the initiator is hidden. See `NodeOptions.hidden`. */
export const FLAG_HIDDEN = 2;

/** The fields of NAME. */
export interface Name {
  readonly name: string;
  readonly creation: number;
  /** The highest version that the initiator supports. */
  readonly version: number;
  readonly features: number;
  readonly flags: number;
  readonly nonce: Uint8Array;
}

/** The fields of CHALLENGE, except its proof. */
export interface Challenge {
  readonly name: string;
  readonly creation: number;
  /** The version that both sides will use. */
  readonly version: number;
  readonly features: number;
  readonly nonce: Uint8Array;
}

/** The fields of REPLY, except its proof. */
export interface Reply {
  /** The id of the last session with the responder that the initiator had open, or 0 for none. */
  readonly lastSession: bigint;
  readonly exposed: readonly string[];
  /**
   * The start time of the initiator by its own clock: milliseconds since 1970. 0 if the initiator
   * runs an older version.
   */
  readonly startedAt: number;
}

/** The fields of ACK. */
export interface Ack {
  readonly exposed: readonly string[];
  /**
   * The start time of the responder by its own clock: milliseconds since 1970. 0 if the responder
   * runs an older version.
   */
  readonly startedAt: number;
}

/** Encodes the body of a NAME. */
export function encodeName(message: Name): Uint8Array {
  return new Writer(128)
    .text16(message.name).u32(message.creation).u8(message.version).u32(message.features)
    .u8(message.flags).bytes(message.nonce).done();
}

/** Decodes a NAME. Returns `undefined` if it is malformed. */
export function decodeName(body: Uint8Array): Name | undefined {
  const reader = new Reader(body);
  const message = {
    name: reader.text(reader.u16()),
    creation: reader.u32(),
    version: reader.u8(),
    features: reader.u32(),
    flags: reader.u8(),
    nonce: reader.bytes(NONCE_BYTES).slice(),
  };
  return reader.ok ? message : undefined;
}

/** Encodes the body of a CHALLENGE without its proof, which covers this part. */
export function encodeChallenge(message: Challenge): Uint8Array {
  return new Writer(128)
    .text16(message.name).u32(message.creation).u8(message.version).u32(message.features)
    .bytes(message.nonce).done();
}

/** Decodes a CHALLENGE with its proof. Returns `undefined` if it is malformed. */
export function decodeChallenge(
  body: Uint8Array,
): { message: Challenge; proof: Uint8Array } | undefined {
  const reader = new Reader(body);
  const message = {
    name: reader.text(reader.u16()),
    creation: reader.u32(),
    version: reader.u8(),
    features: reader.u32(),
    nonce: reader.bytes(NONCE_BYTES).slice(),
  };
  const proof = reader.bytes(NONCE_BYTES).slice();
  return reader.ok ? { message, proof } : undefined;
}

/**
 * Returns the part of a well-formed CHALLENGE that its proof covers: the body without the proof.
 */
export function coveredByChallenge(body: Uint8Array): Uint8Array {
  const nameBytes = new Reader(body).u16();
  const proofAt = 2 + nameBytes + 4 + 1 + 4 + NONCE_BYTES;
  return concat([body.subarray(0, proofAt), body.subarray(proofAt + NONCE_BYTES)]);
}

/** Encodes the body of a REPLY: the proof, then the other fields. */
export function encodeReply(proof: Uint8Array, message: Reply): Uint8Array {
  const writer = new Writer(128).bytes(proof).u64(message.lastSession);
  return writeStarted(writeList(writer, listThatFits(message.exposed)), message.startedAt).done();
}

/** Encodes the body of an ACK. */
export function encodeAck({ exposed, startedAt }: Ack): Uint8Array {
  return writeStarted(writeList(new Writer(64), listThatFits(exposed)), startedAt).done();
}

/** Decodes an ACK. Returns `undefined` if it is malformed. */
export function decodeAck(body: Uint8Array): Ack | undefined {
  const reader = new Reader(body);
  const message = { exposed: readList(reader), startedAt: readStarted(reader) };
  return reader.ok ? message : undefined;
}

function writeStarted(writer: Writer, startedAt: number): Writer {
  return writer.u64(BigInt(Math.max(0, Math.floor(startedAt))));
}

/** Reads a time that a `Date` can represent. Returns 0 if the message contains none. */
function readStarted(reader: Reader): number {
  const startedAt = reader.left >= 8 ? Number(reader.u64()) : 0;
  return startedAt <= 8.64e15 ? startedAt : 0;
}

/** Decodes a REPLY with its proof. Returns `undefined` if it is malformed. */
export function decodeReply(body: Uint8Array): { message: Reply; proof: Uint8Array } | undefined {
  const reader = new Reader(body);
  const proof = reader.bytes(NONCE_BYTES).slice();
  const message = {
    lastSession: reader.u64(),
    exposed: readList(reader),
    startedAt: readStarted(reader),
  };
  return reader.ok ? { message, proof } : undefined;
}

/** Encodes a HOME frame. */
export function encodeHome(index: number, creation: number, node: string): Uint8Array {
  return encodeFrame(TAG.HOME, new Writer(64).u16(index).u32(creation).text16(node).done());
}

/** Decodes a HOME. Returns `undefined` if it is malformed. */
export function decodeHome(
  body: Uint8Array,
): { index: number; creation: number; node: string } | undefined {
  const reader = new Reader(body);
  const home = { index: reader.u16(), creation: reader.u32(), node: reader.text(reader.u16()) };
  return reader.ok ? home : undefined;
}

/** Encodes an EXPOSED frame: functions that this node has exposed or unexposed. */
export function encodeExposed(added: boolean, names: readonly string[]): Uint8Array {
  return encodeFrame(
    TAG.EXPOSED,
    writeList(new Writer(64).u8(added ? 1 : 0), names).done(),
  );
}

/** Decodes an EXPOSED. Returns `undefined` if it is malformed. */
export function decodeExposed(
  body: Uint8Array,
): { added: boolean; names: string[] } | undefined {
  const reader = new Reader(body);
  const exposed = { added: reader.u8() !== 0, names: readList(reader) };
  return reader.ok ? exposed : undefined;
}

/** Encodes a CLOCK frame: this node's time of day. */
export function encodeClock(wall: number): Uint8Array {
  return encodeFrame(TAG.CLOCK, new Writer(8).u64(BigInt(Math.max(0, Math.floor(wall)))).done());
}

/** Decodes a CLOCK to milliseconds since 1970. Returns `undefined` if it is malformed. */
export function decodeClock(body: Uint8Array): number | undefined {
  const reader = new Reader(body);
  const wall = reader.u64();
  return reader.ok ? Number(wall) : undefined;
}

/** Encodes a PROVE frame. */
export function encodeProve(nonce: Uint8Array): Uint8Array {
  return encodeFrame(TAG.PROVE, nonce);
}

/** Decodes a PROVE to its nonce. Returns `undefined` if it is malformed. */
export function decodeProve(body: Uint8Array): Uint8Array | undefined {
  return body.length < NONCE_BYTES ? undefined : body.slice(0, NONCE_BYTES);
}

/** Encodes a PROOF frame. */
export function encodeProof(proofs: readonly Uint8Array[]): Uint8Array {
  const writer = new Writer(64).u8(proofs.length);
  for (const proof of proofs) writer.bytes(proof);
  return encodeFrame(TAG.PROOF, writer.done());
}

/** Decodes a PROOF. Returns `undefined` if it is malformed. */
export function decodeProof(body: Uint8Array): Uint8Array[] | undefined {
  const reader = new Reader(body);
  const proofs = Array.from({ length: reader.u8() }, () => reader.bytes(NONCE_BYTES).slice());
  return reader.ok ? proofs : undefined;
}

/** Encodes a list of names, which is the body of a PEER_LIST. */
export function encodeList(names: readonly string[]): Uint8Array {
  return writeList(new Writer(64), names).done();
}

/** Decodes a list of names. Returns `undefined` if it is malformed. */
export function decodeList(body: Uint8Array): string[] | undefined {
  const reader = new Reader(body);
  const names = readList(reader);
  return reader.ok ? names : undefined;
}

/** Encodes the body of a REJECT. The text is for the other side's log. */
export function encodeReject(reason: RejectReason, words: string): Uint8Array {
  return new Writer(64).u8(REJECT_REASONS.indexOf(reason) + 1).text16(words).done();
}

/**
 * Decodes a REJECT. An unknown reason becomes "protocol". Returns `undefined` if it is malformed.
 */
export function decodeReject(
  body: Uint8Array,
): { reason: RejectReason; words: string } | undefined {
  const reader = new Reader(body);
  const reason = REJECT_REASONS[reader.u8() - 1] ?? "protocol";
  const words = reader.text(reader.u16());
  if (!reader.ok) return undefined;
  // The text is logged although it is not authenticated, so it must not look like another log line.
  return { reason, words: words.slice(0, WORDS_LENGTH_MAX).replace(UNPRINTABLE, " ") };
}

/** Encodes a GOODBYE frame. */
export function encodeGoodbye(reason: GoodbyeReason): Uint8Array {
  return encodeFrame(TAG.GOODBYE, new Uint8Array([GOODBYE_REASONS.indexOf(reason) + 1]));
}

/**
 * Decodes a GOODBYE. An unknown reason becomes "shutdown". Returns `undefined` if it is malformed.
 */
export function decodeGoodbye(body: Uint8Array): GoodbyeReason | undefined {
  return body.length === 0 ? undefined : GOODBYE_REASONS[body[0]! - 1] ?? "shutdown";
}

/**
 * Encodes a ROOM_BROADCAST frame for a text, or a ROOM_BROADCAST_BINARY frame for bytes. The same
 * frame is sent in all sessions.
 */
export function encodeRoomBroadcast(room: string, data: string | Uint8Array): Uint8Array {
  const name = utf8(room);
  const message = typeof data === "string" ? utf8(data) : data;
  const tag = typeof data === "string" ? TAG.ROOM_BROADCAST : TAG.ROOM_BROADCAST_BINARY;
  const frame = startFrame(tag, 2 + name.length + 4 + message.length);
  const view = new DataView(frame.buffer);
  let at = FRAME_HEAD_BYTES + 1;
  view.setUint16(at, name.length, true);
  frame.set(name, at += 2);
  view.setUint32(at += name.length, message.length, true);
  frame.set(message, at + 4);
  return frame;
}

/** Decodes the room's name from the beginning of a broadcast's body. */
export function decodeRoomName(head: Uint8Array): string | undefined {
  const reader = new Reader(head);
  const room = reader.text(reader.u16());
  return reader.ok ? room : undefined;
}

/** Decodes a broadcast. `message` is a view of `body`, and is valid as long as `body`. */
export function decodeRoomBroadcast(
  body: Uint8Array,
): { room: string; message: Uint8Array } | undefined {
  const reader = new Reader(body);
  const length = reader.u16();
  if (length === 0 || length > ROOM_BYTES_MAX) return undefined;
  const room = reader.text(length);
  const message = reader.bytes(reader.u32());
  return reader.ok ? { room, message } : undefined;
}

/** Returns the first names of the list, as many as fit into a handshake message. */
export function listThatFits(names: readonly string[]): readonly string[] {
  let length = 0;
  const count = names.findIndex((name) =>
    (length += 2 + utf8(name).length) > HANDSHAKE_LIST_BYTES_MAX
  );
  return count < 0 ? names : names.slice(0, count);
}

function writeList(writer: Writer, names: readonly string[]): Writer {
  const listed = names.slice(0, LIST_COUNT_MAX);
  writer.u16(listed.length);
  for (const name of listed) writer.text16(name);
  return writer;
}

function readList(reader: Reader): string[] {
  const count = reader.u16();
  if (count > LIST_COUNT_MAX) reader.ok = false;
  const names: string[] = [];
  for (let i = 0; i < count && reader.ok; i++) names.push(reader.text(reader.u16()));
  return names;
}
