/**
 * The other servers for `http.ts`, in plain JavaScript, so that Node can run them too:
 *
 *     http_others.mjs native | http
 */
import { createServer } from "node:http";
import process from "node:process";

const ready = (port) => process.stdout.write(`${port}\n`);

/** Starts the server of the runtime. */
function native() {
  const fetch = () => new Response("ok");
  const hostname = "127.0.0.1";
  if ("Bun" in globalThis) ready(Bun.serve({ port: 0, hostname, idleTimeout: 0, fetch }).port);
  else Deno.serve({ port: 0, hostname, onListen: ({ port }) => ready(port) }, fetch);
}

/** Starts a bare server of `node:http`. */
function http() {
  const server = createServer((_request, response) => response.end("ok"));
  server.keepAliveTimeout = 600_000;
  server.listen(0, "127.0.0.1", () => ready(server.address().port));
}

({ native, http })[process.argv[2]]();
