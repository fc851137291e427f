/**
 * Implements one session with another node, from the ACK to its end: receives and sends frames, and
 * detects failures.
 *
 * Frames queued in the same event-loop turn are sent in one write. Large frames are split into
 * fragments, which are interleaved with other frames: see `outbox.ts`. The send queue is bounded.
 * Above `queueBytesMax`, data frames are dropped and counted. Control frames and vital frames are
 * still sent. Vital frames are data frames that must not be lost, such as links, exit signals and
 * answers to calls. A peer that does not read therefore uses a bounded amount of memory, and the
 * ping timeout detects it. If the queue exceeds `queueBytesMax` by more than 16 MiB, the session
 * ends.
 *
 * Large messages in fragments are handled when they are complete. The handler identifies the
 * receiver when the first fragment arrives. Later messages for this receiver wait in `holds`.
 *
 * Longer than 400 lines because it contains one state machine and the documented types of its
 * interface.
 *
 * @module
 */
import { Heartbeat, type HeartbeatLimits } from "../base/heartbeat.ts";
import { clientKey } from "../host/client_key.ts";
import type { Stream, StreamEnd } from "../host/stream.ts";
import type { Clock } from "../base/clock.ts";
import { encodeTaken, u32At } from "./fragment_writer.ts";
import { encodeFrame, FRAME_BYTES_MAX, type FrameReader, type FrameSink } from "./frame.ts";
import { FragmentReader, MESSAGE_BYTES_MAX } from "./fragment_reader.ts";
import type { SessionMessages } from "./dispatch.ts";
import { FEATURE, type Met } from "./handshake.ts";
import { HoldbackQueue, type HoldKey } from "./holdback_queue.ts";
import { decodeGoodbye, encodeGoodbye, type GoodbyeReason, TAG } from "./message.ts";
import type { Holder, ReceiveBudget } from "../base/receive_budget.ts";
import { SessionOutbox } from "./outbox.ts";
import { RoomInterest } from "./room_interest.ts";
import type { PressureState } from "./pressure.ts";

/** Length of the body of a ping, in bytes. */
const PING_BYTES = 8;

/**
 * Minimum number of bytes of incomplete input that counts against the node's budget. Most reads end
 * within a frame, so smaller amounts are normal.
 */
const HELD_BYTES_MIN = 64 * 1024;

/** Number of bytes of unsent PONGs from which further PINGs are not answered. */
const PONGS_UNSENT_BYTES_MAX = 64 * 1024;

/**
 * Time that the peer has to close the stream after this side's GOODBYE, in milliseconds. Then this
 * side aborts the stream.
 */
const CLOSE_MS = 1_000;

/**
 * The reason why a session ended.
 *
 * @example
 * ```ts
 * import { SESSION_ENDS, type SessionEnd } from "@firn/firn/node";
 * import { assertEquals } from "@std/assert";
 *
 * const counts = new Map<SessionEnd, number>(SESSION_ENDS.map((reason) => [reason, 0]));
 * assertEquals(counts.get("timeout"), 0);
 * ```
 */
export const SESSION_ENDS = [
  "closed", // the connection closed without GOODBYE: the node crashed, or the network failed
  "timeout", // nothing was received for `pingTimeout`
  "shutdown", // the node stopped in an orderly way
  "disconnected", // one side requested it
  "restarted", // a later incarnation of the node, or a later session, replaced it
  "cookie", // the node's cookie is no longer accepted
  "protocol", // the node violated a rule of the protocol
  "overload", // the node read too little, or sent too much incomplete data
] as const;

/** One of {@linkcode SESSION_ENDS}. */
export type SessionEnd = (typeof SESSION_ENDS)[number];

/** Limits of a session. */
export interface SessionLimits extends HeartbeatLimits {
  /** Number of unsent bytes above which data frames are dropped. */
  readonly queueBytesMax: number;
  /**
   * Maximum length of a message, tag and body, in bytes. A longer message is not sent, and ends the
   * session if it is received. The limit must be the same on all nodes. Default: {@linkcode
   * MESSAGE_BYTES_MAX}.
   */
  readonly messageBytesMax?: number | undefined;
}

