/**
 * One worker of the demo with `--cores`: a node that serves the same port as the others.
 *
 * @module
 */
import { core } from "../../lib/cores/cores.ts";
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
  }), { logLevel: "error" });
