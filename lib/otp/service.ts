/**
 * Services: actors with a state, that answer calls and take casts. OTP's gen_server, with types.
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
import { Call, type CallOptions } from "../actor/call.ts";
import { Exit } from "../actor/exit.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Self } from "../actor/self.ts";
import type { TimerRef } from "../actor/timer.ts";
import { systemOf } from "../actor/system.ts";
import type { Pid } from "../term/pid.ts";
import { startAndWait, type Starter, type Starting } from "./start.ts";

/** What a handler may give in place of a new state: see {@linkcode noReply}, {@linkcode stop}. */
export class Outcome<State> {
  /** For `noReply`, `stop` and `goOn`. */
  constructor(
    state: State,
    rest: { reply?: unknown; stop?: ExitReason; goOn?: unknown; replies: boolean },
  ) {
    this.state = state;
    this.rest = rest;
  }
  /** The new state. */
  readonly state: State;
  /** What else is to happen. */
  readonly rest: { reply?: unknown; stop?: ExitReason; goOn?: unknown; replies: boolean };
}

/** From a call handler: it will answer later, through the `this.call` that it kept. */
export function noReply<State>(state: State): Outcome<State> {
  return new Outcome(state, { replies: false });
}

/** From any handler: the service ends after this, for this reason. A call may still be answered. */
export function stop<State>(reason: ExitReason, state: State, reply?: unknown): Outcome<State> {
  return new Outcome(state, { stop: reason, reply, replies: reply !== undefined });
}

/** From `init`: `continue` is called with `value` before any message is looked at. */
export function goOn<State>(state: State, value: unknown): Outcome<State> {
  return new Outcome(state, { goOn: value, replies: false });
}

/** What a handler finds in `this`. */
export interface ServiceContext {
  /** The service as an actor. */
  readonly self: Self;
  /** In a call handler: the call, to answer later. */
  readonly call: Call | undefined;
}

/** Arguments, of whatever types the definition gives them. */
// deno-lint-ignore no-explicit-any -- that is what they are
export type Args = any[];
/** A value, or a promise of it. */
export type Later<T> = T | Promise<T>;
/** Answers a call: gives the reply and the new state. */
// deno-lint-ignore no-explicit-any -- the state is the definition's
export type CallHandler<State = any> = (
  this: ServiceContext,
  state: State,
  ...args: Args
) => Later<[unknown, State] | Outcome<State>>;
/** Takes a cast: gives the new state. */
// deno-lint-ignore no-explicit-any -- as above
export type CastHandler<State = any> = (
  this: ServiceContext,
  state: State,
  ...args: Args
) => Later<State | Outcome<State>>;

/** A service, as the user describes it. */
export interface ServiceDefinition<
  State,
  Init extends Args,
  Calls extends Record<string, CallHandler>,
  Casts extends Record<string, CastHandler>,
> {
  /** The first state, from the arguments of `start`. */
  init(...args: Init): Later<State | Outcome<State>>;
  /** What can be asked: each gives `[reply, state]`. */
  readonly call?: Calls | undefined;
  /** What can be told: each gives the new state. */
  readonly cast?: Casts | undefined;
  /** Any other message. Default: it is ignored. */
  info?(this: ServiceContext, state: State, message: unknown): Later<State | Outcome<State>>;
  /** After an `init` that went on with {@linkcode goOn}. */
  continue?(this: ServiceContext, state: State, value: unknown): Later<State | Outcome<State>>;
  /** Nothing came for `idleMs`. */
  idle?(this: ServiceContext, state: State): Later<State | Outcome<State>>;
  /** How long nothing must come until `idle` is called. Milliseconds. */
  readonly idleMs?: number | undefined;
  /**
   * It is about to end: by `stop`, by the end of its parent or of a linked actor, or because a handler
   * threw. Not when it is killed.
   */
  terminate?(this: ServiceContext, state: State, reason: ExitReason): Later<void>;
}

/** The arguments of a handler behind the state. */
export type Rest<F> = F extends (state: never, ...args: infer A) => unknown ? A : never;
/** What a call handler replies. */
export type Reply<F> = F extends (...args: never) => infer R
  ? Extract<Awaited<R>, readonly unknown[]> extends readonly [infer T, unknown] ? T : unknown
  : never;

/** Functions that ask, with the arguments and answers of the definition. */
export type Asks<Calls> = string extends keyof Calls ? Record<never, never>
  : { [K in keyof Calls]: (...args: Rest<Calls[K]>) => Promise<Reply<Calls[K]>> };
/** Functions that tell, with the arguments of the definition. */
export type Tells<Casts> = string extends keyof Casts ? Record<never, never>
  : { [K in keyof Casts]: (...args: Rest<Casts[K]>) => void };