/** The parts of the host that a session uses. */
export interface SessionHost {
  readonly clock: Clock;
  /** Runs a task at the end of this turn. */
  atFlush(task: () => void): void;
  /** Runs a task after pending I/O and timers have been handled. */
  yieldToIo(task: () => void): void;
}

/** Handles the messages of a session. */
export interface SessionHandler {
  /**
   * Handles a SEND or SEND_NAMED without a view of its body. Called only while no message is held
   * back.
   */
  messageAt?(tag: number, bytes: Uint8Array, from: number, to: number): string | undefined;
  /**
   * Handles a message. Returns the rule that the peer violated, or undefined. `bulk`: the number of
   * a message that arrived in fragments. The first fragment has reserved the place of the message
   * in the order, so the message must not be held back.
   */
  message(
    connection: Session,
    tag: number,
    body: Uint8Array,
    bulk?: number,
  ): string | undefined;
  /**
   * Called when a large message has begun. `head` is the beginning of its body. Returns the key of
   * its receiver: other deliveries with this key must be added to {@linkcode Session.holds} until
   * the message is complete. Returns `undefined` if no delivery must wait.
   */
  begin?(connection: Session, tag: number, head: Uint8Array): HoldKey | undefined;
  /**
   * Called when the send queue has exceeded half of its limit (`high`), or fallen below an eighth.
   */
  pressure?(connection: Session, high: boolean): void;
  /** Called once, when the session has ended. `words` describe the end, for the log. */
  over(connection: Session, end: SessionEnd, words: string): void;
}

/**
 * A stream after the handshake, and its frame reader, which may contain the beginning of a frame.
 */
export interface Opened {
  readonly stream: Stream;
  readonly reader: FrameReader;
}

/**
 * The tags of messages about names and groups. A joining node receives up to a million names, and
 * must do other work in the meantime. Later messages of the session wait too, so the order is kept.
 */
const LIST_TAGS: ReadonlySet<number> = new Set([
  TAG.GLOBAL_REGISTER,
  TAG.GLOBAL_UNREGISTER,
  TAG.GLOBAL_SYNC,
  TAG.GROUP_JOIN,
  TAG.GROUP_LEAVE,
]);

/**
 * Number of bytes of messages about names and groups after which pending I/O and timers are
 * handled. This number of bytes contains about 600 names, and takes 1 to 3 ms to handle.
 */
const LIST_BYTES_A_TURN_MAX = 32 * 1024;

/**
 * Number of bytes by which each message about names and groups counts towards {@linkcode
 * LIST_BYTES_A_TURN_MAX}, in addition to its length.
 */
const LIST_ROW_BYTES = 64;

/** A pending check of whether the peer is alive. */
interface Probe {
  /** The number of the ping that must be answered. */
  readonly ping: number;
  readonly done: (isAlive: boolean) => void;
}

/** A session with a peer, after the handshake. */
export class Session implements FrameSink, SessionMessages {
  /** What the handshake has established about the peer. */
  readonly met: Met;
  /** Whether this side dialed. */
  readonly dialed: boolean;
  /** The send queue of the session. */
  readonly outbox: SessionOutbox;
  /** Received messages that are held behind incomplete large ones. */
  readonly holds: HoldbackQueue = new HoldbackQueue();
  /**
   * The rooms in which the peer has members. `undefined` while these rooms are unknown. The peer
   * then receives every broadcast.
   */
  rooms: RoomInterest | undefined = undefined;
  /** Called when the peer has changed `rooms`. */
  onRoomsChanged: () => void = () => {};
  readonly #stream: Stream;
  readonly #handler: SessionHandler;
  readonly #limits: SessionLimits;
  readonly #reader: FrameReader;
  readonly #clock: Clock;
  readonly #yieldToIo: (task: () => void) => void;
  readonly #heartbeat: Heartbeat;
  /**
   * Number of bytes of messages about names and groups that were handled since pending I/O and
   * timers were last handled.
   */
  #listBytes = 0;
  /**
   * Whether the rest of the received bytes waits until pending I/O and timers have been handled.
   */
  #isYielding = false;
  /** Number of sent pings, which is also the number of the last ping. */
  #pings = 0;
  /** Number of bytes of pongs written since the stream was last empty. */
  #pongs = 0;
  readonly #probes = new Set<Probe>();
  #over = false;
  readonly #fragments: FragmentReader;
  readonly #budget: ReceiveBudget | undefined;
  readonly #held: Holder;

