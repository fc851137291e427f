/**
 * Calls: requests to an actor. Each is answered at most once.
 *
 *     call(pid, request) ─▶ a Call in the mailbox ─▶ reply(value) ─▶ the promise resolves
 *                │            └─ the actor ends ─▶ rejects with the reason
 *                └─ timeout, or signal ─▶ rejects; a reply that comes later is dropped
 *
 * A call is attached to the called actor, so that the actor's exit ends the call without a monitor.
 * The call object is also the timer in the system's wheel. Nothing else is allocated.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";
import { type ActorRef, attach, type Chained, detach } from "./actor_ref.ts";
import {
  ActorExitError,
  CallExitError,
  CallingSelfError,
  CallTimeoutError,
  MailboxFullError,
  NoConnectionError,
  NoProcError,
  QueueFullError,
  withoutStack,
} from "./errors.ts";
import { describeRequest } from "./describe.ts";
import type { ExitReason } from "../term/exit.ts";
import type { SelfWait } from "./self_waits.ts";
import { failed, type Origin, type Tracker } from "./tracked_promise.ts";
import type { Wheel, WheelTimer } from "./wheel.ts";

/** The default time limit of a call, in milliseconds. */
export const CALL_TIMEOUT_MS = 5_000;

/** Options of a call. */
export interface CallOptions {
  /**
   * Milliseconds until the call rejects with `CallTimeoutError`; `Infinity` for never. Default
   * 5000.
   */
  readonly timeout?: number | undefined;
  /** Aborts the call, which rejects with the signal's reason. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A request in the mailbox of the called actor. Check for it with `message instanceof Call`.
 *
 * @example
 * ```ts
 * import { Call, Node, type Self } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const doubler = node.spawn(async (self: Self<Call<number, number>>) => {
 *   for await (const message of self) {
 *     if (message instanceof Call) message.reply(message.request * 2);
 *   }
 * });
 * assertEquals(await node.call(doubler, 21), 42);
 * ```
 */
export abstract class Call<Request = unknown, Reply = unknown> {
  /** The request that the caller passed to `call`. */
  abstract readonly request: Request;
  /** Replies. Only the first reply has an effect, and only while the caller waits. */
  abstract reply(value: Reply): void;
  /** Rejects the call: the caller's promise rejects with `error`. */
  abstract refuse(error: unknown): void;
}

/** A call that the called actor may forward to another actor of its node. */
export interface PassableCall {
  /** Whether the call still waits for its reply. */
  readonly isOpen: boolean;
  /**
   * Forwards the call to `actor` with this request. From now on, the exit of that actor ends the
   * call.
   */
  passTo(actor: ActorRef, request: unknown): void;
  /** Calls `over` when the call has been answered or has failed. */
  whenOver(over: () => void): void;
}

/** The parts of the system that a call uses. */
export interface CallHost extends Tracker {
  readonly wheel: Wheel;
}

/** A call that waits for its reply. */
export class PendingCall<Request = unknown, Reply = unknown> extends Call<Request, Reply>
  implements WheelTimer, Chained, Origin, PassableCall, SelfWait {
  request: Request;
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  handled = false;
  readonly tracker: CallHost;
  readonly caller: ActorRef | undefined;
  /** The stack of the caller, if it was captured. */
  trace: { readonly stack?: string } | undefined = undefined;
  #actor: ActorRef;
  readonly #ms: number;
  readonly #promise: Promise<unknown>;
  #resolve: ((reply: unknown) => void) | undefined;
  readonly #reject: (error: unknown) => void;
  #over: (() => void) | undefined = undefined;
  #outgoing: OutgoingCall | undefined = undefined;

  constructor(
    request: Request,
    actor: ActorRef,
    host: CallHost,
    caller: ActorRef | undefined,
    ms: number,
    promise: Promise<unknown>,
    resolve: (reply: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    super();
    this.request = request;
    this.tracker = host;
    this.caller = caller;
    this.#actor = actor;
    this.#ms = ms;
    this.#promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    attach(this, actor);
    // The object that is attached to the caller ends the call when the caller exits.
    if (caller !== undefined) {
      this.#outgoing = new OutgoingCall(this as unknown as PendingCall, caller);
    }
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
    failed(this.#promise, this, error);
  }

  /** Rejects the call with an error of the runtime, whose stack is replaced with the caller's. */
  fail(error: Error): void {
    if (this.trace?.stack !== undefined) adoptStack(error, this.trace.stack);
    this.refuse(error);
  }

  /** Rejects the call because its timeout has passed. */
  fire(): void {
    this.fail(withoutStack(() => new CallTimeoutError(this.#actor.label, this.#ms, this.which)));
  }

  /**
   * Rejects the call because the called actor has exited, or because the session with that actor's
   * node has ended.
   */
  drop(reason: ExitReason): void {
    const { label, pid } = this.#actor;
    if (reason !== "noconnection" || pid.home.local) return this.ended(reason);
    this.fail(withoutStack(() => new NoConnectionError(label, this.which)));
  }

  /** Rejects the call because the called actor has exited. */
  ended(reason: ExitReason): void {
    this.fail(withoutStack(() => new CallExitError(this.#actor.label, reason, this.which)));
  }

  /** Rejects the call because the called actor does not exist on its node. */
  missing(): void {
    this.fail(withoutStack(() => new NoProcError(this.#actor.label, this.which)));
  }

  /** Rejects the call because the mailbox of the called actor is full. */
  full(): void {
    this.fail(new MailboxFullError(this.#actor.label, this.which));
  }

  /** Rejects the call because the send queue to the called actor's node is full. */
  queueFull(node: string): void {
    this.fail(new QueueFullError(node, this.which));
  }

  /**
   * Rejects the call because the caller would wait for itself, and removes the request from the
   * caller's mailbox.
   */
  callsSelf(): void {
    this.#actor.discard((message) => message === this);
    this.fail(new CallingSelfError(this.#actor.label, this.which));
  }

  /** Rejects the call because the caller has exited. */
  callerEnded(pid: Pid, reason: ExitReason): void {
    this.fail(withoutStack(() => new ActorExitError(pid, reason, this.which)));
  }

  passTo(actor: ActorRef, request: unknown): void {
    if (!this.isOpen) return;
    detach(this, this.#actor);
    attach(this, actor);
    this.#actor = actor;
    this.request = request as Request;
    actor.deliver(this);
  }

  /** Describes the call, for error messages. */
  get which(): string {
    return whichCall(this.request, this.caller);
  }

  /** Calls `over` when the call has been answered or has failed. */
  whenOver(over: () => void): void {
    const before = this.#over;
    this.#over = before === undefined ? over : () => {
      before();
      over();
    };
  }

  /** The actor that was called. */
  get callee(): ActorRef {
    return this.#actor;
  }

  /** Returns the milliseconds since the call was made; `undefined` if the call has no timeout. */
  age(now: number): number | undefined {
    if (this.#ms === Infinity) return undefined;
    // Until the turn in which the call was made ends, `due` is not positive, and the age is 0.
    return this.due <= 0 ? 0 : Math.max(0, now - (this.due - this.#ms));
  }

  /** Whether the call still waits for its reply. */
  get isOpen(): boolean {
    return this.#resolve !== undefined;
  }

  #settle(): void {
    this.#resolve = undefined;
    this.tracker.wheel.remove(this);
    if (this.#outgoing !== undefined) this.#outgoing.done();
    if (this.#over !== undefined) this.#over();
    detach(this, this.#actor);
  }
}

/** Ends a pending call when its caller exits. It is attached to the caller. */
export class OutgoingCall implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly call: PendingCall;
  readonly #caller: ActorRef;

  constructor(call: PendingCall, caller: ActorRef) {
    this.call = call;
    this.#caller = caller;
    attach(this, caller);
  }

  done(): void {
    detach(this, this.#caller);
  }

  /** Rejects the call because the caller has exited. */
  drop(reason: ExitReason): void {
    this.call.callerEnded(this.#caller.pid as Pid, reason);
  }
}

/** Describes a call for an error message: the request and the caller. */
export function whichCall(request: unknown, caller: ActorRef | undefined): string {
  const from = caller === undefined ? "from outside of actors" : `from ${caller.label}`;
  return ` (call of ${describeRequest(request)} ${from})`;
}

/** Replaces the stack of an error with the caller's. */
function adoptStack(error: Error, stack: string): void {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  error.stack = [`${error.name}: ${error.message}`, ...frames].join("\n");
}
