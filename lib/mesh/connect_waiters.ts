/**
 * Stores the pending calls of `connect`. Each resolves when the session is open, or rejects with
 * the reason why it could not be opened.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";

/**
 * The error of `Node.connect` if no session with the node was opened. `code` is the reason.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { NodeConnectError } from "@firn/firn/node";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const error = await assertRejects(() => node.connect("away@127.0.0.1:9"), NodeConnectError);
 * assertEquals(error.code, "refused");
 * ```
 */
export class NodeConnectError extends Error {
  /** The name of the class. */
  override readonly name = "NodeConnectError";
  /**
   * The code of a `ConnectError`, the reason with which a node was rejected, `"timeout"`,
   * `"broken"` or `"stopping"`.
   */
  readonly code: string;

  /** Creates the error from the code and the message. */
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Returns the error for a node that is stopping. */
export function stoppingError(name: string): NodeConnectError {
  return new NodeConnectError("stopping", `no session with ${name}: this node is stopping`);
}

/** One pending call of `connect`. */
interface Waiter {
  readonly up: () => void;
  readonly failed: (error: Error) => void;
  readonly late: Timer;
}

/** The pending calls of `connect`, by the name of the node. */
export class ConnectWaiters {
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<Waiter>>();

  /** `clock` runs the timeouts. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Waits for a session. Rejects with {@linkcode NodeConnectError} at the latest after `timeoutMs`.
   */
  wait(name: string, timeoutMs: number): Promise<void> {
    return new Promise<void>((up, failed) => {
      const waiters = this.#waiters.get(name) ?? new Set();
      this.#waiters.set(name, waiters);
      const late = this.#clock.after(timeoutMs, () => {
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiters.get(name) === waiters) this.#waiters.delete(name);
        const words = `no session with ${name} in ${timeoutMs} ms`;
        failed(new NodeConnectError("timeout", words));
      });
      const waiter: Waiter = { up, failed, late };
      waiters.add(waiter);
    });
  }

  /**
   * Settles the pending calls for a node: rejects them with `error`, or resolves them if there is
   * no error.
   */
  settle(name: string, error?: NodeConnectError): void {
    const waiters = this.#waiters.get(name);
    if (waiters === undefined) return;
    this.#waiters.delete(name);
    for (const waiter of waiters) {
      waiter.late.cancel();
      if (error === undefined) waiter.up();
      else waiter.failed(error);
    }
  }

  /** Rejects all pending calls, because this node is stopping. */
  stop(): void {
    for (const name of [...this.#waiters.keys()]) this.settle(name, stoppingError(name));
  }
}
