/**
 * Leaves the cluster gracefully.
 *
 *     no children are placed here ─▶ singletons and remote children move
 *         ─▶ sockets are closed in batches ─▶ actors exit ─▶ goodbye
 *
 * @module
 */
import { TIMER_MS_MAX } from "./actor/timer.ts";
import type { Host } from "./host/host.ts";
import type { Global } from "./cluster/global.ts";
import type { Homes } from "./cluster/home.ts";
import type { Mesh } from "./mesh/mesh.ts";
import type { RemoteNodes } from "./mesh/remote_nodes.ts";
import { CLOSE_CODES } from "./ws/close.ts";
import { OptionError } from "./ws/options.ts";
import type { Server, StopOptions } from "./ws/server.ts";

/**
 * Default time limit of `leave`, in milliseconds: less than the 30 seconds that Kubernetes waits
 * after SIGTERM.
 */
const LEAVE_MS = 25_000;

/** Options of `Node.leave`. */
export interface LeaveOptions extends StopOptions {
  /**
   * Total time limit, in milliseconds. At most half of it is used to move singletons and remote
   * children. Children that have not moved by then are stopped, and sockets that are still open at
   * the end are closed. 0 to 2147483647, about 24 days. Default 25000.
   */
  readonly timeout?: number | undefined;
  /** The code of the close frames. Default 1012, service restart: clients should connect again. */
  readonly code?: number | undefined;
  /**
   * The reason in the close frames, as a hint to clients. It is cut to 123 bytes. Default
   * `"reconnect"`.
   */
  readonly reason?: string | undefined;
}

/** The parts of a node that `leave` uses. */
export interface LeavingParts {
  readonly host: Host;
  readonly mesh: Mesh;
  readonly remote: RemoteNodes;
  readonly global: Global;
  readonly homes: Homes;
}

/**
 * Moves singletons and remote children to other nodes, and closes sockets. Resolves with the
 * milliseconds that remain for stopping the node.
 */
export async function leave(
  parts: LeavingParts,
  servers: readonly Server[],
  options: LeaveOptions,
): Promise<number> {
  const { host, mesh, remote, global, homes } = parts;
  const {
    timeout = LEAVE_MS,
    code = CLOSE_CODES.serviceRestart,
    reason = "reconnect",
    ...batches
  } = options;
  checkTimeout(options);
  const endAt = host.clock.now() + timeout;
  mesh.log.info("leaving: no more children are placed on this node");
  // Peers place children only on nodes that expose their function. They are notified before the
  // children of this node exit.
  remote.spawner.close();
  const moved = Promise.all([global.leave(), homes.leave(), remote.spawner.endOwned()]);
  if (!await isWithin(host, timeout / 2, moved)) {
    mesh.log.warn(`leaving: not all singletons and children moved within ${timeout / 2} ms`);
  }
  const left = (): number => Math.max(0, endAt - host.clock.now());
  // Sockets must be closed within three quarters of the remaining time. The actors then exit.
  const drainMs = left() * 0.75;
  const stop = { ...batches, code, reason, timeout: drainMs };
  await isWithin(host, drainMs, Promise.all(servers.map((server) => server.stop(stop))));
  return left();
}

/** Throws `OptionError` if the time limit is invalid. */
export function checkTimeout({ timeout = LEAVE_MS }: LeaveOptions): void {
  if (timeout >= 0 && timeout <= TIMER_MS_MAX) return;
  throw new OptionError(
    `option timeout of leave is ${timeout}: use 0 to ${TIMER_MS_MAX} milliseconds, about 24 days`,
  );
}

/** Resolves to whether a promise resolves within `ms` milliseconds. */
async function isWithin(host: Host, ms: number, promise: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = host.clock.after(ms, () => late.resolve(false));
  try {
    return await Promise.race([promise.then(() => true), late.promise]);
  } finally {
    timer.cancel();
  }
}
