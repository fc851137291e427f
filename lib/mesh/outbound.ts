/**
 * Sends the messages and signals of this node's actors to one other node. Each is encoded directly
 * into the session's outbox.
 *
 * Messages are dropped when too many bytes are queued for the peer. Signals are never dropped.
 *
 * Longer than 400 lines: it has a method for each actor message, all using the same buffer.
 *
 * @module
 */
import { type TraceCarrier, withTrace } from "./trace_context.ts";
import type { PendingCall } from "../actor/call.ts";
import type { ActorRef } from "../actor/actor_ref.ts";
import type { System } from "../actor/system.ts";
import { utf8 } from "../base/bytes.ts";
import { SaltedMap } from "../base/salted_map.ts";
import type { TermBuffer } from "../term/buffer.ts";
import { Encoder } from "../term/encode.ts";
import { TermError } from "../term/errors.ts";
import { encodeExit, type ExitReason, writeNormal } from "../term/exit.ts";
import { Pid, type Ref, writePid } from "../term/pid.ts";
import { BULK_BYTES_MIN } from "./fragment_writer.ts";
import { NamedRemoteActor, RemoteActor, type SignalSender } from "./remote_actor.ts";
import {
  type FoundNodeLink,
  NodeTable,
  RECEIVER,
  type RemoteIncarnation,
  SENDER,
} from "./node_table.ts";
import { ANSWER, encodeHome, TAG } from "./message.ts";
import type { SessionOutbox } from "./outbox.ts";

/**
 * The statuses of answers with a term. Each is mapped to the status that is sent instead if the
 * term cannot be encoded.
 */
const REFUSALS: ReadonlyMap<number, number> = new Map<number, number>([
  [ANSWER.REPLY, ANSWER.REFUSED],
  [ANSWER.REFUSED, ANSWER.REFUSED],
  [ANSWER.HELD_REPLY, ANSWER.HELD_REFUSED],
  [ANSWER.HELD_REFUSED, ANSWER.HELD_REFUSED],
]);

/** Maximum number of cached encoded names. */
const NAMES_KEPT_MAX = 1024;

/**
 * Minimum length in bytes of a text that is copied with `Uint8Array.set`. A shorter text is copied
 * byte by byte, which takes less time.
 */
const VIEW_BYTES_MIN = 64;

/** Size in bytes of a pid, of the number of a reference, and of the number of a request. */
const WORD_BYTES = 8;

/**
 * Maximum length of an encoded name of an actor or function, in bytes. A longer name is truncated,
 * and therefore matches no actor or function.
 */
const NAME_BYTES_MAX = 0xffff;

/**
 * Maximum length of an encoded exit reason, in bytes. A longer reason is replaced by a text that
 * describes it.
 */
const REASON_BYTES_MAX = 2 ** 20;

/** Number of bytes that an encoded exit reason may have in addition to its term. */
const REASON_HEADS_BYTES = 1024;

/** The link to one incarnation of another node, for one session. */
export class Outbound implements FoundNodeLink, SignalSender {
  readonly home: RemoteIncarnation;
  readonly homes: NodeTable;
  isOpen = true;
  /** Features that both sides support: see `FEATURE` in `handshake.ts`. */
  readonly features: number;
  /** The number of monitors of the peer's actors on actors of this node. */
  monitors = 0;
  readonly #system: System;
  readonly #outbox: SessionOutbox;
  readonly #encoder: Encoder;
  /** Maximum length of an encoded term, in bytes. */
  readonly #bytesMax: number;
  /** The secret salt of the hash tables whose keys the peer chooses. */
  readonly salt: number;
  /** Remote actors by local id. The peer chooses the ids, so the table is salted. */
  readonly #remoteActors: SaltedMap<RemoteActor>;
  readonly #named = new Set<RemoteActor>();
  /** Pending calls by the number of the request. */
  readonly #calls = new Map<number, PendingCall>();
  #requests = 0;
  /**
   * Called with the receiver of each message that cannot be sent, and the reason. Set by
   * `RemoteNodes`.
   */
  onUnsendable: ((to: string, words: string) => void) | undefined = undefined;
  /** The cache of encoded names. Most messages use one of a few names. */
  readonly #names = new Map<string, Uint8Array>();

  constructor(
    system: System,
    home: RemoteIncarnation,
    outbox: SessionOutbox,
    bytesMax: number,
    features: number = 0,
  ) {
    this.#system = system;
    this.home = home;
    this.features = features;
    this.salt = system.chance();
    this.#remoteActors = new SaltedMap(this.salt);
    home.nodeLink = this;
    this.#outbox = outbox;
    this.homes = new NodeTable(system, home, (index, { node, creation }) => {
      outbox.control(encodeHome(index, creation, node));
    });
    this.#bytesMax = bytesMax;
    this.#encoder = new Encoder(this.homes, bytesMax);
  }

