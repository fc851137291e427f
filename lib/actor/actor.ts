/**
 * One actor: its mailbox, its body, its turns and its exit.
 *
 *     spawn ─▶ starting ─turn─▶ running ──body returns a function──▶ handler of each message
 *                                  │
 *                                  └──body returns a promise──▶ waits in `receive`, or computes
 *     any of them ──body returns · throws · exit · kill · a link──▶ dead
 *
 * An exit takes effect at once: no message, signal or use of `self` has any effect afterwards.
 * JavaScript that is already running cannot be stopped, so the code of an exited actor ends as
 * follows:
 *
 *     a pending wait rejects, once: `finally` blocks run
 *     a use of `self` that does not wait throws, 100 times; then it has no effect
 *     a use of `self` that waits (`receive`, `call`, `for await`, a remote spawn) never settles
 *
 * A loop that catches every error therefore stops at its next wait.
 *
 * Longer than 400 lines: the file is one state machine, with the methods of `self`.
 *
 * @module
 */
import { type Home, Pid, type Ref } from "../term/pid.ts";
import type { Call, CallOptions } from "./call.ts";
import { ActorRef } from "./actor_ref.ts";
import { ActorExitError, BadReturnError } from "./errors.ts";
import { downMessage, exitMessage, isThenable, readableReason, thrownReason } from "./exit.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Names } from "./names.ts";
import type { ActorName, RemoteSpawn } from "./remote.ts";
import type { Probe, Runnable, Scheduler } from "./scheduler.ts";
import type { SelfWaits } from "./self_waits.ts";
import type { ActorFunction, MessageHandler, ReceiveOptions, Self, SpawnOptions } from "./self.ts";
import { EXPIRED_TIMER, timeoutMs, type TimerRef } from "./timer.ts";
import type { Wheel, WheelTimer } from "./wheel.ts";

/** The methods and fields of `System` that actors use. */
export interface ActorHome {
  readonly home: Home;
  readonly scheduler: Scheduler;
  readonly wheel: Wheel;
  readonly names: Names;
  /** The mailbox length from which `admit` is called for each new message. */
  readonly mark: number;
  setTimer(timer: WheelTimer, ms: number): void;
  /** Returns whether a message may enter a mailbox that has reached its watermark. */
  admit(actor: Actor, message: unknown): boolean;
  /** Called when an actor has exited. */
  ended(actor: Actor, reason: ExitReason, crash: ActorCrash | undefined): void;
  /** Reports a message that `receive` has dropped because it has a method `then`. */
  unreceivable(actor: Actor, message: unknown): void;
  spawn<M, A extends unknown[]>(
    parent: Actor | undefined,
    options: SpawnOptions | undefined,
    body: ActorFunction<M, A>,
    args: A,
  ): Pid<M>;
  /** Returns a pid that identifies no actor. */
  deadPid(): Pid<never>;
  spawnAt<M>(
    from: ActorRef,
    target: RemoteSpawn,
    link: boolean,
    ref: Ref | undefined,
    args: readonly unknown[],
  ): Promise<Pid<M>>;
  readonly selfWaits: SelfWaits<Actor>;
  readonly signals: { ref(actor: ActorRef): Ref };
  readonly nodeWatchers: { remove(node: string, actor: ActorRef): boolean };
  monitorNode(actor: ActorRef, node: string): void;
  sendTo<M>(to: Pid<M> | ActorName | string, message: M): void;
  call<Q, R>(
    to: Pid<Call<Q, R>> | ActorName | string,
    request: Q,
    options: CallOptions | undefined,
    caller: ActorRef,
  ): Promise<R>;
  exit(to: Pid<never>, reason: ExitReason, from?: Pid): void;
  link(actor: ActorRef, pid: Pid<never>): void;
  unlink(actor: ActorRef, pid: Pid<never>): void;
  monitor(actor: ActorRef, to: Pid<never> | ActorName | string): Ref;
  demonitor(actor: ActorRef, ref: Ref, flush: boolean): boolean;
  sendAfter<M>(to: Pid<M>, message: M, ms: number): TimerRef;
  sendInterval<M>(to: Pid<M>, message: M, ms: number): TimerRef;
  cancelTimer(timer: TimerRef): number | false;
  wall(): number;
  sleep(actor: Actor, ms: number): Promise<void>;
}

