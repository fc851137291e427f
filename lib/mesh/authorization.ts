/**
 * Decides which requests of other nodes are allowed. A node that has the cookie may still be
 * compromised: the option `authorize` limits what it can do on this node beyond sending messages.
 *
 * @module
 */
import type { Log } from "../base/log.ts";
import type { Pid } from "../term/pid.ts";

/** A request of another node. */
export interface RemoteRequest {
  /**
   * The requesting node. It has proved that it has the cookie or, with `tls`, presented a
   * certificate.
   */
  readonly node: string;
  /**
   * The kind of request. `"exit"`: sends an exit signal to an actor of this node. `"link"`: links a
   * remote actor to an actor of this node, which may exit when the remote actor exits. `"spawn"`:
   * runs an exposed function on this node. `"register"`: registers a global name on the requesting
   * node.
   */
  readonly action: "exit" | "link" | "spawn" | "register";
  /**
   * The actor for "exit" and "link", the name of the exposed function for "spawn", or the global
   * name for "register".
   */
  readonly target: Pid | string;
}

/** Returns whether a request is allowed. */
export type Authorize = (request: RemoteRequest) => boolean;

/**
 * Maximum number of recorded rejections. When the record is full, it is cleared before the next
 * rejection is added, so that rejections may be logged again.
 */
const LOGGED_MAX = 1024;

/** Calls the user's function, and logs each rejection once per node and action. */
export class Authorization {
  readonly #authorize: Authorize | undefined;
  readonly #log: () => Log;
  readonly #logged = new Set<string>();

  constructor(authorize: Authorize | undefined, log: () => Log) {
    this.#authorize = authorize;
    this.#log = log;
  }

  /**
   * Returns whether a request is allowed. Without a function, every request is allowed. If the
   * function throws, the request is rejected.
   */
  allows(node: string, action: RemoteRequest["action"], target: Pid | string): boolean {
    if (this.#authorize === undefined) return true;
    let why = "is not allowed by option authorize";
    try {
      if (this.#authorize({ node, action, target }) === true) return true;
    } catch (error) {
      why = `is rejected because option authorize threw: ${error}`;
    }
    const key = `${action} ${node}`;
    if (this.#logged.has(key)) return false;
    if (this.#logged.size >= LOGGED_MAX) this.#logged.clear();
    this.#logged.add(key);
    this.#log().warn(`${action} of ${target} by ${node} ${why} (logged once)`);
    return false;
  }
}

/** Allows every request. Used by nodes without the option `authorize`. */
export const ALLOW_ALL: Pick<Authorization, "allows"> = { allows: () => true };
