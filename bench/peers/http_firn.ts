/**
 * Firn's server for `http.ts`.
 *
 * @module
 */
import process from "node:process";
import { serve } from "../../mod.ts";

const server = await serve({
  maxRequestsPerConnection: Number.MAX_SAFE_INTEGER,
  keepAliveTimeout: 600_000,
  fetch: () => new Response("ok"),
});
process.stdout.write(`${server.port}\n`);
