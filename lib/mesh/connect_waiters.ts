/**
 * Those who wait for a session with a node: each is told once, that it is up or why it is not.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";

/** A session could not be had. `code` says why in one word. */
export class NodeConnectError extends Error {
  /** Tells the class of the error. */
  override readonly name = "NodeConnectError";
  /** A `ConnectError`'s code, a reason to refuse, `"timeout"`, `"broken"` or `"stopping"`. */
  readonly code: string;

  /** With its code and words. */
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Why there is no session with a node: this one is stopping. */
export function stoppingError(name: string): NodeConnectError {
  return new NodeConnectError("stopping", `no session with ${name}: this node is stopping`);
}

/** Somebody waits. */
interface Waiter {
  readonly up: () => void;
  readonly failed: (error: Error) => void;
  readonly late: Timer;
}

/** All of them, by the node's name. */
export class ConnectWaiters {
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<Waiter>>();

  /** `clock` has the timeouts. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits for a session. Rejects with {@linkcode NodeConnectError}, after `timeoutMs` at the latest. */
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

  /** The session is up or, with an error, it is not to be had. */
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

  /** Nobody needs to wait any more: this node is stopping. */
  stop(): void {
    for (const name of [...this.#waiters.keys()]) this.settle(name, stoppingError(name));
  }
}
