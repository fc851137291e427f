/**
 * A system: the actors of one node, and the state that they share.
 *
 * Longer than 400 lines: this is the one object that all parts of a node share; names, signals,
 * timers and turns are in separate files.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { Emitter } from "../base/emitter.ts";
import { type Random, uuid } from "../base/random.ts";
import type { Claims, RejectionClaim } from "../base/rejections.ts";
import { type Home, Pid, type Ref } from "../term/pid.ts";
import { Actor, type ActorCrash, type ActorHome } from "./actor.ts";
import { checkActorName, checkPid, checkRemoteSpawn } from "./arguments.ts";
import { Call, CALL_TIMEOUT_MS, type CallOptions, PendingCall, whichCall } from "./call.ts";
import { type ActorRef, actorRefOf, attach, type Chained, detach } from "./actor_ref.ts";
import {
  ActorExitError,
  ArgumentError,
  CallingSelfError,
  MailboxFullError,
  NoConnectionError,
  NodeStoppedError,
  NoProcError,
} from "./errors.ts";
import { describe } from "./describe.ts";
import { isSystemMessage, readableReason, thrownReason } from "./exit.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import { listOf, Names } from "./names.ts";
import { nodeChange } from "./node_change.ts";
import { ExternalCaller } from "./external_caller.ts";
import type { ActorName, RemoteSpawn } from "./remote.ts";
import { bodyName, type SystemEvents } from "./report.ts";
import { type Probe, Scheduler } from "./scheduler.ts";
import type { ActorFunction, SpawnOptions } from "./self.ts";
import { SelfWaits } from "./self_waits.ts";
import { PORTION, Signals } from "./signals.ts";
import { type SupervisedChild, type SupervisedChildren, Supervisors } from "./supervisors.ts";
import { Table } from "./table.ts";
import {
  Deadline,
  EXPIRED_TIMER,
  invalidTimeout,
  isTimeout,
  SentTimer,
  Sleep,
  TIMER_MS_MAX,
  type TimerHost,
  timerMs,
  type TimerRef,
} from "./timer.ts";
import {
  type Deferred,
  deferred,
  type Origin,
  track,
  TrackedPromise,
  type Tracker,
} from "./tracked_promise.ts";
import { UnhandledFailures } from "./unhandled_failures.ts";
import { Watchers } from "./watchers.ts";
import { Wheel, type WheelTimer } from "./wheel.ts";

/** Maximum number of ancestors in a crash report. */
const ANCESTORS_MAX = 8;

/**
 * Maximum number of calls per period for which the caller's stack is captured, which takes a few µs
 * each. The errors of further calls lack that stack. For every 16th of those calls, the clock is
 * read to check whether the next period has begun.
 */
const TRACES_MAX = 20;
const TRACES_MS = 100;

/**
 * Length of an unbounded mailbox that causes a warning. Each tenfold length causes another warning.
 */
export const MAILBOX_MARK = 10_000;

/** The functions of the host that a system uses. */
export interface SystemHost {
  readonly clock: Clock;
  readonly random: Random;
  /** Runs a task after pending I/O and timers have been handled. */
  yieldToIo(task: () => void): void;
}

/** Creates trace spans of spawns, and of other operations that are not messages to actors. */
export interface SystemTracer {
  /** Called when an actor is spawned. */
  spawned(actor: object, parent: object | undefined, name: string): void;
  /** Called when a spawn on another node begins. */
  spawning(name: string, from: object | undefined, spawned: Promise<unknown>): void;
  /**
   * Runs a function. If no trace is active, the function runs in a span that begins a new trace.
   */
  root<T>(name: string, body: () => T): T;
  /** Records an operation within the active trace. */
  mark(name: string): void;
}

/**
 * The system of one node: spawns actors, delivers their messages, and holds the state that they
 * share.
 */
