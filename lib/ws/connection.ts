/**
 * One WebSocket, from the 101 to its end: RFC 6455, sections 5 to 7.
 *
 *              close() · the peer's close or its last byte · a broken rule ·
 *              a handler that throws · too much waits to be sent
 *     open ──────────────────────────────────────▶ closing ──the stream is gone──▶ closed
 *       └───────────────────────────── the stream is gone ──────────────────────────▲
 *
 * While it is `closing` nothing more is sent; a peer that makes no progress until the deadline is cut
 * off. The `close` handler is called once, when the stream is gone and what came before the peer's close
 * frame has been handled.
 *
 * A handler may return a promise. Until it settles no further message is handled: data frames wait, up
 * to `HELD_BYTES_MAX`, and then in the peer's socket, so a peer that sends faster than the handler works
 * is held back, and messages stay in order. Pings and close frames among them are answered at once.
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";
import { utf8 } from "../base/bytes.ts";
import { Heartbeat, type HeartbeatLimits } from "../base/heartbeat.ts";
import type { Holder, ReceiveBudget } from "../base/receive_budget.ts";
import type { LogLine } from "./log_line.ts";
import type { Address, Stream, StreamEnd, StreamHandler } from "../host/stream.ts";
import type { Pid } from "../term/pid.ts";
import type { Self } from "../actor/self.ts";
import { type Backpressure, completeBackpressure } from "./backpressure.ts";
import { buildClose, checkCloseCode, CLOSE_CODES, parseClose } from "./close.ts";
import { Deflate, type DeflatePool, type SharedCompression } from "./deflate.ts";
import type { DeflateTerms } from "./extension.ts";
import { checkBytes, FrameDecoder, OPCODES, type Role, type Rule, RULES } from "./frame.ts";
import { HELD_BYTES_MAX, HeldFrames } from "./held_frames.ts";
import type { Masker } from "./masker.ts";
import { MessageReader, type MessageSink } from "./message.ts";
import { Outbox, type SendResult } from "./outbox.ts";
import type { ConnectionActor, Incarnate } from "./connection_actor.ts";
import type { Member, Rooms, RoomTerms } from "./rooms.ts";
import { type Scratch, SCRATCH_BYTES } from "./scratch.ts";

/** The life of a connection. */
export const CONNECTION_STATES = ["open", "closing", "closed"] as const;

/** One of {@linkcode CONNECTION_STATES}. */
export type ConnectionState = (typeof CONNECTION_STATES)[number];

const PING_BYTES_MAX = 125;

/** What was kept is decoded in such pieces: it has to be copied for it, and again after each message. */
const HELD_PIECE_BYTES = 4096;

/** Where messages are inflated: a byte makes 1032 at the most, so a piece 4 MiB, in some milliseconds. */
const INFLATED_PIECE_BYTES = 4096;

/**
 * When so many bytes have been made of what was compressed, all others have a turn before the next frame
 * or piece. A frame counts for some, each compressed message for a KiB, and what came for a quarter: so
 * much takes some milliseconds. Without it one peer that sends pongs as fast as it can has a whole
 * process of Deno's to itself, which reads on as long as there is something to read.
 */
const WORK_A_TURN_MAX = 1024 * 1024;

/** What a control frame counts for. */
const CONTROL_WORK = 256;

/** A ping that cannot be sent. */
export class PingError extends RangeError {
  /** Tells the class of the error. */
  override readonly name = "PingError";
  /** Stable code: `"badping"`. */
  readonly code = "badping";
}

