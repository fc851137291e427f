/**
 * Implements forwarded calls: an actor may send a call to an actor of another node, which replies
 * to it, as in OTP, where a gen_server may pass `From` to another process.
 *
 *     a caller ──call──▶ server ──forwards the call──▶ worker
 *         ▲                 (its node stores the call)    │ reply
 *         └──────────── the stored call ◀── ANSWER ◀──────┘
 *
 * The node of the server stores the call under a number until it has been answered or has failed. A
 * later reply is dropped. The exit of the server still ends the call, because the caller monitors
 * the server.
 *
 * @module
 */
import { Call, type PassableCall, PendingCall } from "../actor/call.ts";
import { type ActorRef, attach, type Chained, detach } from "../actor/actor_ref.ts";
import { CallExitError, MailboxFullError, withoutStack } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import type { TransferableCall } from "../term/encode.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Home } from "../term/pid.ts";
import { IncomingCall } from "./incoming_call.ts";
import { ANSWER } from "./message.ts";

/** The number that is sent for a call that has ended. */
const ENDED_CALL = 0;

/** Sends the answer to a call that another node has forwarded. */
export interface CallAnswerer {
  /** Sends an answer to the node that forwarded the call. Has no effect without a session. */
  answerHeld(home: Home, number: number, status: number, value: unknown): void;
}

/** A call that another node has forwarded, and stores until it is answered. */
export class TransferredCall extends Call implements TransferableCall, Chained, PassableCall {
  request: unknown;
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly home: Home;
  readonly id: number;
  readonly #answerer: CallAnswerer;
  #isOver: boolean;
  /** The actor whose exit ends the call, if the call was forwarded to one. */
  #actor: ActorRef | undefined = undefined;

  constructor(answerer: CallAnswerer, home: Home, id: number, request: unknown) {
    super();
    this.request = request;
    this.home = home;
    this.id = id;
    this.#answerer = answerer;
    this.#isOver = id === ENDED_CALL;
  }

  override reply(value: unknown): void {
    this.#answer(ANSWER.HELD_REPLY, value);
  }

  override refuse(error: unknown): void {
    // Errors lose their class on the wire. The status identifies a `MailboxFullError`.
    this.#answer(error instanceof MailboxFullError ? ANSWER.HELD_FULL : ANSWER.HELD_REFUSED, error);
  }

  get isOpen(): boolean {
    return !this.#isOver;
  }

  /**
   * Calls `over` at once, because this node is not notified when the call ends: the node that
   * forwarded the call stores it.
   */
  whenOver(over: () => void): void {
    over();
  }

  passTo(actor: ActorRef, request: unknown): void {
    if (this.#isOver) return;
    if (this.#actor !== undefined) detach(this, this.#actor);
    attach(this, actor);
    this.#actor = actor;
    this.request = request;
    actor.deliver(this);
  }

  /** Rejects the call, because the actor to which it was forwarded has exited. */
  drop(reason: ExitReason): void {
    const label = this.#actor!.label;
    this.#actor = undefined;
    this.refuse(withoutStack(() => new CallExitError(label, reason)));
  }

  #answer(status: number, value: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#actor !== undefined) detach(this, this.#actor);
    this.#actor = undefined;
    this.#answerer.answerHeld(this.home, this.id, status, value);
  }
}

/** The unanswered calls of one node that were forwarded to other nodes. */
export class HeldCalls {
  readonly #system: System;
  readonly #answerer: CallAnswerer;
  readonly #byNumber = new Map<number, PendingCall | IncomingCall>();
  readonly #numbers = new Map<Call, number>();
  #last = 0;

  constructor(system: System, answerer: CallAnswerer) {
    this.#system = system;
    this.#answerer = answerer;
  }

  /** Number of forwarded calls that have not ended. */
  get size(): number {
    return this.#byNumber.size;
  }

  /**
   * Stores a call until it ends, and returns its encoding; `undefined` if the value is not a call.
   */
  transferable(value: object): TransferableCall | undefined {
    if (value instanceof TransferredCall) return value;
    if (!(value instanceof PendingCall || value instanceof IncomingCall)) return undefined;
    return { home: this.#system.home, id: this.#number(value), request: value.request };
  }

  /** Returns a call that has arrived. This is the original call if this node has forwarded it. */
  arrived(home: Home, id: number, request: unknown): Call {
    const held = home === this.#system.home ? this.#byNumber.get(id) : undefined;
    return held ?? new TransferredCall(this.#answerer, home, id, request);
  }

  /**
   * Handles an answer to a forwarded call. Returns false if answers to forwarded calls do not have
   * this status.
   */
  answered(number: number, status: number, value: unknown): boolean {
    const call = this.#byNumber.get(number);
    switch (status) {
      case ANSWER.HELD_REPLY:
        call?.reply(value);
        return true;
      case ANSWER.HELD_REFUSED:
        call?.refuse(value);
        return true;
      case ANSWER.HELD_FULL:
        call?.full();
        return true;
      default:
        return false;
    }
  }

  #number(call: PendingCall | IncomingCall): number {
    if (!call.isOpen) return ENDED_CALL;
    const known = this.#numbers.get(call);
    if (known !== undefined) return known;
    const number = ++this.#last;
    this.#byNumber.set(number, call);
    this.#numbers.set(call, number);
    call.whenOver(() => {
      this.#byNumber.delete(number);
      this.#numbers.delete(call);
    });
    return number;
  }
}
