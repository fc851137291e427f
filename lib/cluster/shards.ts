/**
 * Shards: services by keys, each of which runs on the home node of its key. Akka's sharded entities, Orleans' grains.
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

/** How a kind of shards is run. */
export interface ShardOptions<P extends ServiceProtocol> extends
  Pick<
    HomeOptions,
    "movesPerSecond" | "passivateAfter" | "intensity" | "period" | "quorum" | "restart"
  > {
  /** The service of which one runs for each key. `init` gets the key, if it takes an argument. */
  readonly actor: StartArgs<P> extends [] | [string] ? Service<P> : never;
  /**
   * Stores the state of each key, as `kind/key`. Without it the state is handed over when a key moves, and lost when
   * its node or its actor is lost, or when it is passivated.
   */
  readonly persist?: PersistOptions | undefined;
  /**
   * The share of keys of this node, an integer up to 100. 0: this node has none, and calls those of others.
   * Default 1.
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

/** A key's service, as a target of calls. */
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

/** One node's part in a kind of shards. */
export class Shards<P extends ServiceProtocol> {
  readonly #actor: Service<P>;
  readonly #home: HomeKind;

  /** Internal: see {@linkcode shards}. */
  constructor(actor: Service<P>, home: HomeKind) {
    this.#actor = actor;
    this.#home = home;
  }

  /**
   * The functions that call the service of a key, which is started if it does not run. They reject as those of a
   * service do; with `NoProcError` if no node offers the kind; and with `MailboxFullError` if 65,536 messages wait
   * for keys that are being started or moved.
   */
  call(key: string, options?: CallOptions): CallApi<P> {
    return this.#actor.call(this.at(key), options);
  }

  /** The functions that cast to the service of a key, which is started if it does not run. */
  cast(key: string): CastApi<P> {
    return this.#actor.cast(this.at(key));
  }

  /** The service of a key, for functions that take a service: `cart.state(carts.at("42"))`. */
  at(key: string): ServiceTarget<P> {
    return new ShardName<P>(this.#home, key);
  }

  /** The node that is the home of a key, as far as this node knows. Undefined: no node offers the kind. */
  nodeOf(key: string): string | undefined {
    return this.#home.nodeOf(key);
  }

  /** The nodes that offer the kind, as far as this node knows. */
  nodes(): string[] {
    return this.#home.nodes();
  }

  /** The keys whose services run on this node. */
  keys(): string[] {
    return this.#home.keys();
  }

  /** What has happened on this node: services that run, were started, passivated and moved. */
  counts(): HomeCounts {
    return this.#home.counts();
  }

  /** This node has no keys any more. Resolves when all have moved to other nodes. `node.leave` does it too. */
  leave(): Promise<void> {
    return this.#home.leave();
  }
}

/**
 * Takes part in a kind of shards: this node runs the services of its part of the keys, and calls those of all keys.
 * Every node that runs some calls this, with the same options. The service of a key is started by the first call, on
 * the home node of the key, once. The guide "Shards" has the guarantees.
 *
 * @throws {NameError} `code` "taken": this node takes part already; "badname": the kind is empty or too long.
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
 * // Until the two have introduced themselves, each is the home of all keys.
 * while (carts!.nodes().length + same!.nodes().length < 4) await new Promise((turn) => setTimeout(turn, 1));
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