export class System implements ActorHome, TimerHost, Tracker {
  readonly home: Home;
  /** The pid of the code outside of actors: `<0.0>`. */
  readonly pid: Pid;
  /** The code outside of actors, as an `ActorRef`. */
  readonly externalCaller: ExternalCaller;
  readonly scheduler: Scheduler;
  readonly wheel: Wheel;
  readonly names: Names;
  readonly events: Emitter<SystemEvents>;
  /** Whether other nodes may replace the states of services on this node. */
  permitsControl = false;
  /** The mailbox length from which `admit` is called for each new message. */
  mark: number = MAILBOX_MARK;
  /** The actors that monitor nodes, by the name of the monitored node. */
  readonly nodeWatchers: Watchers = new Watchers((steps) => this.signals.inPortions(steps));
  /** Whether the node is being stopped gracefully. Other nodes may then not spawn actors here. */
  isStopping = false;
  /** Creates trace spans. Undefined if tracing is off. */
  tracer: SystemTracer | undefined = undefined;
  /** Number of actors that have crashed. */
  crashes = 0;
  /**
   * Number of messages that were dropped because their receiver does not exist, or because they are
   * promises or other values with a method `then`.
   */
  deadLetters = 0;
  /** Called when the system is stopped. */
  onStop: () => void = () => {};
  /** Number of messages that were handled by actors that have already exited. */
  handledBefore = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Delivers links, monitors and exit signals between actors. */
  readonly signals: Signals = new Signals((task) => this.yieldToIo(task));
  /** The supervisors of this node and their children. */
  readonly supervisors: Supervisors = new Supervisors((pid) => this.actorOf(pid));
  readonly #actors = new Table<Actor>();
  #lastId = 0;
  /**
   * The home of the pids to which `send` delivers without further checks: this node's home, or
   * undefined while messages are observed.
   */
  #direct: Home | undefined;
  /** The only native timer. It fires when the next timer of the wheel is due. */
  #alarm: Timer | undefined;
  #alarmAt = Infinity;
  /** Whether due timers wait until pending I/O has been handled. */
  #isRinging = false;
  #stopped = false;
  readonly #yieldToIo: (task: () => void) => void;
  /**
   * The functions that settle the promise that was created last. They are stored here to avoid an
   * object per promise.
   */
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  readonly #settlers = (
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void => {
    this.#resolve = resolve;
    this.#reject = reject;
  };
  readonly #failures = new UnhandledFailures(this);
  /** Records the operations, such as calls, by which an actor waits for itself. */
  readonly selfWaits: SelfWaits<Actor> = new SelfWaits();
  /** Number of calls whose stacks may still be captured in the current period. */
  #traces = 0;
  #tracesUntil = 0;
  /** Number of calls whose stacks were not captured. The clock is read for every 16th of them. */
  #untraced = 0;

  constructor(home: Home, host: SystemHost, events: Emitter<SystemEvents> = new Emitter()) {
    this.events = events;
    this.#direct = this.home = { ...home, system: this };
    this.pid = new Pid(this.home, 0, undefined);
    this.externalCaller = new ExternalCaller(this.pid);
    this.names = new Names(this.home);
    this.#clock = host.clock;
    this.#random = host.random;
    this.#yieldToIo = (task) => host.yieldToIo(task);
    this.scheduler = new Scheduler(
      host.clock,
      this.#yieldToIo,
      (task) => this.selfWaits.outside(task),
    );
    this.wheel = new Wheel(host.clock.now());
    this.scheduler.drained = () => this.#beginTimers();
  }

  /** Whether the system has been stopped: an actor spawned afterwards exits at once. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Number of live actors. */
  get size(): number {
    return this.#actors.size;
  }

  /** Number of actors that were ever spawned. */
  get spawned(): number {
    return this.#lastId;
  }

  /**
   * Iterates over the actors, in the order of spawning. Actors may be spawned and exit during the
   * iteration.
   */
  actors(): Generator<Actor, void> {
    return this.#actors.each();
  }

  /** Returns all actors, in the order of spawning. */
  allActors(): Actor[] {
    return this.#actors.all();
  }

  /** Iterates over the actors in arrays of up to 64. Entries of exited actors are undefined. */
  actorPages(): Generator<readonly (Actor | undefined)[], void> {
    return this.#actors.pages();
  }

  /** Returns all pids, in the order of spawning. */
  pids(): Pid[] {
    return this.#actors.all().map((actor) => actor.pid as Pid);
  }

  /**
   * Resolves with the exit reason when an actor has exited. Resolves at once with "noproc" if the
   * actor does not exist. Rejects with `NoConnectionError` if the actor's node is unreachable or
   * its session is lost; the actor may then still be alive.
   */
  whenEnded(pid: Pid<never>): Promise<ExitReason> {
    pid = this.here(pid);
    const actorRef = actorRefOf(pid);
    if (actorRef instanceof Actor) {
      return new Promise((ended) => attach(new Waiting(ended), actorRef));
    }
    if (pid.home.local) return Promise.resolve("noproc");
    return new Promise((ended, lost) => {
      const { externalCaller } = this;
      const ref = this.signals.ref(externalCaller);
      externalCaller.expect(ref, (reason) => {
        if (reason === "noconnection" && !this.#isReachable(pid)) lost(new NoConnectionError(pid));
        else ended(reason);
      });
      this.signals.monitor(externalCaller, pid, ref);
    });
  }

  /**
   * Returns whether the state of a remote actor is certain: there is a session with its incarnation
   * of the node, or that node has been restarted since. Needed because an actor may itself exit
   * with the reason "noconnection".
   */
  #isReachable(pid: Pid<never>): boolean {
    const { remote } = this.signals;
    return remote !== undefined && remote.nodeLinkOf(pid.home) !== "noconnection";
  }

