/**
 * The actor behind `service`.
 *
 *     start ─▶ init ─▶ ┌─ call: [reply, state] ─┐
 *                      ├─ cast: state           ├─▶ (continue) ─▶ … ─▶ terminate ─▶ end
 *                      └─ info: state           ┘
 *
 * It handles one message at a time, in order; a handler's promise delays the next message. A
 * handler that throws, or returns an invalid value, ends the service with an error that names the
 * handler.
 *
 * Longer than 400 lines: it is one state machine.
 *
 * @module
 */
import { Call, PendingCall } from "../actor/call.ts";
import { actorRefOf } from "../actor/actor_ref.ts";
import { describe } from "../actor/describe.ts";
import { ActorExitError, ArgumentError, BadReturnError, CallExitError } from "../actor/errors.ts";
import { Exit, isReadable, thrownReason } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import type { Runnable, Scheduler } from "../actor/scheduler.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { TimerRef } from "../actor/timer.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import { Persistence, type StartTerms } from "./persistence.ts";
import { refuse } from "./remote_errors.ts";
import {
  type Effects,
  type Later,
  Outcome,
  type ServiceHandlers,
  type ServiceProtocol,
} from "./service_definition.ts";
import { endSelf, isOrder, type Starting } from "./start.ts";
import { type PersistOptions, StaleStateError } from "./store.ts";
import { UnknownCallError } from "./unknown_call.ts";

/** The requests to a service: plain objects, so that they can be sent to other nodes. */
export type ServiceRequest =
  | { readonly $call: string; readonly args: readonly unknown[] }
  | { readonly $cast: string; readonly args: readonly unknown[] }
  | { readonly $state: "get" }
  | { readonly $state: "pid" }
  | { readonly $state: "handover" }
  | { readonly $state: "set"; readonly change: (state: never) => unknown }
  /** Requests the state. The reply is a {@linkcode MarkedState}. */
  | { readonly $state: "read" }
  /**
   * Replaces the state, unless a message was handled since `mark`. The reply is true if the state
   * was replaced.
   */
  | { readonly $state: "swap"; readonly mark: number; readonly next: unknown };

const REQUEST_PROPERTIES = ["$call", "$state", "args", "change", "mark", "next"] as const;

/** A state, and the number of messages that the service has handled. */
export interface MarkedState {
  readonly mark: number;
  readonly state: unknown;
}

/** Describes the valid results of a call handler, for error messages. */
const ANSWERS =
  "return [reply, state], or noReply(state), stopService(reason, state), continueWith(state, value)";

/** Describes the valid results of all handlers except call handlers, for error messages. */
const STATES =
  "return the state, or stopService(reason, state), continueWith(state, value); only a service whose " +
  "state is undefined from the start may return undefined";

type Handler = (this: ServiceActor, state: unknown, ...args: unknown[]) => unknown;

/** Throws if a service cannot start with this state. */
export type StateCheck = (state: unknown) => void;

/** The definition of a service with any protocol. */
export type AnyDefinition =
  & Pick<ServiceHandlers<ServiceProtocol>, "name" | "idleMs" | "trapExit">
  & {
    readonly persist?: PersistOptions & { readonly key: string | ((...args: unknown[]) => string) };
  }
  & { readonly init: (this: ServiceActor, ...args: unknown[]) => unknown }
  /** Called with the initial state. If it throws, the start rejects with the error. */
  & { readonly restored?: StateCheck }
  & { readonly [K in "call" | "cast"]?: Readonly<Record<string, Handler>> }
  & { readonly [K in "info" | "continue" | "idle" | "terminate"]?: Handler };

/**
 * Returns the reason if the message is a request to stop the service. Any actor on any node can
 * send such a request. Unlike with the exit signal "kill", the service then runs `terminate`.
 */
function stopRequest(message: unknown): { readonly reason: ExitReason } | undefined {
  const { $stop } = (message ?? {}) as { $stop?: unknown };
  if (typeof $stop !== "object" || $stop === null || !Object.hasOwn($stop, "reason")) {
    return undefined;
  }
  return $stop as { reason: ExitReason };
}

/** The message that a timer sends to the service when the service has been idle for `idleMs`. */
class Idle {
  timer: TimerRef | undefined = undefined;
}

/** The message that a timer sends to the service when a changed state must be stored. */
class Flush {}