/**
 * An abnormal exit that the actor's own code caused: it threw, or called `exit` with an abnormal
 * reason.
 */
export interface ActorCrash {
  /** The message that the actor was handling when it exited. */
  readonly message: unknown;
  /** Whether the actor exited because it did not await the promise of an operation that failed. */
  readonly unhandled?: boolean | undefined;
}

/**
 * States of an actor, in ascending order. From `ASYNC` on, a new message does not schedule a turn.
 */
const STARTING = 0;
const HANDLER = 1;
const ASYNC = 2;
/** The actor waits for the promise that its handler returned. */
const HELD = 3;
/** An operator has suspended the actor: it handles no message until it is resumed. */
const SUSPENDED = 4;
/** The actor has exited. The state is incremented each time that a later use of `self` throws. */
const DEAD = 5;

/**
 * The activities of an actor, for inspection.
 *
 * - `"starting"`: the body has not run yet;
 * - `"waiting"`: it waits for a message;
 * - `"ready"`: it has messages, and waits for its turn;
 * - `"awaiting"`: it awaits something other than a message: a call, a timer or I/O;
 * - `"suspended"`: an operator has suspended it;
 * - `"dead"`: it has exited.
 */
export type ActorStatus = "starting" | "waiting" | "ready" | "awaiting" | "suspended" | "dead";

/**
 * Number of times that a use of `self` throws after its actor has exited. Further uses are ignored.
 * A loop that catches these errors therefore reaches its next wait, which never settles.
 */
export const DEAD_USES_MAX = 100;

/**
 * Credit for each message that an async body receives without waiting. The body handles the message
 * outside of turns, so the scheduler cannot measure how long that takes. The high credit makes the
 * scheduler read the clock more often.
 */
const TAKEN_CREDIT = 8;

/** The first argument of `spawn`: a local function, or a function that another node exposes. */
type Spawned = ActorFunction<never, never[]> | RemoteSpawn;

/** A pending `receive`: its predicate and its timeout. */
class Condition implements WheelTimer {
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  readonly match: ((message: never) => boolean) | undefined;
  readonly #actor: Actor;

  constructor(actor: Actor, match: ((message: never) => boolean) | undefined) {
    this.#actor = actor;
    this.match = match;
  }

  fire(): void {
    this.#actor.receiveTimedOut();
  }
}

/** An actor on this node. Its own code uses it through {@linkcode Self}. */
export class Actor extends ActorRef implements Runnable, Self<unknown> {
  readonly pid: Pid<unknown>;
  readonly system: ActorHome;
  /** The body that was passed to `spawn`, for crash reports. */
  readonly body: ActorFunction<never, never[]>;
  /** The pids of the parent, the parent's parent and so on. */
  readonly ancestors: readonly Pid[];
  /** Mailbox length from which `System.admit` decides on each new message. */
  watermark: number;

  /** Number of messages that the actor has taken from its mailbox. */
  handled = 0;
  #state = STARTING;
  /** Whether the actor is in the scheduler's queue. */
  #queued = true;
  /**
   * Before the first turn: the arguments of the body. While the actor is alive: the message
   * handler, if the body returned one. After the exit: the exit reason.
   */
  #what: unknown;
  /** The message being handled, for crash reports. */
  #last: unknown = undefined;
  /**
   * Fields of a pending `receive`. They are not in a separate object, to save memory: a million
   * actors may wait at the same time.
   */
  #promise: Promise<unknown> | undefined = undefined;
  #resolve: ((message: unknown) => void) | undefined = undefined;
  #condition: Condition | undefined = undefined;

  constructor(
    system: ActorHome,
    id: number,
    body: ActorFunction<never, never[]>,
    args: readonly unknown[],
    ancestors: readonly Pid[],
  ) {
    super();
    this.system = system;
    this.pid = new Pid(system.home, id, this);
    this.body = body;
    this.#what = args;
    this.ancestors = ancestors;
    this.watermark = system.mark;
  }