  /** The trace contexts of messages. `undefined` unless both nodes have switched on tracing. */
  traces: TraceCarrier | undefined = undefined;

  /** Number of remote actors of the peer, and of pending calls to the peer. */
  get kept(): number {
    return this.#remoteActors.size + this.#named.size + this.#calls.size;
  }

  /** The number of links between actors of both nodes. */
  get links(): number {
    let count = 0;
    for (const { links } of this.#remoteActors.values()) count += links?.size ?? 0;
    return count;
  }

  /** Returns the pid of an actor of the peer. */
  pid(id: number): Pid {
    return this.homes.pid(SENDER, id)!;
  }

  remoteActor(id: number): RemoteActor {
    let remote = this.#remoteActors.get(id);
    if (remote === undefined) {
      remote = new RemoteActor(this, this.home, id);
      this.#remoteActors.set(id, remote);
    }
    return remote;
  }

  known(id: number): RemoteActor | undefined {
    return this.#remoteActors.get(id);
  }

  named(name: string): ActorRef {
    const named = new NamedRemoteActor(this, this.home, name);
    this.#named.add(named);
    return named;
  }

  forget(remote: RemoteActor): void {
    // The pid may be used again later. Its remote actor is then looked up or created again.
    remote.pid.target = undefined;
    if (remote instanceof NamedRemoteActor) this.#named.delete(remote);
    else if (this.#remoteActors.get(remote.pid.id) === remote) {
      this.#remoteActors.delete(remote.pid.id);
    }
  }

  /**
   * Called when the session has ended. Returns the steps in which all remote actors of the peer
   * exit with "noconnection".
   */
  lost(): Generator<number, void> {
    this.isOpen = false;
    const actorRefs = [...this.#remoteActors.values(), ...this.#named];
    for (const actorRef of actorRefs) {
      actorRef.isAlive = false;
      actorRef.pid.target = undefined;
    }
    this.#remoteActors.clear();
    this.#named.clear();
    this.#calls.clear();
    return this.#system.signals.losing(actorRefs);
  }

  send(id: number, message: unknown): void {
    const out = this.#begin(TAG.SEND, WORD_BYTES);
    writePid(out.view, out.at, RECEIVER, id);
    out.at += WORD_BYTES;
    try {
      this.#term(
        this.traces === undefined ? message : withTrace(this.traces, message, message),
        out,
      );
    } catch (error) {
      this.#outbox.cancel();
      this.#unsendable(this.pid(id), message, error);
      return;
    }
    if (!this.#outbox.commit(false)) this.#encoder.undo();
  }

  sendNamed(name: string, message: unknown): void {
    const out = this.#beginNamed(TAG.SEND_NAMED, 0, name);
    try {
      this.#term(
        this.traces === undefined ? message : withTrace(this.traces, message, message),
        out,
      );
    } catch (error) {
      this.#outbox.cancel();
      this.#unsendable({ name, node: this.home.node }, message, error);
      return;
    }
    if (!this.#outbox.commit(false)) this.#encoder.undo();
  }

  call(to: number | string, call: PendingCall): void {
    const number = ++this.#requests;
    let out: TermBuffer;
    if (typeof to === "number") {
      out = this.#begin(TAG.CALL, 2 * WORD_BYTES);
      writeNumber(out, number);
      writePid(out.view, out.at, RECEIVER, to);
      out.at += WORD_BYTES;
    } else out = this.#beginNamed(TAG.CALL_NAMED, number, to);
    try {
      const { request } = call;
      this.#term(this.traces === undefined ? request : withTrace(this.traces, request, call), out);
    } catch (error) {
      this.#outbox.cancel();
      if (error instanceof TermError) error.message += call.which;
      return call.fail(error as Error);
    }
    if (!this.#outbox.commit(false)) {
      this.#encoder.undo();
      return call.queueFull(this.home.node);
    }
    this.#calls.set(number, call);
    call.whenOver(() => {
      // If the call is still pending here, the caller has cancelled it.
      if (this.#calls.delete(number) && this.isOpen) this.#sendCallOver(number);
    });
  }

  /** Returns and removes the pending call to which an ANSWER belongs, if there is one. */
  answered(request: number): PendingCall | undefined {
    const call = this.#calls.get(request);
    this.#calls.delete(request);
    return call;
  }

  /** Answers a call from an actor of the peer, or a call that the peer has forwarded. */
  answer(request: number, status: number, value: unknown): void {
    const out = this.#begin(TAG.ANSWER, WORD_BYTES + 1);
    writeNumber(out, request);
    out.bytes[out.at++] = status;
    const refused = REFUSALS.get(status);
    if (refused === undefined) {
      if (status === ANSWER.ENDED) this.#reason(value as ExitReason, out);
      this.#outbox.commit(true);
      return;
    }
    try {
      this.#term(value, out);
    } catch (error) {
      this.#outbox.cancel();
      if (status !== refused) return this.answer(request, refused, error);
      const words = error instanceof TermError ? error.message : "one of its getters threw";
      return this.answer(request, refused, new Error(`unsendable refusal: ${words}`));
    }
    this.#outbox.commit(true);
  }

  link(from: Pid<unknown>, id: number): void {
    this.#pair(TAG.LINK, from.id, id);
    this.#outbox.commit(true);
  }

  unlink(from: Pid<unknown>, id: number): void {
    this.#pair(TAG.UNLINK, from.id, id);
    this.#outbox.commit(true);
  }

  /** Answers an UNLINK of the other node. */
  unlinked(from: number, id: number): void {
    this.#pair(TAG.UNLINKED, from, id);
    this.#outbox.commit(true);
  }

  linkBroke(from: Pid, id: number, reason: ExitReason): void {
    this.#reason(reason, this.#pair(TAG.EXIT, from.id, id));
    this.#outbox.commit(true);
  }

  exitSignal(from: Pid, id: number, reason: ExitReason): void {
    this.#reason(reason, this.#pair(TAG.EXIT_SIGNAL, from.id, id));
    this.#outbox.commit(true);
  }

  monitor(from: Pid<unknown>, to: number | string, ref: Ref): void {
    if (typeof to === "number") this.#triple(TAG.MONITOR, from.id, to, ref.id);
    else {
      const name = utf8(to);
      const out = this.#begin(TAG.MONITOR_NAMED, 2 * WORD_BYTES + 2 + name.length);
      writeOwn(out, from.id);
      writeText(out, name);
      writeNumber(out, ref.id);
    }
    this.#outbox.commit(true);
  }

  demonitor(from: Pid<unknown>, id: number, ref: Ref): void {
    this.#triple(TAG.DEMONITOR, from.id, id, ref.id);
    this.#outbox.commit(true);
  }

  down(ended: Pid, id: number, ref: Ref, reason: ExitReason): void {
    this.monitors--;
    this.downOf(ended.id, id, ref.id, reason);
  }

  /**
   * Sends a DOWN for the exit of a monitored actor. `ended` is the id of the monitored actor, `id`
   * that of the monitoring actor.
   */
  downOf(ended: number, id: number, ref: number, reason: ExitReason): void {
    this.#reason(reason, this.#triple(TAG.DOWN, ended, id, ref));
    this.#outbox.commit(true);
  }

  /** Requests a spawn. Throws `TermError` if the arguments cannot be sent. */
  spawn(
    request: number,
    from: number,
    flags: number,
    fn: string,
    ref: number,
    args: readonly unknown[],
  ): void {
    const name = this.#nameBytes(fn);
    const out = this.#begin(TAG.SPAWN, 3 * WORD_BYTES + 3 + name.length);
    writeNumber(out, request);
    writeOwn(out, from);
    out.bytes[out.at++] = flags;
    writeText(out, name);
    writeNumber(out, ref);
    try {
      this.#term(args, out);
    } catch (error) {
      this.#outbox.cancel();
      throw error;
    }
    this.#outbox.commit(true);
  }

  /** Answers a SPAWN. */
  spawned(request: number, status: number, id: number, reason: ExitReason): void {
    const out = this.#begin(TAG.SPAWNED, 2 * WORD_BYTES + 1);
    writeNumber(out, request);
    out.bytes[out.at++] = status;
    writeOwn(out, id);
    this.#reason(reason, out);
    this.#outbox.commit(true);
  }

  #sendCallOver(request: number): void {
    writeNumber(this.#begin(TAG.CALL_OVER, WORD_BYTES), request);
    this.#outbox.commit(true);
  }

  /** Sends a message about names or groups. */
  row(tag: number, body: Uint8Array): void {
    const out = this.#begin(tag, body.length);
    out.write(body);
    this.#outbox.commit(true);
  }

  /** Starts a message, with space for `length` bytes. */
  #begin(tag: number, length: number): TermBuffer {
    const out = this.#outbox.begin(tag);
    out.reserve(length);
    return out;
  }

  #nameBytes(name: string): Uint8Array {
    let bytes = this.#names.get(name);
    if (bytes === undefined) {
      if (this.#names.size >= NAMES_KEPT_MAX) this.#names.clear();
      this.#names.set(name, bytes = utf8(name));
    }
    return bytes;
  }

  /** Starts a message to a name, preceded by the number of the request if there is one. */
  #beginNamed(tag: number, request: number, name: string): TermBuffer {
    const bytes = this.#nameBytes(name);
    const out = this.#begin(tag, WORD_BYTES + 2 + bytes.length);
    if (request > 0) writeNumber(out, request);
    writeText(out, bytes);
    return out;
  }

  #pair(tag: number, from: number, to: number): TermBuffer {
    const out = this.#begin(tag, 2 * WORD_BYTES);
    writeOwn(out, from);
    writePid(out.view, out.at, RECEIVER, to);
    out.at += WORD_BYTES;
    return out;
  }

