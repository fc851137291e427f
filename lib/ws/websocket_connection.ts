/**
 * Implements one WebSocket connection, from the 101 response to its end: RFC 6455, sections 5 to 7.
 *
 *              close() · the peer's close or its last byte · a violated rule ·
 *              a handler that throws · backpressure
 *     open ──────────────────────────────────────▶ closing ──the stream closed──▶ closed
 *       └───────────────────────────── the stream is gone ──────────────────────────▲
 *
 * In the state `closing` nothing more is sent; if the peer makes no progress until the deadline,
 * the stream is aborted. The `close` handler is called once, when the stream is closed and all
 * messages before the peer's close frame have been handled.
 *
 * A handler may return a promise. Until it settles no further message is handled: data frames wait,
 * up to `HELD_BYTES_MAX`, and then the socket is paused. A peer that sends faster than the handler
 * runs is therefore slowed down, and messages stay in order. Pings and close frames among the
 * waiting frames are answered at once.
 *
 * Longer than 400 lines because it is one state machine.
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
import type { System } from "../actor/system.ts";
import { type Backpressure, completeBackpressure } from "./backpressure.ts";
import {
  type Connection,
  type ConnectionHandlers,
  type ConnectionState,
  PingError,
} from "./connection.ts";
import { buildClose, checkCloseCode, CLOSE_CODES, parseClose } from "./close.ts";
import { Deflate, type DeflatePool, type SharedCompression } from "./deflate.ts";
import type { DeflateTerms } from "./extension.ts";
import { checkBytes, FrameDecoder, OPCODES, type Role, type Rule, RULES } from "./frame.ts";
import { HELD_BYTES_MAX, HeldFrames } from "./held_frames.ts";
import type { Masker } from "./masker.ts";
import { MessageReader, type MessageSink } from "./message.ts";
import { ConnectionOutbox, type SendResult } from "./outbox.ts";
import type { ConnectionActor, CreateConnectionActor } from "./connection_actor.ts";
import type { Rooms } from "./rooms.ts";
import type { RoomTerms } from "./room.ts";
import { type Scratch, SCRATCH_BYTES } from "./scratch.ts";

const PING_BYTES_MAX = 125;

/**
 * Number of waiting bytes that are decoded at once. It is small, because the rest is copied again
 * after each message.
 */
const HELD_PIECE_BYTES = 4096;

/**
 * Number of waiting bytes that are decoded at once on a connection with compression: a byte
 * inflates to at most 1032 bytes, so these inflate to at most 4 MiB, which takes milliseconds.
 */
const INFLATED_PIECE_BYTES = 4096;

/**
 * Amount of work after which other connections are served. The unit is the cost of one inflated
 * byte. A frame costs 256, a compressed message 1024 in addition to its length, and each received
 * byte a quarter, so this amount takes some milliseconds. Without this limit, a peer that sends
 * pongs as fast as it can would block the process on Deno, which reads while data is available.
 */
const WORK_A_TURN_MAX = 1024 * 1024;

/** Cost of a control frame. The unit is the cost of one inflated byte. */
const CONTROL_WORK = 256;

/** The settings that all connections of one server share. */
export interface ConnectionTerms<Data> {
  readonly role: Role;
  /** Masks frames; used only by clients. */
  readonly masker: Masker | undefined;
  readonly handlers: ConnectionHandlers<Data>;
  readonly rooms: Rooms;
  readonly log: LogLine;
  /** The buffer for reading frames. */
  readonly input: Scratch;
  /** The buffer for writing frames. */
  readonly output: Scratch;
  readonly payloadBytesMax: number;
  /** The limit of incomplete messages of all connections; `undefined` for no limit. */
  readonly incomplete: ReceiveBudget | undefined;
  readonly backpressure: Backpressure;
  readonly closeTimeoutMs: number;
  /**
   * Maximum time in milliseconds for which a closing peer may read none of the bytes that were sent
   * before the close frame.
   */
  readonly sendMs: number;
  /** Compression; `undefined` if it is off. */
  readonly deflate: DeflatePool | undefined;
  /** The limits of a peer's silence; `undefined` for no limit. */
  readonly silence: HeartbeatLimits | undefined;
  /** Interval at which {@linkcode WebSocketConnection.tick} is called, in milliseconds. */
  readonly tickMs: number;
  now(): number;
  /** Creates the actors of connections; `undefined` on a server without a node. */
  readonly createActor: CreateConnectionActor | undefined;
  /** The node's actor system, which may trace. */
  readonly system?: System | undefined;
  /** Calls a task at the end of this turn. */
  later(task: () => void): void;
  /** Calls a task after other sockets have been handled. */
  yieldToIo(task: () => void): void;
  /** Called when the connection is closed and its `close` handler was called. */
  ended(connection: WebSocketConnection<Data>): void;
}

