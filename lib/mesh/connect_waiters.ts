/**
 * Those who wait for a session with a node: each is told once, that it is up or why it is not.
 *
 * @module
 */

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
}

/** All of them, by the node's name. */
export class ConnectWaiters {
  readonly #waiters = new Map<string, Waiter[]>();

  /** Waits for a session. Rejects with {@linkcode NodeConnectError}. */
  wait(name: string): Promise<void> {
    return new Promise<void>((up, failed) => {
      const waiters = this.#waiters.get(name);
      if (waiters === undefined) this.#waiters.set(name, [{ up, failed }]);
      else waiters.push({ up, failed });
    });
  }

  /** The session is up or, with an error, it is not to be had. */
  settle(name: string, error?: NodeConnectError): void {
    const waiters = this.#waiters.get(name);
    if (waiters === undefined) return;
    this.#waiters.delete(name);
    for (const waiter of waiters) {
      if (error === undefined) waiter.up();
      else waiter.failed(error);
    }
  }

  /** Nobody needs to wait any more: this node is stopping. */
  stop(): void {
    for (const name of [...this.#waiters.keys()]) this.settle(name, stoppingError(name));
  }
}
