/**
 * Runs an {@linkcode Initiator} or a {@linkcode Responder} over a stream, with a deadline, and
 * accepts at most 4096 bytes from an unauthenticated peer.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Stream, StreamHandler } from "../host/stream.ts";
import type { Opened } from "./session.ts";
import { FrameReader, type FrameSink, HANDSHAKE_FRAME_BYTES_MAX } from "./frame.ts";
import { fail, type Initiator, type Met, type Responder, type Step } from "./handshake.ts";
import type { RejectReason } from "./message.ts";

/** Maximum number of bytes accepted from the peer before the session opens. */
export const UNPROVEN_BYTES_MAX = 4096;

/**
 * Time that the peer has to close the stream after a REJECT, in milliseconds. Then this side aborts
 * the stream.
 */
const CLOSE_MS = 1_000;

/** The reason why a handshake failed. */
export type HandshakeFailure = RejectReason | "timeout" | "broken" | "aborted";

/** Receives the frames after the handshake. */
export interface SessionSink extends FrameSink {
  /** Called when a frame exceeded the maximum length, so that no more frames can be read. */
  overlong(): void;
}

/** The reason why an initiator is rejected; `undefined` if it is accepted. */
export type Decision = { readonly reason: RejectReason; readonly words: string } | undefined;

/** The callbacks of a handshake. Either `up` or `failed` is called, once. */
export interface HandshakeOwner {
  /**
   * Called when an initiator is authenticated. Returns the reason to reject it, or `undefined` to
   * accept it. With "later", the owner calls {@linkcode HandshakeIo.decided} before the deadline.
   */
  decide(met: Met): Decision | "later";
  /**
   * Called when the session is open. Returns the receiver of frames, which also receives frames
   * that arrived together with the end of the handshake.
   */
  up(met: Met, opened: Opened): SessionSink;
  failed(failure: HandshakeFailure, words: string, byPeer: boolean): void;
  /** Called when the stream has closed after a failed handshake. */
  gone(): void;
}

/** Runs one handshake over a stream. */
export class HandshakeIo implements StreamHandler, FrameSink {
  readonly #stream: Stream;
  readonly #machine: Initiator | Responder;
  readonly #owner: HandshakeOwner;
  readonly #clock: Clock;
  readonly #reader = new FrameReader(HANDSHAKE_FRAME_BYTES_MAX);
  readonly #deadline: Timer;
  #bytes = 0;
  #ended = false;
  #isWaiting = false;
  /** Whether this side has sent its proof. */
  #proved = false;
  /** The timer that aborts the stream if the peer does not close it after a REJECT. */
  #closeTimer: Timer | undefined;
  #next: SessionSink | undefined;

  constructor(
    stream: Stream,
    machine: Initiator | Responder,
    owner: HandshakeOwner,
    clock: Clock,
    deadlineMs: number,
  ) {
    this.#stream = stream;
    this.#machine = machine;
    this.#owner = owner;
    this.#clock = clock;
    this.#deadline = clock.after(
      deadlineMs,
      () => this.#fail("timeout", `no handshake in ${Math.round(deadlineMs)} ms`, false),
    );
    stream.handler = this;
    if ("begin" in machine) this.#act(machine.begin());
  }

  /**
   * Aborts the stream without a message, even if the handshake has failed and the REJECT is still
   * being sent.
   */
  abort(): void {
    this.#fail("aborted", "given up", false);
    if (this.#ended) this.#stream.abort();
  }

  /**
   * Abandons a dial, because the peer's own dial takes precedence. If this side has not sent its
   * proof, it sends a REJECT: otherwise the peer would assume that this node has another cookie.
   * After the proof, no REJECT is needed, because the peer decides by the same rule.
   */
  withdraw(): void {
    const step = fail("duplicate", "the dial of the other side takes precedence");
    this.#act(this.#proved ? { ...step, frame: undefined } : step);
  }

  /** Whether the handshake waits for a decision. */
  get isWaiting(): boolean {
    return this.#isWaiting && !this.#ended;
  }

  /**
   * Completes a decision that {@linkcode HandshakeOwner.decide} deferred. Ignored after the
   * deadline.
   */
  decided(decision: Decision): void {
    // The decision may have ended another session, and a listener for the end of that session may
    // have stopped this node.
    if (!this.isWaiting) return;
    this.#isWaiting = false;
    if (decision !== undefined) return this.#act(fail(decision.reason, decision.words));
    const up = (this.#machine as Responder).accept();
    this.#stream.write(up.frame);
    this.#act(up);
  }

  data(bytes: Uint8Array): void {
    if (this.#ended) return;
    this.#bytes += bytes.length;
    const whole = this.#reader.push(bytes, this);
    if (this.#next !== undefined && !whole) this.#next.overlong();
    if (this.#next !== undefined || this.#ended) return;
    if (whole && this.#bytes <= UNPROVEN_BYTES_MAX) return;
    this.#act(fail("protocol", `more than ${UNPROVEN_BYTES_MAX} bytes before the session is up`));
  }

  frame(tag: number, body: Uint8Array): boolean {
    if (this.#next !== undefined) return this.#next.frame(tag, body);
    if (!this.#ended) this.#act(this.#machine.receive(tag, body));
    return !this.#ended;
  }

  drain(): void {}

  end(): void {
    if (this.#ended) this.#stream.abort();
    else this.#hungUp("it hung up");
  }

  close(): void {
    this.#hungUp("the connection broke off");
    this.#closeTimer?.cancel();
    if (this.#ended) this.#owner.gone();
  }

  #act(step: Step): void {
    switch (step.kind) {
      case "send":
        // Only the first message of an initiator has no proof, and it is sent before any bytes are
        // received.
        this.#proved = this.#bytes > 0;
        this.#stream.write(step.frame);
        break;
      case "decide": {
        this.#isWaiting = true;
        const decision = this.#owner.decide(step.met);
        if (decision !== "later") this.decided(decision);
        break;
      }
      case "up":
        this.#deadline.cancel();
        this.#next = this.#owner.up(step.met, { stream: this.#stream, reader: this.#reader });
        break;
      case "fail":
        if (this.#ended) break;
        if (step.frame !== undefined) this.#stream.write(step.frame);
        this.#fail(step.reason, step.words, step.byPeer);
        break;
    }
  }

  #hungUp(words: string): void {
    const silent = this.#bytes === 0 ? " without a word" : "";
    this.#fail("broken", `${words}${silent}`, false);
  }

  #fail(failure: HandshakeFailure, words: string, byPeer: boolean): void {
    if (this.#ended || this.#next !== undefined) return;
    this.#ended = true;
    this.#deadline.cancel();
    const cut = failure === "aborted" || failure === "timeout" || failure === "broken";
    if (!cut) this.#closeTimer = this.#clock.after(CLOSE_MS, () => this.#stream.abort());
    this.#owner.failed(failure, words, byPeer);
    if (cut) this.#stream.abort();
    else this.#stream.end();
  }
}
