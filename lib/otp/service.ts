/**
 * Services: actors that hold a state and handle calls and casts. They correspond to OTP's
 * gen_server, with types.
 *
 * A service is an ordinary actor: see `service_actor.ts`. This file starts services and sends them
 * requests.
 *
 * Longer than 400 lines: most of it is the documented interface of a service.
 *
 * @module
 */
import { trackedFor } from "../actor/behind.ts";
import type { CallOptions } from "../actor/call.ts";
import { ArgumentError, NoProcError } from "../actor/errors.ts";
import type { ActorName, RemoteSpawn } from "../actor/remote.ts";
import type { Self } from "../actor/self.ts";
import { systemOf } from "../actor/system.ts";
import { timerMs } from "../actor/timer.ts";
import { checkNames } from "../base/spelling.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import { Readiness, untilReady } from "./ready.ts";
import { ask } from "./remote_errors.ts";
import type {
  AnyPid,
  CallApi,
  CastApi,
  InfoMessage,
  NoProtocol,
  ServiceDefinition,
  ServiceHandlers,
  ServicePid,
  ServiceProtocol,
  StartArgs,
} from "./service_definition.ts";
import { type Caller, type NameSource, ServiceName, type ServiceTarget } from "./service_name.ts";
import {
  type AnyDefinition,
  type MarkedState,
  ServiceActor,
  type ServiceRequest,
  type StateCheck,
} from "./service_actor.ts";
import { type Spawnable, spawnable } from "./spawnable.ts";
import type { StartTerms } from "./persistence.ts";
import { startAndWait, type Starter } from "./start.ts";

/**
 * A node or actor that can start actors on other nodes. An actor is linked with the actors that it
 * starts.
 */
export interface RemoteStarter extends Caller {
  /** Spawns a function that another node exposes. */
  spawn<M, A extends unknown[]>(there: RemoteSpawn<M, A>, ...args: A): Promise<Pid<M>>;
  /**
   * Spawns a function that another node exposes, and links with the new actor in one step. Only
   * actors have this method.
   */
  spawnLink?<M, A extends unknown[]>(there: RemoteSpawn<M, A>, ...args: A): Promise<Pid<M>>;
}

/**
 * A kind of service: starts instances of it and sends them requests. If you annotate an exported
 * service with this type, its handlers get their types from the protocol: `export const counter:
 * Service<Counter> = service({ … })`.
 */
export interface Service<P extends ServiceProtocol>
  extends Spawnable<InfoMessage<P>, StartArgs<P>> {
  /**
   * Starts an instance, and waits for `init`. If an actor starts the instance, it is linked with
   * it. Rejects with the error that `init` threw, or with an `ActorExitError` with the exit reason
   * of an instance that exited before it had started.
   */
  start(from: Starter, ...args: StartArgs<P>): Promise<ServicePid<P>>;
  /**
   * Starts an instance under a name. Rejects with `NameError`, `code` "taken", if another actor has
   * the name.
   */
  startAs(name: string, from: Starter, ...args: StartArgs<P>): Promise<ServicePid<P>>;
  /**
   * Starts an instance on another node, which must expose the service, and waits for `init`. If an
   * actor starts the instance, it is linked with it. Rejects as `spawn` on another node does, and
   * with the error that `init` threw.
   *
   * @example
   * ```ts
   * import { Node, service, Supervisor } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const counter = service<{
   *   state: number;
   *   start: [first: number, name: string];
   *   call: { add(by: number): number };
   * }>({
   *   name: "counter",
   *   init(first, name) {
   *     this.self.register(name);
   *     return first;
   *   },
   *   call: { add: (sum, by) => [sum + by, sum + by] },
   * });
   *
   * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
   * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
   * await a.connect(b.name);
   * b.expose(counter);
   *
   * const pid = await counter.startAt(a, counter.on(b.name), 40, "hits");
   * assertEquals(await counter.call(pid).add(2), 42);
   *
   * const hits = counter.at(a, { name: "hits", node: b.name });
   * assertEquals(await counter.state(hits), 42);
   * await counter.stop(hits);
   *
   * const tree = await Supervisor.start(a, {
   *   children: [counter.child({ id: "hits", node: b.name, args: [0, "hits"] })],
   * });
   * assertEquals(await counter.call(hits).add(1), 1);
   * await tree.stop();
   * ```
   */
  startAt(
    from: RemoteStarter,
    there: RemoteSpawn<InfoMessage<P>, StartArgs<P>>,
    ...args: StartArgs<P>
  ): Promise<ServicePid<P>>;
  /**
   * Returns a reference to the service with this name. The name is looked up at each use:
   * `counter.call(counter.at(node, "hits"))`.
   */
  at(source: NameSource, name: string): ServiceName<P>;
  /** Returns a reference to the service that has a name on a node, which may be another node. */
  at(source: Caller, where: ActorName): ServiceName<P>;
  /**
   * Returns the functions that call a service. They reject as `Node.call` does. If the handler
   * throws, they reject with a `CallExitError` whose `reason` is the thrown value.
   */
  call(service: ServiceTarget<P>, options?: CallOptions): CallApi<P>;
  /**
   * Returns the functions that cast to a service. They return nothing, even if the service does not
   * exist.
   */
  cast(service: ServiceTarget<P>): CastApi<P>;
  /**
   * Stops a service. Resolves when it has exited, or at once if it had exited before. Rejects with
   * `NoConnectionError` if its node is unreachable; the service may then continue to run. A handler
   * that awaits the stop of its own service fails with `CallingSelfError`: return `stopService`
   * instead.
   */
  stop(service: ServiceTarget<P>, reason?: ExitReason): Promise<void>;
  /** Returns the state of a service, for tests and operators. */
  state(service: ServiceTarget<P>, options?: CallOptions): Promise<P["state"]>;
  /**
   * Replaces the state of a service, for tests and operators. Rejects with the error that `change`
   * throws. If the service is on another node, that node's option `observe` must be "control";
   * otherwise rejects with `UnknownCallError`. The state is then read, changed on this node and
   * written back. If the service has handled a message in the meantime, this is repeated, and
   * `change` runs again. After 10 attempts, rejects with an `Error`.
   */
  replace(
    service: ServiceTarget<P>,
    change: (state: P["state"]) => P["state"],
  ): Promise<P["state"]>;
}

