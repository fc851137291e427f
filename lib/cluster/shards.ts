/**
 * Implements shards: a service per key, which runs on the home node of the key. Corresponds to the
 * sharded entities of Akka and the grains of Orleans.
 *
 * @module
 */
import type { CallOptions } from "../actor/call.ts";
import { ArgumentError } from "../actor/errors.ts";
import { systemOf } from "../actor/system.ts";
import { checkNames } from "../base/spelling.ts";
import { ask } from "../otp/remote_errors.ts";
import { type Service, START, type StartsOnTerms } from "../otp/service.ts";
import type { CallApi, CastApi, ServiceProtocol, StartArgs } from "../otp/service_definition.ts";
import { ServiceName, type ServiceTarget } from "../otp/service_name.ts";
import type { PersistOptions } from "../otp/store.ts";
import type { Pid } from "../term/pid.ts";
import type { HomeCounts, HomeKind, HomeOptions, Homes } from "./home.ts";

/** Options of a kind of shards. */
export interface ShardOptions<P extends ServiceProtocol> extends
  Pick<
    HomeOptions,
    "movesPerSecond" | "passivateAfter" | "intensity" | "period" | "quorum" | "restart"
  > {
  /** The service that runs for each key. `init` receives the key, if it has a parameter. */
  readonly actor: StartArgs<P> extends [] | [string] ? Service<P> : never;
  /**
   * Stores the state of each key, under `kind/key`. Without this option, the state is handed over
   * when a key moves. It is lost when the node of the key is lost, and when the actor of the key
   * crashes or is passivated.
   */
  readonly persist?: PersistOptions | undefined;
  /**
   * Relative share of keys of this node, an integer from 0 to 100. With 0, this node has no keys,
   * and only makes calls. Default 1.
   */
  readonly weight?: number | undefined;
}

/** The names of all options. */
const OPTIONS: Readonly<Record<keyof ShardOptions<ServiceProtocol>, true>> = {
  actor: true,
  persist: true,
  weight: true,
  movesPerSecond: true,
  passivateAfter: true,
  intensity: true,
  period: true,
  quorum: true,
  restart: true,
};

/** The service of a key, as a target of calls. */
class ShardName<P extends ServiceProtocol> extends ServiceName<P> {
  readonly #home: HomeKind;

  constructor(home: HomeKind, key: string) {
    super({ whereis: () => home.whereis(key) }, key);
    this.#home = home;
  }

  override call(request: unknown, options?: CallOptions): Promise<unknown> {
    return this.#home.call(this.name, request, options);
  }

  override send(message: unknown): void {
    this.#home.cast(this.name, message);
  }
}

/**
 * The handle through which one node uses a kind of shards.
 *
 * @example
 * ```ts
 * import { Node, service } from "@firn/firn";
 * import { shards } from "@firn/firn/cluster";
 * import { assertEquals } from "@std/assert";
 *
 * const counter = service<{ state: number; call: { add(n: number): number } }>({
 *   init: () => 0,
 *   call: { add: (sum, n) => [sum + n, sum + n] },
 * });
 * await using node = await Node.start({ logLevel: "silent" });
 * const hits = shards(node, "hits", { actor: counter });
 * assertEquals(await hits.call("home").add(2), 2);
 * assertEquals([hits.nodeOf("home"), hits.keys()], [node.name, ["home"]]);
 * ```
 */
export class Shards<P extends ServiceProtocol> {
  readonly #actor: Service<P>;
  readonly #home: HomeKind;

  /** Internal: see {@linkcode shards}. */
  constructor(actor: Service<P>, home: HomeKind) {
    this.#actor = actor;
    this.#home = home;
  }

  /**
   * Returns functions that call the service of a key. A call starts the service if it does not run.
   * The functions reject as the functions of a service do; with `NoProcError` if no node offers the
   * kind; and with `MailboxFullError` if 65,536 messages wait for keys that are being started or
   * moved.
   */
  call(key: string, options?: CallOptions): CallApi<P> {
    return this.#actor.call(this.at(key), options);
  }

