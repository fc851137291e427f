/**
 * Errors of actors and their callers. Each has a stable `code`.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import { describe } from "./describe.ts";
import type { Pid } from "../term/pid.ts";

/**
 * Invalid argument, for example a timeout above 24 days or a mailbox of size zero.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { ArgumentError } from "@firn/firn/actor";
 * import { assertThrows } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const mailbox = { max: 0, policy: "exit" } as const;
 * assertThrows(() => node.spawnWith({ mailbox }, () => () => {}), ArgumentError);
 * ```
 */
export class ArgumentError extends RangeError {
  /** Name of the error class. */
  override readonly name = "ArgumentError";
  /** Stable code: `"badarg"`. */
  readonly code = "badarg";
}

/**
 * A handler or a body returned a value that is not allowed there. Corresponds to `bad_return_value`
 * of OTP.
 *
 * @example
 * ```ts
 * import { CallExitError, Node, service } from "@firn/firn";
 * import { BadReturnError } from "@firn/firn/actor";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const forgetful = service<{ state: number; call: { next(): number } }>({
 *   init: () => 0,
 *   call: { next: (n) => n + 1 as never }, // should be [n, n + 1]
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = await forgetful.start(node);
 * const error = await assertRejects(() => forgetful.call(pid).next(), CallExitError);
 * assertEquals(error.reason instanceof BadReturnError, true);
 * ```
 */
export class BadReturnError extends TypeError {
  /** Name of the error class. */
  override readonly name = "BadReturnError";
  /** Stable code: `"bad_return_value"`. */
  readonly code = "bad_return_value";
}

/**
 * A call was not answered in time.
 *
 * @example
 * ```ts
 * import { CallTimeoutError, Node } from "@firn/firn";
 * import { assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const silent = node.spawn(() => () => {});
 * await assertRejects(() => node.call(silent, "hello?", { timeout: 20 }), CallTimeoutError);
 * ```
 */
export class CallTimeoutError extends Error {
  /** Name of the error class. */
  override readonly name = "CallTimeoutError";
  /** Stable code: `"timeout"`. */
  readonly code = "timeout";
  /** Internal: created by the runtime. */
  constructor(callee: Pid | string, ms: number, which = "") {
    super(`no answer from ${callee} in ${ms} ms${which}`);
  }
}

/**
 * An actor has called itself, and would wait for its own reply until the timeout.
 *
 * @example
 * ```ts
 * import { Node, type Self } from "@firn/firn";
 * import { CallingSelfError } from "@firn/firn/actor";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const error = new Promise((resolve) =>
 *   node.spawn(async (self: Self<unknown>) => {
 *     await self.call(self.pid, "hello").catch(resolve);
 *   })
 * );
 * assertEquals(await error instanceof CallingSelfError, true);
 * ```
 */
export class CallingSelfError extends Error {
  /** Name of the error class. */
  override readonly name = "CallingSelfError";
  /** Stable code: `"calling_self"`. */
  readonly code = "calling_self";
  /** Internal: created by the runtime. */
  constructor(callee: Pid | string, which = "") {
    super(`${callee} calls itself, and cannot answer while it waits${which}`);
  }
}

/**
 * The node has been stopped: spawns, sends and calls are no longer possible.
 *
 * @example
 * ```ts
 * import { Node, NodeStoppedError } from "@firn/firn";
 * import { assertThrows } from "@std/assert";
 *
 * const node = await Node.start({ logLevel: "silent" });
 * await node.stop();
 * assertThrows(() => node.spawn(() => () => {}), NodeStoppedError);
 * ```
 */
export class NodeStoppedError extends Error {
  /** Name of the error class. */
  override readonly name = "NodeStoppedError";
  /** Stable code: `"stopped"`. */
  readonly code = "stopped";
  /** Internal: created by the runtime. */
  constructor(node: string, what: string) {
    super(`${node} has been stopped: ${what}`);
  }
}

/**
 * The request was dropped, because the mailbox of the called actor is full.
 *
 * @example
 * ```ts
 * import { Node, type Self } from "@firn/firn";
 * import { MailboxFullError } from "@firn/firn/actor";
 * import { assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const options = { mailbox: { max: 1, policy: "dropNewest" } } as const;
 * const busy = node.spawnWith(options, async (self: Self<unknown>) => {
 *   await self.receive({ match: () => false });
 * });
 * node.send(busy, "the only one");
 * await assertRejects(() => node.call(busy, "another"), MailboxFullError);
 * ```
 */
export class MailboxFullError extends Error {
  /** Name of the error class. */
  override readonly name = "MailboxFullError";
  /** Stable code: `"mailboxfull"`. */
  readonly code = "mailboxfull";
  /** Internal: created by the runtime. */
  constructor(callee: Pid | string, which = "") {
    super(`the mailbox of ${callee} is full${which}`);
  }
}

/**
 * The request was dropped, because too much data is queued for the node of the called actor.
 *
 * @example
 * ```ts
 * import { QueueFullError } from "@firn/firn/actor";
 * import type { Call, Node, Pid } from "@firn/firn";
 *
 * // Calls an actor of another node when its queue has room.
 * async function patientCall(node: Node, pid: Pid<Call<string, unknown>>) {
 *   for (;;) {
 *     try {
 *       return await node.call(pid, "hello");
 *     } catch (error) {
 *       if (!(error instanceof QueueFullError)) throw error;
 *       await node.drained(pid.node);
 *     }
 *   }
 * }
 * ```
 */