/** The names of all members of a service definition. */
const DEFINITION: Readonly<Record<keyof ServiceHandlers<ServiceProtocol> | "call" | "cast", true>> =
  {
    name: true,
    init: true,
    call: true,
    cast: true,
    info: true,
    continue: true,
    idle: true,
    idleMs: true,
    persist: true,
    trapExit: true,
    terminate: true,
  };

/**
 * Defines a kind of service: its protocol as a type, and a handler for each part of it.
 *
 * @throws {ArgumentError} `code` "badarg": `init` or a handler is not a function; `idleMs` is above
 * 24 days; `name` is empty; an option is unknown.
 *
 * @example
 * ```ts
 * import { Node, service } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const counter = service<{
 *   state: number;
 *   start: [first: number];
 *   call: { add(by: number): number };
 *   cast: { reset(): void };
 * }>({
 *   init: (first) => first,
 *   call: { add: (sum, by) => [sum + by, sum + by] },
 *   cast: { reset: () => 0 },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = await counter.start(node, 40);
 * assertEquals(await counter.call(pid).add(2), 42);
 * counter.cast(pid).reset();
 * assertEquals(await counter.state(pid), 0);
 * ```
 */
export function service<P extends ServiceProtocol = NoProtocol>(
  definition: P extends NoProtocol ? NoProtocol : ServiceDefinition<P>,
): Service<P> {
  return defineService(definition as unknown as AnyDefinition) as unknown as Service<P>;
}

/**
 * Defines a service whose protocol is unknown here. The compiler has already checked the definition
 * against its protocol.
 */
export function defineService(definition: AnyDefinition, check?: StateCheck): Service<AnyProtocol> {
  checkNames(definition, DEFINITION, (words) => new ArgumentError(`service: ${words}`));
  checkHandlers(definition);
  definition = { ...inContext(definition), ...check && { restored: check } };
  const request = (
    service: Target,
    request: ServiceRequest,
    options?: CallOptions,
  ): Promise<never> =>
    service instanceof ServiceName
      ? service.call(request, options) as Promise<never>
      : ask(service, request, options);
  const kind = definition.name ?? "service";
  const start = (
    as: string | undefined,
    from: Starter,
    args: unknown[],
    terms?: StartTerms,
  ): Promise<AnyPid> =>
    startAndWait<unknown>(
      from,
      kind,
      (self, starting) => new ServiceActor(definition, self, starting, terms).begin(as, args),
    ) as Promise<AnyPid>;
  // The name of this function appears in crash reports.
  const { [kind]: body } = {
    [kind]: (self: Self, ...args: unknown[]): (message: unknown) => unknown => {
      const readiness = new Readiness(self);
      return readiness.guard(new ServiceActor(definition, self, readiness).begin(undefined, args));
    },
  };
  const remote = spawnable<unknown, unknown[]>(definition.name ?? "", body!);
  const started: StartsOnTerms = {
    [START]: (from, terms, args) => start(undefined, from, [...args], terms),
  };
  return {
    ...started,
    ...remote,
    child: (spec) => remote.child({ ready: true, ...spec }),
    start: (from, ...args) => start(undefined, from, args),
    startAs: (as, from, ...args) => start(as, from, args),
    startAt: (from, there, ...args) => {
      const spawned = from.spawnLink === undefined
        ? from.spawn(there, ...args)
        : from.spawnLink(there, ...args);
      return spawned.then((pid) => untilReady(from, pid).then(() => pid as AnyPid));
    },
    at: (source: NameSource | Caller, where: string | ActorName) =>
      typeof where === "string"
        ? new ServiceName(source, where)
        : new ServiceName(source, where.name, where.node),
    call: (service, options) =>
      functions(definition.call, (name, args) => request(service, { $call: name, args }, options)),
    cast: (service) =>
      functions(definition.cast, (name, args) => {
        if (service instanceof ServiceName) service.send({ $cast: name, args });
        else systemOf(service).send(service, { $cast: name, args });
      }),
    stop(service, reason = "normal") {
      if (!(service instanceof ServiceName)) return stopAt(service, reason);
      if (service.node === undefined) {
        const pid = service.found();
        if (pid !== undefined) return stopAt(pid, reason);
      }
      return trackedFor(service.source, async () => {
        const pid = await remotePid(service);
        if (pid !== undefined) await stopAt(pid, reason);
      });
    },
    state: (service, options) => request(service, { $state: "get" }, options),
    replace(service, change) {
      const pid = service instanceof ServiceName ? service.found() : service;
      if (pid?.home.local === true) return request(service, { $state: "set", change });
      const work = (): Promise<unknown> => replaceFar((step) => request(service, step), change);
      return service instanceof ServiceName
        ? trackedFor(service.source, work)
        : systemOf(service).tracked(work);
    },
  };
}

