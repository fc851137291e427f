/**
 * Dispatches the messages of a session: one table from the tag of a message to its handler.
 *
 *     Session.frame ─▶ SessionReceiver.message ─▶ dispatch ─┬─▶ Session    PING, PONG, GOODBYE, BULK, FRAGMENT, TAKEN,
 *                                                           │              ROOM_INTEREST
 *                                                           ├─▶ Mesh       peers, functions, clock, cookies
 *                                                           ├─▶ RoomSink   broadcasts
 *                                                           ├─▶ Inbound    messages and signals of actors
 *                                                           └─▶ ClusterSink, by Inbound: names and groups
 *
 * A handler returns `undefined`, or the rule that the peer violated, which ends the session. A
 * message whose tag has no handler is skipped, because a later version may use the tag.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import type { ClusterSink, Inbound } from "./inbound.ts";
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
import type { Outbound } from "./outbound.ts";

/** Delivers room broadcasts of other nodes. `message` is only valid during the call. */
export interface RoomSink {
  /** `text`: whether the message is valid UTF-8, to be sent as text. */
  roomMessage(room: string, message: Uint8Array, text: boolean, from: string): void;
}

/** Handles the messages of a session that concern the session itself. */
export interface SessionMessages {
  /** The node on the other side. */
  readonly met: { readonly name: string };
  onPing(body: Uint8Array): string | undefined;
  onPong(body: Uint8Array): string | undefined;
  onGoodbye(body: Uint8Array): string | undefined;
  onBulk(body: Uint8Array): string | undefined;
  onFragment(body: Uint8Array): string | undefined;
  onTaken(body: Uint8Array): string | undefined;
  onRoomInterest(body: Uint8Array): string | undefined;
}

/** Handles the messages that concern the node. Implemented by `Mesh`. */
export interface NodeMessages {
  /** Called when a peer has sent the names of the nodes that it is connected to. */
  peerList(names: readonly string[], from: string): void;
  /**
   * Called when a peer has sent a digest of the nodes that it is connected to. Returns the rule
   * that the peer violated, or undefined.
   */
  peerDigest?(body: Uint8Array, from: string): string | undefined;
  /** Called when a peer has exposed or unexposed functions. */
  exposed(added: boolean, names: readonly string[], from: string): void;
  /** Called when a peer has sent its time of day, in milliseconds since 1970. */
  clock?(wall: number, from: string): void;
  /** Called when a peer has requested proofs of this node's cookies. */
  prove?(nonce: Uint8Array, from: string): void;
  /** Called when a peer has sent proofs of its cookies. */
  proof?(proofs: readonly Uint8Array[], from: string): void;
  /**
   * The receiver of broadcasts, set by the cluster. While it is `undefined`, broadcasts are
   * skipped.
   */
  readonly roomSink: RoomSink | undefined;
}

/** The objects that handle the messages of a session, in addition to the session itself. */
export interface Receivers {
  readonly owner: NodeMessages;
  /**
   * Handles the messages of actors, names and groups. While it is `undefined`, these messages are
   * skipped.
   */
  readonly actors: Inbound | undefined;
}

/**
 * Handles a message. `isLarge`: whether it arrived in fragments. Such a message is not held back,
 * because its first fragment has reserved its place in the order.
 */
type Handler = (
  session: SessionMessages,
  to: Receivers,
  tag: number,
  body: Uint8Array,
  isLarge: boolean,
) => string | undefined;

/** Returns a handler that passes a message to the session. */
function own(
  handle: (session: SessionMessages, body: Uint8Array) => string | undefined,
): Handler {
  return (session, _to, _tag, body) => handle(session, body);
}

/** Returns a handler that passes a message and the name of its sender to the node. */
function node(
  handle: (node: NodeMessages, body: Uint8Array, from: string) => string | undefined,
): Handler {
  return (session, { owner }, _tag, body) => handle(owner, body, session.met.name);
}

/**
 * Returns a handler that passes a message to the actors' receiver, which may hold it back behind an
 * earlier large message: see `Inbound.take`.
 */
function actors(handle: (inbound: Inbound, body: Uint8Array) => void): Handler {
  return (_session, to, tag, body, isLarge) => to.actors?.take(handle, tag, body, isLarge);
}

/** Returns a handler that passes a message to the receiver of names and groups. */
function cluster(
  handle: (sink: ClusterSink<Outbound>, link: Outbound, body: Uint8Array) => string | undefined,
): Handler {
  return actors((inbound, body) => inbound.cluster(handle, body));
}

function handshake(): string {
  return "a message of the handshake, after it";
}

