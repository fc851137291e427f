/**
 * Encodes and decodes the messages that order claims of names, and the message with a node's time
 * and known members. These are sent only to peers with `FEATURE.CLAIMS`.
 *
 * @module
 */
import { Reader, Writer } from "../base/bytes.ts";
import { TAG } from "../mesh/message.ts";
import type { Pid } from "../term/pid.ts";
import { MEMBERS_MAX } from "./members.ts";
import type { NameEntry } from "./winner.ts";
import { isKey, type PeerLink, readPid, STAMP_MAX, writePid } from "./rows.ts";

/** Maximum length of a list of nodes in a CLUSTER_VIEW, in bytes. Further nodes are omitted. */
const LIST_BYTES_MAX = 64 * 1024;

/** The value that represents the absence of a pid. */
const NO_PID = 0xffff_ffff_ffff_ffffn;

/** The state that a node reports to a peer when a session opens. */
export interface ClusterView {
  /** The peer's time in microseconds, as `stamp_clock.ts` defines it. */
  readonly time: number;
  /** The highest fencing token that the peer has seen. */
  readonly token: number;
  /** Number of sessions that the peer has with other nodes. */
  readonly sessions: number;
  readonly known: readonly string[];
  readonly left: readonly string[];
}

/** Sends a CLUSTER_VIEW: this node's time, highest token, number of sessions, and known members. */
export function sendView(nodeLink: PeerLink, view: ClusterView): void {
  const { time, token, sessions, known, left } = view;
  const writer = new Writer(256).number64(time).number64(token).u16(
    Math.min(sessions, 0xffff),
  );
  for (const list of [known, left]) {
    const names: string[] = [];
    let length = 0;
    for (const name of list) {
      if ((length += 3 * name.length + 2) > LIST_BYTES_MAX) break;
      names.push(name);
    }
    writer.u16(names.length);
    for (const name of names) writer.text16(name);
  }
  nodeLink.row(TAG.CLUSTER_VIEW, writer.done());
}

/** Decodes a CLUSTER_VIEW. Returns `undefined` if it is malformed. */
export function readView(body: Uint8Array): ClusterView | undefined {
  const reader = new Reader(body);
  const time = reader.number64();
  const token = reader.number64();
  const sessions = reader.u16();
  const [known, left] = [readNodes(reader), readNodes(reader)];
  if (!reader.ok || Math.max(time, token) > STAMP_MAX) return undefined;
  return { time, token, sessions, known, left };
}

function readNodes(reader: Reader): string[] {
  const count = reader.u16();
  if (count > MEMBERS_MAX) reader.ok = false;
  const nodes: string[] = [];
  for (let i = 0; i < count && reader.ok; i++) nodes.push(reader.text(reader.u16()));
  return nodes;
}

/**
 * Sends an INQUIRE to the owner of `entry`, because `rival` is another entry of that name. The
 * owner must answer whether it holds the name or only claims it. Returns false if the pid cannot be
 * encoded.
 */
export function sendInquire(nodeLink: PeerLink, entry: NameEntry, rival: NameEntry): boolean {
  const node = nodeLink.homes.index(rival.pid.home);
  if (node === undefined) return false;
  const writer = new Writer(128).text16(entry.name).number64(entry.stamp).u8(rival.isClaim ? 0 : 1);
  writePid(writer, node, rival.pid.id).text16(rival.owner).number64(rival.stamp)
    .number64(rival.token ?? 0);
  nodeLink.row(TAG.GLOBAL_INQUIRE, writer.done());
  return true;
}

/** Decodes an INQUIRE. Returns `undefined` if it is malformed. */
export function readInquire(
  nodeLink: PeerLink,
  body: Uint8Array,
): { name: string; stamp: number; rival: NameEntry } | undefined {
  const reader = new Reader(body);
  const name = reader.text(reader.u16());
  const stamp = reader.number64();
  const isClaim = reader.u8() === 0;
  const pid = readPid(nodeLink, reader);
  const owner = reader.text(reader.u16());
  const rivalStamp = reader.number64();
  const token = reader.number64();
  if (!reader.ok || pid === undefined || !isKey(name) || rivalStamp > STAMP_MAX) return undefined;
  return { name, stamp, rival: { name, owner, pid, stamp: rivalStamp, token, isClaim } };
}

/**
 * Sends a HELD, the answer to an INQUIRE: this node holds the name, rather than only claiming it.
 */
export function sendHeld(nodeLink: PeerLink, { name, stamp }: NameEntry): void {
  nodeLink.row(TAG.GLOBAL_HELD, new Writer(64).text16(name).number64(stamp).done());
}

/** Decodes a HELD. Returns `undefined` if it is malformed. */
export function readHeld(body: Uint8Array): { name: string; stamp: number } | undefined {
  const reader = new Reader(body);
  const name = reader.text(reader.u16());
  const stamp = reader.number64();
  return reader.ok && isKey(name) ? { name, stamp } : undefined;
}

/**
 * Sends a resolver's decision (RESOLVED) to the owner of the entry that lost. `keeps` is the actor
 * that keeps the name, if any. Returns false if the pid of that actor cannot be encoded.
 */
export function sendResolved(nodeLink: PeerLink, lost: NameEntry, keeps: Pid | undefined): boolean {
  const node = keeps === undefined ? 0 : nodeLink.homes.index(keeps.home);
  if (node === undefined) return false;
  const writer = new Writer(64).text16(lost.name).number64(lost.stamp);
  if (keeps === undefined) writer.u64(NO_PID);
  else writePid(writer, node, keeps.id);
  nodeLink.row(TAG.GLOBAL_RESOLVED, writer.done());
  return true;
}

/** Decodes a RESOLVED. Returns `undefined` if it is malformed. */
export function readResolved(
  nodeLink: PeerLink,
  body: Uint8Array,
): { name: string; stamp: number; keeps: Pid | undefined } | undefined {
  const reader = new Reader(body);
  const name = reader.text(reader.u16());
  const stamp = reader.number64();
  const isNone = new Reader(body, reader.at).u64() === NO_PID;
  const keeps = isNone ? undefined : readPid(nodeLink, reader);
  if (!reader.ok || !isKey(name) || (keeps === undefined && !isNone)) return undefined;
  return { name, stamp, keeps };
}