  /**
   * Returns functions that cast to the service of a key. A cast starts the service if it does not
   * run.
   */
  cast(key: string): CastApi<P> {
    return this.#actor.cast(this.at(key));
  }

  /** Returns the service of a key as a target of calls: `cart.state(carts.at("42"))`. */
  at(key: string): ServiceTarget<P> {
    return new ShardName<P>(this.#home, key);
  }

  /**
   * Returns the home node of a key among the nodes known to offer the kind. Undefined if no node
   * offers the kind.
   */
  nodeOf(key: string): string | undefined {
    return this.#home.nodeOf(key);
  }

  /** Returns the nodes known to offer the kind. */
  nodes(): string[] {
    return this.#home.nodes();
  }

  /** Returns the keys whose services run on this node. */
  keys(): string[] {
    return this.#home.keys();
  }

  /** Returns the numbers of running, started, passivated and moved services of this node. */
  counts(): HomeCounts {
    return this.#home.counts();
  }

  /** Moves all keys to other nodes. Resolves when all have moved. `node.leave` calls this. */
  leave(): Promise<void> {
    return this.#home.leave();
  }
}

/**
 * Takes part in a kind of shards: this node runs the services of its share of the keys, and can
 * call those of all keys. Call this on every node that takes part, with the same options. The
 * service of a key is started once, by the first call, on the home node of the key. Calls wait
 * until all connected nodes have sent this node the list of their keys. The guide "Shards"
 * describes the guarantees.
 *
 * @throws {NameError} `code` "taken": this node already takes part; "badname": the kind is empty or
 * too long.
 * @throws {ArgumentError} `code` "badarg": an option is invalid or unknown.
 *
 * @example
 * ```ts
 * import { Node, service } from "@firn/firn";
 * import { shards } from "@firn/firn/cluster";
 * import { memoryStore } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * const cart = service<{ state: string[]; call: { add(item: string): number } }>({
 *   init: () => [],
 *   call: { add: (items, item) => [items.length + 1, [...items, item]] },
 * });
 *
 * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
 * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
 * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
 * await b.connect(a.name);
 *
 * const persist = { store: memoryStore() };
 * const [carts, same] = [a, b].map((node) => shards(node, "cart", { actor: cart, persist }));
 * assertEquals(await carts!.call("42").add("tea"), 1);
 * assertEquals(await same!.call("42").add("cups"), 2);
 * assertEquals(carts!.nodeOf("42"), same!.nodeOf("42"));
 * ```
 */
export function shards<P extends ServiceProtocol>(
  node: { readonly homes: Homes },
  kind: string,
  options: ShardOptions<P>,
): Shards<P> {
  checkNames(options, OPTIONS, (words) => new ArgumentError(`shards: ${words}`));
  const { actor, persist, weight, ...rules } = options;
  const starts = actor as unknown as StartsOnTerms;
  if (typeof starts?.[START] !== "function") {
    throw new ArgumentError("shards: actor must be what service(…) or stateMachine(…) returns");
  }
  if (persist?.within !== undefined && !(persist.within >= 0)) {
    throw new ArgumentError(`shards: persist.within is ${persist.within}: use milliseconds`);
  }
  const homes = node.homes;
  if (weight === 0) return new Shards(actor as Service<P>, homes.use(kind));
  const home = homes.offer(kind, {
    restart: true,
    ...rules,
    weight,
    start: (self, key, { state }) =>
      starts[START](self, { state, persist, key: `${kind}/${key}` }, [key]),
    handover: (pid) => ask(pid, { $state: "handover" }, { timeout: Infinity }),
    stop: (pid) => systemOf(pid).send(pid as Pid<unknown>, { $stop: { reason: "shutdown" } }),
  });
  return new Shards(actor as Service<P>, home);
}
