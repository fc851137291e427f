/**
 * A call that came from another node, in the mailbox of the actor that is to answer it.
 *
 * @module
 */
import { Call, type PassableCall } from "../actor/call.ts";
import { type ActorRef, attach, type Chained, detach } from "../actor/actor_ref.ts";
import { CallExitError, MailboxFullError } from "../actor/errors.ts";
import type { SaltedMap } from "../base/salted_map.ts";
import type { ExitReason } from "../term/exit.ts";
import { ANSWER } from "./message.ts";

/** Where the answer goes. */
export interface Answerer {
  answer(request: number, status: number, value: unknown): void;
}

/** It hangs on the actor, whose end answers it too. */
export class IncomingCall extends Call implements Chained, PassableCall {
  request: unknown;
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  #actor: ActorRef;
  readonly #number: number;
  /** All that are open, by number. */
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

  override reply(value: unknown): void {
    if (this.close()) this.#answerer.answer(this.#number, ANSWER.REPLY, value);
  }

  override refuse(error: unknown): void {
    if (!this.close()) return;
    // Errors lose their class on the wire; these are recognised by the status.
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

  /** A mailbox that it was put into is full. */
  full(): void {
    if (this.close()) this.#answerer.answer(this.#number, ANSWER.FULL, undefined);
  }

  /** False: it has been answered, or given up. */
  get isOpen(): boolean {
    return this.#open.get(this.#number) === this;
  }

  /** Calls `over` when it is answered or given up. */
  whenOver(over: () => void): void {
    const before = this.#over;
    this.#over = before === undefined ? over : () => {
      before();
      over();
    };
  }

  /** The actor has ended. */
  drop(reason: ExitReason): void {
    if (this.close()) this.#answerer.answer(this.#number, ANSWER.ENDED, reason);
  }

  /** Nobody waits for the answer any more. Whether somebody did. */
  close(): boolean {
    // A peer may use a number again whose call it has given up.
    if (!this.isOpen) return false;
    this.#open.delete(this.#number);
    detach(this, this.#actor);
    this.#over?.();
    return true;
  }
}