  /** Puts a message into the mailbox, or passes it to the pending `receive`. */
  deliver(message: unknown): void {
    if (this.#resolve !== undefined) return this.#offer(message);
    if (this.length >= this.watermark && !this.system.admit(this, message)) return;
    this.push(message);
    if (this.#queued || this.#state >= ASYNC) return;
    this.#queued = true;
    this.system.scheduler.ready(this);
  }

  /**
   * Passes the message at once to an actor that waits in `receive`. If I/O is due, the actor gets
   * it in a later turn.
   */
  #offer(message: unknown): void {
    const match = this.#condition?.match;
    const wanted = match === undefined || this.#matches(match, message);
    if (this.#state >= DEAD) return;
    if (wanted && !this.#queued && this.system.scheduler.spend()) return this.#hand(message);
    if (this.length >= this.watermark && !this.system.admit(this, message)) return;
    this.push(message);
    if (!wanted || this.#queued) return;
    this.#queued = true;
    this.system.scheduler.ready(this);
  }

  /**
   * Returns whether a message matches. If the predicate throws, the pending `receive` rejects with
   * that error, and the sender is not affected.
   */
  #matches(match: (message: never) => boolean, message: unknown): boolean {
    try {
      return match(message as never);
    } catch (error) {
      this.#fail(() => error);
      return false;
    }
  }

  #hand(message: unknown): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return this.push(message);
    if (!this.#isReceivable(message)) return;
    this.#endWait();
    this.#take(message);
    resolve(message);
  }

  /**
   * Returns whether `receive` can resolve with a message. Drops and reports the message if it has a
   * method `then`, or if its `then` cannot be read.
   */
  #isReceivable(message: unknown): boolean {
    try {
      if (!isThenable(message)) return true;
    } catch {
      // Ignores the error: a getter or a proxy of the program threw.
    }
    this.system.unreceivable(this, message);
    return false;
  }

  /** Counts a message that an async body takes from the mailbox, and reports it to the probe. */
  #take(message: unknown): void {
    this.#last = message;
    this.handled++;
    const { probe } = this.system.scheduler;
    if (probe !== undefined) probe.taken(this, message);
  }

  /** Rejects the pending `receive`, if there is one, with the error that `why` returns. */
  #fail(why: () => unknown): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#endWait();
    resolve(new Rejected(why));
  }

  #endWait(): void {
    this.#promise = undefined;
    this.#resolve = undefined;
    if (this.#condition === undefined) return;
    this.system.wheel.remove(this.#condition);
    this.#condition = undefined;
  }

  /** Runs one turn: starts the body, or handles messages. */
  run(): void {
    switch (this.#state) {
      case HANDLER:
        return this.#runHandler();
      case ASYNC:
      case HELD:
        return this.#runAsync();
      case STARTING:
        return this.#start();
    }
  }

  #start(): void {
    const { scheduler } = this.system;
    scheduler.credit--;
    const args = this.#what as unknown[];
    this.#what = undefined;
    let begun: unknown;
    try {
      begun = (this.body as (...all: unknown[]) => unknown)(this, ...args);
    } catch (error) {
      return this.#threw(error);
    }
    if (this.#state >= DEAD) {
      if (begun instanceof Promise) begun.catch(ignore);
      return;
    }
    if (typeof begun === "function") {
      this.#state = HANDLER;
      this.#what = begun;
      this.system.selfWaits.allow();
      if (this.length > 0) scheduler.ready(this);
      else this.#queued = false;
    } else if (begun instanceof Promise) {
      this.#state = ASYNC;
      this.#queued = false;
      this.system.selfWaits.fail(this);
      // The body may already wait in `receive` for a message that arrived before it ran.
      this.#wake();
      // Bound functions use half the memory of arrow functions, which matters for a million actors.
      begun.then(this.#returned.bind(this), this.#threw.bind(this));
    } else this.end("normal");
  }

  #runHandler(): void {
    const { turnTimer } = this.system.scheduler;
    if (turnTimer === undefined) return void this.#runMessages();
    const began = turnTimer.now();
    const { handled } = this;
    const last = this.#runMessages();
    turnTimer.turn(this, this.handled - handled, last, turnTimer.now() - began);
  }

