/**
 * The body of an actor, and its argument: `self`.
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

/**
 * Handles one message. If the handler returns a promise, the next message waits until it settles.
 */
export type MessageHandler<Message> = (message: Message) => unknown;

/**
 * The body of an actor. It either awaits messages with `self.receive()`, and the actor ends when
 * the body returns; or it returns a message handler at once, which needs no promise per message.
 */
export type ActorFunction<Message = unknown, Args extends unknown[] = []> = (
  self: Self<Message>,
  ...args: Args
) => Promise<unknown> | MessageHandler<Message> | void;

/** Options of `receive`. */
export interface ReceiveOptions<Message> {
  /** Milliseconds after which `receive` resolves with `undefined`. Default: no limit. */
  readonly timeout?: number | undefined;
  /**
   * Takes the first message for which this function returns true; other messages stay in the
   * mailbox, in order. Default: any message.
   */
  readonly match?: ((message: Message) => boolean) | undefined;
}

/** Options of `spawn`. */
export interface SpawnOptions {
  /** Links the new actor with the actor that spawns it. Default: false. */
  readonly link?: boolean | undefined;
  /** Registers the actor under a name before it runs. Default: no name. */
  readonly name?: string | undefined;
  /** Maximum number of queued messages, and what happens to further messages. Default: no limit. */
  readonly mailbox?: { readonly max: number; readonly policy: MailboxPolicy } | undefined;
}

/**
 * The operations of an actor for its own code. After the actor has exited, `self` has no effect any
 * more: a pending wait rejects with `ActorExitError`, once; a use that does not wait throws
 * `ActorExitError`, 100 times in total, and is then ignored; a use that waits (`receive`, `call`,
 * `for await`, a remote spawn) never settles. The code of an exited actor therefore stops even if
 * it catches every error. Other waits in its code, such as a `node.call`, cannot be attributed to
 * the actor and continue.
 */
export interface Self<Message = unknown> extends AsyncIterable<Message> {
  /** The pid of the actor. */
  readonly pid: Pid<Message>;
  /** Number of messages in the actor's mailbox. */
  readonly length: number;
  /** Aborts when the actor exits. Pass it to `fetch` and other functions that accept a signal. */
  readonly signal: AbortSignal;
  /**
   * Whether exit signals are delivered as `Exit` messages. Otherwise they end the actor. The signal
   * "kill" always ends it.
   */
  trapExit: boolean;
  /**
   * Resolves with the next message. Only one `receive` may be pending. A promise, or any other
   * message with a method `then`, is dropped and reported as a dead letter: await a promise before
   * you send it.
   */
  receive(): Promise<Message>;
  /** Resolves with the next message that matches, or with `undefined` after the timeout. */
  receive(options: ReceiveOptions<Message> & { timeout: number }): Promise<Message | undefined>;
  /** Resolves with the next message that matches. */
  receive(options: ReceiveOptions<Message>): Promise<Message>;
  /**
   * Sends a message to an actor by pid or by name, on this node or another. A message to an actor
   * that does not exist is dropped.
   */
  send<M>(to: Pid<M> | ActorName | string, message: M): void;
  /** Links both actors: each ends when the other exits abnormally, unless it traps exits. */
  link(pid: Pid<never>): void;
  /** Removes a link on both sides. */
  unlink(pid: Pid<never>): void;
  /** Delivers a `Down` message when the actor `to` exits, or at once if it does not exist. */
  monitor(to: Pid<never> | ActorName | string): Ref;
  /**
   * Removes a monitor; `flush` also removes its `Down` from the mailbox. Returns whether the
   * monitor existed.
   */
  demonitor(ref: Ref, options?: { flush?: boolean }): boolean;
  /**
   * Sends a request to another actor and resolves with its reply. Rejects as `Node.call` does. If
   * the call fails and its promise is not awaited, this actor exits.
   */
  call<Q, R>(
    to: Pid<Call<Q, R>> | ActorName | string,
    request: Q,
    options?: CallOptions,
  ): Promise<R>;
  /** Ends this actor with an exit reason. Throws, so that the code after the call does not run. */
  exit(reason: ExitReason): never;
  /** Sends an exit signal to another actor. The reason `"kill"` cannot be trapped. */
  exit(to: Pid<never>, reason: ExitReason): void;
  /** Registers this actor under a name. */
  register(name: string): void;
  /** Frees a name of any actor on this node. Returns whether it was registered. */
  unregister(name: string): boolean;
  /** Returns the actor registered under a name on this node. */
  whereis(name: string): Pid<never> | undefined;
  /** Sends a message after `ms` milliseconds. It is dropped if the actor does not exist. */
  sendAfter<M>(to: Pid<M>, message: M, ms: number): TimerRef;
  /** Sends a message every `ms` milliseconds. */
  sendInterval<M>(to: Pid<M>, message: M, ms: number): TimerRef;
  /** Cancels a timer. Returns the milliseconds left, or false if it had fired or been cancelled. */
  cancelTimer(timer: TimerRef): number | false;
  /**
   * Returns the time of day: milliseconds since 1970, as `Date.now()` does. In the simulator, this
   * is the virtual time.
   */
  now(): number;
  /**
   * Resolves after `ms` milliseconds; rejects with `ActorExitError` if the actor exits earlier. A
   * service or a message handler that sleeps handles no messages in the meantime: use `sendAfter`
   * there.
   */
  sleep(ms: number): Promise<void>;
  /** Spawns a child of this actor. */
  spawn<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** Spawns a function that another node exposes. Rejects with `SpawnError`. */
  spawn<M, A extends unknown[] = unknown[]>(
    there: RemoteSpawn<M, A>,
    ...args: A
  ): Promise<Pid<M>>;
  /** Spawns a child and links with it in one step. */
  spawnLink<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** Spawns a function that another node exposes, and links with the new actor in one step. */
  spawnLink<M, A extends unknown[] = unknown[]>(
    there: RemoteSpawn<M, A>,
    ...args: A
  ): Promise<Pid<M>>;
  /** Spawns a child and monitors it in one step. */
  spawnMonitor<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): [Pid<M>, Ref];
  /** Spawns a function that another node exposes, and monitors the new actor in one step. */
  spawnMonitor<M, A extends unknown[] = unknown[]>(
    there: RemoteSpawn<M, A>,
    ...args: A
  ): Promise<[Pid<M>, Ref]>;
  /**
   * Delivers a `NodeChange` message when a session with `node` is established and when it ends. If
   * there is no session now, delivers "nodedown" at once.
   */
  monitorNode(node: string): void;
  /** Stops the messages of `monitorNode` for a node. Returns whether the node was monitored. */
  demonitorNode(node: string): boolean;
}

/**
 * The messages that the runtime sends. A program distinguishes them from its own messages by their
 * class.
 */
export type SystemMessage = Exit | Down | NodeChange;
