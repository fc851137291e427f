/**
 * Represents a call from an actor of another node, in the mailbox of the called actor.
 *
 * @module
 */
import { Call, type PassableCall } from "../actor/call.ts";
import { type ActorRef, attach, type Chained, detach } from "../actor/actor_ref.ts";
import { CallExitError, MailboxFullError } from "../actor/errors.ts";
import type { SaltedMap } from "../base/salted_map.ts";
import type { ExitReason } from "../term/exit.ts";
import { ANSWER } from "./message.ts";

/** Sends the replies to the calls of one node. */
export interface Answerer {
  /** The caller's node. */
  readonly home: { readonly node: string };
  answer(request: number, status: number, value: unknown): void;
}

/**
 * A call from another node. It is attached to the called actor, so that the call is answered when
 * the actor exits.
 */
export class IncomingCall extends Call implements Chained, PassableCall {
  request: unknown;
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  #actor: ActorRef;
  readonly #number: number;
  /** All open calls from the caller's node, by number. */
  readonly #open: SaltedMap<IncomingCall>;
  readonly #answerer: Answerer;
  #over: (() => void) | undefined = undefined;

  constructor(
    request: unknown,
    actor: ActorRef,
    number: number,
    open: SaltedMap<IncomingCall>,
    answerer: Answerer,
  ) {
    super();
    this.request = request;
    this.#actor = actor;
    this.#number = number;
    this.#open = open;
    this.#answerer = answerer;
    open.set(number, this);
    attach(this, actor);
  }

  /** The caller's node. */
  get home(): { readonly node: string } {
    return this.#answerer.home;
  }

  override reply(value: unknown): void {
    if (this.close()) this.#answerer.answer(this.#number, ANSWER.REPLY, value);
  }

  override refuse(error: unknown): void {
    if (!this.close()) return;
    // Errors lose their class on the wire. The status of the answer therefore identifies these
    // errors.
    if (error instanceof CallExitError) {
      return this.#answerer.answer(this.#number, ANSWER.ENDED, error.reason);
    }
    const status = error instanceof MailboxFullError ? ANSWER.FULL : ANSWER.REFUSED;
    this.#answerer.answer(this.#number, status, error);
  }

  passTo(actor: ActorRef, request: unknown): void {
    if (!this.isOpen) return;
    detach(this, this.#actor);
    attach(this, actor);
    this.#actor = actor;
    this.request = request;
    actor.deliver(this);
  }

  /** Answers that the mailbox to which the call was sent or forwarded is full. */
  full(): void {
    if (this.close()) this.#answerer.answer(this.#number, ANSWER.FULL, undefined);
  }

  /** Whether the caller still waits for the reply. */
  get isOpen(): boolean {
    return this.#open.get(this.#number) === this;
  }

  /** Calls `over` when the call has been answered or has failed. */
  whenOver(over: () => void): void {
    const before = this.#over;
    this.#over = before === undefined ? over : () => {
      before();
      over();
    };
  }

  /** Answers that the called actor has exited. */
  drop(reason: ExitReason): void {
    if (this.close()) this.#answerer.answer(this.#number, ANSWER.ENDED, reason);
  }

  /**
   * Ends the call without sending an answer. Called before an answer is sent, and when the caller
   * no longer waits. Returns whether the call was open.
   */
  close(): boolean {
    // `isOpen` is also false if the peer has cancelled this call and reused its number.
    if (!this.isOpen) return false;
    this.#open.delete(this.#number);
    detach(this, this.#actor);
    this.#over?.();
    return true;
  }
}