/** Runs a function in a separate turn, so that other actors run in between. */
class Turn implements Runnable {
  readonly #scheduler: Scheduler;
  readonly #then: () => void;

  constructor(scheduler: Scheduler, then: () => void) {
    this.#scheduler = scheduler;
    this.#then = then;
  }

  run(): void {
    this.#scheduler.credit--;
    this.#then();
  }
}

/**
 * The state and the handlers of one service. Handlers receive this object as `this`: see
 * `ServiceContext`.
 */
export class ServiceActor {
  readonly self: Self;
  call: Call | undefined = undefined;
  readonly #definition: AnyDefinition;
  readonly #system: System;
  readonly #starting: Starting;
  readonly #terms: StartTerms;
  #state: unknown;
  #persistence: Persistence | undefined;
  /** Whether the state has changed since it was last stored. */
  #isDirty = false;
  /** Whether `init` is still running. */
  #begins = true;
  /** Pending until `init` and its `continue` have ended. Undefined if they are synchronous. */
  #started: Promise<void> | undefined;
  /** The scheduled idle message. Undefined if no message is scheduled. */
  #idle: Idle | undefined;

  constructor(
    definition: AnyDefinition,
    self: Self,
    starting: Starting,
    terms: StartTerms = NO_TERMS,
  ) {
    this.#terms = terms;
    this.#definition = definition;
    this.self = self;
    this.#system = systemOf(self.pid);
    this.#starting = starting;
  }

  /** Runs `init`, and returns the handler of messages. */
  begin(name: string | undefined, args: unknown[]): (message: unknown) => unknown {
    const { terminate, trapExit } = this.#definition;
    this.#persistence = this.#persists(args);
    // Traps exits in these three cases. Otherwise, an exit signal ends the actor at once.
    if (terminate !== undefined || trapExit || this.#savesLate) this.self.trapExit = true;
    try {
      if (name !== undefined) this.self.register(name);
      const first = this.#definition.init.apply(this, args);
      const going = first instanceof Promise
        ? first.then((state) => this.#begun(state), (error) => this.#starting.failed(error))
        : this.#begun(first);
      if (going instanceof Promise) {
        this.#system.selfWaits.fail(actorRefOf(this.self.pid)!);
        this.#started = going.then(() => {
          this.#started = undefined;
        });
        // Ends the actor with the error once. Otherwise each message that waits for the start would
        // reject with the error.
        this.#started.catch((error) => this.#fail(error));
      }
    } catch (error) {
      // If the service has not started yet, its start fails. A later error in `continue` is a
      // crash.
      if (this.#begins) this.#starting.failed(error);
      else throw error;
    }
    return (message) =>
      this.#started === undefined
        ? this.#message(message)
        : this.#started.then(() => this.#message(message));
  }

  #begun(first: unknown): void | Promise<void> {
    if (this.#isDead) return;
    const { stop, continueWith } = first instanceof Outcome ? first.effects : {} as Effects;
    if (stop !== undefined) {
      const { reason } = stop;
      const error = reason instanceof Error
        ? reason
        : new ActorExitError(this.self.pid as Pid, reason);
      return this.#starting.failed(error);
    }
    if (continueWith !== undefined) this.#checkContinue("init");
    const state = first instanceof Outcome ? first.state : first;
    const restored = this.#terms.state ?? this.#persistence?.restore(state) ?? state;
    if (!(restored instanceof Promise)) return this.#ready(restored, continueWith);
    return restored.then(
      (stored) => this.#ready(stored, continueWith),
      (error) => this.#starting.failed(error),
    );
  }

  #ready(state: unknown, continueWith: Effects["continueWith"]): void | Promise<void> {
    if (this.#isDead) return;
    try {
      this.#definition.restored?.(state);
    } catch (error) {
      return this.#starting.failed(error);
    }
    this.#state = state;
    this.#begins = false;
    this.#starting.done();
    if (continueWith === undefined) return this.#watch();
    return this.#guard(() => this.#continue(continueWith.value));
  }

  #persists(args: unknown[]): Persistence | undefined {
    const { persist } = this.#definition;
    const options = this.#terms.persist ?? persist;
    if (options === undefined) return undefined;
    const key = this.#terms.key ??
      (typeof persist!.key === "string" ? persist!.key : persist!.key(...args));
    return new Persistence(options, key, () => this.#system.chance());
  }

  /** Whether a changed state is stored after a delay instead of at once. */
  get #savesLate(): boolean {
    return this.#persistence !== undefined && this.#persistence.withinMs > 0;
  }

