/**
 * Messages about the exit of an actor.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid, Ref } from "../term/pid.ts";
import { describe, describeFully } from "./describe.ts";
import { NodeChange } from "./node_change.ts";
import { RUNTIME, RuntimeMessage } from "./runtime_message.ts";

/** Returns a new {@linkcode Exit}. */
export function exitMessage(from: Pid, reason: ExitReason): Exit {
  return new Exit(RUNTIME, from, reason);
}

/** Returns a new {@linkcode Down}. */
export function downMessage(ref: Ref, pid: Pid, reason: ExitReason): Down {
  return new Down(RUNTIME, ref, pid, reason);
}

/**
 * Returns whether the runtime created a message. An object of a program with the same properties
 * does not count.
 */
export function isSystemMessage(message: unknown): message is Exit | Down | NodeChange {
  return message instanceof Exit || message instanceof Down || message instanceof NodeChange;
}

/**
 * A linked actor has exited, or an actor has sent an exit signal. Delivered to actors that trap
 * exits.
 *
 * @example
 * ```ts
 * import { Exit, Node, type Self } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const exit = new Promise<Exit>((resolve) =>
 *   node.spawn(async (self: Self<Exit>) => {
 *     self.trapExit = true;
 *     self.spawnLink((child: Self<never>) => child.exit("shutdown"));
 *     const message = await self.receive();
 *     if (message instanceof Exit) resolve(message);
 *   })
 * );
 * assertEquals((await exit).reason, "shutdown");
 * ```
 */
export class Exit extends RuntimeMessage {
  /** Always `"EXIT"`. */
  readonly type = "EXIT";
  /** The actor that exited or sent the signal. */
  readonly from: Pid;
  /** The reason of the exit, or of the exit signal. */
  readonly reason: ExitReason;

  /** Internal: throws if a program calls it. */
  constructor(key: symbol, from: Pid, reason: ExitReason) {
    super(key);
    this.from = from;
    this.reason = reason;
  }
}

/**
 * A monitored actor has exited, or did not exist.
 *
 * @example
 * ```ts
 * import { Down, Node, type Self } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const down = new Promise<Down>((resolve) =>
 *   node.spawn(async (self: Self<Down>) => {
 *     self.monitor(node.spawn((other: Self<never>) => other.exit("shutdown")));
 *     const message = await self.receive();
 *     if (message instanceof Down) resolve(message);
 *   })
 * );
 * assertEquals((await down).reason, "shutdown");
 * ```
 */
export class Down extends RuntimeMessage {
  /** Always `"DOWN"`. */
  readonly type = "DOWN";
  /** The reference that `monitor` returned. */
  readonly ref: Ref;
  /** The monitored actor. */
  readonly pid: Pid;
  /** The exit reason of the monitored actor. */
  readonly reason: ExitReason;

  /** Internal: throws if a program calls it. */
  constructor(key: symbol, ref: Ref, pid: Pid, reason: ExitReason) {
    super(key);
    this.ref = ref;
    this.pid = pid;
    this.reason = reason;
  }
}

/** Returns the exit reason for a value that was thrown. */
export function thrownReason(thrown: unknown): ExitReason {
  const readable = readableReason(thrown);
  return readable instanceof Error ? readable : { thrown: readable };
}

/**
 * Returns `reason`, or its description if links, monitors and reports could not read its
 * properties. This happens with a revoked proxy, or an error with a getter that throws. A promise
 * is also replaced by its description, because another promise that is resolved with it would wait
 * for it.
 */
export function readableReason(reason: unknown): ExitReason {
  if (reason === null || (typeof reason !== "object" && typeof reason !== "function")) {
    return reason as ExitReason;
  }
  try {
    const canBeRead = reason instanceof Error
      ? typeof reason.name === "string" && typeof reason.message === "string"
      : Object.keys(reason).length >= 0 && !isThenable(reason);
    if (canBeRead) return reason;
  } catch {
    // Ignores the error: a getter or a proxy of the program threw.
  }
  return describe(reason);
}

/**
 * Returns whether the properties of a message can be read. A revoked proxy or a getter may throw.
 */
export function isReadable(message: unknown, ...properties: readonly string[]): boolean {
  try {
    void (message instanceof Object);
    for (const property of properties) {
      void (message as Record<string, unknown> | null | undefined)?.[property];
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * Returns whether a value has a method `then`, so that a promise resolved with the value would wait
 * for it.
 */
export function isThenable(value: unknown): boolean {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  return typeof (value as { then?: unknown }).then === "function";
}

/** Returns a reason as text for a log: an error with its stack. */
export function reasonText(reason: ExitReason): string {
  return describeFully(reason);
}

/** Returns a reason as one line for an error message: an `Error` without its stack. */
export function reasonLine(reason: ExitReason): string {
  return reason instanceof Error ? `${reason.name}: ${reason.message}` : reasonText(reason);
}
