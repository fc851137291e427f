import { BunHost } from "../../lib/host/bun.ts";
import { DenoHost } from "../../lib/host/deno.ts";
import type { Host } from "../../lib/host/host.ts";
import { runtime } from "./test.ts";

/** Creates the host of the runtime that runs the tests. */
export function makeHost(): Host {
  return runtime === "bun" ? new BunHost() : new DenoHost();
}
