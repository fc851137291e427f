/**
 * A service at work: the actor behind `service`.
 *
 *     start ─▶ init ─▶ (continue) ─▶ ┌─ call: [reply, state] ─┐
 *                                    ├─ cast: state           ├─▶ … ─▶ terminate ─▶ end
 *                                    └─ info: state           ┘
 *
 * One message at a time, in order; a handler that gives a promise holds the next one back. A handler
 * that throws ends the service with what it threw.
 *
 * @module
 */
import { Call, PendingCall } from "../actor/call.ts";
import { actorRefOf } from "../actor/actor_ref.ts";
import { ActorExitError, CallExitError } from "../actor/errors.ts";
import { Exit } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { TimerRef } from "../actor/timer.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import { refuse } from "./remote_errors.ts";
import {
  type Args,
  type Effects,
  type Later,
  Outcome,
  type ServiceContext,
  type ServiceDefinition,
} from "./service_definition.ts";
import { endSelf, type Starting } from "./start.ts";
import { UnknownCallError } from "./unknown_call.ts";

/** What is sent to a service. Plain, so that it travels to other nodes. */
export type ServiceRequest =
  | { readonly $call: string; readonly args: Args }
  | { readonly $cast: string; readonly args: Args }
  | { readonly $state: "get" }
  | { readonly $state: "pid" }
  | { readonly $state: "set"; readonly change: (state: never) => unknown };

/**
 * A request to stop, and its reason. Anybody can send one, of this node or another: it ends the service,
 * as an exit signal "kill" of the same sender would, and does nothing else.
 */
function stopRequest(message: unknown): { readonly reason: ExitReason } | undefined {
  const { $stop } = (message ?? {}) as { $stop?: unknown };
  if (typeof $stop !== "object" || $stop === null || !Object.hasOwn($stop, "reason")) {
    return undefined;
  }
  return $stop as { reason: ExitReason };
}

/** Sent to itself when nothing has come for a while. */
class Idle {
  timer: TimerRef | undefined = undefined;
}

/** The state, and what is done with messages. */
export class ServiceActor<State> implements ServiceContext {
  readonly self: Self;
  call: Call | undefined = undefined;
  // deno-lint-ignore no-explicit-any -- the definition's own types were checked where it was made
  readonly #definition: ServiceDefinition<State, any, any, any>;
  readonly #system: System;
  readonly #starting: Starting;
  #state: State | undefined;
  /** There is no state yet. */
  #begins = true;
  /** Until `init` and `continue` are done, if they give promises. */
  #started: Promise<void> | undefined;
  /** What is on its way if no message comes. */
  #idle: Idle | undefined;

  constructor(
    // deno-lint-ignore no-explicit-any -- as above
    definition: ServiceDefinition<State, any, any, any>,
    self: Self,
    starting: Starting,
  ) {
    this.#definition = definition;
    this.self = self;
    this.#system = systemOf(self.pid);
    this.#starting = starting;
  }

  /** Runs `init`, and gives the handler of messages. */
  begin(name: string | undefined, args: Args): (message: unknown) => unknown {
    const { terminate, trapExit } = this.#definition;
    // Only a service that wants to know of its end has to be asked to end.
    if (terminate !== undefined || trapExit) this.self.trapExit = true;
    try {
      if (name !== undefined) this.self.register(name);
      const first = this.#definition.init.apply(this, args);
      const going = first instanceof Promise
        ? first.then((state) => this.#begun(state), (error) => this.#starting.failed(error))
        : this.#begun(first);
      if (going instanceof Promise) {
        this.#system.failSelfCalls(actorRefOf(this.self.pid)!);
        this.#started = going.then(() => {
          this.#started = undefined;
        });
        // Whoever throws there ends the actor; a message that waits must not be told of it too.
        this.#started.catch((error) => this.#fail(error));
      }
    } catch (error) {
      // What `continue` throws is a crash: the service had started.
      if (this.#begins) this.#starting.failed(error);
      else throw error;
    }
    return (message) =>
      this.#started === undefined
        ? this.#message(message)
        : this.#started.then(() => this.#message(message));
  }

  #begun(first: State | Outcome<State>): void | Promise<void> {
    if (this.#isDead) return;
    const { stop, continueWith } = first instanceof Outcome ? first.besides : {} as Effects;
    if (stop !== undefined) {
      const { reason } = stop;
      const error = reason instanceof Error
        ? reason
        : new ActorExitError(this.self.pid as Pid, reason);
      return this.#starting.failed(error);
    }
    this.#state = first instanceof Outcome ? first.state : first;
    this.#begins = false;
    this.#starting.done();
    const onwards = this.#definition.continue;
    if (continueWith === undefined || onwards === undefined) return this.#watch();
    return this.#guard(() => this.#settle(onwards.call(this, this.#state!, continueWith.value)));
  }

