/**
 * One worker of the demo with `--cores`: a node that serves the same port as the others.
 *
 * @module
 */
import process from "node:process";
import { core } from "../../lib/cores/cores.ts";
import { ListenError } from "../../mod.ts";
import { serveChat } from "./chat.ts";

const runtime: "deno" | "bun" = "Bun" in globalThis ? "bun" : "deno";

await core((node, { port }) =>
  serveChat(node, {
    name: node.name,
    cookie: "",
    port,
    reusePort: true,
    get nodes() {
      const names = [node.name, ...node.peers()].sort();
      return names.map((name) => ({ name, page: `http://127.0.0.1:${port}/`, runtime }));
    },
  }).catch(notListening), { logLevel: "error" });

/** Prints why the worker cannot listen, and ends it. Throws any other error. */
function notListening(error: unknown): void {
  if (!(error instanceof ListenError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