/** The handler of each tag. The layouts of the messages are in `message.ts`. */
const TABLE: readonly (readonly [tag: number, handler: Handler])[] = [
  [TAG.NAME, handshake],
  [TAG.CHALLENGE, handshake],
  [TAG.REPLY, handshake],
  [TAG.ACK, handshake],
  [TAG.REJECT, handshake],

  [TAG.PING, own((session, body) => session.onPing(body))],
  [TAG.PONG, own((session, body) => session.onPong(body))],
  [TAG.GOODBYE, own((session, body) => session.onGoodbye(body))],
  [TAG.BULK, own((session, body) => session.onBulk(body))],
  [TAG.FRAGMENT, own((session, body) => session.onFragment(body))],
  [TAG.TAKEN, own((session, body) => session.onTaken(body))],
  [TAG.ROOM_INTEREST, own((session, body) => session.onRoomInterest(body))],

  [TAG.PEER_LIST, node(peerList)],
  [TAG.PEER_DIGEST, node((node, body, from) => node.peerDigest?.(body, from))],
  [TAG.EXPOSED, node(exposed)],
  [TAG.CLOCK, node(clock)],
  [TAG.PROVE, node(prove)],
  [TAG.PROOF, node(proof)],
  [TAG.ROOM_BROADCAST, node((node, body, from) => broadcast(node, body, from, true))],
  [TAG.ROOM_BROADCAST_BINARY, node((node, body, from) => broadcast(node, body, from, false))],

  // Most SEND and SEND_NAMED messages take another path: see `Session.frameAt`.
  [TAG.SEND, actors((inbound) => inbound.onSend())],
  [TAG.SEND_NAMED, actors((inbound) => inbound.onSendNamed())],
  [TAG.CALL, actors((inbound) => inbound.onCall())],
  [TAG.CALL_NAMED, actors((inbound) => inbound.onCallNamed())],
  [TAG.ANSWER, actors((inbound) => inbound.onAnswer())],
  [TAG.CALL_OVER, actors((inbound) => inbound.onCallOver())],
  [TAG.LINK, actors((inbound) => inbound.onLink())],
  [TAG.UNLINK, actors((inbound) => inbound.onUnlink())],
  [TAG.UNLINKED, actors((inbound) => inbound.onUnlinked())],
  [TAG.EXIT, actors((inbound) => inbound.onExit())],
  [TAG.EXIT_SIGNAL, actors((inbound) => inbound.onExitSignal())],
  [TAG.MONITOR, actors((inbound) => inbound.onMonitor())],
  [TAG.MONITOR_NAMED, actors((inbound) => inbound.onMonitorNamed())],
  [TAG.DEMONITOR, actors((inbound) => inbound.onDemonitor())],
  [TAG.DOWN, actors((inbound) => inbound.onDown())],
  [TAG.SPAWN, actors((inbound) => inbound.onSpawn())],
  [TAG.SPAWNED, actors((inbound) => inbound.onSpawned())],
  [TAG.HOME, actors((inbound, body) => inbound.onHome(body))],

  [TAG.GLOBAL_REGISTER, cluster((sink, link, body) => sink.onGlobalRegister(link, body))],
  [TAG.GLOBAL_REGISTERED, cluster((sink, link, body) => sink.onGlobalRegistered(link, body))],
  [TAG.GLOBAL_UNREGISTER, cluster((sink, link, body) => sink.onGlobalUnregister(link, body))],
  [TAG.GLOBAL_SYNC, cluster((sink, link, body) => sink.onGlobalSync(link, body))],
  [TAG.GLOBAL_INQUIRE, cluster((sink, link, body) => sink.onGlobalInquire(link, body))],
  [TAG.GLOBAL_HELD, cluster((sink, link, body) => sink.onGlobalHeld(link, body))],
  [TAG.GLOBAL_RESOLVED, cluster((sink, link, body) => sink.onGlobalResolved(link, body))],
  [TAG.CLUSTER_VIEW, cluster((sink, link, body) => sink.onClusterView(link, body))],
  [TAG.GROUP_JOIN, cluster((sink, link, body) => sink.onGroupJoin(link, body))],
  [TAG.GROUP_LEAVE, cluster((sink, link, body) => sink.onGroupLeave(link, body))],
];

/** The handlers, indexed by tag. */
const HANDLERS: readonly (Handler | undefined)[] = Array.from(
  { length: 0x100 },
  (_, tag) => TABLE.find((row) => row[0] === tag)?.[1],
);

/** The tags that have a handler. */
export const HANDLED_TAGS: readonly number[] = TABLE.map(([tag]) => tag);

/** Calls the handler of a message. Returns the rule that the peer violated, or `undefined`. */
export function dispatch(
  session: SessionMessages,
  to: Receivers,
  tag: number,
  body: Uint8Array,
  isLarge = false,
): string | undefined {
  return HANDLERS[tag]?.(session, to, tag, body, isLarge);
}

function peerList(node: NodeMessages, body: Uint8Array, from: string): string | undefined {
  const names = decodeList(body);
  if (names === undefined) return "a malformed PEER_LIST";
  if (!names.every(isNormalName)) return "a PEER_LIST with something that is no node name";
  node.peerList(names, from);
  return undefined;
}

function exposed(node: NodeMessages, body: Uint8Array, from: string): string | undefined {
  const decoded = decodeExposed(body);
  if (decoded === undefined) return "a malformed EXPOSED";
  node.exposed(decoded.added, decoded.names, from);
  return undefined;
}

function clock(node: NodeMessages, body: Uint8Array, from: string): string | undefined {
  const wall = decodeClock(body);
  if (wall === undefined) return "a malformed CLOCK";
  node.clock?.(wall, from);
  return undefined;
}

function prove(node: NodeMessages, body: Uint8Array, from: string): string | undefined {
  const nonce = decodeProve(body);
  if (nonce === undefined) return "a malformed PROVE";
  node.prove?.(nonce, from);
  return undefined;
}

function proof(node: NodeMessages, body: Uint8Array, from: string): string | undefined {
  const proofs = decodeProof(body);
  if (proofs === undefined) return "a malformed PROOF";
  node.proof?.(proofs, from);
  return undefined;
}

function broadcast(
  { roomSink }: NodeMessages,
  body: Uint8Array,
  from: string,
  isText: boolean,
): string | undefined {
  const decoded = decodeRoomBroadcast(body);
  if (decoded === undefined) return "a malformed ROOM_BROADCAST";
  if (isText && !isUtf8(decoded.message)) return "a ROOM_BROADCAST that is not UTF-8";
  roomSink?.roomMessage(decoded.room, decoded.message, isText, from);
  return undefined;
}