  /** One message; what it gives is waited for. */
  #message(message: unknown): void | Promise<void> {
    return this.#guard(() => this.#handle(message));
  }

  /** What throws in a handler ends the service. */
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
      // A message was handled since, or is longer in the mailbox.
      if (message !== this.#idle || idle === undefined) return;
      return this.#settle(idle.call(this, this.#state!));
    }
    const { $cast, args } = (message ?? {}) as { $cast?: unknown; args?: unknown };
    const casts = this.#definition.cast;
    if (typeof $cast === "string" && Array.isArray(args) && casts && Object.hasOwn(casts, $cast)) {
      return this.#settle(casts[$cast].call(this, this.#state, ...args));
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
    return this.#settle(info.call(this, this.#state!, message));
  }

  #called(call: Call<ServiceRequest, unknown>): void | Promise<void> {
    const request = call.request as Partial<
      Record<"$call" | "$state" | "args" | "change", unknown>
    >;
    const { $call: name, args } = request ?? {};
    const calls = this.#definition.call;
    if (typeof name === "string" && Array.isArray(args) && calls && Object.hasOwn(calls, name)) {
      this.call = call as Call;
      const answer = calls[name].call(this, this.#state, ...args);
      if (answer instanceof Promise) {
        return answer.then((settled) => this.#answer(call as Call, settled));
      }
      return this.#answer(call as Call, answer);
    }
    if (request?.$state === undefined) {
      return refuse(call as Call, new UnknownCallError(`no such call: ${String(name)}`));
    }
    // Operators look at a service without being taken for its users: no handler, no idle timer.
    try {
      if (request.$state === "set") {
        this.#state = (request.change as (state: State) => State)(this.#state!);
      }
      call.reply(request.$state === "pid" ? this.self.pid : this.#state);
    } catch (error) {
      call.refuse(error);
    }
  }

  #answer(call: Call, answer: [unknown, State] | Outcome<State>): void | Promise<void> {
    this.call = undefined;
    if (!(answer instanceof Outcome)) {
      this.#state = answer[1];
      call.reply(answer[0]);
      return this.#watch();
    }
    const { reply } = answer.besides;
    if (reply !== undefined) call.reply(reply.value);
    return this.#settle(answer);
  }

  /** Takes a new state, or what else a handler gave. */
  #settle(next: Later<State | Outcome<State>>): void | Promise<void> {
    if (next instanceof Promise) return next.then((settled) => this.#settle(settled));
    if (!(next instanceof Outcome)) this.#state = next;
    else {
      this.#state = next.state;
      const { stop } = next.besides;
      if (stop !== undefined) {
        return this.#terminate(stop.reason, () => endSelf(this.self, stop.reason));
      }
    }
    this.#watch();
  }

  /**
   * Whom a service is linked with ends it, as it would if it did not trap exits for the sake of
   * `terminate`; the end of its parent always does. A service that traps them for itself is told.
   */
  #exited(exit: Exit): void | Promise<void> {
    const { from, reason } = exit;
    const { trapExit, terminate } = this.#definition;
    const order = from === this.#starting.parent || from.id === this.#system.pid.id;
    if (!order && (trapExit || terminate === undefined)) return this.#info(exit);
    if (!order && reason === "normal") return;
    // It is taken along by another: its own end is no crash.
    return this.#terminate(reason, () => actorRefOf(this.self.pid)?.end(reason));
  }

  /** A handler threw: who asked is told at once, and the actor ends with what was thrown. */
  #crashed(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error : { thrown: error };
    if (this.call instanceof PendingCall) this.call.ended(reason);
    else this.call?.refuse(new CallExitError(this.self.pid as Pid, reason));
    const ending = this.#terminate(reason, () => {
      throw error;
    });
    return ending as Promise<void>;
  }

  /** Calls `terminate`, and then ends; not if it has ended, by a kill or by `self.exit`. */
  #terminate(reason: ExitReason, end: () => void): void | Promise<void> {
    const { terminate } = this.#definition;
    if (terminate === undefined || this.#isDead) return end();
    try {
      const done = terminate.call(this, this.#state!, reason);
      if (done instanceof Promise) return done.then(end, end);
    } catch {
      // The reason that it ends for matters more than what cleaning up threw.
    }
    end();
  }

  /** `continue` threw. */
  #fail(error: unknown): void {
    endSelf(this.self, error instanceof Error ? error : { thrown: error });
  }

  get #isDead(): boolean {
    return !this.#system.isAlive(this.self.pid);
  }

  /** Winds the idle timer up again. */
  #watch(): void {
    const { idleMs } = this.#definition;
    if (idleMs === undefined || this.#isDead) return;
    if (this.#idle?.timer !== undefined) this.#system.cancelTimer(this.#idle.timer);
    const idle = this.#idle = new Idle();
    idle.timer = this.#system.sendAfter(this.self.pid, idle, idleMs);
  }
}