  /** Sends an exit signal and resolves when the actor has exited. Rejects as `whenEnded` does. */
  end(pid: Pid<never>, reason: ExitReason): Promise<void> {
    return this.endBy(pid, () => this.exit(pid, reason));
  }

  /**
   * Ends an actor by calling `order`, and resolves when the actor has exited. Rejects as
   * `whenEnded` does, and with `CallingSelfError` if the actor waits for its own end.
   */
  endBy(pid: Pid<never>, order: () => void): Promise<void> {
    checkPid(pid);
    const caller = this.running;
    const isSelf = caller?.pid.equals(this.here(pid)) === true;
    const callsSelf = (): Error =>
      new CallingSelfError(caller!.label, " (to stop itself; a handler can return stopService)");
    if (isSelf && caller.isWaiting) return this.rejected(callsSelf(), caller);
    return this.tracked(() => {
      const ended = this.whenEnded(pid).then(() => {});
      order();
      if (!isSelf) return ended;
      return new Promise((resolve, reject) => {
        ended.then(resolve, reject);
        this.selfWaits.add({ caller, callsSelf: () => reject(callsSelf()) });
      });
    });
  }

  /** Kills the actor `pid` when `owner` exits. The exit of `pid` does not affect `owner`. */
  ownedBy(owner: Pid<never>, pid: Pid<never>): void {
    const actorRef = actorRefOf(owner);
    if (!(actorRef instanceof Actor)) return this.exit(pid, "kill");
    const owned = new Waiting(() => this.exit(pid, "kill"));
    attach(owned, actorRef);
    this.whenEnded(pid).then(() => detach(owned, actorRef));
  }

  /**
   * Settles as `promise` does, or rejects with `late()` after `ms` milliseconds. Rejects with
   * `ArgumentError` if `ms` is invalid.
   */
  within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
    return new Promise((resolve, reject) => {
      const deadline = new Deadline(() => reject(late()));
      this.setTimer(deadline, timerMs(ms));
      promise.then(resolve, reject).finally(() => {
        this.wheel.remove(deadline);
        // Cancels the native timer of a stopped system, so that it does not keep the process alive.
        if (this.#stopped && this.wheel.size === 0) this.#disarm();
      });
    });
  }

  /** Records that an actor is a supervisor, for crash reports and inspection. */
  supervises(
    supervisor: Pid,
    running: SupervisedChildren,
    list: () => readonly SupervisedChild[] = () => [],
  ): void {
    this.supervisors.add(supervisor, running, list);
    this.whenEnded(supervisor).then(() => this.supervisors.ended(supervisor));
  }

  /**
   * Converts a pid to a pid of this system. A pid that another node in the same process created
   * refers to its actor directly, but that actor must be reached through the session. Such a pid
   * may also identify an actor of this node.
   */
  here<M>(pid: Pid<M>): Pid<M> {
    const { home } = pid;
    if (home.system === this) return pid;
    const { node, creation } = home;
    if (node === this.home.node && creation === this.home.creation) {
      return (this.find(pid.id)?.pid ?? new Pid(this.home, pid.id, undefined)) as Pid<M>;
    }
    return new Pid({ node, creation, local: false, system: this }, pid.id, undefined);
  }

  /**
   * Returns the actor of a pid, or the reason why it cannot be reached. Throws `ArgumentError` if
   * the argument is not a pid.
   */
  lookup(pid: Pid<never>): ActorRef | "noproc" | "noconnection" {
    return this.signals.lookup(checked(this, pid));
  }

  /** Returns whether a pid identifies a live actor of this node. */
  isAlive(pid: Pid<never>): boolean {
    pid = this.here(pid);
    return pid.home.local && pid.target !== undefined;
  }

