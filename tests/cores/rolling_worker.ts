/** A worker with channels that keep a history on two nodes. */
import { channel } from "../../lib/exports/channels.ts";
import { core } from "../../lib/cores/cores.ts";

const room = channel("room:*", {
  history: { size: 1_000, copies: 2 },
  on: {
    // The reply is sent once two nodes have the message.
    say: async (payload: unknown, socket) => (await socket.broadcast("said", payload))?.offset,
  },
});

await core(async (node, { port }) => {
  await node.serve({
    port,
    reusePort: true,
    channels: [room],
    fetch: () => new Response(node.name),
  });
}, { logLevel: "error" });