  /** Handles the messages of a turn. Returns the last of them. */
  #runMessages(): unknown {
    const { scheduler } = this.system;
    const { probe } = scheduler;
    let handler = this.#what as MessageHandler<never>;
    if (probe !== undefined) handler = this.#observed(handler, probe);
    // A turn handles messages that arrived before it. What the actor sends to itself waits for its
    // next turn, so that other actors run in between.
    let rest = scheduler.turn(this.length);
    let most = Math.min(scheduler.credit, rest);
    let left = most;
    let message: unknown;
    while (left > 0) {
      left--;
      message = this.#last = this.shift();
      try {
        const result = handler(message as never);
        if (result instanceof Promise) {
          this.#count(most - left);
          this.system.selfWaits.fail(this);
          this.#hold(result);
          return message;
        }
      } catch (error) {
        this.#threw(error);
        return message;
      }
      // If the handler has ended the actor, the mailbox is now empty.
      if (this.length === 0) break;
      if (left > 0) continue;
      rest -= most;
      this.#count(most);
      most = left = rest > 0 && scheduler.spend(0) ? Math.min(scheduler.credit, rest) : 0;
    }
    this.#count(most - left);
    this.system.selfWaits.allow();
    this.#last = undefined;
    if (this.#state === SUSPENDED) return message;
    if (this.length > 0) scheduler.ready(this);
    else this.#queued = false;
    return message;
  }

