/**
 * The rows of names and groups. Their layouts begin as they always did, so that who knows no more than that
 * still reads its part; what our rules need stands behind it.
 *
 * A pid on the wire means something in one session only, so each row is encoded for its session.
 *
 * @module
 */
import { Reader, Writer } from "../base/bytes.ts";
import { packPid, type Pid, unpackPid } from "../term/pid.ts";
import type { PidReader } from "../term/decode.ts";
import type { PidWriter } from "../term/encode.ts";
import { TAG } from "../dist/message.ts";

/** The longest name, group or scope, in bytes. */
export const KEY_BYTES_MAX = 255;

/** A list of names or members is sent in rows of at most so many. */
export const LIST_COUNT_MAX = 256;

/** The status of a REGISTERED. */
export const REGISTERED = { OK: 0, TAKEN: 1 } as const;

/** How one node is reached, as far as rows are concerned. */
export interface PeerLine {
  /** The node at the other end. */
  readonly home: { readonly node: string };
  readonly homes: PidWriter & PidReader;
  row(tag: number, body: Uint8Array): void;
}

/** A name as it travels. */
export interface NameRow {
  readonly name: string;
  readonly pid: Pid;
  readonly stamp: number;
}

/** A membership as it travels. */
export interface MemberRow {
  readonly scope: string;
  readonly group: string;
  readonly pid: Pid;
}

/** Tells a peer of a name of ours, and asks what it knows of it. */
export function sendRegister(
  line: PeerLine,
  { name, pid, stamp }: NameRow,
  owner: string,
  request: number,
): void {
  const packed = pack(line, pid);
  if (packed === undefined) return;
  const body = new Writer(64).text16(name).u64(packed).text16(owner)
    .u64(BigInt(stamp)).u64(BigInt(request)).done();
  line.row(TAG.GLOBAL_REGISTER, body);
}

/** REGISTER from its body; `undefined` if it is none. */
export function readRegister(
  line: PeerLine,
  body: Uint8Array,
): NameRow & { owner: string; request: number } | undefined {
  const reader = new Reader(body);
  const name = reader.text(reader.u16());
  const pid = unpack(line, reader.u64());
  const owner = reader.text(reader.u16());
  const stamp = Number(reader.u64());
  const request = Number(reader.u64());
  if (!reader.ok || pid === undefined || !isKey(name)) return undefined;
  return { name, pid, owner, stamp, request };
}

/** Answers a REGISTER. */
export function sendRegistered(line: PeerLine, request: number, status: number): void {
  line.row(TAG.GLOBAL_REGISTERED, new Writer(16).u64(BigInt(request)).u8(status).done());
}

/** REGISTERED from its body. */
export function readRegistered(
  body: Uint8Array,
): { request: number; status: number } | undefined {
  const reader = new Reader(body);
  const row = { request: Number(reader.u64()), status: reader.u8() };
  return reader.ok ? row : undefined;
}

/** Tells a peer that a name is ours no more. */
export function sendUnregister(line: PeerLine, name: string): void {
  line.row(TAG.GLOBAL_UNREGISTER, new Writer(64).text16(name).done());
}

/** UNREGISTER from its body. */
export function readUnregister(body: Uint8Array): string | undefined {
  const reader = new Reader(body);
  const name = reader.text(reader.u16());
  return reader.ok && isKey(name) ? name : undefined;
}

/** Tells a peer of all our names. */
export function sendSync(line: PeerLine, all: readonly NameRow[], owner: string): void {
  for (let i = 0; i < all.length; i += LIST_COUNT_MAX) {
    const names = all.slice(i, i + LIST_COUNT_MAX).flatMap((row) => {
      const packed = pack(line, row.pid);
      return packed === undefined ? [] : [{ row, packed }];
    });
    const writer = new Writer(64 * names.length).u32(names.length);
    for (const { row, packed } of names) writer.text16(row.name).u64(packed).text16(owner);
    for (const { row } of names) writer.u64(BigInt(row.stamp));
    line.row(TAG.GLOBAL_SYNC, writer.done());
  }
}

/** SYNC from its body. */
export function readSync(
  line: PeerLine,
  body: Uint8Array,
): (NameRow & { owner: string })[] | undefined {
  const reader = new Reader(body);
  const count = reader.u32();
  const rows: { name: string; pid: Pid | undefined; owner: string }[] = [];
  for (let i = 0; i < count && reader.ok; i++) {
    const name = reader.text(reader.u16());
    const pid = unpack(line, reader.u64());
    rows.push({ name, pid, owner: reader.text(reader.u16()) });
  }
  const all: (NameRow & { owner: string })[] = [];
  for (const { name, pid, owner } of rows) {
    const stamp = Number(reader.u64());
    if (!reader.ok || pid === undefined || !isKey(name)) return undefined;
    all.push({ name, pid, owner, stamp });
  }
  return reader.ok ? all : undefined;
}

/** Tells a peer who of ours has joined, or left. */
export function sendMembers(
  line: PeerLine,
  tag: typeof TAG.GROUP_JOIN | typeof TAG.GROUP_LEAVE,
  members: readonly MemberRow[],
): void {
  for (let i = 0; i < members.length; i += LIST_COUNT_MAX) {
    const some = members.slice(i, i + LIST_COUNT_MAX);
    const writer = new Writer(64 * some.length).u32(some.length);
    for (const { scope, group, pid } of some) {
      writer.text16(scope).text16(group).u64(pack(line, pid) ?? 0n);
    }
    line.row(tag, writer.done());
  }
}

/** JOIN or LEAVE from its body. */
export function readMembers(line: PeerLine, body: Uint8Array): MemberRow[] | undefined {
  const reader = new Reader(body);
  const count = reader.u32();
  const members: MemberRow[] = [];
  for (let i = 0; i < count && reader.ok; i++) {
    const scope = reader.text(reader.u16());
    const group = reader.text(reader.u16());
    const pid = unpack(line, reader.u64());
    if (!reader.ok || pid === undefined || !isKey(scope) || !isKey(group)) return undefined;
    members.push({ scope, group, pid });
  }
  return reader.ok ? members : undefined;
}

/** Whether a text can be a name, a group or a scope. */
export function isKey(text: string): boolean {
  if (text === "" || text.length > KEY_BYTES_MAX || !text.isWellFormed()) return false;
  // Below a third of the limit no text is too long.
  return text.length * 3 <= KEY_BYTES_MAX || new TextEncoder().encode(text).length <= KEY_BYTES_MAX;
}

/** `undefined`: the session's table of nodes is full. */
function pack(line: PeerLine, pid: Pid): bigint | undefined {
  const index = line.homes.index(pid.home);
  return index === undefined ? undefined : packPid(index, pid.id);
}

function unpack(line: PeerLine, packed: bigint): Pid | undefined {
  const { node, id } = unpackPid(packed);
  return line.homes.pid(node, id);
}
