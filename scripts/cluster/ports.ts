/**
 * Finds free ports.
 *
 * @module
 */
import { createServer } from "node:net";

/**
 * The range of randomly chosen ports. It is below the range that systems use for outgoing
 * connections, because the port of a killed node must still be free when the node is restarted.
 */
const PORT_MIN = 10_240;
const PORT_MAX = 32_000;

/** Number of ports that are tried for each requested one. */
const TRIES_MAX = 100;

/** Returns whether this process can listen on a port. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer();
    server.once("error", () => answer(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      server.close(() => answer(true));
    });
  });
}

/** Returns random free ports, except the given ones. */
export async function freePorts(
  count: number,
  without: readonly number[] = [],
): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > TRIES_MAX * count) throw new Error("found no free ports on this machine");
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (!without.includes(port) && await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/** Returns the ports in use among `count` ports starting at `first`. */
export async function takenPorts(first: number, count: number): Promise<number[]> {
  const taken: number[] = [];
  for (let port = first; port < first + count; port++) if (!(await isFree(port))) taken.push(port);
  return taken;
}