  /** `budget` is the node's limit of incomplete input. */
  constructor(
    met: Met,
    dialed: boolean,
    opened: Opened,
    handler: SessionHandler,
    limits: SessionLimits,
    tickMs: number,
    host: SessionHost,
    budget?: ReceiveBudget,
  ) {
    this.met = met;
    this.#budget = budget;
    this.#held = {
      address: clientKey(opened.stream.remote.hostname),
      bytes: 0,
      end: (words) => this.#end("overload", words),
    };
    this.dialed = dialed;
    this.#stream = opened.stream;
    this.#reader = opened.reader;
    this.#handler = handler;
    this.#limits = limits;
    this.#clock = host.clock;
    this.#yieldToIo = (task) => host.yieldToIo(task);
    const messageBytesMax = limits.messageBytesMax ?? MESSAGE_BYTES_MAX;
    this.#fragments = new FragmentReader(messageBytesMax);
    this.outbox = new SessionOutbox(opened.stream, {
      bytesMax: limits.queueBytesMax,
      messageBytesMax,
    }, {
      atFlush: (task) => host.atFlush(task),
      pressure: (high) => handler.pressure?.(this, high),
      overload: () => this.#end("overload", `it leaves ${this.unsent} bytes unread`),
    });
    this.#heartbeat = new Heartbeat(limits, tickMs, host.clock.now());
    this.#reader.limit = FRAME_BYTES_MAX;
    this.#stream.handler = {
      data: (bytes) => this.#data(bytes),
      drain: () => this.#drain(),
      end: () => this.#end("closed", "the other side hung up"),
      close: (end) => this.#end("closed", wordsOf(end)),
    };
  }

  /** The peer's address, as a key for limits: an IPv4 address or an IPv6 /64. */
  get address(): string {
    return this.#held.address;
  }

  /** Whether the session has ended, so that nothing can be sent. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Number of bytes that wait to be sent. */
  get unsent(): number {
    return this.outbox.unsent;
  }

  /** Number of data frames dropped because the queue was full. */
  get dropped(): number {
    return this.outbox.dropped;
  }

  /** Returns the state of the send queue. */
  pressure(): PressureState {
    const { unsent, dropped, pressure } = this.outbox;
    return { queued: unsent, limit: this.#limits.queueBytesMax, dropped, high: pressure.isHigh };
  }

  /**
   * Resolves when {@linkcode PressureState.high} is false: at once, or when the queue has fallen
   * to an eighth of its limit or the session has ended.
   */
  drained(): Promise<void> {
    return this.outbox.pressure.drained();
  }

  /** Sends a frame that is never dropped while the session is open. */
  sendControl(frame: Uint8Array): void {
    this.outbox.control(frame);
  }

  /** Sends a frame unless the queue is full. Returns false if it was dropped. */
  sendData(frame: Uint8Array): boolean {
    return this.outbox.data(frame);
  }

  /**
   * Checks whether the peer is alive. Calls `done` once: with true when the peer has answered, or
   * with false after `ms` milliseconds or when the session has ended.
   */
  probe(ms: number, done: (isAlive: boolean) => void): void {
    if (this.#over) return done(false);
    this.#ping();
    const probe: Probe = {
      ping: this.#pings,
      done: (isAlive) => {
        if (!this.#probes.delete(probe)) return;
        timer.cancel();
        done(isAlive);
      },
    };
    const timer = this.#clock.after(ms, () => probe.done(false));
    this.#probes.add(probe);
  }

  /**
   * Called periodically. Sends a PING, or ends the session if nothing was received for too long.
   */
  tick(now: number): void {
    switch (this.#heartbeat.tick(now)) {
      case "ping":
        this.#ping();
        break;
      case "dead":
        this.#end("timeout", `nothing was received for ${this.#limits.deadlineMs} ms`);
        break;
      case "wait":
        break;
    }
  }

  /**
   * Ends the session gracefully: sends the queued frames, and then GOODBYE with the reason.
   * Resolves when the peer has closed its side too, after at most one second.
   */
  goodbye(reason: GoodbyeReason): Promise<void> {
    if (this.#over) return Promise.resolve();
    this.#over = true;
    const stream = this.#stream;
    const gone = new Promise<void>((close) => {
      stream.handler = {
        data() {},
        drain: () => this.outbox.drain(),
        end: () => stream.abort(),
        close: () => {
          this.outbox.close();
          close();
        },
      };
    });
    this.outbox.end(encodeGoodbye(reason));
    // A paused stream does not report the end of the peer's data.
    stream.resume();
    this.#forget();
    const timer = this.#clock.after(CLOSE_MS, () => stream.abort());
    this.#handler.over(this, reason, "we ended it");
    for (const probe of [...this.#probes]) probe.done(false);
    return gone.then(() => timer.cancel());
  }

  /** Ends the session at once, without a GOODBYE. */
  abort(end: SessionEnd, words: string): void {
    this.#end(end, words);
  }

  /**
   * Handles a frame whose body is a part of `bytes`. For the most frequent messages, no view of the
   * body is created, because that would cost more than all other work.
   */
  frameAt(tag: number, bytes: Uint8Array, from: number, to: number): boolean {
    const isPlain = (tag === TAG.SEND || tag === TAG.SEND_NAMED) && this.holds.count === 0;
    if (!isPlain || this.#handler.messageAt === undefined) {
      return this.frame(tag, bytes.subarray(from, to));
    }
    const broken = this.#handler.messageAt(tag, bytes, from, to);
    return broken === undefined ? !this.#over : this.#broke(broken);
  }

  /**
   * Handles a frame. Returns false if the session has ended, or if the rest of the input must wait
   * for other work.
   */
  frame(tag: number, body: Uint8Array): boolean {
    const broken = this.#handler.message(this, tag, body);
    if (broken !== undefined) return this.#broke(broken);
    if (this.#over) return false;
    if (!LIST_TAGS.has(tag)) return true;
    this.#listBytes += body.length + LIST_ROW_BYTES;
    if (this.#listBytes < LIST_BYTES_A_TURN_MAX) return true;
    this.#yield();
    return false;
  }

  /** Whether the bytes after the current frame are kept. Read by the frame reader. */
  get keepsRest(): boolean {
    return this.#isYielding && !this.#over;
  }

  /** Continues to read after pending I/O and timers have been handled. */
  #yield(): void {
    this.#listBytes = 0;
    this.#isYielding = true;
    this.#stream.pause();
    this.#yieldToIo(() => {
      this.#isYielding = false;
      if (this.#over) return;
      if (!this.#reader.resume(this)) this.overlong();
      this.#account();
      if (!this.#isYielding) this.#stream.resume();
    });
  }

  /** Answers a PING, unless too many answers to earlier PINGs are unsent. */
  onPing(body: Uint8Array): string | undefined {
    if (body.length < PING_BYTES) return "a PING that is too short";
    // Without this limit, a peer that sends PINGs but does not read would fill this node's memory.
    if (this.#pongs < PONGS_UNSENT_BYTES_MAX) {
      const pong = encodeFrame(TAG.PONG, body.subarray(0, PING_BYTES));
      this.#pongs += pong.length;
      this.outbox.control(pong);
    }
    return undefined;
  }

  /** Resolves the probes that waited for this PONG. */
  onPong(body: Uint8Array): string | undefined {
    if (this.#probes.size === 0 || body.length < PING_BYTES) return undefined;
    const ping = u32At(body, 0);
    for (const probe of [...this.#probes]) if (ping >= probe.ping) probe.done(true);
    return undefined;
  }

  /** Ends the session with the reason that the peer sent. */
  onGoodbye(body: Uint8Array): string | undefined {
    const reason = decodeGoodbye(body);
    if (reason === undefined) return "a GOODBYE without a reason";
    this.#end(reason, "it said goodbye");
    return undefined;
  }

  /**
   * Handles the first fragment of a large message. Later messages to the same receiver are held
   * back until the large message is complete.
   */
  onBulk(body: Uint8Array): string | undefined {
    const arriving = this.#fragments.begin(body);
    if (typeof arriving === "string") return arriving;
    const key = this.#handler.begin?.(this, arriving.tag, arriving.body);
    if (key !== undefined) arriving.slot = this.holds.open(key);
    return undefined;
  }

  /** Handles a further fragment of a large message. The message is handled when it is complete. */
  onFragment(body: Uint8Array): string | undefined {
    const arriving = this.#fragments.add(body);
    if (typeof arriving === "string") return arriving;
    const unacknowledged = this.#fragments.takeUnacknowledged();
    if (unacknowledged > 0) this.outbox.control(encodeTaken(unacknowledged));
    if (!arriving.isWhole) return undefined;
    const run = () => {
      const { tag, body, number } = arriving;
      const broken = this.#handler.message(this, tag, body, number);
      if (broken !== undefined) this.#broke(broken);
    };
    if (arriving.slot === undefined) run();
    else this.holds.close(arriving.slot, run);
    return undefined;
  }

  /**
   * Handles a TAKEN: the peer has read this many bytes of fragments, so the same number of further
   * bytes may be sent.
   */
  onTaken(body: Uint8Array): string | undefined {
    if (body.length < 4) return "a TAKEN that is too short";
    return this.outbox.taken(u32At(body, 0)) ? undefined : "a TAKEN of more than was sent";
  }

  /** Handles a ROOM_INTEREST: the rooms in which the peer has members. */
  onRoomInterest(body: Uint8Array): string | undefined {
    if ((this.met.features & FEATURE.ROOM_INTEREST) === 0) return undefined;
    const broken = (this.rooms ??= new RoomInterest()).apply(body);
    if (broken === undefined) this.onRoomsChanged();
    return broken;
  }

  /**
   * Called when a frame exceeds the maximum length. Ends the session, because the beginning of the
   * next frame is unknown.
   */
  overlong(): void {
    this.#broke(`a frame of more than ${FRAME_BYTES_MAX} bytes`);
  }

  #data(bytes: Uint8Array): void {
    this.#heartbeat.received();
    if (!this.#over && !this.#reader.push(bytes, this)) this.overlong();
    this.#account();
  }

  /** Reports the amount of incomplete input to the node's budget, if it has changed. */
  #account(): void {
    const held = this.#reader.keptBytes + this.#fragments.bytes + this.holds.bytes;
    const bytes = this.#over || held < HELD_BYTES_MIN ? 0 : held;
    if (bytes !== this.#held.bytes) this.#budget?.hold(this.#held, bytes);
  }

  #ping(): void {
    this.#pings++;
    this.outbox.control(encodeFrame(TAG.PING, pingBody(this.#pings)));
  }

  #drain(): void {
    this.#pongs = 0;
    this.outbox.drain();
  }

  #broke(rule: string): false {
    this.#end("protocol", `it sent ${rule}`);
    return false;
  }

  #end(end: SessionEnd, words: string): void {
    if (this.#over) return;
    this.#over = true;
    this.outbox.close();
    this.#forget();
    this.#stream.abort();
    this.#handler.over(this, end, words);
    for (const probe of [...this.#probes]) probe.done(false);
  }

  /** Drops incomplete messages, and the messages held behind them. */
  #forget(): void {
    this.#fragments.clear();
    this.holds.clear();
    this.#account();
  }
}

function pingBody(number: number): Uint8Array {
  const body = new Uint8Array(PING_BYTES);
  new DataView(body.buffer).setUint32(0, number >>> 0, true);
  return body;
}

function wordsOf(end: StreamEnd): string {
  return end.kind === "broken" ? end.message : `the connection was ${end.kind}`;
}
