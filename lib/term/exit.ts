/**
 * Exit reasons, which describe why an actor has ended: their meaning and their encoding.
 *
 * | tag | reason                        | what follows                              |
 * |----:|-------------------------------|-------------------------------------------|
 * |   0 | `"normal"`                    |                                           |
 * |   1 | Error that is only a message  | u64 length, message in UTF-8              |
 * |   2 | `"killed"`                    |                                           |
 * |   3 | `{ linked: pid, reason }`     | u64 pid, reason                           |
 * |   4 | `"shutdown"`                  |                                           |
 * |   5 | any other string              | u64 length, UTF-8                         |
 * |   6 | `"noconnection"`              |                                           |
 * |   7 | `"noproc"`                    |                                           |
 * |   8 | `"kill"`                      |                                           |
 * |   9 | `{ shutdown: term }`          | the term, see `term/tags`                 |
 * |  10 | Error                         | the Error as a term                       |
 * |  11 | any other term                | the term                                  |
 *
 * All integers are little-endian. No bytes may follow a reason. An exit must always be reported, so
 * a reason that cannot be sent is replaced by a text that describes the fault.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import type { TermBuffer } from "./buffer.ts";
import type { Decoder, PidReader } from "./decode.ts";
import type { Encoder, PidWriter } from "./encode.ts";
import { ProtocolError, TermError } from "./errors.ts";
import { Pid, readPidId, readPidNode, writePid } from "./pid.ts";

/** The reasons that are one word, indexed by tag. */
const WORDS: readonly (ExitWord | undefined)[] = [
  "normal",
  undefined,
  "killed",
  undefined,
  "shutdown",
  undefined,
  "noconnection",
  "noproc",
  "kill",
];

/** The tags of reasons that are not one word. */
const TAG = { MESSAGE: 1, LINKED: 3, TEXT: 5, SHUTDOWN: 9, ERROR: 10, TERM: 11 } as const;

/**
 * A reason that is one word with a fixed meaning.
 *
 * - `"normal"`: the actor has finished; linked actors do not exit with it;
 * - `"shutdown"`: the actor was stopped gracefully, for example by its supervisor;
 * - `"kill"`: ends any actor, even if it traps exits;
 * - `"killed"`: the exit reason of an actor that `"kill"` has ended;
 * - `"noproc"`: the actor does not exist;
 * - `"noconnection"`: the session with the actor's node was lost.
 */
export type ExitWord =
  | "normal"
  | "shutdown"
  | "kill"
  | "killed"
  | "noproc"
  | "noconnection";

/** An orderly exit with details. Treated like `"shutdown"`. */
export interface ShutdownReason {
  /** The details of the exit: any term. */
  readonly shutdown: unknown;
}

/** An exit caused by the exit of a linked actor. */
export interface LinkedReason {
  /** The linked actor that exited. */
  readonly linked: Pid;
  /** The exit reason of that actor. */
  readonly reason: ExitReason;
}

/** The reason why an actor exited: a word, an error, or any other term. */
export type ExitReason =
  | ExitWord
  | ShutdownReason
  | LinkedReason
  | Error
  | (string & Record<never, never>)
  | object
  | number
  | bigint
  | boolean
  | null
  | undefined;

/**
 * Maximum nesting of {@linkcode LinkedReason}. A deeper reason is truncated before it is sent, and
 * rejected when it is received.
 */
export const LINKED_DEPTH_MAX = 16;

/** Maximum number of characters of the text that replaces a reason which cannot be sent. */
const STAND_IN_LENGTH_MAX = 1000;

/** Returns whether the exit was orderly. If so, a transient child is not restarted. */
export function isNormal(reason: unknown): boolean {
  return reason === "normal" || reason === "shutdown" || isShutdown(reason);
}

/** Returns whether the value is exactly `{ shutdown: … }`. */
function isShutdown(reason: unknown): reason is ShutdownReason {
  return isPlain(reason, 1) && Object.hasOwn(reason, "shutdown");
}

/** Appends a reason to `out`. */
export function encodeExit(
  reason: unknown,
  out: TermBuffer,
  encoder: Encoder,
  pids: PidWriter,
): void {
  const start = out.at;
  try {
    write(reason, out, encoder, pids, 0);
  } catch (error) {
    if (!(error instanceof TermError)) throw error;
    out.at = start;
    writeStandIn(reason, error, out, encoder);
  }
}

function write(
  reason: unknown,
  out: TermBuffer,
  encoder: Encoder,
  pids: PidWriter,
  depth: number,
): void {
  if (typeof reason === "string" && reason.isWellFormed()) return writeText(reason, out);
  if (isLinked(reason)) return writeLinked(reason, out, encoder, pids, depth);
  if (reason instanceof Error) {
    if (isMessage(reason)) return writeLong(out, TAG.MESSAGE, reason.message);
    return writeTerm(out, TAG.ERROR, reason, encoder);
  }
  if (isShutdown(reason)) return writeTerm(out, TAG.SHUTDOWN, reason.shutdown, encoder);
  writeTerm(out, TAG.TERM, reason, encoder);
}

/** Appends the reason "normal", the most common one, without allocating. */
export function writeNormal(out: TermBuffer): void {
  writeWord(0, out);
}

function writeWord(word: number, out: TermBuffer): void {
  out.reserve(1);
  out.bytes[out.at++] = word;
}

function writeText(text: string, out: TermBuffer): void {
  const word = WORDS.indexOf(text as ExitWord);
  if (word >= 0) return writeWord(word, out);
  writeLong(out, TAG.TEXT, text);
}