/** One WebSocket, as the application sees it. */
export interface Connection<Data = undefined> extends Member {
  /** A number that no other connection of its server has or had. */
  readonly id: number;
  /** The peer's address; behind a trusted proxy, that of its client. */
  readonly remoteAddress: Address;
  /** The subprotocol that was agreed on. */
  readonly protocol: string | undefined;
  /** Whatever the application keeps with it; the upgrade hook gives the first. */
  data: Data;
  /**
   * The connection as an actor: it can be sent to, linked and monitored from anywhere in the cluster.
   * The messages go to the `info` handler. It ends with its socket, for the reason
   * `{ shutdown: { code, reason } }`; when it is ended, its socket is closed: with 1001 for a reason in
   * good order, otherwise with 1011. `undefined` on a server that belongs to no node.
   */
  readonly pid: Pid<unknown> | undefined;
  /** The actor, as its own code sees it: to link, monitor, call. `undefined` where there is no pid. */
  readonly self: Self | undefined;
  /**
   * Aborted when nothing more can be sent: either side has closed, or the connection is lost. For
   * handlers that work for long: `await fetch(url, { signal: conn.signal })`.
   */
  readonly signal: AbortSignal;
  /** Its state. */
  readonly state: ConnectionState;
  /** Bytes that wait to be handed to the system. */
  readonly buffered: number;
  /** The rooms it is in. */
  readonly rooms: ReadonlySet<string>;
  /** Sends a string as text, bytes as binary; bytes are copied. It never blocks. */
  send(data: string | Uint8Array): SendResult;
  /** Sends a ping of at most 125 bytes. Throws {@linkcode PingError} for more. */
  ping(payload?: string | Uint8Array): SendResult;
  /**
   * Says goodbye and waits for the peer's answer; what was sent before still arrives. The reason is
   * cut to 123 bytes. Does nothing unless open.
   */
  close(code?: number, reason?: string): void;
  /** Enters a room of its server. Does nothing unless open. Throws `RoomError`. */
  join(room: string): void;
  /** Leaves a room. */
  leave(room: string): void;
}

/**
 * What the application does with connections. Promises are waited for before more is read; whatever
 * else a handler gives is ignored. One that throws ends its connection with 1011, and no other.
 */
export interface ConnectionHandlers<Data> {
  /** It is open. */
  open?(conn: Connection<Data>): unknown;
  /** A message came: a string if it was sent as text. */
  message?(conn: Connection<Data>, data: string | Uint8Array): unknown;
  /** A message came to its `pid`, or an `Exit` or `Down` for it. One at a time. */
  info?(conn: Connection<Data>, message: unknown): unknown;
  /** It is over. 1005: the peer's close had no code. 1006: it broke off. */
  close?(conn: Connection<Data>, code: number, reason: string): unknown;
  /** Nothing waits any more, after a send was "behind" or "dropped". */
  drain?(conn: Connection<Data>): unknown;
}

/** What all connections of one server share. */
export interface ConnectionTerms<Data> {
  readonly role: Role;
  /** What masks a client's frames. */
  readonly masker: Masker | undefined;
  readonly handlers: ConnectionHandlers<Data>;
  readonly rooms: Rooms;
  readonly log: LogLine;
  /** Where frames are read. */
  readonly input: Scratch;
  /** Where frames are written. */
  readonly output: Scratch;
  readonly payloadBytesMax: number;
  /** Bounds the messages of all connections that have arrived in part; `undefined` for no limit. */
  readonly incomplete: ReceiveBudget | undefined;
  readonly backpressure: Backpressure;
  readonly closeTimeoutMs: number;
  /** How long a closing peer may take nothing of what was sent before the close frame. */
  readonly sendMs: number;
  /** What compresses; `undefined`: nothing. */
  readonly deflate: DeflatePool | undefined;
  /** How long a peer may be silent; `undefined`: for ever. */
  readonly silence: HeartbeatLimits | undefined;
  /** How often {@linkcode WebSocketConnection.tick} is called. */
  readonly tickMs: number;
  now(): number;
  /** Makes actors of connections; `undefined` where there are none. */
  readonly embody: Incarnate | undefined;
  /** Calls a task at the end of this turn. */
  later(task: () => void): void;
  /** Calls a task when other sockets have had a turn. */
  yieldToIo(task: () => void): void;
  /** It is closed, and its handler has been told. */
  ended(connection: WebSocketConnection<Data>): void;
}

/** What the handshake has settled for one connection. */
export interface Settled<Data> {
  readonly id: number;
  readonly data: Data;
  readonly protocol: string | undefined;
  readonly deflate: DeflateTerms | undefined;
  /** The peer, unless a proxy has named its client. */
  readonly client?: Address | undefined;
  /** Unless the server's own applies. */
  readonly backpressure?: Backpressure | undefined;
}

/** The state machine behind a {@linkcode Connection}. */
export class WebSocketConnection<Data> implements Connection<Data>, MessageSink {
  readonly id: number;
  readonly remoteAddress: Address;
  readonly protocol: string | undefined;
  data: Data;

