/**
 * Services: actors with a state, that answer calls and take casts. OTP's gen_server, with types.
 *
 * A service is an ordinary actor: see `serving.ts`. This is what starts them, and speaks with them.
 *
 * @module
 */
import type { CallOptions } from "../actor/call.ts";
import { ArgumentError, NoProcError } from "../actor/errors.ts";
import type { ActorName, RemoteSpawn } from "../actor/remote.ts";
import type { ActorFunction, Self } from "../actor/self.ts";
import { systemOf } from "../actor/system.ts";
import { timerMs } from "../actor/timer.ts";
import { checkNames } from "../base/spelling.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { ChildRules, RemoteChildSpec } from "./child.ts";
import { Readiness, untilReady } from "./ready.ts";
import { ask } from "./remote_errors.ts";
import type { Args, CallHandler, CastHandler, ServiceDefinition } from "./service_definition.ts";
import {
  type Caller,
  type NameSource,
  ServiceName,
  type ServicePid,
  type ServiceTarget,
} from "./service_name.ts";
import { ServiceActor, type ServiceRequest } from "./service_actor.ts";
import { startAndWait, type Starter } from "./start.ts";

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

/** Who may start things on other nodes: a node, or an actor, which is linked with what it starts. */
export interface RemoteStarter extends Caller {
  /** Spawns. */
  spawn<M>(there: RemoteSpawn, ...args: unknown[]): Promise<Pid<M>>;
  /** Spawns and links, if it is an actor. */
  spawnLink?<M>(there: RemoteSpawn, ...args: unknown[]): Promise<Pid<M>>;
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
   * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
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
  at(source: Caller, where: ActorName): ServiceName;
  /**
   * Functions that ask a service. They reject as `Node.call` does: a handler that throws rejects with
   * `CallExitError`, whose `reason` is what it threw.
   */
  call(service: ServiceTarget, options?: CallOptions): Asks<Calls>;
  /** Functions that tell a service; nobody answers, not even if there is no such service. */
  cast(service: ServiceTarget): Tells<Casts>;
  /**
   * Ends it in order; resolves when it has ended, or if it had ended before. Rejects with
   * `NoConnectionError` when its node is out of reach: it may live on.
   */
  stop(service: ServiceTarget, reason?: ExitReason): Promise<void>;
  /** Its state, for tests and operators. */
  state(service: ServiceTarget, options?: CallOptions): Promise<State>;
  /** Replaces its state, for tests and operators. If `change` throws, this rejects with it. */
  replace(service: ServiceTarget, change: (state: State) => State): Promise<State>;
}

/** The names of all that a service is described by. */
const DEFINITION: Readonly<
  Record<keyof ServiceDefinition<unknown, Args, Record<never, never>, Record<never, never>>, true>
> = {
  init: true,
  call: true,
  cast: true,
  info: true,
  continue: true,
  idle: true,
  idleMs: true,
  trapExit: true,
  terminate: true,
};

/**
 * Describes a kind of service.
 *
 * @throws {ArgumentError} `code` "badarg": `idleMs` is above 24 days; `init` is no function; a name is none
 *   of those above.
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
  checkNames(definition, DEFINITION, (words) => new ArgumentError(`service: ${words}`));
  if (typeof definition.init !== "function") {
    throw new ArgumentError("service: init must be a function that gives the first state");
  }
  // One that no timer can have would end each service at its first message.
  if (definition.idleMs !== undefined) timerMs(definition.idleMs);
  const speak = (
    service: ServiceTarget,
    request: ServiceRequest,
    options?: CallOptions,
  ): Promise<never> =>
    service instanceof ServiceName
      ? service.call(request, options) as Promise<never>
      : ask(service, request, options);
  const start = (name: string | undefined, from: Starter, args: Args): Promise<ServicePid> =>
    startAndWait<unknown>(
      from,
      "service",
      (self, starting) => new ServiceActor(definition, self, starting).begin(name, args),
    );
  // Called by its kind, for the report of a crash.
  const body = function service(self: Self, ...args: Init): (message: unknown) => unknown {
    const readiness = new Readiness(self);
    return readiness.guard(new ServiceActor(definition, self, readiness).begin(undefined, args));
  };
  return {
    start: (from, ...args) => start(undefined, from, args),
    startAs: (name, from, ...args) => start(name, from, args),
    body,
    startAt: (from, there, ...args) => {
      const spawned = from.spawnLink === undefined
        ? from.spawn<unknown>(there, ...args)
        : from.spawnLink<unknown>(there, ...args);
      return spawned.then((pid) => untilReady(from, pid).then(() => pid));
    },
    child: (spec) => ({ ...spec, ready: true }),
    at: (source: NameSource | Caller, where: string | ActorName) =>
      typeof where === "string"
        ? new ServiceName(source, where)
        : new ServiceName(source, where.name, where.node),
    call: (service, options) =>
      functions(definition.call, (name, args) => speak(service, { $call: name, args }, options)),
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
    state: (service, options) => speak(service, { $state: "get" }, options),
    replace: (service, change) => speak(service, { $state: "set", change }),
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