  /**
   * Calls `then` after the state was stored. If storing is delayed, schedules it and calls `then`
   * at once.
   */
  #stored(then: () => void | Promise<void>): void | Promise<void> {
    const persistence = this.#persistence!;
    if (persistence.withinMs > 0) {
      if (!this.#isDirty) {
        this.#isDirty = true;
        this.#system.sendAfter(this.self.pid, new Flush(), persistence.withinMs);
      }
      return then();
    }
    const saved = persistence.save(this.#state);
    return saved instanceof Promise ? saved.then(then) : then();
  }

  #flush(): void | Promise<void> {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    return this.#persistence!.save(this.#state);
  }

  /** Handles one message. */
  #message(message: unknown): void | Promise<void> {
    try {
      const done = this.#handle(message);
      return done instanceof Promise ? done.catch((error) => this.#crashed(error)) : done;
    } catch (error) {
      // Drops a message that cannot be read. Its sender caused the error, which must not end the
      // service.
      if (!isReadable(message, "$cast", "args", "$stop")) return;
      if (!(message instanceof Call) || isReadable(message.request, ...REQUEST_PROPERTIES)) {
        return this.#crashed(error);
      }
      return refuse(message, new ArgumentError("the request cannot be read"));
    }
  }

  /** Runs a handler. If the handler throws, the service ends with the error. */
  #guard(handle: () => void | Promise<void>): void | Promise<void> {
    try {
      const done = handle();
      return done instanceof Promise ? done.catch((error) => this.#crashed(error)) : done;
    } catch (error) {
      return this.#crashed(error);
    }
  }

  #handle(message: unknown): void | Promise<void> {
    if (message instanceof Call) return this.#called(message as Call<ServiceRequest, unknown>);
    if (message instanceof Exit) return this.#exited(message);
    if (message instanceof Idle) {
      const { idle } = this.#definition;
      // The idle message is outdated if another message was handled after it was scheduled,
      // including messages that preceded it in the mailbox.
      if (message !== this.#idle || idle === undefined) return;
      return this.#settle("idle", idle.call(this, this.#state));
    }
    if (message instanceof Flush) return this.#flush();
    const { $cast, args } = (message ?? {}) as { $cast?: unknown; args?: unknown };
    const casts = this.#definition.cast;
    if (typeof $cast === "string" && Array.isArray(args) && casts && Object.hasOwn(casts, $cast)) {
      return this.#settle($cast, casts[$cast]!.call(this, this.#state, ...args));
    }
    const stop = stopRequest(message);
    if (stop !== undefined) {
      return this.#terminate(stop.reason, () => endSelf(this.self, stop.reason));
    }
    return this.#info(message);
  }

  #info(message: unknown): void | Promise<void> {
    const { info } = this.#definition;
    if (info === undefined) return this.#watch();
    return this.#settle("info", info.call(this, this.#state, message));
  }

  #called(call: Call<ServiceRequest, unknown>): void | Promise<void> {
    const request = call.request as Partial<
      Record<"$call" | "$state" | "args" | "change" | "mark" | "next", unknown>
    >;
    const { $call: name, args } = request ?? {};
    const calls = this.#definition.call;
    if (typeof name === "string" && Array.isArray(args) && calls && Object.hasOwn(calls, name)) {
      this.call = call as Call;
      const answer = calls[name]!.call(this, this.#state, ...args);
      if (answer instanceof Promise) {
        return answer.then((settled) => this.#answer(name, call as Call, settled));
      }
      return this.#answer(name, call as Call, answer);
    }
    if (request?.$state === undefined) {
      return refuse(call as Call, new UnknownCallError(`no such call: ${String(name)}`));
    }
    if (request.$state === "handover") return this.#handOver(call as Call);
    if (request.$state === "read" || request.$state === "swap") {
      return this.#replace(call as Call, request);
    }
    // Requests of operators call no handler and do not reset the idle timer.
    try {
      if (request.$state === "set") {
        this.#state = (request.change as (state: unknown) => unknown)(this.#state);
        if (this.#persistence !== undefined) return this.#stored(() => call.reply(this.#state));
      }
      call.reply(request.$state === "pid" ? this.self.pid : this.#state);
    } catch (error) {
      call.refuse(error);
    }
  }

  /**
   * Handles the two requests with which another node replaces the state: reading and swapping it.
   */
  #replace(
    call: Call,
    { $state, mark, next }: { readonly $state?: unknown; mark?: unknown; next?: unknown },
  ): void | Promise<void> {
    const system = systemOf(this.self.pid);
    if (!(call instanceof PendingCall) && !system.permitsControl) {
      const words = `${this.self.pid.node} does not permit replacing states: its option observe ` +
        'must be "control"';
      return refuse(call, new UnknownCallError(words));
    }
    const handled = system.actorOf(this.self.pid)?.handled ?? 0;
    if ($state === "read") return call.reply({ mark: handled, state: this.#state });
    if (mark !== handled - 1) return call.reply(false);
    this.#state = next;
    if (this.#persistence !== undefined) return this.#stored(() => call.reply(true));
    call.reply(true);
  }

  /** Handles the result of a call handler. */
  #answer(name: string, call: Call, answer: unknown): void | Promise<void> {
    if (answer instanceof Outcome) {
      this.call = undefined;
      return this.#settle(name, answer);
    }
    if (!Array.isArray(answer) || answer.length !== 2) {
      throw this.#badReturn(`call handler ${name}`, answer, ANSWERS);
    }
    const next = answer[1];
    if (next instanceof Outcome || next === undefined || next instanceof Promise) {
      // The state is checked first: no reply is sent if it is invalid.
      this.#check(`call handler ${name}`, next);
      if (this.#persistence !== undefined) {
        this.#state = next instanceof Outcome ? next.state : next;
        return this.#stored(() => this.#reply(call, answer[0], () => this.#settle(name, next)));
      }
      this.call = undefined;
      call.reply(answer[0]);
      return this.#settle(name, next);
    }
    this.#state = next;
    if (this.#persistence !== undefined) {
      return this.#stored(() => this.#reply(call, answer[0], () => this.#watch()));
    }
    this.call = undefined;
    call.reply(answer[0]);
    return this.#watch();
  }

  #reply(call: Call, reply: unknown, then: () => void | Promise<void>): void | Promise<void> {
    this.call = undefined;
    call.reply(reply);
    return then();
  }

  /**
   * Replies with the state for the actor that replaces this one, and ends the service. The reply
   * contains no state if the state is persisted.
   */
  #handOver(call: Call): void | Promise<void> {
    const state = this.#persistence === undefined ? this.#state : undefined;
    return this.#terminate("shutdown", () => {
      call.reply(state);
      endSelf(this.self, "shutdown");
    });
  }

  /**
   * Sets the new state that a handler returned, or applies its outcome. `name` is the name of the
   * handler.
   */
  #settle(name: string, next: Later<unknown>): void | Promise<void> {
    if (next instanceof Promise) return next.then((settled) => this.#settle(name, settled));
    if (!(next instanceof Outcome)) {
      if (next === undefined) this.#check(`handler ${name}`, next);
      this.#state = next;
      return this.#persistence === undefined ? this.#watch() : this.#stored(() => this.#watch());
    }
    this.#check(`handler ${name}`, next);
    this.#state = next.state;
    if (this.#persistence !== undefined) return this.#stored(() => this.#act(next.effects));
    return this.#act(next.effects);
  }

  #act({ stop, continueWith }: Effects): void | Promise<void> {
    if (stop !== undefined) {
      return this.#terminate(stop.reason, () => endSelf(this.self, stop.reason));
    }
    return continueWith === undefined ? this.#watch() : this.#continue(continueWith.value);
  }

  /** Runs `continue` in a separate turn. Messages wait until it has ended. */
  #continue(value: unknown): Promise<void> {
    const { scheduler } = this.#system;
    const turn = new Promise<void>((begin) => scheduler.ready(new Turn(scheduler, begin)));
    return turn.then(() => {
      if (this.#isDead) return;
      return this.#settle("continue", this.#definition.continue!.call(this, this.#state, value));
    });
  }

  /**
   * Throws unless the definition has a `continue` handler. `what` names the caller in the error
   * message.
   */
  #checkContinue(what: string): void {
    if (this.#definition.continue !== undefined) return;
    throw new BadReturnError(
      `${what} of ${this.#name} returned continueWith(…), but there is no continue handler`,
    );
  }

  /**
   * Throws if a handler returned no state or an unresolved promise, or returned `continueWith`
   * although there is no `continue` handler.
   */
  #check(what: string, next: unknown): void {
    const state = next instanceof Outcome ? next.state : next;
    if (next instanceof Outcome && next.effects.continueWith !== undefined) {
      this.#checkContinue(what);
    }
    if (state instanceof Promise) {
      throw this.#badReturn(what, next, "the state must not be a promise: await it");
    }
    if (state !== undefined || this.#state === undefined) return;
    throw this.#badReturn(what, next, STATES);
  }

  #badReturn(what: string, returned: unknown, help: string): BadReturnError {
    const shown = typeof returned === "string" ? JSON.stringify(returned) : describe(returned);
    return new BadReturnError(`${what} of ${this.#name} returned ${shown}: ${help}`);
  }

  get #name(): string {
    const { name } = this.#definition;
    return name === undefined ? "the service" : `service ${JSON.stringify(name)}`;
  }

  /**
   * Handles an exit signal. If a linked actor exits for a reason other than "normal", the service
   * ends, even if it traps exits only for `terminate`. With `trapExit`, only exit signals of the
   * parent and of the node end the service, and others are passed to `info`.
   */
  #exited(exit: Exit): void | Promise<void> {
    const { reason } = exit;
    const { trapExit, terminate } = this.#definition;
    const order = isOrder(this.#system, this.#starting.parent, exit);
    const isInfo = trapExit || (terminate === undefined && !this.#savesLate);
    if (!order && isInfo) return this.#info(exit);
    if (!order && reason === "normal") return;
    // Calls `end` rather than reporting a crash, because the reason is the exit of another actor.
    return this.#terminate(reason, () => actorRefOf(this.self.pid)?.end(reason));
  }

  /**
   * Called when a handler has thrown: rejects the caller's promise at once, and ends the actor with
   * the error.
   */
  #crashed(error: unknown): Promise<void> {
    const reason = thrownReason(error);
    if (this.call instanceof PendingCall) this.call.ended(reason);
    else this.call?.refuse(new CallExitError(this.self.pid as Pid, reason));
    const ending = this.#terminate(reason, () => {
      throw error;
    });
    return ending as Promise<void>;
  }

  /**
   * Stores a changed state, runs `terminate`, and then `end`. If the actor was killed, or exited
   * with `self.exit`, only runs `end`.
   */
  #terminate(reason: ExitReason, end: () => void): void | Promise<void> {
    const { terminate } = this.#definition;
    if (this.#isDirty && !this.#isDead && !(reason instanceof StaleStateError)) {
      const again = (): void | Promise<void> => this.#terminate(reason, end);
      try {
        const flushed = this.#flush();
        if (flushed instanceof Promise) return flushed.then(again, again);
      } catch {
        // An error of `terminate` does not change the exit reason.
      }
    }
    if (terminate === undefined || this.#isDead) return end();
    try {
      const done = terminate.call(this, this.#state, reason);
      if (done instanceof Promise) return done.then(end, end);
    } catch {
      // An error of `terminate` does not change the exit reason.
    }
    end();
  }

  /** Ends the actor, because the `continue` handler after `init` has thrown. */
  #fail(error: unknown): void {
    endSelf(this.self, thrownReason(error));
  }

  /**
   * Runs an async handler. Attributes the handler's operations to this actor, even after its first
   * `await`.
   */
  within<T>(handler: () => Promise<T>): Promise<T> {
    const actor = this.#system.actorOf(this.self.pid);
    return actor === undefined ? handler() : this.#system.selfWaits.within(actor, handler);
  }

  get #isDead(): boolean {
    return !this.#system.isAlive(this.self.pid);
  }

  /** Schedules a new idle message, which invalidates the previous one. */
  #watch(): void {
    const { idleMs } = this.#definition;
    if (idleMs === undefined || this.#isDead) return;
    if (this.#idle?.timer !== undefined) this.#system.cancelTimer(this.#idle.timer);
    const idle = this.#idle = new Idle();
    idle.timer = this.#system.sendAfter(this.self.pid, idle, idleMs);
  }
}

const NO_TERMS: StartTerms = {};
