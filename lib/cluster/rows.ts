/**
 * Encodes and decodes the messages about names and groups. Newer fields follow the original ones,
 * so that older nodes can read the original fields.
 *
 * A pid is only valid in one session, so each message is encoded for its session.
 *
 * @module
 */
import { EMPTY, Reader, utf8Text, Writer } from "../base/bytes.ts";
import type { Pid } from "../term/pid.ts";
import type { PidReader } from "../term/decode.ts";
import type { PidWriter } from "../term/encode.ts";
import { TAG } from "../mesh/message.ts";

/** Maximum length of a name, group or scope, in bytes. */
export const KEY_BYTES_MAX = 255;

/** Maximum number of names or members in a message. A message with more is malformed. */
export const LIST_COUNT_MAX = 1024;

/**
 * Maximum number of bytes of a list. A larger message would be sent in fragments, and smaller
 * messages could overtake it.
 */
const LIST_BYTES_MAX = 16 * 1024;

/** The highest valid stamp and token. Larger integers would not be exact. */
export const STAMP_MAX: number = Number.MAX_SAFE_INTEGER;

/**
 * The status codes of a REGISTERED. LOW means that the token is too low, so the claim must be
 * repeated with a higher token.
 */
export const REGISTERED = { OK: 0, TAKEN: 1, LOW: 2 } as const;

/**
 * Flags of a REGISTER. QUORUM: the token must be higher than all granted ones. REPLACE: the holder
 * must give up the name. HELD: the sender already holds the name, and announces it to a new peer.
 * TOKEN: a token follows.
 */
export const CLAIM_FLAG = { QUORUM: 1, REPLACE: 2, HELD: 4, TOKEN: 8 } as const;

/** The part of a link to a node that this file uses. */
export interface PeerLink {
  /** Features that both sides support: see `FEATURE` in `mesh/handshake.ts`. */
  readonly features?: number;
  /** The node on the other side. */
  readonly home: { readonly node: string };
  readonly homes: PidWriter & PidReader;
  row(tag: number, body: Uint8Array): void;
}

/** An entry of a global name, as it is sent to peers. */
export interface NameRow {
  readonly name: string;
  readonly pid: Pid;
  readonly stamp: number;
  readonly token?: number | undefined;
}

/** A membership in a group, as it is sent to peers. */
export interface MemberRow {
  readonly scope: string;
  readonly group: string;
  readonly pid: Pid;
}

/** Sends a REGISTER. Returns false if the pid cannot be encoded. */
export function sendRegister(
  nodeLink: PeerLink,
  { name, pid, stamp }: NameRow,
  owner: string,
  request: number,
  flags: number = 0,
  token: number = 0,
): boolean {
  const node = nodeLink.homes.index(pid.home);
  if (node === undefined) return false;
  const body = writePid(new Writer(64).text16(name), node, pid.id).text16(owner)
    .number64(stamp).number64(request);
  if (flags !== 0) body.u8(flags).number64(token);
  nodeLink.row(TAG.GLOBAL_REGISTER, body.done());
  return true;
}

/** Decodes a REGISTER. Returns `undefined` if it is malformed. */
export function readRegister(
  nodeLink: PeerLink,
  body: Uint8Array,
): NameRow & { owner: string; request: number; flags: number; token: number } | undefined {
  const reader = new Reader(body);
  const name = reader.text(reader.u16());
  const pid = readPid(nodeLink, reader);
  const owner = reader.text16(nodeLink.home.node);
  const stamp = reader.number64();
  const request = reader.number64();
  const isSpecial = reader.left > 0;
  const flags = isSpecial ? reader.u8() : 0;
  const token = isSpecial ? reader.number64() : 0;
  if (!reader.ok || pid === undefined || !isKey(name)) return undefined;
  if (stamp > STAMP_MAX || token > STAMP_MAX) return undefined;
  return { name, pid, owner, stamp, request, flags, token };
}