function writeLinked(
  { linked, reason }: LinkedReason,
  out: TermBuffer,
  encoder: Encoder,
  pids: PidWriter,
  depth: number,
): void {
  if (depth === LINKED_DEPTH_MAX) return writeText("linked too often", out);
  const node = pids.index(linked.home);
  if (node === undefined) return write(reason, out, encoder, pids, depth);
  out.reserve(9);
  out.bytes[out.at] = TAG.LINKED;
  writePid(out.view, out.at + 1, node, linked.id);
  out.at += 9;
  write(reason, out, encoder, pids, depth + 1);
}

function writeTerm(out: TermBuffer, tag: number, term: unknown, encoder: Encoder): void {
  out.write(Uint8Array.of(tag));
  encoder.encode(term, out);
}

function writeLong(out: TermBuffer, tag: number, text: string): void {
  const bytes = utf8(text);
  out.reserve(9 + bytes.length);
  out.bytes[out.at] = tag;
  out.view.setBigUint64(out.at + 1, BigInt(bytes.length), true);
  out.at += 9;
  out.write(bytes);
}

/**
 * Appends a replacement for a reason that cannot be sent. It preserves whether the exit was
 * orderly, and whether the reason is an error.
 */
function writeStandIn(reason: unknown, { message }: TermError, out: TermBuffer, encoder: Encoder) {
  const text = `unsendable exit reason: ${message}`.slice(0, STAND_IN_LENGTH_MAX).toWellFormed();
  if (isShutdown(reason)) return writeTerm(out, TAG.SHUTDOWN, text, encoder);
  if (!(reason instanceof Error)) return writeText(text, out);
  const words = `${reason.name}: ${reason.message}`.slice(0, STAND_IN_LENGTH_MAX).toWellFormed();
  writeLong(out, TAG.MESSAGE, words);
}

/**
 * Decodes the reason in the bytes from `from` to `to`. Throws a {@linkcode ProtocolError} if they
 * are invalid.
 */
export function decodeExit(
  bytes: Uint8Array,
  from: number,
  to: number,
  decoder: Decoder,
  pids: PidReader,
): ExitReason {
  assert(from >= 0 && from <= to && to <= bytes.length, "a range within the bytes");
  return read(bytes, from, from, to, decoder, pids, 0);
}

function read(
  bytes: Uint8Array,
  start: number,
  from: number,
  to: number,
  decoder: Decoder,
  pids: PidReader,
  depth: number,
): ExitReason {
  if (from >= to) throw new ProtocolError("an exit reason is missing", from - start);
  const tag = bytes[from]!;
  const at = from + 1;
  const word = WORDS[tag];
  if (word !== undefined) {
    if (at < to) throw new ProtocolError("bytes after the exit reason", at - start);
    return word;
  }
  switch (tag) {
    case TAG.MESSAGE:
      return messageError(readLong(bytes, start, at, to));
    case TAG.TEXT:
      return readLong(bytes, start, at, to);
    case TAG.LINKED: {
      if (to - at < 8) throw new ProtocolError("8 bytes are missing", at - start);
      if (depth === LINKED_DEPTH_MAX) throw new ProtocolError("linked too often", from - start);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const node = readPidNode(view, at);
      const linked = pids.pid(node, readPidId(view, at));
      if (linked === undefined) throw new ProtocolError(`no node: ${node}`, at - start);
      return { linked, reason: read(bytes, start, at + 8, to, decoder, pids, depth + 1) };
    }
    case TAG.SHUTDOWN:
      return { shutdown: readTerm(bytes, start, at, to, decoder) };
    case TAG.ERROR: {
      const error = readTerm(bytes, start, at, to, decoder);
      if (error instanceof Error) return error;
      throw new ProtocolError("no error", at - start);
    }
    case TAG.TERM:
      return readTerm(bytes, start, at, to, decoder) as ExitReason;
    default:
      throw new ProtocolError(`invalid exit reason: ${tag}`, from - start);
  }
}

function readTerm(
  bytes: Uint8Array,
  start: number,
  at: number,
  to: number,
  decoder: Decoder,
): unknown {
  try {
    return decoder.decode(bytes, at, to);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw error.behind(at - start);
  }
}

function readLong(bytes: Uint8Array, start: number, at: number, to: number): string {
  if (to - at < 8) throw new ProtocolError("8 bytes are missing", at - start);
  const length = new DataView(bytes.buffer, bytes.byteOffset + at).getBigUint64(0, true);
  if (length !== BigInt(to - at - 8)) {
    throw new ProtocolError("invalid length of a text", at - start);
  }
  const text = utf8Text(bytes.subarray(at + 8, to));
  if (text === undefined) throw new ProtocolError("no UTF-8", at + 8 - start);
  return text;
}

/**
 * Creates the error for a reason with tag 1. It has no stack, because it was created on another
 * node.
 */
function messageError(message: string): Error {
  const error = new Error(message);
  Object.defineProperty(error, "stack", { value: undefined, writable: true, configurable: true });
  return error;
}

function isMessage(error: Error): boolean {
  return error.name === "Error" && typeof error.stack !== "string" && error.cause === undefined &&
    error.message.isWellFormed();
}

function isLinked(reason: unknown): reason is LinkedReason {
  return isPlain(reason, 2) && reason["linked"] instanceof Pid && Object.hasOwn(reason, "reason");
}

/** Returns whether a value is a plain object with this number of properties. */
function isPlain(value: unknown, count: number): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) &&
    Object.keys(value).length === count;
}
