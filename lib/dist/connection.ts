/**
 * One session with another node, from ACK to its end: frames in, frames out, signs of life.
 *
 * Frames that are sent in one turn leave in one write. What waits to be sent is bounded: past
 * `queueBytesMax` data frames are dropped and counted, and control frames still go, so that a peer
 * that does not read costs a bounded amount of memory and is found out by its silence.
 *
 * @module
 */
import { Heartbeat, type HeartbeatLimits } from "../base/heartbeat.ts";
import type { Stream, StreamEnd } from "../host/stream.ts";
import type { Clock } from "../base/clock.ts";
import { encodeFrame, FRAME_BYTES_MAX, type FrameReader, type FrameSink } from "./frame.ts";
import type { Met } from "./handshake.ts";
import { decodeGoodbye, encodeGoodbye, type GoodbyeReason, TAG } from "./message.ts";
import { Outbox } from "./outbox.ts";

/** Bytes of a ping. */
const PING_BYTES = 8;

/** At most this much of a peer's pings is answered while our answers wait to be sent. */
const PONGS_UNSENT_BYTES_MAX = 64 * 1024;

/** How long a session that we ended waits for the peer to hang up. */
const GOODBYE_MS = 1_000;

/** Why a session ended. */
export const SESSION_ENDS = [
  "closed", // the connection broke off without a word: the node crashed, or the way to it did
  "timeout", // nothing was heard for the deadline
  "shutdown", // the node stopped, in order
  "disconnected", // one side asked for it
  "restarted", // a later life of the node, or a later session, took its place
  "protocol", // the node broke a rule of the protocol
] as const;

/** One of {@linkcode SESSION_ENDS}. */
export type SessionEnd = (typeof SESSION_ENDS)[number];

/** Limits of a session. */
export interface SessionLimits extends HeartbeatLimits {
  /** Past this many unsent bytes data frames are dropped. */
  readonly queueBytesMax: number;
}

/** What a session takes from outside. */
export interface SessionHost {
  readonly clock: Clock;
  /** Runs a task at the end of this turn. */
  atFlush(task: () => void): void;
}

/** Who takes what comes over a session. */
export interface SessionHandler {
  /** A frame that is not the session's own business. A returned text is the rule that it broke. */
  message(connection: Connection, tag: number, body: Uint8Array): string | undefined;
  /** The session is over; called once. `words` say more, for a log. */
  over(connection: Connection, end: SessionEnd, words: string): void;
}

/** A stream whose handshake is done, and the reader that may hold the beginning of a frame. */
export interface Opened {
  readonly stream: Stream;
  readonly reader: FrameReader;
}

/** A session that is up. */
export class Connection implements FrameSink {
  /** Who is on the other side. */
  readonly met: Met;
  /** Whether this side dialled. */
  readonly dialled: boolean;
  /** What is to be sent. */
  readonly outbox: Outbox;
  readonly #stream: Stream;
  readonly #handler: SessionHandler;
  readonly #limits: SessionLimits;
  readonly #reader: FrameReader;
  readonly #clock: Clock;
  readonly #heartbeat: Heartbeat;
  /** The number in the last ping. */
  #pings = 0;
  #over = false;

  constructor(
    met: Met,
    dialled: boolean,
    opened: Opened,
    handler: SessionHandler,
    limits: SessionLimits,
    tickMs: number,
    host: SessionHost,
  ) {
    this.met = met;
    this.dialled = dialled;
    this.#stream = opened.stream;
    this.#reader = opened.reader;
    this.#handler = handler;
    this.#limits = limits;
    this.#clock = host.clock;
    this.outbox = new Outbox(opened.stream, limits.queueBytesMax, (task) => host.atFlush(task));
    this.#heartbeat = new Heartbeat(limits, tickMs, host.clock.now());
    this.#reader.limit = FRAME_BYTES_MAX;
    this.#stream.handler = {
      data: (bytes) => this.#data(bytes),
      drain: () => {},
      end: () => this.#end("closed", "the other side hung up"),
      close: (end) => this.#end("closed", wordsOf(end)),
    };
  }

  /** True once nothing can be sent. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Bytes that wait to be sent. */
  get unsent(): number {
    return this.outbox.unsent;
  }

  /** Data frames that were dropped because too much was waiting. */
  get dropped(): number {
    return this.outbox.dropped;
  }

  /** Sends a frame that must not be lost as long as the session lives. */
  sendControl(frame: Uint8Array): void {
    this.outbox.control(frame);
  }

  /** Sends a frame unless too much is waiting. False: it was dropped. */
  sendData(frame: Uint8Array): boolean {
    return this.outbox.data(frame);
  }

  /** Pings or gives up, as time goes by. */
  tick(now: number): void {
    switch (this.#heartbeat.tick(now)) {
      case "ping":
        this.#pings++;
        this.#stream.write(encodeFrame(TAG.PING, pingBody(this.#pings)));
        break;
      case "dead":
        this.#end("timeout", `nothing heard for ${this.#limits.deadlineMs} ms`);
        break;
      case "wait":
        break;
    }
  }

  /**
   * Ends the session in order: what is queued still goes, and the peer is told why. Resolves when
   * the peer has hung up too, or after a second.
   */
  goodbye(reason: GoodbyeReason): Promise<void> {
    if (this.#over) return Promise.resolve();
    this.#over = true;
    const stream = this.#stream;
    const gone = new Promise<void>((close) => {
      stream.handler = { data() {}, drain() {}, end: () => stream.abort(), close: () => close() };
    });
    stream.write(encodeGoodbye(reason));
    stream.end();
    const timer = this.#clock.after(GOODBYE_MS, () => stream.abort());
    this.#handler.over(this, reason, "we ended it");
    return gone.finally(() => timer.cancel());
  }

  /** Ends the session at once. */
  abort(end: SessionEnd, words: string): void {
    this.#end(end, words);
  }

  /** A frame came. */
  frame(tag: number, body: Uint8Array): boolean {
    switch (tag) {
      case TAG.PING:
        if (body.length < PING_BYTES) return this.#broke("a PING that is too short");
        // Whoever pings and does not read would fill our memory with answers.
        if (this.#stream.unsent < PONGS_UNSENT_BYTES_MAX) {
          this.#stream.write(encodeFrame(TAG.PONG, body.subarray(0, PING_BYTES)));
        }
        return true;
      case TAG.PONG:
        return true;
      case TAG.GOODBYE: {
        const reason = decodeGoodbye(body);
        if (reason === undefined) return this.#broke("a GOODBYE without a reason");
        this.#end(reason, "it said goodbye");
        return false;
      }
      default: {
        const broken = this.#handler.message(this, tag, body);
        return broken === undefined ? !this.#over : this.#broke(broken);
      }
    }
  }

  /** A frame over the limit came: what follows it cannot be told apart. */
  overlong(): void {
    this.#broke(`a frame of more than ${FRAME_BYTES_MAX} bytes`);
  }

  #data(bytes: Uint8Array): void {
    this.#heartbeat.heard();
    if (!this.#over && !this.#reader.push(bytes, this)) this.overlong();
  }

  #broke(rule: string): false {
    this.#end("protocol", `it sent ${rule}`);
    return false;
  }

  #end(end: SessionEnd, words: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream.abort();
    this.#handler.over(this, end, words);
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
