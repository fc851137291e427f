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
import { cellOf } from "../actor/cell.ts";
import { ActorExitError, CallExitError, NoProcError } from "../actor/errors.ts";
import { Exit } from "../actor/exit.ts";
import type { ActorName, RemoteSpawn } from "../actor/remote.ts";
import type { ActorFunction, Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { TimerRef } from "../actor/timer.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { ChildRules, RemoteChildSpec } from "./child.ts";
import { Readiness, untilReady } from "./ready.ts";
import { refuse, revive } from "./refusal.ts";
import { endSelf, startAndWait, type Starter, type Starting } from "./start.ts";
import { UnknownCallError } from "./unknown_call.ts";

/** What is to happen besides the new state. Each is there, or is not. */
export interface Besides {
  /** The call is answered with this. */
  readonly reply?: { readonly value: unknown };
  /** The service ends for this reason. */
  readonly stop?: { readonly reason: ExitReason };
  /** `continue` is called with this. */
  readonly goOn?: { readonly value: unknown };
}

/** What a handler may give in place of a new state: see {@linkcode noReply}, {@linkcode stop}. */
export class Outcome<State> {
  /** The new state. */
  readonly state: State;
  /** What else is to happen. */
  readonly besides: Besides;

  /** For `noReply`, `stop` and `goOn`. */
  constructor(state: State, besides: Besides) {
    this.state = state;
    this.besides = besides;
  }
}

/** From a call handler: it will answer later, through the `this.call` that it kept. */
export function noReply<State>(state: State): Outcome<State> {
  return new Outcome(state, {});
}

/** From any handler: the service ends after this, for this reason. A call may still be answered. */
export function stop<State>(
  reason: ExitReason,
  state: State,
  ...reply: readonly [] | readonly [unknown]
): Outcome<State> {
  const stopping = { stop: { reason } };
  return new Outcome(
    state,
    reply.length === 0 ? stopping : { ...stopping, reply: { value: reply[0] } },
  );
}

/** From `init`: `continue` is called with `value` before any message is looked at. */
export function goOn<State>(state: State, value?: unknown): Outcome<State> {
  return new Outcome(state, { goOn: { value } });
}

/** What a handler finds in `this`. */
export interface ServiceContext {
  /** The service as an actor: to monitor others, to set timers, to register a name in `init`. */
  readonly self: Self;
  /** In a call handler: the call, to answer later with its `reply`, or to `refuse`. */
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
  /** The first state, from the arguments of `start`, which waits for it and fails if it throws. */
  init(this: ServiceContext, ...args: Init): Later<State | Outcome<State>>;
  /** What can be asked: each gives `[reply, state]`. */
  readonly call?: Calls | undefined;
  /** What can be told: each gives the new state. */
  readonly cast?: Casts | undefined;
  /** Any other message. Default: it is ignored. */
  info?(this: ServiceContext, state: State, message: unknown): Later<State | Outcome<State>>;
  /** After an `init` that went on with {@linkcode goOn}. */
  continue?(this: ServiceContext, state: State, value: unknown): Later<State | Outcome<State>>;
  /** No message was handled for `idleMs`; and again after as long. */
  idle?(this: ServiceContext, state: State): Later<State | Outcome<State>>;
  /** How long nothing must come until `idle` is called. Milliseconds. */
  readonly idleMs?: number | undefined;
  /**
   * True: exit signals of linked actors come to `info`, as `Exit`s. That of its parent, or of the node,
   * ends it all the same.
   */
  readonly trapExit?: boolean | undefined;
  /**
   * It is about to end: by `stop`, by the end of its parent or of a linked actor, or because a handler
   * threw. Not when it is killed, nor when `init` failed.
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

/** What is sent to a service. Plain, so that it travels to other nodes. */
type Request =
  | { readonly $call: string; readonly args: Args }
  | { readonly $cast: string; readonly args: Args }
  | { readonly $state: "get" }
  | { readonly $state: "pid" }
  | { readonly $state: "set"; readonly change: (state: never) => unknown };

/** The pid of a service: what `start` gives. */
export type ServicePid = Pid<unknown>;

/** What a service's functions take: its pid, or where it is found by name. */
export type ServiceTarget = ServicePid | ServiceName;

/** Where names are looked up: a node, or an actor, for the names of its node. */
export type NameSource =
  | { whereis(name: string): Pid<never> | undefined }
  | { readonly pid: Pid<never> };

/** Who may speak with other nodes: a node, or an actor. */
export interface Speaker {
  /** Sends. */
  send<M>(to: Pid<M> | ActorName | string, message: M): void;
  /** Asks. */
  call<Q, R>(
    to: Pid<Call<Q, R>> | ActorName | string,
    request: Q,
    options?: CallOptions,
  ): Promise<R>;
}

/** Who may start things on other nodes: a node, or an actor, which is linked with what it starts. */
export interface RemoteStarter extends Speaker {
  /** Spawns. */
  spawn<M>(there: RemoteSpawn, ...args: unknown[]): Promise<Pid<M>>;
  /** Spawns and links, if it is an actor. */
  spawnLink?<M>(there: RemoteSpawn, ...args: unknown[]): Promise<Pid<M>>;
}

/** A service by its name, which is looked up at each use: who was restarted is found again. */
export class ServiceName {
  /** The name that it is registered under. */
  readonly name: string;
  /** The node whose name it is; undefined: that of the source. */
  readonly node: string | undefined;
  readonly #source: NameSource | Speaker;

  /** See {@linkcode Service.at}. */
  constructor(source: NameSource | Speaker, name: string, node?: string) {
    this.name = name;
    this.node = node;
    this.#source = source;
  }

  /** Who has the name now, on this node. Throws `NoProcError`. */
  get pid(): ServicePid {
    const source = this.#source;
    const pid = this.node !== undefined
      ? undefined
      : "whereis" in source
      ? source.whereis(this.name)
      : systemOf((source as { pid: Pid<never> }).pid).names.whereis(this.name);
    if (pid === undefined) throw new NoProcError(this.#words);
    return pid as ServicePid;
  }

  /** Asks whoever has the name. For the runtime. */
  call(request: unknown, options?: CallOptions): Promise<unknown> {
    const { name, node } = this;
    if (node !== undefined) {
      try {
        const answer = (this.#source as Speaker).call({ name, node }, request, options);
        return revive(answer, this.#words);
      } catch (error) {
        // The source is an actor that has ended.
        return Promise.reject(error);
      }
    }
    const pid = this.#found() as Pid<Call> | undefined;
    if (pid === undefined) return Promise.reject(new NoProcError(name));
    return systemOf(pid).call(pid, request, options);
  }

  /** Tells whoever has the name. For the runtime. */
  send(message: unknown): void {
    const { name, node } = this;
    if (node !== undefined) return (this.#source as Speaker).send({ name, node }, message);
    const pid = this.#found();
    if (pid !== undefined) systemOf(pid).send(pid, message);
  }

  #found(): ServicePid | undefined {
    try {
      return this.pid;
    } catch {
      return undefined;
    }
  }

  get #words(): string {
    return this.node === undefined ? this.name : `${this.name} on ${this.node}`;
  }
}

/** A service that a supervisor is to run on another node. */
export type ServiceChild<Init extends Args> =
  & ChildRules
  & Pick<RemoteChildSpec, "node" | "fn" | "onNodeDown" | "timeout">
  & { readonly args: Init };

/** A kind of service: starts some, and speaks with them. */
export interface Service<State, Init extends Args, Calls, Casts> {
  /**
   * Starts one, linked if an actor starts it. Rejects with what `init` threw, or with an
   * `ActorExitError` whose `reason` says why it ended before it had started.
   */
  start(from: Starter, ...args: Init): Promise<ServicePid>;
  /** Starts one under a name. Rejects with `NameError` if another has it. */
  startAs(name: string, from: Starter, ...args: Init): Promise<ServicePid>;
  /**
   * What a node exposes so that other nodes may start the service there. They do so with `startAt`, or
   * as a child of a supervisor: see `child`.
   *
   * @example
   * ```ts
   * import { Node, service, Supervisor } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const counter = service({
   *   init(first: number, name: string) {
   *     this.self.register(name);
   *     return first;
   *   },
   *   call: { add: (sum: number, by: number) => [sum + by, sum + by] },
   * });
   *
   * const cookie = "the same on every node";
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
   * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
   * await a.connect(b.name);
   * b.expose("counter", counter.body);
   *
   * const pid = await counter.startAt(a, { node: b.name, fn: "counter" }, 40, "hits");
   * assertEquals(await counter.call(pid).add(2), 42);
   *
   * const hits = counter.at(a, { name: "hits", node: b.name });
   * assertEquals(await counter.state(hits), 42);
   * await counter.stop(hits);
   *
   * const tree = await Supervisor.start(a, {
   *   children: [counter.child({ id: "hits", node: b.name, fn: "counter", args: [0, "hits"] })],
   * });
   * assertEquals(await counter.call(hits).add(1), 1);
   * await tree.stop();
   * ```
   */
  readonly body: ActorFunction<unknown, Init>;
  /**
   * Starts one on a node that exposes its `body`, linked if an actor starts it, and waits for `init`
   * there. Rejects as `spawn` on another node does, and with what `init` threw.
   */
  startAt(from: RemoteStarter, there: RemoteSpawn, ...args: Init): Promise<ServicePid>;
  /** A child for a supervisor that runs on a node that exposes its `body`, and is waited for. */
  child(spec: ServiceChild<Init>): RemoteChildSpec;
  /** The one that has this name, whenever it is used: `counter.call(counter.at(node, "hits"))`. */
  at(source: NameSource, name: string): ServiceName;
  /** The same, on another node. */
  at(source: Speaker, where: ActorName): ServiceName;
  /**
   * Functions that ask a service. They reject as `Node.call` does: a handler that throws rejects with
   * `CallExitError`, whose `reason` is what it threw.
   */
  call(service: ServiceTarget, options?: CallOptions): Asks<Calls>;
  /** Functions that tell a service; nobody answers, not even if there is no such service. */
  cast(service: ServiceTarget): Tells<Casts>;
  /** Ends it in order; resolves when it has ended. */
  stop(service: ServiceTarget, reason?: ExitReason): Promise<void>;
  /** Its state, for tests and operators. */
  state(service: ServiceTarget, options?: CallOptions): Promise<State>;
  /** Replaces its state, for tests and operators. If `change` throws, this rejects with it. */
  replace(service: ServiceTarget, change: (state: State) => State): Promise<State>;
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
  const ask = (
    service: ServiceTarget,
    request: Request,
    options?: CallOptions,
  ): Promise<never> => {
    if (service instanceof ServiceName) return service.call(request, options) as Promise<never>;
    const pid = service as Pid<Call<Request, never>>;
    const answer = systemOf(pid).call(pid, request, options);
    return pid.home.local ? answer : revive(answer, pid.toString());
  };
  const start = (name: string | undefined, from: Starter, args: Args): Promise<ServicePid> =>
    startAndWait<unknown>(
      from,
      "service",
      (self, starting) => new Running(definition, self, starting).begin(name, args),
    );
  // Called by its kind, for the report of a crash.
  const body = function service(self: Self, ...args: Init): (message: unknown) => unknown {
    const readiness = new Readiness(self);
    return readiness.guard(new Running(definition, self, readiness).begin(undefined, args));
  };
  return {
    start: (from, ...args) => start(undefined, from, args),
    startAs: (name, from, ...args) => start(name, from, args),
    body,
    async startAt(from, there, ...args) {
      const pid = from.spawnLink === undefined
        ? await from.spawn<unknown>(there, ...args)
        : await from.spawnLink<unknown>(there, ...args);
      await untilReady(from, pid);
      return pid;
    },
    child: (spec) => ({ ...spec, ready: true }),
    at: (source: NameSource | Speaker, where: string | ActorName) =>
      typeof where === "string"
        ? new ServiceName(source, where)
        : new ServiceName(source, where.name, where.node),
    call: (service, options) =>
      functions(definition.call, (name, args) => ask(service, { $call: name, args }, options)),
    cast: (service) =>
      functions(definition.cast, (name, args) => {
        if (service instanceof ServiceName) service.send({ $cast: name, args });
        else systemOf(service).send(service, { $cast: name, args });
      }),
    async stop(service, reason = "normal") {
      const pid = service instanceof ServiceName ? await found(service) : service;
      if (pid === undefined) return;
      const system = systemOf(pid);
      const ended = system.whenEnded(pid);
      system.send(pid, { $stop: { reason } });
      await ended;
    },
    state: (service, options) => ask(service, { $state: "get" }, options),
    replace: (service, change) => ask(service, { $state: "set", change }),
  };
}

/** Who has a name now, if there is such a service. */
async function found(service: ServiceName): Promise<ServicePid | undefined> {
  try {
    return service.node === undefined
      ? service.pid
      : await service.call({ $state: "pid" }) as ServicePid;
  } catch (error) {
    if (error instanceof NoProcError) return undefined;
    throw error;
  }
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

/** A service that runs: the state and what is done with messages. */
class Running<State> implements ServiceContext {
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
    const { stop, goOn } = first instanceof Outcome ? first.besides : {} as Besides;
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
    if (goOn === undefined || onwards === undefined) return this.#watch();
    return this.#guard(() => this.#settle(onwards.call(this, this.#state!, goOn.value)));
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
    if (message instanceof Call) return this.#called(message as Call<Request, unknown>);
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
    return this.#terminate(reason, () => cellOf(this.self.pid)?.end(reason));
  }

  /** A handler threw: who asked is told at once, and the actor ends with what was thrown. */
  #crashed(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error : { thrown: error };
    if (this.call !== undefined) refuse(this.call, new CallExitError(this.self.pid as Pid, reason));
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