  readonly #terms: ConnectionTerms<Data>;
  readonly #stream: Stream;
  readonly #outlet: Outbox;
  readonly #decoder: FrameDecoder;
  readonly #reader: MessageReader;
  /** Its part of the memory for messages that have arrived in part. */
  #part: Holder | undefined;
  readonly #heartbeat: Heartbeat | undefined;
  readonly #deflate: Deflate | undefined;
  readonly #backpressure: Backpressure;
  /** The actor, if somebody has asked for it. */
  #embodiment: ConnectionActor | undefined;
  #state: ConnectionState = "open";
  /** Nothing is decoded: a handler's promise is pending, or others have their turn. */
  #waiting = false;
  /** A handler's promise is pending. */
  #pending = false;
  /** What follows the message that is being handled. */
  readonly #held = new HeldFrames();
  /** The peer has closed behind messages that are still to be handled. */
  #delivers = false;
  /** How the stream ended, while messages are still to be handled. */
  #end: StreamEnd | undefined;
  #abortion: AbortController | undefined;
  /** When `closing` ends by force. */
  #deadline = Infinity;
  /** How long a closing peer may take nothing. */
  #stallMs = 0;
  /** What a closing peer had taken when we last looked, and whether that was all. */
  #departed = 0;
  #hasAll = false;
  /** What control frames that came ahead of their turn have cost, as in the reader's `work`. */
  #aheadWork = 0;
  #endCode: number = CLOSE_CODES.abnormal;
  #endReason = "";
  /** What a handler threw. */
  #fault: Error | undefined;