  /** Returns a pid that identifies no actor. */
  deadPid(): Pid<never> {
    return new Pid(this.home, ++this.#lastId, undefined);
  }

  /** Returns the live actor of this node that a pid identifies. */
  actorOf(pid: Pid<never>): Actor | undefined {
    const actor = this.find(pid.id);
    return actor?.pid.equals(pid) ? actor : undefined;
  }

  /** Returns the actor with a local id. */
  find(id: number): Actor | undefined {
    return this.#actors.get(id);
  }

  /** Spawns an actor. The body runs for the first time after the current turn. */
  spawn<M, A extends unknown[]>(
    parent: Actor | undefined,
    options: SpawnOptions | undefined,
    body: ActorFunction<M, A>,
    args: A,
  ): Pid<M> {
    if (this.#stopped) return this.deadPid() as Pid<M>;
    const id = ++this.#lastId;
    const ancestors = parent === undefined ? NONE : parent.lineage ??= lineage(parent);
    const actor = new Actor(
      this,
      id,
      body as unknown as ActorFunction<never, never[]>,
      args,
      ancestors,
    );
    if (options !== undefined) this.#apply(actor, options);
    this.#actors.add(id, actor);
    if (options?.link && parent !== undefined) this.signals.link(parent, actor.pid as Pid);
    if (this.tracer !== undefined) this.tracer.spawned(actor, parent, bodyName(body));
    if (this.events.has("spawn")) this.events.emit("spawn", { pid: actor.pid as Pid });
    this.scheduler.ready(actor);
    return actor.pid as Pid<M>;
  }

  /** Spawns a function that a node exposes. */
  spawnAt<M>(
    from: ActorRef,
    target: RemoteSpawn,
    link: boolean,
    ref: Ref | undefined,
    args: readonly unknown[],
  ): Promise<Pid<M>> {
    checkRemoteSpawn(target);
    const caller = from === this.externalCaller ? this.running : from;
    if (this.#stopped) {
      return this.rejected(new NodeStoppedError(this.home.node, "cannot spawn"), caller);
    }
    const { remote } = this.signals;
    if (remote === undefined) return this.rejected(new NoConnectionError(target.node), caller);
    const spawned = remote.spawn(from, target, link, ref, args) as Promise<Pid<M>>;
    if (this.tracer !== undefined) this.tracer.spawning(target.fn, caller, spawned);
    return track(spawned, this, caller);
  }

  /** Sends a message, or drops it if the actor does not exist. Never blocks or throws. */
  send<M>(to: Pid<M>, message: M): void {
    if (to.home !== this.#direct) to = this.#indirect(to, message);
    const actor = actorRefOf(to);
    if (actor !== undefined) actor.deliver(message);
    else this.#elsewhere(to, message);
  }

  /** Reports the message to the probe, if one is set. Returns the pid converted by `here`. */
  #indirect<M>(to: Pid<M>, message: M): Pid<M> {
    if (this.scheduler.probe !== undefined) this.scheduler.probe.sent(message);
    return to.home === this.home ? to : this.here(to);
  }

  /** Passes all messages to `probe`; undefined ends the observation. */
  observe(probe: Probe | undefined): void {
    this.scheduler.probe = probe;
    this.#direct = probe === undefined ? this.home : undefined;
  }

  /** Sends a message to a pid, or to the actor registered under a name, on this node or another. */
  sendTo<M>(to: Pid<M> | ActorName | string, message: M): void {
    if (to instanceof Pid) return this.send(to, message);
    if (typeof to !== "string") checkActorName(to);
    if (typeof to !== "string" && to.node !== this.home.node) {
      if (this.scheduler.probe !== undefined) this.scheduler.probe.sent(message);
      const line = this.signals.remote?.nodeLink(to.node);
      return line === undefined ? this.#dead(to, message) : line.sendNamed(to.name, message);
    }
    const pid = this.names.whereis(typeof to === "string" ? to : to.name) as Pid<M> | undefined;
    if (pid === undefined) this.#dead(to, message);
    else this.send(pid, message);
  }

  /** Sends a request and resolves with the reply. */
  call<Q, R>(
    to: Pid<Call<Q, R>> | ActorName | string,
    request: Q,
    options?: CallOptions,
    caller?: ActorRef,
  ): Promise<R> {
    const { timeout = CALL_TIMEOUT_MS, signal } = options ?? NO_OPTIONS;
    caller ??= this.running;
    let actor: ActorRef | "noproc" | "noconnection";
    if (to instanceof Pid) {
      if (to.home !== this.home) to = this.here(to);
      actor = actorRefOf(to) ?? this.signals.lookup(to);
    } else actor = this.#named(to);
    if (typeof actor === "string") return this.#noCall(to, request, actor, caller);
    const callsSelf = actor === caller;
    const broken = callsSelf && (actor as Actor).isWaiting
      ? new CallingSelfError(actor.label, whichCall(request, caller))
      : signal?.aborted
      ? signal.reason
      : isTimeout(timeout)
      ? undefined
      : invalidTimeout(timeout);
    if (broken !== undefined) {
      actor.released();
      return this.rejected(broken, caller);
    }
    const ms = Math.max(0, timeout);
    // If the host reports unhandled rejections, a plain promise is sufficient and faster.
    const tracked = this.#failures.isSole ? undefined : new TrackedPromise<unknown>(this.#settlers);
    const promise = tracked ?? new Promise<unknown>(this.#settlers);
    const call = new PendingCall(
      request,
      actor,
      this,
      caller,
      ms,
      promise,
      this.#resolve,
      this.#reject,
    );
    if (tracked !== undefined) tracked.origin = call;
    if (callsSelf) this.selfWaits.add(call);
    if (ms !== Infinity) {
      // The timeout begins at the end of this turn. A call that is answered within the turn
      // therefore reads no clock.
      this.wheel.addWaiting(call, ms);
      this.scheduler.arm();
      if (this.#mayTrace()) this.#trace(call);
    }
    if (signal !== undefined) {
      const abort = (): void => call.refuse(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      call.whenOver(() => signal.removeEventListener("abort", abort));
    }
    if (this.scheduler.probe !== undefined) this.scheduler.probe.sent(call);
    actor.deliver(call);
    return promise as Promise<R>;
  }

  /** Returns the actor whose code is running, if it can be determined: see `self_waits.ts`. */
  get running(): Actor | undefined {
    const { running } = this.scheduler;
    return running instanceof Actor ? running : this.selfWaits.actor;
  }

  /**
   * Runs `work` and tracks its promise. If the promise rejects and is not awaited, `caller` exits;
   * without a caller, the failure is reported. If I/O is due, the promise settles only after
   * pending I/O, so that a loop of retries cannot starve I/O. If `work` throws, rejects with its
   * error.
   */
  tracked<T>(work: () => Promise<T>, caller: ActorRef | undefined = this.running): Promise<T> {
    try {
      return track(work(), this, caller);
    } catch (error) {
      return this.rejected(error, caller);
    }
  }

  /** Returns a tracked promise and the functions that settle it later. */
  deferred<T>(): Deferred<T> {
    return deferred(this, this.running, this.#failures.isSole);
  }

  /** Returns a rejected promise for an operation that `caller` requested. */
  rejected(error: unknown, caller: ActorRef | undefined): Promise<never> {
    return track(Promise.reject(error), this, caller);
  }

  /**
   * Runs `task` now, or after pending I/O if I/O is due. This keeps a loop that retries an
   * operation which fails at once from starving I/O.
   */
  soon(task: () => void): void {
    if (this.scheduler.spend()) task();
    else this.scheduler.ready({ run: task });
  }

  noted(failure: unknown, caller: ActorRef | undefined): void {
    this.#failures.noted(failure, caller);
  }

  /**
   * Makes the host report unhandled rejections to this system, if the host can, until the system is
   * stopped.
   */
  claimRejections(host: { claimRejections?(claims: Claims): RejectionClaim }): void {
    this.#failures.claimRejections(host);
  }

  /** Whether {@linkcode claimRejections} is in effect. */
  get claimsRejections(): boolean {
    return this.#failures.claimsRejections;
  }

  /** Records a failure whose promise has not been awaited so far. */
  forgotten(origin: Origin, error: unknown): void {
    this.#failures.forgotten(origin, error);
  }

  /**
   * Ends the caller because it did not await a promise that was rejected. Without a caller, only
   * reports the failure.
   */
  unhandled(error: unknown, caller: ActorRef | undefined): void {
    const reason = thrownReason(error);
    if (caller instanceof Actor) return caller.forgot(reason);
    if (!this.events.has("crash")) return;
    this.events.emit("crash", {
      pid: this.pid,
      names: [],
      body: "outside of actors",
      reason,
      message: undefined,
      ancestors: NONE,
      supervisor: undefined,
      supervisorName: undefined,
      child: undefined,
      unhandled: true,
    });
  }

  /** Returns whether the stack of one more call may be captured in the current period. */
  #mayTrace(): boolean {
    if (this.#traces > 0) return true;
    if ((this.#untraced++ & 15) !== 0) return false;
    const now = this.#clock.now();
    if (now < this.#tracesUntil) return false;
    this.#traces = TRACES_MAX;
    this.#tracesUntil = now + TRACES_MS;
    this.#untraced = 0;
    return true;
  }

  /** Captures the stack of the caller, for the errors of a call. */
  #trace(call: { trace: { readonly stack?: string } | undefined }): void {
    this.#traces--;
    const trace = {};
    Error.captureStackTrace(trace, this.call);
    call.trace = trace;
  }

  /** Rejects a call whose callee does not exist or cannot be reached. */
  #noCall(
    to: Pid<never> | ActorName | string,
    request: unknown,
    why: "noproc" | "noconnection",
    caller: ActorRef | undefined,
  ): Promise<never> {
    const callee = to instanceof Pid || typeof to === "string"
      ? `${to}`
      : `${to.name} on ${to.node}`;
    const which = whichCall(request, caller);
    if (this.#stopped) {
      return this.rejected(
        new NodeStoppedError(this.home.node, `cannot call ${callee}${which}`),
        caller,
      );
    }
    const Reason = why === "noproc" ? NoProcError : NoConnectionError;
    return this.rejected(new Reason(callee, which), caller);
  }

  /** Sends an exit signal from the actor `from`. Default: the code outside of actors. */
  exit(to: Pid<never>, reason: ExitReason, from: Pid = this.pid): void {
    const actor = this.lookup(to);
    if (typeof actor === "string") return;
    actor.exitSignal(from, readableReason(reason));
    actor.released();
  }

  link(actor: ActorRef, pid: Pid<never>): void {
    this.signals.link(actor, checked(this, pid));
  }

  unlink(actor: ActorRef, pid: Pid<never>): void {
    this.signals.unlink(actor, checked(this, pid));
  }

  monitor(actor: ActorRef, to: Pid<never> | ActorName | string): Ref {
    const ref = this.signals.ref(actor);
    if (to instanceof Pid) this.signals.monitor(actor, this.here(to), ref);
    else {
      const actorRef = this.#named(to);
      if (typeof actorRef === "string") actor.down(ref, this.#pidOfMissing(to), actorRef);
      else this.signals.monitorCell(actor, actorRef, ref);
    }
    return ref;
  }

  /**
   * Notifies an actor when a session with a node is established and when it ends. If there is no
   * session now, sends "nodedown" at once.
   */
  monitorNode(actor: ActorRef, node: string): void {
    this.nodeWatchers.add(node, actor);
    if (node === this.home.node || this.signals.remote?.nodeLink(node) !== undefined) return;
    actor.deliver(nodeChange("nodedown", node, "noconnection"));
  }

  /** Notifies the actors that monitor a node. */
  nodeChanged(type: "nodeup" | "nodedown", node: string, reason?: string): void {
    if (this.nodeWatchers.has(node)) this.nodeWatchers.notify(node, nodeChange(type, node, reason));
  }

  demonitor(actor: ActorRef, ref: Ref, flush: boolean): boolean {
    return this.signals.demonitor(actor, ref, flush);
  }

  /** Sends a message after `ms` milliseconds. It is dropped if the actor does not exist. */
  sendAfter<M>(to: Pid<M>, message: M, ms: number): TimerRef {
    return this.#sendLater(to, message, ms, undefined);
  }

  /** Sends a message every `ms` milliseconds. */
  sendInterval<M>(to: Pid<M>, message: M, ms: number): TimerRef {
    return this.#sendLater(to, message, ms, Math.max(1, Math.ceil(ms)));
  }

  /** Cancels a timer. Returns the milliseconds left, or false if it had fired or been cancelled. */
  cancelTimer(timer: TimerRef): number | false {
    if (timer instanceof SentTimer) return timer.cancel();
    if (timer === EXPIRED_TIMER) return false;
    throw new ArgumentError(
      `${describe(timer)} is not a timer: pass the result of sendAfter or sendInterval`,
    );
  }

  now(): number {
    return this.#clock.now();
  }

  /** Returns the time of day, in milliseconds since 1970. */
  wall(): number {
    return this.#clock.wall();
  }

  /** Resolves after `ms` milliseconds. Rejects if the actor exits earlier. */
  sleep(actor: Actor, ms: number): Promise<void> {
    const wait = timerMs(ms);
    const slept = new Promise<void>((wake, reject) => {
      const ended = (reason: ExitReason): void =>
        reject(new ActorExitError(actor.pid as Pid, reason));
      this.setTimer(new Sleep(this.wheel, actor, wake, ended), wait);
    });
    // Marks the rejection as handled, because an exit is not an unhandled rejection.
    slept.catch(() => {});
    return slept;
  }

  /** Returns a random UUID (version 4). */
  uuid(): string {
    return uuid(this.#random);
  }

  /** Returns a random number in [0, 1). */
  chance(): number {
    return this.#random.next();
  }

  /**
   * Runs a task after pending I/O and timers have been handled. Used between the portions of long
   * work.
   */
  yieldToIo(task: () => void): void {
    this.#yieldToIo(task);
  }

  /** Adds a timer to the wheel that fires after `ms` milliseconds. */
  setTimer(timer: WheelTimer, ms: number): void {
    const now = this.#clock.now();
    this.wheel.catchUp(now);
    this.wheel.add(timer, now + ms);
    if (timer.due < this.#alarmAt) this.#arm(timer.due);
  }

  #beginTimers(): void {
    if (!this.wheel.hasWaiting) return;
    const due = this.wheel.begin(this.#clock.now());
    if (due < this.#alarmAt) this.#arm(due);
  }

  /** Removes an actor that has exited. Called by the actor, once. */
  ended(actor: Actor, reason: ExitReason, crash: ActorCrash | undefined): void {
    const pid = actor.pid as Pid;
    const { names } = actor;
    this.handledBefore += actor.handled;
    pid.target = undefined;
    this.#actors.delete(pid.id);
    const freeing = names === undefined ? undefined : this.names.ended(actor);
    if (crash !== undefined && !isNormal(reason)) {
      this.crashes++;
      if (this.events.has("crash")) this.#report(actor, listOf(names), reason, crash);
    }
    // Emits the event before linked actors exit, so that listeners first receive the cause.
    if (this.events.has("exit")) this.events.emit("exit", { pid, reason });
    this.signals.ended(actor, reason);
    if (freeing !== undefined) this.signals.inPortions(freeing);
  }

  /** Returns whether a message may enter a mailbox that has reached its watermark. */
  admit(actor: Actor, message: unknown): boolean {
    const { length, bound } = actor;
    const pid = actor.pid as Pid;
    const full = bound !== undefined && length >= bound.max && !isSystemMessage(message);
    // An unbounded mailbox emits the event at the warning length, and again each time it is ten
    // times as long. A bounded mailbox emits the event for each message that it drops.
    if (bound === undefined) actor.watermark = length * 10;
    if ((full || bound === undefined) && this.events.has("mailbox")) {
      this.events.emit("mailbox", { pid, length, dropped: full });
    }
    // A listener may have ended the actor.
    if (!actor.isAlive) return false;
    if (!full) return true;
    switch (bound.policy) {
      case "dropNewest":
        dropped(message, pid);
        return false;
      case "dropOldest":
        dropped(actor.take((old: unknown) => !isSystemMessage(old))?.message, pid);
        return true;
      case "exit":
        actor.crash({ mailbox: "full" });
        return false;
    }
  }

  /**
   * Drops a message from another node, because the mailbox has reached its limit for remote
   * messages.
   */
  overfull(actor: ActorRef, message: unknown): void {
    const pid = actor.pid as Pid;
    if (this.events.has("mailbox")) {
      this.events.emit("mailbox", { pid, length: actor.length, dropped: true });
    }
    dropped(message, pid);
  }

  /** Ends all actors and the wheel's timer. Actors spawned afterwards exit at once. */
  stop(): void {
    this.isStopping = true;
    // `release` takes effect after pending I/O, so rejections that the stop causes are handled.
    if (!this.#stopped) this.#failures.release();
    this.#stopped = true;
    for (const actor of this.#actors.all()) actor.end("shutdown");
    this.signals.flush();
    this.#disarm();
    this.onStop();
  }

  /** Applies spawn options. Throws if they are invalid; the caller must then discard the actor. */
  #apply(actor: Actor, { name, mailbox }: SpawnOptions): void {
    if (mailbox !== undefined) {
      if (!(mailbox.max >= 1)) {
        throw new ArgumentError(`a mailbox of at most ${mailbox.max} messages: use 1 or more`);
      }
      actor.bound = mailbox;
      actor.watermark = mailbox.max;
    }
    if (name !== undefined) this.names.register(name, actor.pid);
  }

  #sendLater<M>(to: Pid<M>, message: M, ms: number, everyMs: number | undefined): TimerRef {
    const wait = timerMs(ms);
    const actor = this.lookup(to);
    if (typeof actor === "string") return EXPIRED_TIMER;
    const timer = new SentTimer(this, actor, message, everyMs);
    this.setTimer(timer, wait);
    return timer;
  }

  #elsewhere(to: Pid<never>, message: unknown): void {
    const { remote } = this.signals;
    if (to.home.local || remote === undefined) return this.#dead(to, message);
    const line = remote.nodeLinkOf(to.home);
    if (typeof line === "string") this.#dead(to, message);
    else line.send(to.id, message);
  }

  unreceivable({ pid }: Actor, message: unknown): void {
    const words =
      "a promise cannot be received: await it before it is sent, or send it in an object";
    this.deadLetters++;
    if (!this.events.has("deadletter")) return;
    this.events.emit("deadletter", { to: pid, message, error: new ArgumentError(words) });
  }

  #dead(to: Pid<never> | ActorName | string, message: unknown): void {
    this.deadLetters++;
    if (this.events.has("deadletter")) this.events.emit("deadletter", { to, message });
  }

  /** Returns the actor registered under a name, or the reason why it cannot be reached. */
  #named(to: ActorName | string): ActorRef | "noproc" | "noconnection" {
    if (typeof to !== "string") checkActorName(to);
    const name = typeof to === "string" ? to : to.name;
    if (typeof to === "string" || to.node === this.home.node) {
      const pid = this.names.whereis(name);
      return (pid && actorRefOf(pid)) ?? "noproc";
    }
    return this.signals.remote?.nodeLink(to.node)?.named(name) ?? "noconnection";
  }

  /** Returns the pid that a `Down` contains if a monitor by name found no actor. */
  #pidOfMissing(to: ActorName | string): Pid {
    if (typeof to === "string" || to.node === this.home.node) return this.pid;
    return new Pid({ node: to.node, creation: 0, local: false, system: this }, 0, undefined);
  }

  #disarm(): void {
    this.#alarm?.cancel();
    this.#alarmAt = Infinity;
  }

  #arm(due: number): void {
    this.#alarm?.cancel();
    this.#alarmAt = due;
    // If the delay exceeds the maximum of the host's timers, the timer fires early and is set
    // again.
    const ms = Math.min(Math.max(0, due - this.#clock.now()), TIMER_MS_MAX);
    this.#alarm = this.#clock.after(ms, this.#ring);
  }

  readonly #ring = (): void => {
    this.#alarmAt = Infinity;
    if (!this.#isRinging) this.#fire();
  };

  /** Fires the timers that are due, in portions. */
  readonly #fire = (): void => {
    this.#isRinging = this.wheel.advance(this.#clock.now(), PORTION);
    if (this.#isRinging) return this.#yieldToIo(this.#fire);
    const due = this.wheel.nextDue();
    if (due < this.#alarmAt) this.#arm(due);
  };

  #report(
    actor: Actor,
    names: readonly string[],
    reason: ExitReason,
    { message, unhandled }: ActorCrash,
  ): void {
    const { pid, body, ancestors } = actor;
    const { supervisor, child } = this.supervisors.of(actor) ?? {};
    this.events.emit("crash", {
      pid: pid as Pid,
      names,
      body: this.signals.remote?.exposedName(body) ?? bodyName(body),
      reason,
      message,
      ancestors,
      supervisor,
      supervisorName: supervisor && this.supervisors.nameOf(supervisor),
      child,
      ...unhandled ? { unhandled } : {},
    });
  }
}

/** Waits for an actor's exit, for code outside of actors. */
class Waiting implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #ended: (reason: ExitReason) => void;

  constructor(ended: (reason: ExitReason) => void) {
    this.#ended = ended;
  }

  drop(reason: ExitReason): void {
    this.#ended(reason);
  }
}

/** Converts a pid with `here`. Returns other values unchanged: a later check rejects them. */
function checked(system: System, pid: Pid<never>): Pid {
  return pid instanceof Pid ? system.here(pid) as Pid : pid;
}

/** Returns the system that holds a pid. Throws `ArgumentError` if the argument is not a pid. */
export function systemOf(pid: Pid<never>): System {
  const system = (pid as Partial<Pid> | undefined)?.home?.system;
  if (system === undefined) checkPid(pid);
  assert(system instanceof System, "a pid without a system");
  return system;
}

/**
 * Handles a message that a full mailbox dropped. If it is a call, rejects the call, so that the
 * caller need not wait for the timeout.
 */
function dropped(message: unknown, pid: Pid): void {
  if (message instanceof PendingCall) message.full();
  else if (message instanceof Call) message.refuse(new MailboxFullError(pid));
}

const NONE: readonly Pid[] = [];
const NO_OPTIONS: CallOptions = {};

function lineage(parent: Actor): readonly Pid[] {
  return [parent.pid as Pid, ...parent.ancestors].slice(0, ANCESTORS_MAX);
}
