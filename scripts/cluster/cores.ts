/**
 * The demo with `--cores`: a node for each core, all on one port.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cores } from "../../lib/cores/cores.ts";
import { PORT_DEFAULT } from "./options.ts";

const WORKER = fileURLToPath(new URL("./core.ts", import.meta.url));

/** Starts the workers, and prints how to use them. They run until a signal stops them. */
export async function runCores(
  count: number | undefined,
  port: number = PORT_DEFAULT,
): Promise<void> {
  const flags = "Bun" in globalThis ? [] : ["-P=demo"];
  const group = await cores(WORKER, { count, port, flags });
  const workers = group.workers().map(({ node, pid }) => `  ${node}  process ${pid}\n`).join("");
  process.stdout.write(
    `${group.workers().length} nodes serve http://127.0.0.1:${group.port}/\n${workers}` +
      `Break one: kill -9 or kill -STOP its process; it is replaced.\n` +
      `Replace all without a refused connection: kill -HUP ${process.pid}\n` +
      `Stop: Ctrl-C\n`,
  );
}
