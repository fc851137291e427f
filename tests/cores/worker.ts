/** A worker that its clients can crash or block. */
import process from "node:process";
import { core } from "../../lib/cores/cores.ts";

await core(async (node, { port, core, count }) => {
  process.stdout.write("without a line end");
  await node.serve({
    port,
    reusePort: true,
    message: (conn, data) => {
      if (data === "name") conn.send(`${node.name} ${core}/${count}`);
      else if (data === "peers") conn.send(String(node.peers().length));
      else if (data === "join") conn.join("all");
      else if (data === "crash") process.exit(3);
      else if (data === "block") { for (;;); }
      else node.rooms.broadcast("all", data);
    },
    fetch: () => new Response(node.name),
  });
}, { logLevel: "error" });
