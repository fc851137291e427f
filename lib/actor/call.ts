/**
 * Requests: sent to an actor as a {@linkcode Call}, answered once.
 *
 *     call(pid, request) ─▶ a Call in the mailbox ─▶ reply(value) ─▶ the promise resolves
 *                │            └─ the actor ends ─▶ rejects with why
 *                └─ time over, or signal ─▶ rejects; a reply that comes later is dropped
 *
 * A call hangs on the actor that is to answer it, so the end of that actor finds it without a monitor,
 * and in the system's wheel, of which it is a timer itself. Nothing else is made for it.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";
import { type ActorRef, attach, type Chained, detach } from "./actor_ref.ts";
import {
  ActorExitError,
  CallExitError,
  CallTimeoutError,
  MailboxFullError,
  NoConnectionError,
  NoProcError,
} from "./errors.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Wheel, WheelTimer } from "./wheel.ts";

/** How long a call waits unless told otherwise. Milliseconds. */
export const CALL_TIMEOUT_MS = 5_000;

/** How to call. */
export interface CallOptions {
  /** Milliseconds until the call rejects with `CallTimeoutError`; `Infinity` for never. Default 5000. */
  readonly timeout?: number | undefined;
  /** Gives the call up when aborted; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A request, in the mailbox of the one who is to answer it: `message instanceof Call` tells it. */
export abstract class Call<Request = unknown, Reply = unknown> {
  /** What is asked. */
  abstract readonly request: Request;
  /** Answers. Only the first answer counts, and only while somebody waits. */
  abstract reply(value: Reply): void;
  /** Refuses: the caller's promise rejects with `error`. */
  abstract refuse(error: unknown): void;
}

/** A call that waits for its answer. */
export class PendingCall<Request = unknown, Reply = unknown> extends Call<Request, Reply>
  implements WheelTimer, Chained {
  readonly request: Request;
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #actor: ActorRef;
  readonly #wheel: Wheel;
  readonly #ms: number;
  #resolve: ((reply: Reply) => void) | undefined;
  readonly #reject: (error: unknown) => void;
  #unlisten: (() => void) | undefined = undefined;
  #over: (() => void) | undefined = undefined;
  #asking: Asking | undefined = undefined;

  constructor(
    request: Request,
    actor: ActorRef,
    wheel: Wheel,
    ms: number,
    resolve: (reply: Reply) => void,
    reject: (error: unknown) => void,
  ) {
    super();
    this.request = request;
    this.#actor = actor;
    this.#wheel = wheel;
    this.#ms = ms;
    this.#resolve = resolve;
    this.#reject = reject;
    attach(this, actor);
  }

  override reply(value: Reply): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#settle();
    resolve(value);
  }

  override refuse(error: unknown): void {
    if (this.#resolve === undefined) return;
    this.#settle();
    this.#reject(error);
  }

  /** The time is over. */
  fire(): void {
    this.refuse(new CallTimeoutError(this.#actor.label, this.#ms));
  }

  /** The actor that was to answer has ended; its cell, if it is of another node, with the session. */
  drop(reason: ExitReason): void {
    const { label, pid } = this.#actor;
    const lost = reason === "noconnection" && !pid.home.local;
    this.refuse(lost ? new NoConnectionError(label) : new CallExitError(label, reason));
  }

  /** Its node has answered for the actor: it has ended. */
  ended(reason: ExitReason): void {
    this.refuse(new CallExitError(this.#actor.label, reason));
  }

  /** Its node has answered for the actor: there is none. */
  missing(): void {
    this.refuse(new NoProcError(this.#actor.label));
  }

  /** Its node has answered for the actor: its mailbox is full. */
  full(): void {
    this.refuse(new MailboxFullError(this.#actor.label));
  }

  /** The request has travelled: this is told when it is answered or given up. */
  whenOver(over: () => void): void {
    this.#over = over;
  }

  /** The caller listens to a signal; this stops it. */
  unlisten(stop: () => void): void {
    this.#unlisten = stop;
  }

  /** The caller is an actor: the call ends with it. */
  askedBy(caller: ActorRef, promise: Promise<Reply>): void {
    if (this.#resolve !== undefined) this.#asking = new Asking(this, caller, promise);
  }

  #settle(): void {
    this.#resolve = undefined;
    this.#wheel.remove(this);
    this.#unlisten?.();
    this.#asking?.done();
    this.#over?.();
    detach(this, this.#actor);
  }
}

/** A call of an actor, hanging on that actor. */
class Asking implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #call: { refuse(error: unknown): void };
  readonly #caller: ActorRef;
  readonly #promise: Promise<unknown>;

  constructor(call: { refuse(error: unknown): void }, caller: ActorRef, promise: Promise<unknown>) {
    this.#call = call;
    this.#caller = caller;
    this.#promise = promise;
    attach(this, caller);
  }

  done(): void {
    detach(this, this.#caller);
  }

  /** The caller has ended. */
  drop(reason: ExitReason): void {
    this.#call.refuse(new ActorExitError(this.#caller.pid as Pid, reason));
    // Whether or not its body waits for that: an end is no unhandled rejection.
    this.#promise.catch(() => {});
  }
}
