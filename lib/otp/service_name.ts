/**
 * A service as others reach it: by its pid, or by a name that is looked up at each use.
 *
 * @module
 */
import type { Call, CallOptions } from "../actor/call.ts";
import { NoProcError } from "../actor/errors.ts";
import type { ActorName } from "../actor/remote.ts";
import { systemOf } from "../actor/system.ts";
import type { Pid } from "../term/pid.ts";
import { revive } from "./remote_errors.ts";

/** The pid of a service: what `start` gives. */
export type ServicePid = Pid<unknown>;

/** What a service's functions take: its pid, or where it is found by name. */
export type ServiceTarget = ServicePid | ServiceName;

/** Where names are looked up: a node, or an actor, for the names of its node. */
export type NameSource =
  | { whereis(name: string): Pid<never> | undefined }
  | { readonly pid: Pid<never> };

/** Who may speak with other nodes: a node, or an actor. */
export interface Caller {
  /** Sends. */
  send<M>(to: Pid<M> | ActorName | string, message: M): void;
  /** Asks. */
  call<Q, R>(
    to: Pid<Call<Q, R>> | ActorName | string,
    request: Q,
    options?: CallOptions,
  ): Promise<R>;
}

/** A service by its name, which is looked up at each use: who was restarted is found again. */
export class ServiceName {
  /** The name that it is registered under. */
  readonly name: string;
  /** The node whose name it is; undefined: that of the source. */
  readonly node: string | undefined;
  readonly #source: NameSource | Caller;

  /** See {@linkcode Service.at}. */
  constructor(source: NameSource | Caller, name: string, node?: string) {
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
      const answer = (this.#source as Caller).call({ name, node }, request, options);
      return revive(answer);
    }
    const source = this.#source as { call?: Caller["call"] };
    // By whom it is known, if it can be.
    if (source.call !== undefined) return source.call(name, request, options);
    const pid = this.#found() as Pid<Call> | undefined;
    if (pid === undefined) return Promise.reject(new NoProcError(name));
    return systemOf(pid).call(pid, request, options);
  }

  /** Tells whoever has the name. For the runtime. */
  send(message: unknown): void {
    const { name, node } = this;
    if (node !== undefined) return (this.#source as Caller).send({ name, node }, message);
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
