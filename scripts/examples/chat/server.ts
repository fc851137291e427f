/**
 * A chat on any number of nodes, with rooms, names, presence, a typing indicator, and the last 50
 * messages.
 *
 *     deno run -A scripts/examples/chat/server.ts --port 8001
 *     deno run -A scripts/examples/chat/server.ts --port 8002 --seed chat1@127.0.0.1:9001
 *
 * `--port 800N` starts the node chatN. If the node is killed, its clients continue at another node
 * without losing messages.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { Node } from "@firn/firn";
import { channel, ChannelError } from "@firn/firn/channels";

/** The channel of the chat's rooms. */
const room = channel("room:*", {
  presence: true,
  history: { size: 50, copies: 2 },
  join(socket, { name }: { name: string }) {
    if (typeof name !== "string" || name.trim() === "") throw new ChannelError("noname");
    socket.state = name;
    socket.track(name, { typing: false });
  },
  state: () => "",
  on: {
    say: (text: string, socket) =>
      socket.broadcast("said", { name: socket.state, text: String(text) }),
    typing: (typing: boolean, socket) => socket.track(socket.state, { typing: typing === true }),
  },
  events: {} as { said: { name: string; text: string } },
});

if (import.meta.main) {
  const { values: { port, seed } } = parseArgs({
    options: {
      port: { type: "string", default: "8001" },
      seed: { type: "string", multiple: true },
    },
  });
  const number = Number(port) - 8000;
  const page = readFileSync(new URL("page.html", import.meta.url), "utf8");
  const node = await Node.start({
    name: `chat${number}@127.0.0.1:${9000 + number}`,
    seeds: seed ?? [],
    leaveOnSigterm: true,
  });
  const server = await node.serve({
    port: Number(port),
    channels: [room],
    origins: "*",
    fetch: () => new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } }),
  });
  process.stdout.write(`${node.name} serves ${server.url.replace("ws:", "http:")}\n`);
}