  #triple(tag: number, from: number, to: number, ref: number): TermBuffer {
    const out = this.#begin(tag, 3 * WORD_BYTES);
    writeOwn(out, from);
    writePid(out.view, out.at, RECEIVER, to);
    out.at += WORD_BYTES;
    writeNumber(out, ref);
    return out;
  }

  /**
   * Writes a term. A large term is sent in fragments, and other messages may overtake it. It
   * therefore has its own encoder, so that no later term refers to it.
   */
  #term(term: unknown, out: TermBuffer): void {
    const start = out.at;
    if (!isLarge(term)) {
      this.#encoder.encode(term, out);
      if (this.#outbox.length <= BULK_BYTES_MIN) return;
      this.#encoder.undo();
      out.at = start;
    }
    new Encoder(this.homes, this.#bytesMax).encode(term, out);
  }

  /**
   * Writes an exit reason. Exits are rare, so each reason has its own encoder. A reason must be
   * sent, and the exiting actor must not throw. A reason that cannot be encoded is therefore
   * replaced by a text.
   */
  #reason(reason: ExitReason, out: TermBuffer): void {
    if (reason === "normal") return writeNormal(out);
    const start = out.at;
    let words = `it is longer than ${REASON_BYTES_MAX} bytes`;
    try {
      encodeExit(reason, out, new Encoder(this.homes, REASON_BYTES_MAX), this.homes);
      if (out.at - start <= REASON_BYTES_MAX + REASON_HEADS_BYTES) return;
    } catch {
      words = "one of its getters threw";
    }
    out.at = start;
    encodeExit(`unsendable exit reason: ${words}`, out, new Encoder(), this.homes);
  }

  #unsendable(to: Pid | { name: string; node: string }, message: unknown, error: unknown): void {
    const { events } = this.#system;
    if (events.has("deadletter")) {
      events.emit("deadletter", { to, message, error: error as Error });
    }
    const words = error instanceof TermError ? error.message : "one of its getters threw";
    this.onUnsendable?.(to instanceof Pid ? `${to}` : `${to.name} on ${to.node}`, words);
  }
}

