/**
 * A handshake on its way: runs a {@linkcode Initiator} or an {@linkcode Responder} over a stream, with
 * a deadline, and at most 4096 bytes from whoever has not proved itself.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Stream, StreamHandler } from "../host/stream.ts";
import type { Opened } from "./session.ts";
import { FrameReader, type FrameSink, HANDSHAKE_FRAME_BYTES_MAX } from "./frame.ts";
import { fail, type Initiator, type Met, type Responder, type Step } from "./handshake.ts";
import type { RejectReason } from "./message.ts";

/** Bytes that one side may send before the session is up. */
export const UNPROVEN_BYTES_MAX = 4096;

/** A REJECT is given this long to reach the other side. */
const FAREWELL_MS = 1_000;

/** Why a handshake came to nothing. */
export type GreetingFailure = RejectReason | "timeout" | "broken" | "aborted";

/** Who takes what comes behind the handshake. */
export interface SessionSink extends FrameSink {
  /** A frame was over the limit: nothing more can be read. */
  overlong(): void;
}

/** Why a dialler is rejected; `undefined`: it is accepted. */
export type Decision = { readonly reason: RejectReason; readonly words: string } | undefined;

/** Who is told how it went. One of `up` and `failed` is called, once. */
export interface HandshakeOwner {
  /**
   * A dialler has proved itself. Returns why it is rejected, or `undefined` to accept it. "later": the
   * owner calls {@linkcode HandshakeIo.decided}, before the deadline.
   */
  decide(met: Met): Decision | "later";
  /** It is up. What takes further frames, beginning with those behind the handshake. */
  up(met: Met, opened: Opened): SessionSink;
  failed(failure: GreetingFailure, words: string, byPeer: boolean): void;
  /** After a failure: its stream is closed. */
  gone(): void;
}

/** One handshake. */
export class HandshakeIo implements StreamHandler, FrameSink {
  readonly #stream: Stream;
  readonly #machine: Initiator | Responder;
  readonly #greeter: HandshakeOwner;
  readonly #clock: Clock;
  readonly #reader = new FrameReader(HANDSHAKE_FRAME_BYTES_MAX);
  readonly #deadline: Timer;
  #bytes = 0;
  #ended = false;
  #isWaiting = false;
  /** This side has sent what proves it. */
  #proved = false;
  /** Cuts who does not hang up after a REJECT. */
  #farewell: Timer | undefined;
  #next: SessionSink | undefined;

  constructor(
    stream: Stream,
    machine: Initiator | Responder,
    greeter: HandshakeOwner,
    clock: Clock,
    deadlineMs: number,
  ) {
    this.#stream = stream;
    this.#machine = machine;
    this.#greeter = greeter;
    this.#clock = clock;
    this.#deadline = clock.after(
      deadlineMs,
      () => this.#fail("timeout", `no handshake in ${Math.round(deadlineMs)} ms`, false),
    );
    stream.handler = this;
    if ("begin" in machine) this.#act(machine.begin());
  }

  /** Gives it up without a word, and cuts it even if it has failed and the REJECT is on its way. */
  abort(): void {
    this.#fail("aborted", "given up", false);
    if (this.#ended) this.#stream.abort();
  }

  /**
   * Gives up a dial because the other side's has won. It is told: to be cut off without a word is
   * what it knows of nodes with another cookie. Behind a proof it needs no telling, since it judges
   * that proof as we did theirs.
   */
  withdraw(): void {
    const step = fail("duplicate", "the other side's dial has won");
    this.#act(this.#proved ? { ...step, frame: undefined } : step);
  }

  /** Whether a decision is waited for. */
  get isWaiting(): boolean {
    return this.#isWaiting && !this.#ended;
  }

  /** What {@linkcode HandshakeOwner.decide} has put off. Too late, it does nothing. */
  decided(decision: Decision): void {
    // To decide may have ended another session, and a listener for that may have stopped us.
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
    this.#farewell?.cancel();
    if (this.#ended) this.#greeter.gone();
  }

  #act(step: Step): void {
    switch (step.kind) {
      case "send":
        // Of a dialler it is the second message that holds the proof; the first has come before any byte.
        this.#proved = this.#bytes > 0;
        this.#stream.write(step.frame);
        break;
      case "decide": {
        this.#isWaiting = true;
        const decision = this.#greeter.decide(step.met);
        if (decision !== "later") this.decided(decision);
        break;
      }
      case "up":
        this.#deadline.cancel();
        this.#next = this.#greeter.up(step.met, { stream: this.#stream, reader: this.#reader });
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

  #fail(failure: GreetingFailure, words: string, byPeer: boolean): void {
    if (this.#ended || this.#next !== undefined) return;
    this.#ended = true;
    this.#deadline.cancel();
    const cut = failure === "aborted" || failure === "timeout" || failure === "broken";
    if (!cut) this.#farewell = this.#clock.after(FAREWELL_MS, () => this.#stream.abort());
    this.#greeter.failed(failure, words, byPeer);
    if (cut) this.#stream.abort();
    else this.#stream.end();
  }
}
