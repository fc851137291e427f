/**
 * One node of the demo, as a process. Its parent sends its options as one line of JSON on standard
 * input; it sends reports in the same form on standard output. It exits when its input ends, so
 * that it does not outlive its parent.
 *
 * @module
 */
import process from "node:process";
import { ListenError, Node } from "../../mod.ts";
import { serveChat } from "./chat.ts";
import type { Report, Terms } from "./report.ts";

/** Time limit in milliseconds for an orderly stop, after which the process exits without it. */
const STOP_MS = 2_000;

/** Ping timeout in milliseconds, after which a paused node counts as lost. */
const PING_TIMEOUT_MS = 4_000;

function report(what: Report): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

async function start(terms: Terms): Promise<Node> {
  const node = await Node.start({
    name: terms.name,
    cookie: terms.cookie,
    seeds: terms.nodes.map((card) => card.name).filter((name) => name !== terms.name),
    pingInterval: PING_TIMEOUT_MS / 4,
    pingTimeout: PING_TIMEOUT_MS,
    logLevel: "error",
    observe: "control",
    log: ({ line }) => report({ kind: "log", line }),
  });
  for (const peer of node.peers()) report({ kind: "nodeup", node: peer });
  node.on("nodeup", ({ node }) => report({ kind: "nodeup", node }));
  node.on("nodedown", ({ node, reason }) => report({ kind: "nodedown", node, reason }));
  node.on("refused", ({ peer, words }) => report({ kind: "refused", peer, words }));
  await serveChat(node, terms);
  const { bun, deno } = process.versions;
  report({ kind: "ready", pid: process.pid, version: bun ?? deno ?? "" });
  return node;
}

async function begin(terms: Terms): Promise<void> {
  try {
    node = await start(terms);
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    report({ kind: "failed", message: error.message });
    process.exit(1);
  }
}

async function end(): Promise<void> {
  setTimeout(() => process.exit(0), STOP_MS);
  await node?.stop();
  process.exit(0);
}

let node: Node | undefined;
let input = "";
let begun = false;
process.stdin.setEncoding("utf8");
process.stdin.on("data", (text: string) => {
  input += text;
  if (begun || !input.includes("\n")) return;
  begun = true;
  void begin(JSON.parse(input) as Terms);
});
process.stdin.on("end", () => void end());
process.stdout.on("error", () => {
  // Does nothing: the parent no longer reads, and will close the input too.
});
process.on("SIGTERM", () => void end());
// A terminal sends Ctrl-C to all its processes. The parent handles it.
process.on("SIGINT", () => {});
