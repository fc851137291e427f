/**
 * What an operator does with an actor, after OTP's `sys`.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { TracedMessage, TraceOptions } from "./message_trace.ts";
import type { Recorded } from "./recorder.ts";

/**
 * Inspects and controls actors of any node that permits it with `observe: "control"`; on this node always.
 * Rejects with `ObserveError`.
 *
 * @example
 * ```ts
 * import { Node, service } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const counter = service<{ state: number; cast: { add(n: number): void } }>({
 *   init: () => 40,
 *   cast: { add: (sum, n) => sum + n },
 * });
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = await counter.start(node);
 * await node.sys.suspend(pid);
 * counter.cast(pid).add(2);
 * assertEquals((await node.info(pid)).status, "suspended");
 * await node.sys.resume(pid);
 * assertEquals(await node.sys.state(pid), "42");
 * ```
 */
export interface Sys {
  /** Returns the state of a service, or the children of a supervisor, as text of at most 2000 characters. */
  state(pid: Pid<never>): Promise<string>;
  /** Returns the actor with a name, or with a number: `<0.42>` has 42. Needs "read". */
  find(
    name: string | number,
    options?: { readonly node?: string | undefined },
  ): Promise<Pid | undefined>;
  /** Resolves with the next messages of an actor, with their contents as text. */
  trace(pid: Pid<never>, options?: TraceOptions): Promise<TracedMessage[]>;
  /** Has a node leave its cluster and stop, as `Node.leave` does. Resolves before it has. */
  leave(options?: { readonly node?: string | undefined }): Promise<boolean>;
  /**
   * Lets an actor, also a supervisor, take no messages until it is resumed. They wait in its mailbox, and
   * exit signals still end it. Resolves with whether it is suspended now: one that has not run yet is not.
   */
  suspend(pid: Pid<never>): Promise<boolean>;
  /** Ends a suspension. Resolves with whether the actor was suspended. */
  resume(pid: Pid<never>): Promise<boolean>;
  /**
   * Returns what has happened on a node recently: log entries, events, and samples of messages, at most one in
   * 5 ms, with their types and times but no contents. The flight recorder keeps 1000 entries, and is always on.
   * `since`: from this number on. Needs "read".
   */
  recent(options?: {
    readonly node?: string | undefined;
    readonly since?: number | undefined;
  }): Promise<Recorded[]>;
  /** Sends an exit signal to an actor. Default "kill". */
  exit(pid: Pid<never>, reason?: ExitReason): Promise<boolean>;
}
