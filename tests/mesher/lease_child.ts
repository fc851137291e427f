/** A node in its own process with a singleton that writes to PostgreSQL with its fencing token. */
import { cheapKeys } from "../kit/keys.ts";
import process from "node:process";
import postgres from "postgres@3.4.9";
import type { Self } from "../../lib/actor/self.ts";
import type { NodeOptions } from "../../lib/node_options.ts";
import { startNode } from "../../lib/start.ts";
import { fenced, PostgresLease } from "../../mesher/storage/postgres_lease.ts";
import { takeCommands, tell } from "../kit/child_commands.ts";

takeCommands<{ do: string; to?: string }, NodeOptions & { url: string; ttl: number }>(
  async ({ url, ttl, ...options }) => {
    const parts = await startNode(options, undefined, cheapKeys);
    const lease = new PostgresLease(url, ttl);
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    let token: number | undefined;
    tell({ event: "ready", name: parts.mesh.name, pid: process.pid });
    return async (command) => {
      switch (command.do) {
        case "join":
          void parts.global.singleton("writer", {
            id: "writer",
            start: (self: Self, incarnation) =>
              self.spawnLink((self: Self) => {
                token = incarnation.token;
                tell({ event: "runs", token });
                self.signal.addEventListener("abort", () => tell({ event: "rests" }));
                return () => {};
              }),
          }, { lease, timeout: Infinity });
          return true;
        case "write":
          return await fenced(
            sql,
            "writer",
            token!,
            (query) => query`INSERT INTO written (token) VALUES (${token!})`,
          ).then(
            () => "written",
            (error) => error.message,
          );
        case "peers":
          return parts.mesh.peers();
        case "connect":
          return await parts.mesh.connect(command.to!);
        default:
          throw new Error(`unknown command ${command.do}`);
      }
    };
  },
);
