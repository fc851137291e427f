/**
 * A node in its own process, with a server, and with the commands that the tests of joining and
 * leaving need.
 */
import { readdirSync } from "node:fs";
import process from "node:process";
import type { NodeOptions } from "../../lib/node_options.ts";
import { systemHost } from "../../lib/start.ts";
import type { Server } from "../../lib/ws/server.ts";
import { startCheaply } from "../kit/keys.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Dials an address that does not answer. Returns the numbers of open descriptors over time. */
async function dialSilent(hostname: string, count: number, isTls: boolean) {
  const before = descriptors();
  const tls = isTls ? { ca: "", serverName: "node.firn.internal" } : undefined;
  const dials = Array.from(
    { length: count },
    (_, i) => systemHost().connect({ hostname, port: 20_000 + i, timeoutMs: 500, tls }),
  );
  await new Promise((wake) => setTimeout(wake, 250));
  const during = descriptors();
  const codes = (await Promise.allSettled(dials))
    .map((dial) => dial.status === "rejected" ? dial.reason.code : "up");
  return { before, during, codes: [...new Set(codes)] };
}

// Deno panics if no descriptor is free when it first listens to a signal, so it listens early.
process.on("SIGUSR2", () => {});

takeCommands<Record<string, unknown>, NodeOptions>(async (options) => {
  const node = await startCheaply(options);
  for (const event of ["nodeup", "nodedown", "refused", "listener", "clockskew"] as const) {
    node.on(event, (details) => tell({ event, at: now(), ...details }));
  }
  let server: Server | undefined;
  tell({ event: "ready", at: now(), name: node.name, pid: process.pid });
  return async (command) => {
    switch (command["do"]) {
      case "peers":
        return node.peers();
      case "wall":
        return Date.now();
      case "changeCookie":
        return await node.changeCookie(command["cookies"] as string[]);
      case "serve":
        server = await node.serve({
          message: (conn, data) => void conn.send(data),
          fetch: () => new Response("hello"),
        });
        return server.url;
      case "membership":
        return node.membership();
      case "descriptors":
        return descriptors();
      case "dialSilent":
        return await dialSilent(
          String(command["hostname"]),
          Number(command["count"]),
          command["tls"] === true,
        );
      default:
        throw new Error(`unknown command ${command["do"]}`);
    }
  };
});