/** Answers a REGISTER. `owner`: the node that has the name, if the name is taken. */
export function sendRegistered(
  nodeLink: PeerLink,
  request: number,
  status: number,
  owner: string = "",
  token: number = 0,
): void {
  const body = new Writer(16).number64(request).u8(status).text16(owner);
  if (status === REGISTERED.LOW) body.number64(token);
  nodeLink.row(TAG.GLOBAL_REGISTERED, body.done());
}

/** Decodes a REGISTERED. Returns `undefined` if it is malformed. */
export function readRegistered(
  body: Uint8Array,
): { request: number; status: number; owner: string; token: number } | undefined {
  const reader = new Reader(body);
  const request = reader.number64();
  const status = reader.u8();
  const owner = reader.text(reader.u16());
  const token = status === REGISTERED.LOW ? reader.number64() : 0;
  return reader.ok && token < STAMP_MAX ? { request, status, owner, token } : undefined;
}

/** Sends an UNREGISTER. */
export function sendUnregister(nodeLink: PeerLink, name: string): void {
  nodeLink.row(TAG.GLOBAL_UNREGISTER, new Writer(64).text16(name).done());
}

/** Decodes an UNREGISTER. Returns `undefined` if it is malformed. */
export function readUnregister(body: Uint8Array): string | undefined {
  const reader = new Reader(body);
  const name = reader.text(reader.u16());
  return reader.ok && isKey(name) ? name : undefined;
}

/** Sends names of this node, in one or more SYNC messages. */
export function sendSync(nodeLink: PeerLink, names: readonly NameRow[], owner: string): void {
  let rows: { row: NameRow; node: number }[] = [];
  let length = 0;
  const flush = (): void => {
    if (rows.length > 0) sendSyncRow(nodeLink, rows, owner);
    rows = [];
    length = 0;
  };
  for (const row of names) {
    const node = nodeLink.homes.index(row.pid.home);
    if (node === undefined) continue;
    // UTF-8 has at most three bytes for each UTF-16 code unit.
    const most = 3 * (row.name.length + owner.length) + 20;
    if (length + most > LIST_BYTES_MAX || rows.length === LIST_COUNT_MAX) flush();
    length += most;
    rows.push({ row, node });
  }
  flush();
}

/** Sends the empty SYNC message that ends the list of names. */
export function sendSynced(nodeLink: PeerLink): void {
  sendSyncRow(nodeLink, [], "");
}

function sendSyncRow(
  nodeLink: PeerLink,
  rows: readonly { row: NameRow; node: number }[],
  owner: string,
): void {
  const writer = new Writer(64 * (rows.length + 1)).u32(rows.length);
  for (const { row, node } of rows) {
    writePid(writer.text16(row.name), node, row.pid.id).text16(owner);
  }
  for (const { row } of rows) writer.number64(row.stamp);
  if (rows.some(({ row }) => row.token)) {
    for (const { row } of rows) writer.number64(row.token ?? 0);
  }
  nodeLink.row(TAG.GLOBAL_SYNC, writer.done());
}

/**
 * Decodes a SYNC, which is empty at the end of the list. Returns `undefined` if it is malformed.
 */
export function readSync(
  nodeLink: PeerLink,
  body: Uint8Array,
): (NameRow & { owner: string })[] | undefined {
  const reader = new Reader(body);
  const count = reader.u32();
  if (count > LIST_COUNT_MAX) return undefined;
  const rows: { name: string; pid: Pid | undefined; owner: string }[] = [];
  const owners = new Texts();
  for (let i = 0; i < count && reader.ok; i++) {
    const name = shortText(reader, reader.bytes(reader.u16()));
    const pid = readPid(nodeLink, reader);
    rows.push({ name, pid, owner: owners.next(reader) });
  }
  const all: (NameRow & { owner: string })[] = [];
  for (const { name, pid, owner } of rows) {
    const stamp = reader.number64();
    if (!reader.ok || pid === undefined || !isKey(name) || stamp > STAMP_MAX) return undefined;
    all.push({ name, pid, owner, stamp });
  }
  if (count > 0 && reader.left >= 8 * count) {
    for (const row of all) {
      const token = reader.number64();
      if (token > STAMP_MAX) return undefined;
      if (token > 0) (row as { token?: number }).token = token;
    }
  }
  return reader.ok ? all : undefined;
}