/**
 * Returns whether a term is obviously large. Other large terms are detected when they are encoded.
 */
function isLarge(term: unknown): boolean {
  return (term instanceof Uint8Array || typeof term === "string") && term.length > BULK_BYTES_MIN;
}

/** Writes the pid of an actor of this node. */
function writeOwn(out: TermBuffer, id: number): void {
  writePid(out.view, out.at, SENDER, id);
  out.at += WORD_BYTES;
}

/** Writes a number as u64. */
function writeNumber(out: TermBuffer, value: number): void {
  out.view.setUint32(out.at, value >>> 0, true);
  out.view.setUint32(out.at + 4, Math.floor(value / 2 ** 32), true);
  out.at += WORD_BYTES;
}

/** Writes a text with its length. The caller ensures that there is space. */
function writeText(out: TermBuffer, bytes: Uint8Array): void {
  let length = Math.min(bytes.length, NAME_BYTES_MAX);
  // The cut must not be within a character: an incomplete character is invalid UTF-8, which would
  // end the session.
  while (length < bytes.length && (bytes[length]! & 0xc0) === 0x80) length--;
  out.view.setUint16(out.at, length, true);
  if (length < VIEW_BYTES_MIN) {
    for (let i = 0; i < length; i++) out.bytes[out.at + 2 + i] = bytes[i]!;
  } else out.bytes.set(bytes.subarray(0, length), out.at + 2);
  out.at += 2 + length;
}