/** What is sent to a service. */
type Request =
  | { readonly $call: string; readonly args: Args }
  | { readonly $cast: string; readonly args: Args }
  | { readonly $state: "get" }
  | { readonly $state: "set"; readonly change: (state: never) => unknown };

/** The pid of a service: what its functions take. */
export type ServicePid = Pid<unknown>;

/** A kind of service: starts some, and speaks with them. */
export interface Service<State, Init extends Args, Calls, Casts> {
  /** Starts one, linked if an actor starts it; rejects with the reason if `init` fails. */
  start(from: Starter, ...args: Init): Promise<ServicePid>;
  /** Functions that ask a service. */
  call(pid: ServicePid, options?: CallOptions): Asks<Calls>;
  /** Functions that tell a service; nobody answers. */
  cast(pid: ServicePid): Tells<Casts>;
  /** Ends it in order; resolves when it has ended. */
  stop(pid: ServicePid, reason?: ExitReason): Promise<void>;
  /** Its state, for tests and operators. */
  state(pid: ServicePid, options?: CallOptions): Promise<State>;
  /** Replaces its state, for tests and operators. */
  replace(pid: ServicePid, change: (state: State) => State): Promise<State>;
}

/**
 * Describes a kind of service.
 *
 * @example
 * ```ts
 * import { Node, service } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const counter = service({
 *   init: (first: number) => first,
 *   call: {
 *     add: (sum: number, by: number) => [sum + by, sum + by],
 *   },
 *   cast: {
 *     reset: () => 0,
 *   },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = await counter.start(node, 40);
 * assertEquals(await counter.call(pid).add(2), 42);
 * counter.cast(pid).reset();
 * assertEquals(await counter.state(pid), 0);
 * ```
 */
export function service<
  State,
  Init extends Args,
  Calls extends Record<string, CallHandler>,
  Casts extends Record<string, CastHandler>,
>(definition: ServiceDefinition<State, Init, Calls, Casts>): Service<State, Init, Calls, Casts> {
  const ask = (pid: ServicePid, request: unknown, options?: CallOptions): Promise<never> =>
    systemOf(pid).call(pid as Pid<Call<unknown, never>>, request, options);
  return {
    start: (from, ...args) =>
      startAndWait<unknown>(
        from,
        (self, starting) => new Running(definition, self, starting).begin(args),
      ),
    call: (pid, options) =>
      functions(definition.call, (name, args) => ask(pid, { $call: name, args }, options)),
    cast: (pid) =>
      functions(
        definition.cast,
        (name, args) => systemOf(pid).send(pid, { $cast: name, args }),
      ),
    async stop(pid, reason = "normal") {
      const system = systemOf(pid);
      const ended = system.whenEnded(pid);
      system.send(pid, new StopRequest(reason));
      await ended;
    },
    state: (pid, options) => ask(pid, { $state: "get" }, options),
    replace: (pid, change) => ask(pid, { $state: "set", change }),
  };
}

/** One function for each handler. */
function functions<T>(
  handlers: Record<string, unknown> | undefined,
  make: (name: string, args: Args) => unknown,
): T {
  const made: Record<string, unknown> = {};
  for (const name of Object.keys(handlers ?? {})) {
    made[name] = (...args: Args) => make(name, args);
  }
  return made as T;
}

class StopRequest {
  readonly reason: ExitReason;

  constructor(reason: ExitReason) {
    this.reason = reason;
  }
}

/** Sent to itself when nothing has come for a while. */
const IDLE = { idle: true };

/** A call that no handler is there for. */
export class UnknownCallError extends Error {
  /** Tells the class of the error. */
  override readonly name = "UnknownCallError";
  /** Stable code: `"undef"`. */
  readonly code = "undef";
}

/** A service that runs: the state and what is done with messages. */
class Running<State> implements ServiceContext {
  readonly self: Self;
  call: Call | undefined = undefined;
  // deno-lint-ignore no-explicit-any -- the definition's own types were checked where it was made
  readonly #definition: ServiceDefinition<State, any, any, any>;
  readonly #starting: Starting;
  #state: State | undefined;
  #started: Promise<void> | undefined;
  #idleTimer: TimerRef | undefined;

  constructor(
    // deno-lint-ignore no-explicit-any -- as above
    definition: ServiceDefinition<State, any, any, any>,
    self: Self,
    starting: Starting,
  ) {
    this.#definition = definition;
    this.self = self;
    this.#starting = starting;
  }