/** Sends which local actors have joined or left groups. */
export function sendMembers(
  nodeLink: PeerLink,
  tag: typeof TAG.GROUP_JOIN | typeof TAG.GROUP_LEAVE,
  members: readonly MemberRow[],
): void {
  let at = 0;
  while (at < members.length) {
    const writer = new Writer(256).u32(0);
    const start = at;
    while (at < members.length && at - start < LIST_COUNT_MAX) {
      const { scope, group, pid } = members[at]!;
      if (writer.length + 3 * (scope.length + group.length) + 12 > LIST_BYTES_MAX) break;
      writer.text16(scope).text16(group);
      const node = nodeLink.homes.index(pid.home);
      if (node === undefined) writer.number64(0);
      else writePid(writer, node, pid.id);
      at++;
    }
    const body = writer.done();
    new DataView(body.buffer).setUint32(0, at - start, true);
    nodeLink.row(tag, body);
  }
}

/** Decodes a GROUP_JOIN or GROUP_LEAVE. Returns `undefined` if it is malformed. */
export function readMembers(nodeLink: PeerLink, body: Uint8Array): MemberRow[] | undefined {
  const reader = new Reader(body);
  const count = reader.u32();
  if (count > LIST_COUNT_MAX) return undefined;
  const members: MemberRow[] = [];
  const scopes = new Texts();
  const groups = new Texts();
  for (let i = 0; i < count && reader.ok; i++) {
    const scope = scopes.next(reader);
    const group = groups.next(reader);
    const pid = readPid(nodeLink, reader);
    if (!reader.ok || pid === undefined || !isKey(scope) || !isKey(group)) return undefined;
    members.push({ scope, group, pid });
  }
  return reader.ok ? members : undefined;
}

/** Returns whether a text is valid as a name, a group or a scope. */
export function isKey(text: string): boolean {
  if (text === "" || text.length > KEY_BYTES_MAX || !text.isWellFormed()) return false;
  // UTF-8 has at most three bytes for each UTF-16 code unit.
  return text.length * 3 <= KEY_BYTES_MAX || new TextEncoder().encode(text).length <= KEY_BYTES_MAX;
}

/** Writes the eight bytes of a pid: `node` is the index of its node in the session. */
export function writePid(writer: Writer, node: number, id: number): Writer {
  return writer.u32(id >>> 0).u16(Math.floor(id / 2 ** 32)).u16(node);
}

/** Reads a pid. Returns `undefined` if its node is unknown. */
export function readPid(nodeLink: PeerLink, reader: Reader): Pid | undefined {
  const low = reader.u32();
  const high = reader.u8();
  reader.u8();
  return nodeLink.homes.pid(reader.u16(), low + high * 2 ** 32);
}

/** Decodes texts. If a text repeats, returns the previous string without allocating memory. */
class Texts {
  #bytes: Uint8Array = EMPTY;
  #text = "";

  next(reader: Reader): string {
    const bytes = reader.bytes(reader.u16());
    if (!areEqual(bytes, this.#bytes)) {
      this.#text = shortText(reader, bytes);
      this.#bytes = bytes;
    }
    return this.#text;
  }
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

/** Decodes short UTF-8 that is usually ASCII. Faster than a `TextDecoder`. */
function shortText(reader: Reader, bytes: Uint8Array): string {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i]! < 0x80) continue;
    const text = utf8Text(bytes);
    if (text === undefined) reader.ok = false;
    return text ?? "";
  }
  // A text of this length is invalid, whatever its content.
  if (bytes.length > KEY_BYTES_MAX) return "";
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}