  constructor(terms: ConnectionTerms<Data>, stream: Stream, settled: Settled<Data>) {
    this.id = settled.id;
    this.remoteAddress = settled.client ?? stream.remote;
    this.protocol = settled.protocol;
    this.data = settled.data;
    this.#terms = terms;
    this.#stream = stream;
    this.#deflate = settled.deflate && new Deflate(terms.deflate!, settled.deflate, terms.role);
    this.#backpressure = settled.backpressure ?? terms.backpressure;
    this.#outlet = new Outbox(
      stream,
      terms.output,
      this.#backpressure,
      this.#deflate,
      terms.masker,
    );
    this.#decoder = new FrameDecoder(
      terms.role,
      terms.payloadBytesMax,
      this.#deflate !== undefined,
    );
    this.#reader = new MessageReader(this, terms.payloadBytesMax, this.#deflate);
    if (terms.silence === undefined) return;
    this.#heartbeat = new Heartbeat(terms.silence, terms.tickMs, terms.now());
  }

  /** Takes the stream over. `early` is what came right behind the request. */
  start(early: Uint8Array): void {
    this.#stream.handler = new StreamAdapter(this as WebSocketConnection<unknown>);
    this.#run("open", () => this.#terms.handlers.open?.(this));
    if (early.length > 0) this.received(early);
    if (!this.#waiting || this.#pending && this.#held.length < HELD_BYTES_MAX) {
      this.#stream.resume();
    }
  }

  get pid(): Pid<unknown> | undefined {
    return this.#embody()?.pid;
  }

  get self(): Self | undefined {
    return this.#embody()?.self;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get signal(): AbortSignal {
    if (this.#abortion === undefined) {
      this.#abortion = new AbortController();
      if (this.#state !== "open") this.#abortion.abort(closed());
    }
    return this.#abortion.signal;
  }

  get buffered(): number {
    return this.#stream.unsent;
  }

  get rooms(): ReadonlySet<string> {
    return this.#terms.rooms.of(this);
  }

  send(data: string | Uint8Array): SendResult {
    if (this.#state !== "open") return "closed";
    this.#terms.rooms.settle(this);
    return this.#judge(this.#outlet.message(data), this.#backpressure);
  }

  ping(payload: string | Uint8Array = ""): SendResult {
    const bytes = typeof payload === "string" ? utf8(payload) : checkBytes(payload);
    if (bytes.length > PING_BYTES_MAX) {
      throw new PingError(`cannot ping with ${bytes.length} bytes: a ping carries at most 125`);
    }
    if (this.#state !== "open") return "closed";
    this.#terms.rooms.settle(this);
    return this.#outlet.ping(bytes);
  }

  close(code: number = CLOSE_CODES.normal, reason: string = ""): void {
    checkCloseCode(code);
    this.#sayGoodbye(code, reason);
  }

  join(room: string): void {
    if (this.#state === "open") this.#terms.rooms.join(room, this);
  }

  leave(room: string): void {
    this.#terms.rooms.leave(room, this);
  }

  get packing(): SharedCompression | undefined {
    return this.#deflate?.packing;
  }

  sendShared(frames: Uint8Array, room: RoomTerms): void {
    if (this.#state !== "open") return;
    this.#deflate?.shared();
    const limits = completeBackpressure(room.backpressure, this.#backpressure);
    this.#judge(this.#outlet.frames(frames, limits, room.name), limits);
  }

  /** Does what time demands: asks whether the peer lives, gives up a silent or a slow one. */
  tick(now: number): void {
    if (this.#deadline !== Infinity && this.#isOver(now)) return;
    if (this.#heartbeat === undefined || this.#state !== "open") return;
    const advice = this.#heartbeat.tick(now);
    switch (advice) {
      case "wait":
        return;
      case "ping":
        this.ping();
        return;
      case "dead":
        // While we do not read, silence means nothing.
        if (this.#stream.isPaused) return this.#heartbeat.heard();
        this.#endReason = "idle timeout";
        return this.abort();
      default:
        unreachable(advice);
    }
  }

  /** Ends a closing connection that makes no progress. Returns true if nothing else is to be done. */
  #isOver(now: number): boolean {
    const { unsent } = this.#stream;
    const { departed } = this.#outlet;
    if (departed > this.#departed && !this.#hasAll) {
      this.#departed = departed;
      this.#hasAll = unsent === 0;
      this.#deadline = now + (unsent > 0 ? this.#stallMs : this.#terms.closeTimeoutMs);
    }
    if (now < this.#deadline) return false;
    if (this.#end !== undefined) this.#finish(this.#end);
    // What the system has taken still arrives.
    else this.#stream.abort(unsent === 0);
    return true;
  }

  /** Ends it without a close frame. */
  abort(): void {
    this.#stream.abort();
  }

  // What the stream reports.

  /** Bytes came. */
  received(bytes: Uint8Array): void {
    this.#heartbeat?.heard();
    if (this.#waiting) return this.#hold(bytes);
    const taken = this.#decode(bytes, false);
    if (taken < bytes.length) this.#hold(bytes.subarray(taken));
  }

  /**
   * Decodes until a handler returns a promise or others are to have a turn, and returns how many bytes
   * it took. What was held is copied in small pieces, because it is again after each message.
   */
  #decode(bytes: Uint8Array, isHeld: boolean): number {
    const { input } = this.#terms;
    let pieceBytes = isHeld ? HELD_PIECE_BYTES : SCRATCH_BYTES;
    if (this.#deflate !== undefined) pieceBytes = INFLATED_PIECE_BYTES;
    let from = 0;
    while (from < bytes.length) {
      const length = Math.min(bytes.length - from, pieceBytes);
      input.bytes.set(length === bytes.length ? bytes : bytes.subarray(from, from + length));
      const stop = this.#decoder.decode(input, 0, length, this.#reader);
      from += stop;
      this.#reader.work += stop >> 2;
      this.#look();
      if (this.#waiting) break;
    }
    return from;
  }

  /** Keeps what is not to be decoded yet, and answers the control frames in it. */
  #hold(bytes: Uint8Array): void {
    this.#held.add(bytes);
    if (!this.#pending) return this.#stream.pause();
    this.#aheadWork += bytes.length >> 2;
    this.#held.scan(this.#terms.role === "server", this.#ahead);
    if (this.#held.length >= HELD_BYTES_MAX) this.#stream.pause();
    else if (this.#aheadWork > WORK_A_TURN_MAX) {
      // A peer that sends pings as fast as it can must not have the process to itself.
      this.#aheadWork = 0;
      this.#stream.pause();
      this.#terms.yieldToIo(() => {
        if (this.#pending && this.#held.length < HELD_BYTES_MAX) this.#stream.resume();
      });
    }
  }

  /** Takes a control frame that came while a handler works. */
  readonly #ahead = (opcode: number, payload: Uint8Array): boolean => {
    this.#aheadWork += CONTROL_WORK;
    if (opcode === OPCODES.pong) return true;
    if (opcode === OPCODES.ping) {
      if (this.#state === "open") this.#outlet.pong(payload);
      return true;
    }
    if (opcode !== OPCODES.close || !parseClose(payload).ok) return false;
    this.#delivers = this.#state === "open";
    this.control(opcode, payload);
    return true;
  };

  /** Nothing waits any more. */
  drained(): void {
    if (this.#outlet.drained()) this.#run("drain", () => this.#terms.handlers.drain?.(this));
  }

  /** The peer will send no more. */
  halfClosed(): void {
    if (this.#state === "open") {
      this.#delivers = this.#pending;
      this.#beginClosing();
    }
    this.#stream.end();
  }

  /** The stream is gone. */
  gone(end: StreamEnd): void {
    // The peer has sent these messages before it went: they are handled first.
    if (this.#state === "open" && end.kind === "broken") this.#delivers = this.#pending;
    this.#terms.rooms.leaveAll(this);
    const wasOpen = this.#state === "open";
    if (wasOpen) this.#state = "closing";
    if (wasOpen) this.#abortion?.abort(closed());
    if (!this.#delivers || !this.#pending || this.#held.length === 0) return this.#finish(end);
    this.#end = end;
    this.#hasAll = true;
    this.#deadline = this.#terms.now() + this.#terms.closeTimeoutMs;
  }

  /** Reports that it is over. */
  #finish(end: StreamEnd): void {
    this.#state = "closed";
    this.#end = undefined;
    this.#delivers = false;
    this.#deadline = Infinity;
    this.#held.consume(this.#held.length);
    this.#reader.drop();
    const broken = this.#endCode === CLOSE_CODES.abnormal && end.kind === "broken";
    const reason = broken ? end.message : this.#endReason;
    this.#run("close", () => this.#terms.handlers.close?.(this, this.#endCode, reason));
    this.#deflate?.close();
    this.#embodiment?.die(this.#fault ?? { shutdown: { code: this.#endCode, reason } });
    this.#terms.ended(this);
  }

  // What the reader tells.

  get paused(): boolean {
    this.#look();
    return this.#waiting;
  }

  message(data: string | Uint8Array): void {
    if (this.#state !== "open" && !this.#delivers) return;
    // Written out, not through `#run`: this is the one that is called for every message.
    try {
      const result = this.#terms.handlers.message?.(this, data);
      if (result instanceof Promise) this.#wait("message", result);
    } catch (error) {
      this.#crashed("message", error);
    }
  }

  control(opcode: number, payload: Uint8Array): Rule | undefined {
    if (opcode === OPCODES.ping && this.#state === "open") this.#outlet.pong(payload);
    if (opcode !== OPCODES.close) return undefined;
    const frame = parseClose(payload);
    if (!frame.ok) return frame.rule;
    if (this.#endCode === CLOSE_CODES.abnormal) {
      this.#endCode = frame.code;
      this.#endReason = frame.reason;
    }
    this.#sayGoodbye(frame.code, "");
    // Both have said goodbye. The server is the first to hang up.
    if (this.#terms.role === "server") this.#stream.end();
    return undefined;
  }

  holds(bytes: number): void {
    const { incomplete } = this.#terms;
    if (incomplete === undefined) return;
    this.#part ??= {
      address: this.remoteAddress.hostname,
      bytes: 0,
      end: () => {
        this.#reader.drop();
        this.fail("tooMuch");
      },
    };
    incomplete.hold(this.#part, bytes);
  }

  fail(rule: Rule): void {
    const { code, words } = RULES[rule];
    this.#giveUp(code, words);
    this.#stream.end();
  }

  // Handlers.

  #run(name: keyof ConnectionHandlers<Data>, handler: () => unknown): void {
    try {
      const result = handler();
      if (result instanceof Promise) this.#wait(name, result);
    } catch (error) {
      this.#crashed(name, error);
    }
  }

  /** Handles no message until the promise settles, unless the handler is one that no message follows. */
  #wait(name: keyof ConnectionHandlers<Data>, promise: Promise<unknown>): void {
    const isLive = this.#state === "open" || this.#delivers;
    const holds = !this.#waiting && isLive && name !== "drain" && name !== "close";
    if (holds) this.#waiting = this.#pending = true;
    promise.catch((error) => this.#crashed(name, error)).then(() => {
      if (holds) this.#continueWith();
    });
  }

  /** When a few bytes have kept us busy for long: reads nothing until all others have had a turn. */
  #look(): void {
    if (this.#reader.work <= WORK_A_TURN_MAX) return;
    // If it is waiting already, `#continueWith` sees to it.
    if (this.#waiting || this.#state === "closed") return;
    this.#waiting = true;
    this.#stream.pause();
    this.#continueWith();
  }

  #continueWith(): void {
    if (!this.#waiting) return;
    this.#pending = false;
    if (this.#reader.work > WORK_A_TURN_MAX && this.#state !== "closed") {
      this.#reader.work = 0;
      this.#stream.pause();
      return this.#terms.yieldToIo(() => this.#continueWith());
    }
    this.#waiting = false;
    if (this.#held.length > 0) {
      // Each message is progress.
      if (this.#end !== undefined) this.#deadline = this.#terms.now() + this.#terms.closeTimeoutMs;
      this.#held.consume(this.#decode(this.#held.view(), true));
    }
    if (this.#waiting && this.#pending) {
      // It begins with a frame again.
      this.#held.scan(this.#terms.role === "server", this.#ahead);
      if (this.#held.length < HELD_BYTES_MAX / 2) this.#stream.resume();
      return;
    }
    if (this.#waiting) return;
    this.#delivers = false;
    if (this.#end !== undefined) return this.#finish(this.#end);
    this.#stream.resume();
  }

  #crashed(name: keyof ConnectionHandlers<Data>, error: unknown): void {
    const what = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#terms.log("error", `ws: the ${name} handler of connection ${this.id} failed: ${what}`);
    this.#fault ??= error instanceof Error ? error : new Error(String(error));
    this.#delivers = false;
    this.#giveUp(CLOSE_CODES.internalError, "internal error");
  }

  // The actor.

  #embody(): ConnectionActor | undefined {
    if (this.#embodiment === undefined && this.#state !== "closed") {
      this.#embodiment = this.#terms.embody?.({
        message: (message) => this.#terms.handlers.info?.(this, message),
        ended: (orderly) => {
          if (orderly) this.#giveUp(CLOSE_CODES.goingAway, "the actor has ended");
          else this.#giveUp(CLOSE_CODES.internalError, "internal error");
        },
      });
    }
    return this.#embodiment;
  }

  // The ways from open to closing.

  /** Ends it for a fault, which the `close` handler is told whatever the peer answers. */
  #giveUp(code: number, words: string): void {
    if (this.#state !== "open") return;
    this.#endCode = code;
    this.#endReason = words;
    this.#sayGoodbye(code, words);
  }

  /** Writes our close frame, behind everything that was sent before. */
  #sayGoodbye(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.#beginClosing();
    this.#outlet.finish();
    this.#outlet.control(OPCODES.close, buildClose(code, reason));
  }

  #beginClosing(): void {
    this.#terms.rooms.leaveAll(this);
    this.#close(this.#terms.sendMs);
    // The handler's promise may be pending for ever; the peer's answer is to be read now. Not within
    // this call: another connection may be reading.
    if (this.#waiting && !this.#delivers) this.#terms.later(() => this.#continueWith());
  }

  /** Sends and takes nothing more. A peer that takes nothing for `stallMs` is cut off. */
  #close(stallMs: number): void {
    this.#state = "closing";
    this.#stallMs = stallMs;
    this.#departed = this.#outlet.departed;
    this.#deadline = this.#terms.now() +
      (this.#stream.unsent > 0 ? stallMs : this.#terms.closeTimeoutMs);
    this.#abortion?.abort(closed());
  }

  /** Acts on a message that did not fit. */
  #judge(result: SendResult, { policy }: Backpressure): SendResult {
    if (result !== "dropped" || policy === "drop") return result;
    // The close frame waits behind all the rest; who does not read that far is cut off when the
    // deadline passes.
    this.#close(this.#terms.closeTimeoutMs);
    this.#endCode = CLOSE_CODES.tryAgainLater;
    this.#endReason = "over backpressureLimit";
    this.#outlet.control(OPCODES.close, buildClose(this.#endCode, this.#endReason));
    // Not within this call: rooms may be handing out.
    this.#terms.later(() => {
      this.#terms.rooms.leaveAll(this);
      this.#continueWith();
    });
    return "closed";
  }
}

/** Why a connection's signal is aborted. */
function closed(): DOMException {
  return new DOMException("the WebSocket is closed", "AbortError");
}

/** Whom the stream of a connection tells: its names are not the connection's. */
class StreamAdapter implements StreamHandler {
  readonly #connection: WebSocketConnection<unknown>;

  constructor(connection: WebSocketConnection<unknown>) {
    this.#connection = connection;
  }

  data(bytes: Uint8Array): void {
    this.#connection.received(bytes);
  }

  drain(): void {
    this.#connection.drained();
  }

  end(): void {
    this.#connection.halfClosed();
  }

  close(end: StreamEnd): void {
    this.#connection.gone(end);
  }
}