  /** Runs `init`, and gives the handler of messages. */
  begin(args: Args): (message: unknown) => unknown {
    // Only a service that wants to know of its end has to be asked to end.
    if (this.#definition.terminate !== undefined) this.self.trapExit = true;
    const first = this.#definition.init(...args);
    if (first instanceof Promise) {
      this.#started = first.then((state) => this.#begun(state)).then(() => {
        this.#started = undefined;
      });
      this.#started.catch((error) => this.#fail(error));
    } else {
      const going = this.#begun(first);
      if (going instanceof Promise) {
        this.#started = going.then(() => {
          this.#started = undefined;
        });
        this.#started.catch((error) => this.#fail(error));
      }
    }
    return (message) =>
      this.#started === undefined
        ? this.#message(message)
        : this.#started.then(() => this.#message(message));
  }

  #begun(first: State | Outcome<State>): void | Promise<void> {
    if (!(first instanceof Outcome)) {
      this.#state = first;
      this.#starting.done();
      this.#watch();
      return;
    }
    this.#state = first.state;
    if (first.rest.stop !== undefined) return this.self.exit(first.rest.stop);
    this.#starting.done();
    if (first.rest.goOn !== undefined) {
      return this.#settle(
        this.#definition.continue?.call(this, this.#state, first.rest.goOn) ?? this.#state,
      );
    }
  }

  /** One message; what it gives is waited for. */
  #message(message: unknown): void | Promise<void> {
    try {
      const done = this.#handle(message);
      return done instanceof Promise ? done.catch((error) => this.#crashed(error)) : done;
    } catch (error) {
      return this.#crashed(error);
    }
  }

  #handle(message: unknown): void | Promise<void> {
    if (message instanceof Call) return this.#called(message as Call<Request, unknown>);
    if (message instanceof StopRequest) return this.#terminate(message.reason);
    if (message instanceof Exit) return this.#exited(message);
    if (message === IDLE) {
      return this.#settle(this.#definition.idle?.call(this, this.#state!) ?? this.#state!);
    }
    const { $cast, args } = (message ?? {}) as { $cast?: unknown; args?: unknown };
    const casts = this.#definition.cast;
    if (typeof $cast === "string" && Array.isArray(args) && casts && Object.hasOwn(casts, $cast)) {
      return this.#settle(casts[$cast].call(this, this.#state, ...args));
    }
    return this.#settle(this.#definition.info?.call(this, this.#state!, message) ?? this.#state!);
  }

  #called(call: Call<Request, unknown>): void | Promise<void> {
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
    if (request?.$state === "set") {
      this.#state = (request.change as (s: State) => State)(this.#state!);
    }
    if (request?.$state !== undefined) return call.reply(this.#state);
    call.refuse(new UnknownCallError(`no such call: ${String(name)}`));
  }

  #answer(call: Call, answer: [unknown, State] | Outcome<State>): void | Promise<void> {
    this.call = undefined;
    if (!(answer instanceof Outcome)) {
      this.#state = answer[1];
      call.reply(answer[0]);
      this.#watch();
      return;
    }
    if (answer.rest.replies) call.reply(answer.rest.reply);
    return this.#settle(answer);
  }

  /** Takes a new state, or what else a handler gave. */
  #settle(next: Later<State | Outcome<State>>): void | Promise<void> {
    if (next instanceof Promise) return next.then((settled) => this.#settle(settled));
    if (next instanceof Outcome) {
      this.#state = next.state;
      if (next.rest.stop !== undefined) return this.#terminate(next.rest.stop);
    } else this.#state = next;
    this.#watch();
  }

  /** Only a service with `terminate` traps exits. What would have ended it, ends it. */
  #exited({ reason }: Exit): void | Promise<void> {
    if (reason !== "normal") return this.#terminate(reason);
  }

  #crashed(error: unknown): void | Promise<void> {
    const reason = error instanceof Error ? error : { thrown: error };
    // `self.exit` in a handler throws, and the actor is dead already.
    if (this.self.signal.aborted) return;
    return this.#terminate(reason);
  }

  #terminate(reason: ExitReason): void | Promise<void> {
    if (this.self.signal.aborted) return;
    const { terminate } = this.#definition;
    const end = (): void => endSelf(this.self, reason);
    if (terminate === undefined || this.#state === undefined) return end();
    try {
      const done = terminate.call(this, this.#state, reason);
      if (done instanceof Promise) return done.then(end, end);
    } catch {
      // The reason that it ends for matters more than what cleaning up threw.
    }
    end();
  }

  #fail(error: unknown): void {
    if (this.self.signal.aborted) return;
    this.#starting.failed(error);
    endSelf(this.self, error instanceof Error ? error : { thrown: error });
  }

  /** Winds the idle timer up again. */
  #watch(): void {
    const { idleMs } = this.#definition;
    if (idleMs === undefined || this.self.signal.aborted) return;
    const system = systemOf(this.self.pid);
    if (this.#idleTimer !== undefined) system.cancelTimer(this.#idleTimer);
    this.#idleTimer = system.sendAfter(this.self.pid, IDLE, idleMs);
  }
}

/** Ends an actor from within, without the throw of `self.exit`. */
function endSelf(self: Self, reason: ExitReason): void {
  try {
    self.exit(reason);
  } catch {
    // That is how `self.exit` stops the code behind it; there is none here.
  }
}
