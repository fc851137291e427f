/**
 * Inspection and control of actors, modelled on OTP's `sys`.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { TracedMessage, TraceOptions } from "./message_trace.ts";
import type { Recorded } from "./recorder.ts";

/**
 * Inspects and controls actors of this node, and of other nodes with the option
 * `observe: "control"`. Rejects with `ObserveError`.
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
  /**
   * Returns the state of a service, or the children of a supervisor, as text of at most 2000
   * characters.
   */
  state(pid: Pid<never>): Promise<string>;
  /**
   * Returns the pid of the actor with a name, or with a number, such as 42 for `<0.42>`. On another
   * node, requires only the access "read".
   */
  find(
    name: string | number,
    options?: { readonly node?: string | undefined },
  ): Promise<Pid | undefined>;
  /** Resolves with the next messages of an actor, with their contents as text. */
  trace(pid: Pid<never>, options?: TraceOptions): Promise<TracedMessage[]>;
  /** Makes a node leave its cluster and stop, as `Node.leave` does. Resolves before it has left. */
  leave(options?: { readonly node?: string | undefined }): Promise<boolean>;
  /**
   * Suspends an actor or a supervisor: messages stay in its mailbox until it is resumed, and exit
   * signals still end it. Resolves with whether it is suspended; an actor that has not run yet
   * cannot be suspended.
   */
  suspend(pid: Pid<never>): Promise<boolean>;
  /** Ends the suspension of an actor. Resolves with whether the actor was suspended. */
  resume(pid: Pid<never>): Promise<boolean>;
  /**
   * Returns the entries of a node's flight recorder: log entries, events, and samples of messages,
   * at most one per 5 ms, with types and times but no contents. The recorder is always on, and
   * keeps 1000 entries. `since` is the number of the first entry. On another node, requires only
   * the access "read".
   */
  recent(options?: {
    readonly node?: string | undefined;
    readonly since?: number | undefined;
  }): Promise<Recorded[]>;
  /** Sends an exit signal with `reason` to an actor. Default reason: "kill". */
  exit(pid: Pid<never>, reason?: ExitReason): Promise<boolean>;
}
