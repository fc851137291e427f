/**
 * Assigns the ports of the nodes on one machine, and checks that they are free.
 *
 * @module
 */
import { createServer } from "node:net";
import { type Config, ConfigError, PORT_MAX, withSettingName } from "./config.ts";

/** The ports of one node. For a port of 0, the system chooses one. */
export type ServedPorts = Pick<Config, "httpPort" | "wsPort">;

/** Difference between the ports of two successive nodes of one machine. */
const NODE_PORTS = 10;

/**
 * Returns the ports of the nodes on this machine. The ports of each node are ten higher than those
 * of the node before it. Throws `ConfigError`.
 */
export function portsOf(config: Config, count: number): ServedPorts[] {
  const of = (name: string, first: number, i: number): number => {
    const port = first === 0 ? 0 : first + NODE_PORTS * i;
    if (port <= PORT_MAX) return port;
    throw new ConfigError(`${name} is ${first}: ${count} nodes need ports up to ${port}`);
  };
  const ports = Array.from({ length: count }, (_, i) => ({
    httpPort: of("MESHER_HTTP_PORT", config.httpPort, i),
    wsPort: config.wsPort === null ? null : of("MESHER_WS_PORT", config.wsPort, i),
  }));
  const twice = ports.find(({ wsPort }) =>
    wsPort !== null && wsPort !== 0 && ports.some(({ httpPort }) => httpPort === wsPort)
  );
  if (twice === undefined) return ports;
  throw new ConfigError(
    `MESHER_WS_PORT is ${config.wsPort}: port ${twice.wsPort} would be one node's and another's too`,
  );
}

/**
 * Checks that ports are free, and that the host is one of this machine, which port 0 checks too.
 * Rejects with one line about the setting to change.
 */
export async function assertPortsFree(hostname: string, ports: ServedPorts): Promise<void> {
  const served = [["MESHER_HTTP_PORT", ports.httpPort], ["MESHER_WS_PORT", ports.wsPort]] as const;
  for (const [setting, port] of served) {
    if (port !== null) {
      await withSettingName(`MESHER_HOST and ${setting}`, listenOnce(hostname, port));
    }
  }
}

function listenOnce(hostname: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === "EADDRINUSE";
      const words =
        `port ${port} is in use: end what has it, or set another (0: the system chooses)`;
      reject(new Error(`cannot listen: ${isTaken ? words : error.message}`));
    });
    server.listen(port, hostname, () => server.close(() => resolve()));
  });
}
