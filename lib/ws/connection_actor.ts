/**
 * Creates the actors that represent WebSocket connections. The actor of a connection is spawned
 * when `conn.pid` or `conn.self` is first used, so that other connections cost nothing.
 *
 *     conn.pid ──▶ spawned ── messages ──▶ info ──▶ …
 *     the socket closed ───▶ the actor exits, with the close code
 *     the actor is ended: exit, link, kill, a handler that throws ──▶ the socket is closed
 *
 * @module
 */
import { type ActorRef, actorRefOf, attach, type Chained, detach } from "../actor/actor_ref.ts";
import type { Self, SpawnOptions } from "../actor/self.ts";
import type { System } from "../actor/system.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";

/** The callbacks of a connection's actor. Implemented by the connection. */
export interface ConnectionActorOwner {
  /** Handles a message. A returned promise is awaited before the next message is handled. */
  message(message: unknown): unknown;
  /** Called when the actor has exited. `orderly` is whether the reason was normal or a shutdown. */
  ended(orderly: boolean): void;
}

/** Creates the actor of a connection. Returns `undefined` if the system is stopped. */
export type CreateConnectionActor = (owner: ConnectionActorOwner) => ConnectionActor | undefined;

/** Returns a function that creates the actors of connections, with this mailbox limit. */
export function connectionActors(
  system: System,
  mailbox: SpawnOptions["mailbox"],
): CreateConnectionActor {
  return (owner) => {
    const pid: Pid<unknown> = system.spawn(undefined, { mailbox }, connection, [owner]);
    const actorRef = actorRefOf(pid);
    // The pid belongs to no actor if the system is stopped.
    return actorRef === undefined ? undefined : new ConnectionActor(pid, actorRef, owner);
  };
}

/** Couples an actor with its connection: when one of them ends, the other is ended too. */
export class ConnectionActor implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly pid: Pid<unknown>;
  /** The `self` of the actor, for links, monitors and calls. */
  readonly self: Self;
  readonly #actorRef: ActorRef;
  readonly #owner: ConnectionActorOwner;
  #dead = false;

  constructor(pid: Pid<unknown>, actorRef: ActorRef, owner: ConnectionActorOwner) {
    this.pid = pid;
    this.#owner = owner;
    this.#actorRef = actorRef;
    this.self = actorRef as unknown as Self;
    attach(this, actorRef);
  }

  /** Ends the actor, because its socket has closed. */
  die(reason: ExitReason): void {
    if (this.#dead) return;
    this.#dead = true;
    detach(this, this.#actorRef);
    this.#actorRef.end(reason);
  }

  /** Called when the actor has exited. Notifies the connection, which closes its socket. */
  drop(reason: ExitReason): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#owner.ended(isNormal(reason));
  }
}

/**
 * Runs in the actor, and returns its message handler. The function's name appears in crash reports.
 */
function connection(
  _self: Self<unknown>,
  owner: ConnectionActorOwner,
): (message: unknown) => unknown {
  return (message) => owner.message(message);
}