/** The parameters of one connection, as settled by the handshake. */
export interface Settled<Data> {
  readonly id: number;
  readonly data: Data;
  readonly protocol: string | undefined;
  readonly deflate: DeflateTerms | undefined;
  /**
   * The client's address, if a proxy has reported it. `undefined`: the address of the peer applies.
   */
  readonly client?: Address | undefined;
  /** Backpressure settings of this connection. `undefined`: the settings of the server apply. */
  readonly backpressure?: Backpressure | undefined;
}

/** The state machine of one connection. */
export class WebSocketConnection<Data> implements Connection<Data>, MessageSink {
  readonly id: number;
  readonly remoteAddress: Address;
  readonly protocol: string | undefined;
  data: Data;

  readonly #terms: ConnectionTerms<Data>;
  readonly #stream: Stream;
  readonly #outbox: ConnectionOutbox;
  readonly #decoder: FrameDecoder;
  readonly #reader: MessageReader;
  /** The memory of the connection's incomplete message, as an entry in the server's budget. */
  #part: Holder | undefined;
  readonly #heartbeat: Heartbeat | undefined;
  readonly #deflate: Deflate | undefined;
  readonly #backpressure: Backpressure;
  /** The actor of this connection. Undefined until it is first used. */
  #actor: ConnectionActor | undefined;
  #state: ConnectionState = "open";
  /**
   * Whether decoding is suspended, because a handler's promise is pending or because other
   * connections are served first.
   */
  #waiting = false;
  /** Whether a handler's promise is pending. */
  #pending = false;
  /** The frames after the message being handled. */
  readonly #held = new HeldFrames();
  /** Whether messages that arrived before the peer's close frame still have to be handled. */
  #delivers = false;
  /**
   * How the stream has ended. Set while messages that arrived before its end still have to be
   * handled.
   */
  #end: StreamEnd | undefined;
  #abortion: AbortController | undefined;
  /** The time at which the closing connection is aborted; `Infinity` while it is open. */
  #deadline = Infinity;
  /** Maximum time in milliseconds for which a closing peer may read no data. */
  #stallMs = 0;
  /** Number of bytes that a closing peer had read at the last check. */
  #accepted = 0;
  /** Whether the closing peer has read everything, or has closed the connection. */
  #hasAll = false;
  /**
   * Amount of work since other connections were last served, for the bytes and control frames that
   * arrive while a handler's promise is pending. The unit is the cost of one inflated byte.
   */
  #aheadWork = 0;
  #endCode: number = CLOSE_CODES.abnormal;
  #endReason = "";
  /** The error thrown by a handler. */
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
    this.#outbox = new ConnectionOutbox(
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

  /** Starts reading the stream. `early` contains the bytes after the request. */
  start(early: Uint8Array): void {
    this.#stream.handler = new StreamAdapter(this as WebSocketConnection<unknown>);
    this.#run("open", () => this.#terms.handlers.open?.(this));
    if (early.length > 0) this.received(early);
    if (!this.#waiting || this.#pending && this.#held.length < HELD_BYTES_MAX) {
      this.#stream.resume();
    }
  }

  get pid(): Pid<unknown> | undefined {
    return this.#createActor()?.pid;
  }

  get self(): Self | undefined {
    return this.#createActor()?.self;
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
    return this.#judge(this.#outbox.message(data), this.#backpressure);
  }

  ping(payload: string | Uint8Array = ""): SendResult {
    const bytes = typeof payload === "string" ? utf8(payload) : checkBytes(payload);
    if (bytes.length > PING_BYTES_MAX) {
      throw new PingError(`cannot ping with ${bytes.length} bytes: a ping carries at most 125`);
    }
    if (this.#state !== "open") return "closed";
    this.#terms.rooms.settle(this);
    return this.#outbox.ping(bytes);
  }

  close(code: number = CLOSE_CODES.normal, reason: string = ""): void {
    checkCloseCode(code);
    this.#sendClose(code, reason);
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
    this.#judge(this.#outbox.frames(frames, limits, room.name), limits);
  }

  /** Called periodically: pings the peer, and ends the connection if the peer is silent or slow. */
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
        // While the stream is paused, no data can arrive.
        if (this.#stream.isPaused) return this.#heartbeat.received();
        this.#endReason = "idle timeout";
        return this.abort();
      default:
        unreachable(advice);
    }
  }

