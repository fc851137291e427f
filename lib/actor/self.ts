/**
 * What the body of an actor is, and what it is given: `self`.
 *
 * @module
 */
import type { Pid, Ref } from "../term/pid.ts";
import type { Call, CallOptions } from "./call.ts";
import type { MailboxPolicy } from "./mailbox.ts";
import type { Down, Exit } from "./exit.ts";
import type { NodeChange } from "./node_change.ts";
import type { ActorName, RemoteSpawn } from "./remote.ts";
import type { ExitReason } from "../term/exit.ts";
import type { TimerRef } from "./timer.ts";

export type { MailboxPolicy };

/** What an actor does with each message. A promise is waited for before the next one. */
export type MessageHandler<Message> = (message: Message) => unknown;

/**
 * The body of an actor. It either awaits messages with `self.receive()` and ends when it returns, or
 * returns at once the handler of its messages, which costs no promise per message.
 */
export type ActorFunction<Message = unknown, Args extends unknown[] = []> = (
  self: Self<Message>,
  ...args: Args
) => Promise<unknown> | MessageHandler<Message> | void;

/** What to wait for. */
export interface ReceiveOptions<Message> {
  /** Milliseconds after which to give `undefined`. */
  readonly timeout?: number | undefined;
  /** Takes the first message that this is true of; the others stay, in order. */
  readonly match?: ((message: Message) => boolean) | undefined;
}

/** How to spawn. */
export interface SpawnOptions {
  /** Links the new actor with the one that spawns. */
  readonly link?: boolean | undefined;
  /** Registers it under a name before it runs. */
  readonly name?: string | undefined;
  /** At most this many messages wait, and what happens to one more. Default: no limit. */
  readonly mailbox?: { readonly max: number; readonly policy: MailboxPolicy } | undefined;
}

/**
 * An actor, as its own code sees it. Once the actor is dead it has no effect any more: what was waited for
 * rejects with `ActorExitError`, once; what does not wait throws it, a hundred times, and is ignored then;
 * what waits (`receive`, `call`, `for await`, a remote spawn) never settles. So the code of a dead actor stops,
 * even if it catches every error. Other waits, such as a `node.call` in its code, cannot be known to be its
 * own, and go on.
 */
export interface Self<Message = unknown> extends AsyncIterable<Message> {
  /** Its pid. */
  readonly pid: Pid<Message>;
  /** How many messages wait in its mailbox. */
  readonly length: number;
  /** Aborted when the actor ends: for `fetch` and whatever else takes a signal. */
  readonly signal: AbortSignal;
  /** True: exit signals come as `Exit` messages and do not end it. "kill" always does. */
  trapExit: boolean;
  /**
   * The next message. One `receive` at a time. A promise gives a message that has a `then` not as it
   * is, but what that comes to: put it into an object, or take it with a handler.
   */
  receive(): Promise<Message>;
  /** The next message that matches, or `undefined` when the time is over. */
  receive(options: ReceiveOptions<Message> & { timeout: number }): Promise<Message | undefined>;
  /** The next message that matches. */
  receive(options: ReceiveOptions<Message>): Promise<Message>;
  /** Sends, by pid or by name, here or on another node; to nobody if there is no such actor. */
  send<M>(to: Pid<M> | ActorName | string, message: M): void;
  /** Each of the two ends when the other does, unless it traps exits. */
  link(pid: Pid<never>): void;
  /** Takes a link away, at both ends. */
  unlink(pid: Pid<never>): void;
  /** A `Down` message will come when that actor ends, or now if it has. */
  monitor(to: Pid<never> | ActorName | string): Ref;
  /** Takes a monitor away; `flush` also takes its `Down` out of the mailbox. */
  demonitor(ref: Ref, options?: { flush?: boolean }): boolean;
  /**
   * Sends a request to another actor and resolves with its reply. Rejects as `Node.call` does. If nothing
   * awaits it, a failure ends this actor.
   */
  call<Q, R>(
    to: Pid<Call<Q, R>> | ActorName | string,
    request: Q,
    options?: CallOptions,
  ): Promise<R>;
  /** Ends this actor. */
  exit(reason: ExitReason): never;
  /** Sends an exit signal to another: `"kill"` cannot be trapped. */
  exit(to: Pid<never>, reason: ExitReason): void;
  /** Registers this actor under a name. */
  register(name: string): void;
  /** Takes a name away, whoever on this node holds it. Whether somebody did. */
  unregister(name: string): boolean;
  /** Who holds a name on this node. */
  whereis(name: string): Pid<never> | undefined;
  /** Sends a message after so many milliseconds; an actor that is not there gets none. */
  sendAfter<M>(to: Pid<M>, message: M, ms: number): TimerRef;
  /** Sends a message every so many milliseconds. */
  sendInterval<M>(to: Pid<M>, message: M, ms: number): TimerRef;
  /** Milliseconds that were left, or false if the timer had fired or been cancelled. */
  cancelTimer(timer: TimerRef): number | false;
  /** Spawns an actor that this one is the parent of. */
  spawn<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** Spawns what another node has exposed. Rejects with `SpawnError`. */
  spawn<M, A extends unknown[] = unknown[]>(
    there: RemoteSpawn<M, A>,
    ...args: A
  ): Promise<Pid<M>>;
  /** Spawns and links in one step. */
  spawnLink<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** Spawns what another node has exposed, and links in one step. */
  spawnLink<M, A extends unknown[] = unknown[]>(
    there: RemoteSpawn<M, A>,
    ...args: A
  ): Promise<Pid<M>>;
  /** Spawns and monitors in one step. */
  spawnMonitor<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): [Pid<M>, Ref];
  /** Spawns what another node has exposed, and monitors in one step. */
  spawnMonitor<M, A extends unknown[] = unknown[]>(
    there: RemoteSpawn<M, A>,
    ...args: A
  ): Promise<[Pid<M>, Ref]>;
  /**
   * `NodeChange` messages will come when a session with this node is up, and when it is over: one now, if
   * there is none.
   */
  monitorNode(node: string): void;
  /** No more of them. Whether there would have been. */
  demonitorNode(node: string): boolean;
}

/** What a program tells from its own messages by the class. */
export type SystemMessage = Exit | Down | NodeChange;
