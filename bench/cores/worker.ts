/**
 * The worker of `capacity.ts`: members at /sub, publishers at /pub, and an echo at /echo.
 *
 * @module
 */
import { core } from "../../lib/cores/cores.ts";

await core(async (node, { port }) => {
  await node.serve<string>({
    port,
    reusePort: true,
    idleTimeout: 0,
    upgrade: (request) => ({ data: new URL(request.url).pathname }),
    open: (conn) => {
      if (conn.data === "/sub") conn.join("room");
    },
    message: (conn, data) => {
      if (conn.data === "/pub") node.rooms.broadcast("room", data);
      else conn.send(data);
    },
  });
}, { logLevel: "error" });
