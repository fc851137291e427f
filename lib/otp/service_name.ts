/**
 * References to services: by pid, or by a name that is looked up at each use.
 *
 * @module
 */
import type { Call, CallOptions } from "../actor/call.ts";
import { NoProcError } from "../actor/errors.ts";
import { trackedFor } from "../actor/behind.ts";
import type { ActorName } from "../actor/remote.ts";
import { systemOf } from "../actor/system.ts";
import type { Pid } from "../term/pid.ts";
import { revive } from "./remote_errors.ts";
import type { ServicePid, ServiceProtocol } from "./service_definition.ts";

/** A service, by its pid or its name. */
export type ServiceTarget<P extends ServiceProtocol = ServiceProtocol> =
  | ServicePid<P>
  | ServiceName<P>;

/**
 * The place where names are looked up: a node, `node.global`, or an actor, for the names of its
 * node.
 */
export type NameSource =
  | { whereis(name: string): Pid<never> | undefined }
  | { readonly pid: Pid<never> };

/** An object that can send and call: a node or an actor. */
export interface Caller {
  /** Sends a message. */
  send<M>(to: Pid<M> | ActorName | string, message: M): void;
  /** Sends a request and resolves with the reply. */
  call<Q, R>(
    to: Pid<Call<Q, R>> | ActorName | string,
    request: Q,
    options?: CallOptions,
  ): Promise<R>;
}

/**
 * A service by its name, which is looked up at each use, so that a restarted service is found
 * again.
 *
 * @example
 * ```ts
 * import { Node, service } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const counter = service<{ state: number; start: [first: number]; call: { get(): number } }>({
 *   init: (first) => first,
 *   call: { get: (n) => [n, n] },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const hits = counter.at(node, "hits");
 * await counter.startAs("hits", node, 1);
 * assertEquals(await counter.call(hits).get(), 1);
 * await counter.stop(hits);
 * await counter.startAs("hits", node, 2);
 * assertEquals(await counter.call(hits).get(), 2);
 * ```
 */
export class ServiceName<P extends ServiceProtocol = ServiceProtocol> {
  /** The registered name. */
  readonly name: string;
  /** The node on which the name is looked up. Undefined if the name is looked up in `source`. */
  readonly node: string | undefined;
  /** Never present. Makes the names of different kinds of services different types. */
  declare readonly serves: ServicePid<P>["serves"];
  /** The place where the name is looked up. Internal: used by the runtime. */
  readonly source: NameSource | Caller;

  /** Internal: programs call {@linkcode Service.at}. */
  constructor(source: NameSource | Caller, name: string, node?: string) {
    this.name = name;
    this.node = node;
    this.source = source;
  }

  /**
   * Returns the pid of the actor that currently has the name in `source`.
   *
   * @throws {NoProcError} `code` "noproc": no actor has the name, or `node` is set.
   */
  get pid(): ServicePid<P> {
    const source = this.source;
    const pid = this.node !== undefined
      ? undefined
      : "whereis" in source
      ? source.whereis(this.name)
      : systemOf((source as { pid: Pid<never> }).pid).names.whereis(this.name);
    if (pid === undefined) throw new NoProcError(this.#words);
    return pid as ServicePid<P>;
  }

  /** Calls the actor registered under the name. Internal: used by the runtime. */
  call(request: unknown, options?: CallOptions): Promise<unknown> {
    const { name, node } = this;
    if (node !== undefined) {
      const answer = (this.source as Caller).call({ name, node }, request, options);
      return revive(answer);
    }
    const source = this.source as { call?: Caller["call"] };
    // `source.call` is preferred, because its errors name the caller.
    if (source.call !== undefined) return source.call(name, request, options);
    const pid = this.found() as Pid<never> as Pid<Call> | undefined;
    return pid === undefined
      ? trackedFor(this.source, () => Promise.reject(new NoProcError(name)))
      : systemOf(pid).call(pid, request, options);
  }

  /** Sends to the actor registered under the name. Internal: used by the runtime. */
  send(message: unknown): void {
    const { name, node } = this;
    if (node !== undefined) return (this.source as Caller).send({ name, node }, message);
    const pid = this.found();
    if (pid !== undefined) systemOf(pid).send(pid as Pid<never> as Pid<unknown>, message);
  }

  /**
   * Returns the pid that the name currently has in `source`, or undefined. Internal: used by the
   * runtime.
   */
  found(): ServicePid<P> | undefined {
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