  /**
   * Ends a closing connection that has made no progress until its deadline. Returns whether the
   * connection was ended.
   */
  #isOver(now: number): boolean {
    const { unsent } = this.#stream;
    const { accepted } = this.#outbox;
    if (accepted > this.#accepted && !this.#hasAll) {
      this.#accepted = accepted;
      this.#hasAll = unsent === 0;
      this.#deadline = now + (unsent > 0 ? this.#stallMs : this.#terms.closeTimeoutMs);
    }
    if (now < this.#deadline) return false;
    if (this.#end !== undefined) this.#finish(this.#end);
    // Bytes that the system has accepted are still delivered.
    else this.#stream.abort(unsent === 0);
    return true;
  }

  /** Ends the connection without a close frame. */
  abort(): void {
    this.#stream.abort();
  }

  // The following methods are called by the stream.

  /** Called when bytes have arrived. Decodes them, or stores them while decoding is suspended. */
  received(bytes: Uint8Array): void {
    this.#heartbeat?.received();
    if (this.#waiting) return this.#hold(bytes);
    const taken = this.#decode(bytes, false);
    if (taken < bytes.length) this.#hold(bytes.subarray(taken));
  }

  /**
   * Decodes until a handler returns a promise or the connection must yield. Returns the number of
   * decoded bytes. Waiting frames are copied in small pieces, because the rest is copied again
   * after each message.
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
      this.#yieldIfLong();
      if (this.#waiting) break;
    }
    return from;
  }

  /** Stores undecoded bytes, and answers the control frames in them. */
  #hold(bytes: Uint8Array): void {
    this.#held.add(bytes);
    if (!this.#pending) return this.#stream.pause();
    this.#aheadWork += bytes.length >> 2;
    this.#held.scan(this.#terms.role === "server", this.#ahead);
    if (this.#held.length >= HELD_BYTES_MAX) this.#stream.pause();
    else if (this.#aheadWork > WORK_A_TURN_MAX) {
      // Stops reading until other connections were served, so that a peer that sends pings as fast
      // as it can does not block the process.
      this.#aheadWork = 0;
      this.#stream.pause();
      this.#terms.yieldToIo(() => {
        if (this.#pending && this.#held.length < HELD_BYTES_MAX) this.#stream.resume();
      });
    }
  }

  /** Handles a control frame that arrived while a handler runs. */
  readonly #ahead = (opcode: number, payload: Uint8Array): boolean => {
    this.#aheadWork += CONTROL_WORK;
    if (opcode === OPCODES.pong) return true;
    if (opcode === OPCODES.ping) {
      if (this.#state === "open") this.#outbox.pong(payload);
      return true;
    }
    if (opcode !== OPCODES.close || !parseClose(payload).ok) return false;
    this.#delivers = this.#state === "open";
    this.control(opcode, payload);
    return true;
  };

  /** Called when all queued bytes were sent. */
  drained(): void {
    if (this.#outbox.drained()) this.#run("drain", () => this.#terms.handlers.drain?.(this));
  }

  /** Called when the peer has closed its side. */
  halfClosed(): void {
    if (this.#state === "open") {
      this.#delivers = this.#pending;
      this.#beginClosing();
    }
    this.#stream.end();
  }

  /** Called when the stream has closed. Earlier messages are handled first, if some are waiting. */
  gone(end: StreamEnd): void {
    // Messages that the peer sent before it closed are handled first.
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

  /** Calls the close handler. */
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
    this.#actor?.die(this.#fault ?? { shutdown: { code: this.#endCode, reason } });
    this.#terms.ended(this);
  }

  // The following methods are called by the message reader.

  get paused(): boolean {
    this.#yieldIfLong();
    return this.#waiting;
  }

  message(data: string | Uint8Array): void {
    if (this.#state !== "open" && !this.#delivers) return;
    // Does not use `#run`, because this is called for every message.
    try {
      const tracer = this.#terms.system?.tracer;
      const result = tracer === undefined
        ? this.#terms.handlers.message?.(this, data)
        : tracer.root("socket message", () => this.#terms.handlers.message?.(this, data));
      if (result instanceof Promise) this.#wait("message", result);
    } catch (error) {
      this.#crashed("message", error);
    }
  }

  control(opcode: number, payload: Uint8Array): Rule | undefined {
    if (opcode === OPCODES.ping && this.#state === "open") this.#outbox.pong(payload);
    if (opcode !== OPCODES.close) return undefined;
    const frame = parseClose(payload);
    if (!frame.ok) return frame.rule;
    if (this.#endCode === CLOSE_CODES.abnormal) {
      this.#endCode = frame.code;
      this.#endReason = frame.reason;
    }
    this.#sendClose(frame.code, "");
    // Both sides have sent a close frame. The server closes the TCP connection first: RFC 6455,
    // section 7.1.1.
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

  // The following methods call handlers.

  #run(name: keyof ConnectionHandlers<Data>, handler: () => unknown): void {
    try {
      const result = handler();
      if (result instanceof Promise) this.#wait(name, result);
    } catch (error) {
      this.#crashed(name, error);
    }
  }

  /**
   * Suspends decoding until a handler's promise settles, unless the handler is `drain` or `close`:
   * messages do not wait for these.
   */
  #wait(name: keyof ConnectionHandlers<Data>, promise: Promise<unknown>): void {
    const isLive = this.#state === "open" || this.#delivers;
    const holds = !this.#waiting && isLive && name !== "drain" && name !== "close";
    if (holds) this.#waiting = this.#pending = true;
    promise.catch((error) => this.#crashed(name, error)).then(() => {
      if (holds) this.#continueWith();
    });
  }

  /** Yields to other connections if decoding has taken long. */
  #yieldIfLong(): void {
    if (this.#reader.work <= WORK_A_TURN_MAX) return;
    // If decoding is suspended already, other connections are served when `#continueWith` is
    // called.
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
      // Each handled message counts as progress.
      if (this.#end !== undefined) this.#deadline = this.#terms.now() + this.#terms.closeTimeoutMs;
      this.#held.consume(this.#decode(this.#held.view(), true));
    }
    if (this.#waiting && this.#pending) {
      // The waiting bytes begin at a frame again, so they can be checked for control frames.
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

  // The following methods serve the connection's actor.

  #createActor(): ConnectionActor | undefined {
    if (this.#actor === undefined && this.#state !== "closed") {
      this.#actor = this.#terms.createActor?.({
        message: (message) => this.#terms.handlers.info?.(this, message),
        ended: (orderly) => {
          if (orderly) this.#giveUp(CLOSE_CODES.goingAway, "the actor has ended");
          else this.#giveUp(CLOSE_CODES.internalError, "internal error");
        },
      });
    }
    return this.#actor;
  }

  // The following methods change the state from open to closing.

  /**
   * Closes the connection because of an error. The `close` handler receives this code, regardless
   * of the peer's close frame.
   */
  #giveUp(code: number, words: string): void {
    if (this.#state !== "open") return;
    this.#endCode = code;
    this.#endReason = words;
    this.#sendClose(code, words);
  }

  /** Writes the close frame after everything that was sent before. */
  #sendClose(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.#beginClosing();
    this.#outbox.finish();
    this.#outbox.control(OPCODES.close, buildClose(code, reason));
  }

  #beginClosing(): void {
    this.#terms.rooms.leaveAll(this);
    this.#close(this.#terms.sendMs);
    // Decoding continues, because the handler's promise may never settle, and the peer's close
    // frame must be read now. Deferred, because another connection may be decoding in the shared
    // buffer.
    if (this.#waiting && !this.#delivers) this.#terms.later(() => this.#continueWith());
  }

  /**
   * Starts to close. Aborts the connection if the peer reads nothing for `stallMs` milliseconds.
   */
  #close(stallMs: number): void {
    this.#state = "closing";
    this.#stallMs = stallMs;
    this.#accepted = this.#outbox.accepted;
    this.#deadline = this.#terms.now() +
      (this.#stream.unsent > 0 ? stallMs : this.#terms.closeTimeoutMs);
    this.#abortion?.abort(closed());
  }

  /** Applies the backpressure policy to the result of a send. */
  #judge(result: SendResult, { policy }: Backpressure): SendResult {
    if (result !== "dropped" || policy === "drop") return result;
    // The close frame waits after all other queued data. A peer that does not read that far is
    // aborted at the deadline.
    this.#close(this.#terms.closeTimeoutMs);
    this.#endCode = CLOSE_CODES.tryAgainLater;
    this.#endReason = "over backpressureLimit";
    this.#outbox.control(OPCODES.close, buildClose(this.#endCode, this.#endReason));
    // Deferred, because this call may be part of a broadcast to a room that the connection leaves.
    this.#terms.later(() => {
      this.#terms.rooms.leaveAll(this);
      this.#continueWith();
    });
    return "closed";
  }
}

/** Returns the reason with which a connection's signal is aborted. */
function closed(): DOMException {
  return new DOMException("the WebSocket is closed", "AbortError");
}

/** Adapts a stream's handler to the methods of a connection. */
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