export class QueueFullError extends Error {
  /** Name of the error class. */
  override readonly name = "QueueFullError";
  /** Stable code: `"queuefull"`. */
  readonly code = "queuefull";
  /** Internal: created by the runtime. */
  constructor(node: string, which = "") {
    super(`the send queue to ${node} is full: see node.pressure and node.drained${which}`);
  }
}

/**
 * The actor does not exist, or has exited.
 *
 * @example
 * ```ts
 * import { Node, NoProcError } from "@firn/firn";
 * import { assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * await assertRejects(() => node.call("nothing", "hello"), NoProcError);
 * ```
 */
export class NoProcError extends Error {
  /** Name of the error class. */
  override readonly name = "NoProcError";
  /** Stable code: `"noproc"`. */
  readonly code = "noproc";
  /** Internal: created by the runtime. */
  constructor(target: Pid<never> | string, which = "") {
    super(`no such actor: ${target}${which}`);
  }
}

/**
 * There is no session with the node of an actor, or it was lost before the reply.
 *
 * @example
 * ```ts
 * import { NoConnectionError, Node } from "@firn/firn";
 * import { assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const away = { name: "clock", node: "away@127.0.0.1:9" };
 * await assertRejects(() => node.call(away, "time"), NoConnectionError);
 * ```
 */
export class NoConnectionError extends Error {
  /** Name of the error class. */
  override readonly name = "NoConnectionError";
  /** Stable code: `"noconnection"`. */
  readonly code = "noconnection";
  /** Internal: created by the runtime. */
  constructor(target: Pid<never> | string, which = "") {
    super(`no connection to the node of ${target}${which}`);
  }
}

/**
 * The called actor exited before it replied; `reason` is its exit reason.
 *
 * @example
 * ```ts
 * import { CallExitError, Node, type Self } from "@firn/firn";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const leaving = node.spawn((self: Self<unknown>) => () => self.exit("shutdown"));
 * const error = await assertRejects(() => node.call(leaving, "stay"), CallExitError);
 * assertEquals(error.reason, "shutdown");
 * ```
 */
export class CallExitError extends Error {
  /** Name of the error class. */
  override readonly name = "CallExitError";
  /** Stable code: `"exit"`. */
  readonly code = "exit";
  /** The exit reason of the called actor. */
  readonly reason: ExitReason;
  /** Internal: created by the runtime. */
  constructor(callee: Pid | string, reason: ExitReason, which = "") {
    super(`${callee} ended before it answered: ${describe(reason)}${which}`);
    this.reason = reason;
  }
}

/**
 * Thrown by `self` after its actor has exited. Pending waits of the actor reject with it.
 *
 * @example
 * ```ts
 * import { ActorExitError, Node, type Self } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * let ended: unknown;
 * const pid = node.spawn(async (self: Self<string>) => {
 *   await self.receive().catch((error) => ended = error);
 * });
 * await new Promise((later) => setTimeout(later, 10));
 * node.exit(pid, "kill");
 * await new Promise((later) => setTimeout(later, 10));
 * assertEquals(ended instanceof ActorExitError && ended.reason, "killed");
 * ```
 */
export class ActorExitError extends Error {
  /** Name of the error class. */
  override readonly name = "ActorExitError";
  /** Stable code: `"exit"`. */
  readonly code = "exit";
  /** The actor's exit reason. */
  readonly reason: ExitReason;
  /** Internal: created by the runtime. */
  constructor(pid: Pid, reason: ExitReason, which = "") {
    super(`${pid} has ended: ${describe(reason)}${which}`);
    this.reason = reason;
  }
}

/**
 * A name is taken by another actor, or is invalid.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { NameError } from "@firn/firn/actor";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const first = node.spawn(() => () => {});
 * node.register("clock", first);
 * const second = node.spawn(() => () => {});
 * const error = assertThrows(() => node.register("clock", second), NameError);
 * assertEquals([error.code, error.holder], ["taken", first]);
 * ```
 */
export class NameError extends Error {
  /** Name of the error class. */
  override readonly name = "NameError";
  /** `"taken"`: another actor has the name; `"badname"`: the name is invalid, for example empty. */
  readonly code: "taken" | "badname";
  /** The actor that has the name. Undefined if no actor has it, or if the actor is unknown. */
  readonly holder: Pid | undefined;
  /** Internal: created by the runtime. */
  constructor(code: "taken" | "badname", message: string, holder?: Pid) {
    super(message);
    this.code = code;
    this.holder = holder;
  }
}

/**
 * Returns the error that `make` creates, without a stack. If the runtime creates an error in a turn
 * of the runtime itself, its stack would contain only functions of the runtime. Collecting the
 * stack would take most of the time, and one exit may reject 100,000 calls.
 */
export function withoutStack<E extends Error>(make: () => E): E {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    const error = make();
    error.stack = `${error.name}: ${error.message}`;
    return error;
  } finally {
    Error.stackTraceLimit = limit;
  }
}