/** Maximum number of attempts to replace the state of a service on another node. */
const REPLACE_TRIES = 10;

async function replaceFar(
  request: (step: ServiceRequest) => Promise<unknown>,
  change: (state: never) => unknown,
): Promise<unknown> {
  for (let tries = 0; tries < REPLACE_TRIES; tries++) {
    const { mark, state } = await request({ $state: "read" }) as MarkedState;
    const next = change(state as never);
    if (await request({ $state: "swap", mark, next }) === true) return next;
  }
  throw new Error(
    `replace: the service handled messages between each of ${REPLACE_TRIES} reads and writes: send it a message`,
  );
}

/**
 * The key of the method that starts a service from `StartTerms`. Shards use it to move states
 * between nodes.
 */
export const START: unique symbol = Symbol("start");

/** The methods of every service that are not public. */
export interface StartsOnTerms {
  /** Starts an instance. If `from` is an actor, the instance is linked with it. */
  readonly [START]: (
    from: Starter,
    terms: StartTerms,
    args: readonly unknown[],
  ) => Promise<AnyPid>;
}

/** The type of a protocol in code that handles services of any protocol. */
type AnyProtocol = { readonly state: unknown; readonly start: readonly unknown[] };
type Target = ServiceTarget<AnyProtocol>;

function checkHandlers({ name, idleMs, init, call, cast }: AnyDefinition): void {
  if (typeof init !== "function") {
    throw new ArgumentError("service: init must be a function that returns the first state");
  }
  if (name !== undefined && (typeof name !== "string" || name === "")) {
    throw new ArgumentError("service: name must be a text that is not empty");
  }
  for (const [part, handlers] of Object.entries({ call, cast })) {
    for (const [name, handler] of Object.entries(handlers ?? {})) {
      if (typeof handler === "function") continue;
      throw new ArgumentError(`service: ${part}.${name} must be a function`);
    }
  }
  // Throws now if the time is invalid. Otherwise each instance would end when it handles its first
  // message.
  if (idleMs !== undefined) timerMs(idleMs);
}

/**
 * Returns the same definition, whose async handlers are attributed to their actor even after an
 * `await`.
 */
function inContext(definition: AnyDefinition): AnyDefinition {
  return mapped(definition, (part) => typeof part === "object" ? mapped(part, known) : known(part));
}

function mapped<T extends object>(parts: T, change: (part: never) => unknown): T {
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => [name, change(part as never)]),
  ) as T;
}

/**
 * Wraps an async handler, so that its operations are attributed to its actor. Returns a synchronous
 * handler unchanged, because it runs within a turn of its actor.
 */
function known(handler: unknown): unknown {
  if (typeof handler !== "function" || !isAsync(handler)) return handler;
  return function (this: ServiceActor, ...args: unknown[]): Promise<unknown> {
    return this.within(() => Reflect.apply(handler, this, args) as Promise<unknown>);
  };
}

function isAsync(handler: object): boolean {
  return (handler as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] === "AsyncFunction";
}

/** Stops a service, and waits for its exit. */
function stopAt(pid: AnyPid, reason: ExitReason): Promise<void> {
  const system = systemOf(pid);
  return system.endBy(pid, () => system.send(pid, { $stop: { reason } }));
}

/**
 * Returns the current pid of a service that is named on another node. Returns undefined if no actor
 * has the name.
 */
async function remotePid(service: ServiceName<AnyProtocol>): Promise<AnyPid | undefined> {
  if (service.node === undefined) return undefined;
  try {
    return await service.call({ $state: "pid" }) as AnyPid;
  } catch (error) {
    if (error instanceof NoProcError) return undefined;
    throw error;
  }
}

/** Returns an object whose functions have the names of the handlers. */
function functions(
  handlers: object | undefined,
  make: (name: string, args: unknown[]) => unknown,
): Record<string, never> {
  const made: Record<string, unknown> = {};
  for (const name of Object.keys(handlers ?? {})) {
    made[name] = (...args: unknown[]) => make(name, args);
  }
  return made as Record<string, never>;
}