  /** Counts the messages of a turn, and uses one credit for each. */
  #count(messages: number): void {
    this.system.scheduler.credit -= messages;
    this.handled += messages;
  }

  /** Wraps a handler so that the probe sees each message. */
  #observed(handler: MessageHandler<never>, probe: Probe): MessageHandler<never> {
    return (message) => probe.handle(this, handler, message);
  }

  /**
   * Delays the next message until the promise of a handler has settled, unless the handler calls
   * `receive`.
   */
  #hold(promise: Promise<unknown>): void {
    if (this.#state === SUSPENDED) this.suspendedAs = HELD;
    else if (this.#state < DEAD) {
      this.#state = HELD;
      this.#queued = false;
    }
    promise.then(() => this.#release(), (error) => this.#threw(error));
  }

  #release(): void {
    if (this.#state === SUSPENDED && this.suspendedAs === HELD) {
      this.#last = undefined;
      this.suspendedAs = HANDLER;
    }
    if (this.#state !== HELD) return;
    this.#state = HANDLER;
    this.#last = undefined;
    if (this.#queued || this.length === 0) return;
    this.#queued = true;
    this.system.scheduler.ready(this);
  }

  #runAsync(): void {
    this.system.scheduler.credit--;
    this.#queued = false;
    this.#wake();
  }

  /** Passes a queued message to the pending `receive`. */
  #wake(): void {
    // Tries further messages, because `#hand` drops one that `receive` cannot resolve with.
    while (this.#resolve !== undefined && this.length > 0 && this.#state !== SUSPENDED) {
      const match = this.#condition?.match;
      if (match === undefined) {
        this.#hand(this.shift());
        continue;
      }
      try {
        const taken = this.take(match);
        if (taken === undefined) return;
        this.#hand(taken.message);
      } catch (error) {
        this.#fail(() => error);
      }
    }
  }

  receive(options?: ReceiveOptions<never>): Promise<never> {
    if (this.#state >= DEAD) return never();
    if (this.#resolve !== undefined) throw new Error(`a receive of ${this.pid} is already pending`);
    const match = options?.match;
    const timeout = options?.timeout ?? Infinity;
    const ms = timeoutMs(timeout);
    this.#last = undefined;
    if (this.length === 0 || this.#queued) return this.#wait(match, ms);
    while (this.system.scheduler.spend(TAKEN_CREDIT)) {
      let message: unknown;
      if (match === undefined) message = this.shift();
      else {
        const taken = this.take(match);
        // The predicate may have ended the actor, for example by `self.exit`.
        if (!this.isAlive) return never();
        if (taken === undefined) return this.#wait(match, ms);
        message = taken.message;
      }
      if (this.#isReceivable(message)) {
        this.#take(message);
        return Promise.resolve(message as never);
      }
      if (this.length === 0) return this.#wait(match, ms);
    }
    // A message is queued, but there is no credit: the next turn delivers it.
    this.#queued = true;
    this.system.scheduler.ready(this);
    return this.#wait(match, ms);
  }

  #wait(match: ((message: never) => boolean) | undefined, ms: number): Promise<never> {
    const promise = new Promise<unknown>((resolve) => this.#resolve = resolve);
    this.#promise = promise;
    if (match !== undefined || ms !== Infinity) {
      this.#condition = new Condition(this, match);
      if (ms !== Infinity) this.system.setTimer(this.#condition, ms);
    }
    return promise as Promise<never>;
  }

  /**
   * Called when the timeout of a `receive` has passed. A message that arrived before the timeout is
   * still delivered.
   */
  receiveTimedOut(): void {
    this.#wake();
    if (this.#resolve !== undefined) this.#hand(undefined);
  }

  [Symbol.asyncIterator](): AsyncIterator<never> {
    return {
      next: () => this.receive().then((value) => ({ done: false, value })),
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
  }

  get signal(): AbortSignal {
    const abort = this.abort ??= new AbortController();
    if (this.#state >= DEAD) abort.abort(this.#what);
    return abort.signal;
  }

  get trapExit(): boolean {
    return this.trapping;
  }

  set trapExit(trap: boolean) {
    if (!this.#isOver()) this.trapping = trap;
  }

  send<M>(to: Pid<M> | ActorName | string, message: M): void {
    if (this.#isOver()) return;
    const { probe } = this.system.scheduler;
    if (probe !== undefined) probe.sending(this);
    this.system.sendTo(to, message);
  }

  link(pid: Pid<never>): void {
    if (!this.#isOver()) this.system.link(this, pid);
  }

  unlink(pid: Pid<never>): void {
    if (!this.#isOver()) this.system.unlink(this, pid);
  }

  monitor(to: Pid<never> | ActorName | string): Ref {
    if (this.#isOver()) return this.system.signals.ref(this);
    return this.system.monitor(this, to);
  }

  demonitor(ref: Ref, options: { flush?: boolean } = {}): boolean {
    return !this.#isOver() && this.system.demonitor(this, ref, options.flush ?? false);
  }

  exit(reason: ExitReason): never;
  exit(to: Pid<never>, reason: ExitReason): void;
  exit(...args: [ExitReason] | [Pid<never>, ExitReason]): void {
    if (args.length === 2) {
      if (!this.#isOver()) this.system.exit(args[0] as Pid, args[1], this.pid as Pid);
      return;
    }
    // `exit` must stop the code after the call, so it throws every time.
    if (this.#state >= DEAD) throw new ActorExitError(this.pid as Pid, this.#what as ExitReason);
    this.crash(args[0]);
    throw new ActorExitError(this.pid as Pid, this.#what as ExitReason);
  }

  call<Q, R>(
    to: Pid<Call<Q, R>> | ActorName | string,
    request: Q,
    options?: CallOptions,
  ): Promise<R> {
    if (this.#state >= DEAD) return never();
    return this.system.call(to, request, options, this);
  }

  register(name: string): void {
    if (!this.#isOver()) this.system.names.register(name, this.pid);
  }

  unregister(name: string): boolean {
    return !this.#isOver() && this.system.names.unregister(name);
  }

  whereis(name: string): Pid<never> | undefined {
    return this.#isOver() ? undefined : this.system.names.whereis(name);
  }

  sendAfter<M>(to: Pid<M>, message: M, ms: number): TimerRef {
    return this.#isOver() ? EXPIRED_TIMER : this.system.sendAfter(to, message, ms);
  }

  sendInterval<M>(to: Pid<M>, message: M, ms: number): TimerRef {
    return this.#isOver() ? EXPIRED_TIMER : this.system.sendInterval(to, message, ms);
  }

  cancelTimer(timer: TimerRef): number | false {
    return !this.#isOver() && this.system.cancelTimer(timer);
  }

  now(): number {
    return this.system.wall();
  }

  sleep(ms: number): Promise<void> {
    return this.#state >= DEAD ? never() : this.system.sleep(this, ms);
  }

  spawn<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  spawn<M, A extends unknown[] = unknown[]>(
    there: RemoteSpawn<M, A>,
    ...args: A
  ): Promise<Pid<M>>;
  spawn(what: unknown, ...args: unknown[]): unknown {
    const body = what as Spawned;
    if (typeof body === "function") {
      if (this.#isOver()) return this.system.deadPid();
      return this.system.spawn(this, undefined, body, args as never[]);
    }
    if (this.#state >= DEAD) return never();
    return this.system.spawnAt(this, body, false, undefined, args);
  }

  spawnLink<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  spawnLink<M, A extends unknown[] = unknown[]>(
    there: RemoteSpawn<M, A>,
    ...args: A
  ): Promise<Pid<M>>;
  spawnLink(what: unknown, ...args: unknown[]): unknown {
    const body = what as Spawned;
    if (typeof body === "function") {
      if (this.#isOver()) return this.system.deadPid();
      return this.system.spawn(this, LINKED, body, args as never[]);
    }
    if (this.#state >= DEAD) return never();
    return this.system.spawnAt(this, body, true, undefined, args);
  }

  spawnMonitor<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): [Pid<M>, Ref];
  spawnMonitor<M, A extends unknown[] = unknown[]>(
    there: RemoteSpawn<M, A>,
    ...args: A
  ): Promise<[Pid<M>, Ref]>;
  spawnMonitor(what: unknown, ...args: unknown[]): unknown {
    const body = what as Spawned;
    if (typeof body === "function") {
      if (this.#isOver()) return [this.system.deadPid(), this.system.signals.ref(this)];
      const pid = this.system.spawn(this, undefined, body, args as never[]);
      return [pid, this.system.monitor(this, pid)];
    }
    if (this.#state >= DEAD) return never();
    const ref = this.system.signals.ref(this);
    return this.system.spawnAt(this, body, false, ref, args).then((pid) => [pid, ref]);
  }

  monitorNode(node: string): void {
    if (!this.#isOver()) this.system.monitorNode(this, node);
  }

  demonitorNode(node: string): boolean {
    return !this.#isOver() && this.system.nodeWatchers.remove(node, this);
  }

  /** Whether the actor is alive. */
  get isAlive(): boolean {
    return this.#state < DEAD;
  }

  /**
   * Whether the promise that the body or the handler returned is still pending. The actor then
   * handles no message, unless it calls `receive`.
   */
  get isWaiting(): boolean {
    return this.#state === ASYNC || this.#state === HELD;
  }

  /** What the actor is doing. */
  get status(): ActorStatus {
    switch (this.#state) {
      case STARTING:
        return "starting";
      case HANDLER:
        return this.length > 0 ? "ready" : "waiting";
      case SUSPENDED:
        return "suspended";
      case ASYNC:
      case HELD:
        if (this.#resolve === undefined) return "awaiting";
        return this.#queued ? "ready" : "waiting";
    }
    return "dead";
  }

  /** The message that the actor is handling, if any. */
  get current(): unknown {
    return this.#last;
  }

  /**
   * Suspends the actor: messages stay in its mailbox until `resume` is called. Exit signals still
   * end it. Returns whether it is now suspended.
   */
  suspend(): boolean {
    if (this.#state === SUSPENDED) return true;
    if (this.#state !== HANDLER && this.#state !== ASYNC && this.#state !== HELD) return false;
    this.suspendedAs = this.#state;
    this.#state = SUSPENDED;
    // While `#queued` is true, new messages schedule no turn.
    this.#queued = true;
    return true;
  }

  /** Resumes a suspended actor. Returns whether it was suspended. */
  resume(): boolean {
    if (this.#state !== SUSPENDED) return false;
    this.#state = this.suspendedAs!;
    this.suspendedAs = undefined;
    // The next turn handles queued messages, or completes the pending `receive`.
    this.system.scheduler.ready(this);
    return true;
  }

  /** Whether the actor waits for a message: no turn is scheduled, and its handler has returned. */
  get isIdle(): boolean {
    if (this.#state === SUSPENDED) return true;
    if (this.#queued) return false;
    return this.#state === HANDLER ? this.length === 0 : this.#resolve !== undefined;
  }

  /** Handles the exit of a linked actor. */
  linkBroke(from: Pid, reason: ExitReason): void {
    if (this.#state >= DEAD) return;
    if (this.trapping) this.deliver(exitMessage(from, reason));
    else if (reason !== "normal" || from === this.pid) this.#end(reason, undefined);
  }

  /** Handles an exit signal from `exit(pid, reason)`. */
  exitSignal(from: Pid, reason: ExitReason): void {
    if (reason === "kill") this.#end("killed", undefined);
    else this.linkBroke(from, reason);
  }

  /** Handles the exit of a monitored actor. */
  down(ref: Ref, pid: Pid, reason: ExitReason): void {
    this.deliver(downMessage(ref, pid, reason));
  }

  /** Ends the actor because of a signal or a normal return. */
  end(reason: ExitReason): void {
    this.#end(reason, undefined);
  }

  /**
   * Ends the actor because its own code threw or called `exit`. Reports a crash if the reason is
   * abnormal.
   */
  crash(reason: ExitReason): void {
    this.#end(readableReason(reason), { message: this.#last });
  }

  /**
   * Ends the actor because an operation, such as a call, has failed and the actor never awaited its
   * promise.
   */
  forgot(reason: ExitReason): void {
    this.#end(reason, { message: this.#last, unhandled: true });
  }

  /** Performs the exit of an actor. All other methods that end it call this one. */
  #end(reason: ExitReason, crash: ActorCrash | undefined): void {
    if (this.#state >= DEAD) return;
    this.#state = DEAD;
    this.#what = reason;
    this.#last = undefined;
    this.clear();
    const promise = this.#promise;
    if (promise !== undefined) {
      this.#fail(() => new ActorExitError(this.pid as Pid, reason));
      // Marks the rejection as handled even if the body does not await it: an exit is not an
      // unhandled rejection.
      promise.catch(ignore);
    }
    this.system.ended(this, reason, crash);
    this.abort?.abort(reason);
  }

  /** Ends the actor after its async body has returned. */
  #returned(result: unknown): void {
    if (typeof result === "function") {
      return this.crash(
        new BadReturnError(
          "an async body returned a message handler, which would never be called: " +
            "make the body a plain function, or receive messages in it",
        ),
      );
    }
    this.#end("normal", undefined);
  }

  /** Handles an error that the body or a handler has thrown. */
  #threw(error: unknown): void {
    this.crash(thrownReason(error));
  }

  /**
   * Called by each use of `self` that does not wait. Returns false while the actor is alive. After
   * the actor has exited, throws for the first 100 uses, and then returns true: the caller must
   * then do nothing.
   */
  #isOver(): boolean {
    if (this.#state < DEAD) return false;
    if (this.#state === DEAD + DEAD_USES_MAX) return true;
    this.#state++;
    throw new ActorExitError(this.pid as Pid, this.#what as ExitReason);
  }
}

/**
 * A thenable that rejects. A promise that is resolved with it also rejects, so the promise's own
 * `reject` need not be stored. A rejected promise is not used for this, because a runtime keeps a
 * list of unhandled rejections, which is very slow for a million of them at once. The error is
 * created last, on a short stack: on a long stack it costs twice as much, which would slow down a
 * caller that ends many actors.
 */
class Rejected {
  readonly #why: () => unknown;

  constructor(why: () => unknown) {
    this.#why = why;
  }

  then(_resolve: unknown, reject: (error: unknown) => void): void {
    reject(this.#why());
  }
}

const LINKED: SpawnOptions = { link: true };

function ignore(): void {}

/**
 * Returns the actor that starts an operation, even if it has exited; undefined if a node starts the
 * operation.
 */
export function actorOf(from: object): Actor | undefined {
  return from instanceof Actor ? from : undefined;
}

/**
 * Returns a promise that never settles, for the waits of an exited actor. Each call creates a new
 * promise, because a shared promise would retain everything that waits for it.
 */
export function never(): Promise<never> {
  return new Promise(() => {});
}
