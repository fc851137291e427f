/**
 * Firn's server for `ws.ts`: members at /sub, publishers at /pub, and an echo at /echo.
 *
 * @module
 */
import process from "node:process";
import { serve } from "../../mod.ts";

const server = await serve<string>({
  idleTimeout: 0,
  upgrade: (request) => ({ data: new URL(request.url).pathname }),
  open: (conn) => {
    if (conn.data === "/sub") conn.join("room");
  },
  message: (conn, data) => {
    if (conn.data === "/pub") server.rooms.broadcast("room", data);
    else conn.send(data);
  },
});
process.stdout.write(`${server.port}\n`);
