/**
 * Options of a node from environment variables, for containers.
 *
 * @module
 */
import process from "node:process";
import { parseName } from "./mesh/name.ts";
import { NodeOptionError, type NodeOptions } from "./node_options.ts";

/** The environment variables that are read. */
const VARIABLES = [
  "FIRN_NAME",
  "FIRN_COOKIE",
  "FIRN_COOKIE_FILE",
  "FIRN_SEEDS",
  "FIRN_LISTEN",
] as const;

/** Values of environment variables, by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns options of `Node.start` from environment variables. Unset and empty variables are
 * ignored.
 *
 * | variable           | option       | for example |
 * |--------------------|--------------|-------------|
 * | `FIRN_NAME`        | `name`       | `web@10.0.0.7:9000` |
 * | `FIRN_COOKIE`      | `cookie`     | one cookie, or several with commas between them: the first is used, all are accepted |
 * | `FIRN_COOKIE_FILE` | `cookieFile` | `/run/secrets/firn` |
 * | `FIRN_SEEDS`       | `seeds`      | `*@firn.default.svc:9000`, with commas or spaces between several |
 * | `FIRN_LISTEN`      | `listen`     | `0.0.0.0:9000` or `[::]:9000`; without a port, the port of the name is used |
 *
 * On Deno, this needs `--allow-env` for at least these variables.
 *
 * @throws {NodeOptionError} `code` "badoption": `FIRN_LISTEN` is not an address.
 *
 * @example
 * ```ts
 * import { Node, nodeOptionsFromEnv } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const env = { FIRN_NAME: "web@127.0.0.1:0", FIRN_COOKIE: "the same on every node" };
 * await using node = await Node.start({ ...nodeOptionsFromEnv(env), logLevel: "silent" });
 * assertEquals(node.name.startsWith("web@127.0.0.1:"), true);
 * ```
 */
export function nodeOptionsFromEnv(env?: Environment): NodeOptions {
  // Reads the variables one by one, because each may have its own permission on Deno.
  const values = Object.fromEntries(
    VARIABLES.map((name) => [name, (env ?? process.env)[name]?.trim() || undefined]),
  );
  const { FIRN_NAME: name, FIRN_COOKIE: cookie, FIRN_COOKIE_FILE: cookieFile } = values;
  const { FIRN_SEEDS: seeds, FIRN_LISTEN: listen } = values;
  return {
    ...(name && { name }),
    ...(cookie && { cookie: cookie.split(/\s*,\s*/).filter((part) => part !== "") }),
    ...(cookieFile && { cookieFile }),
    ...(seeds && { seeds: seeds.split(/[\s,]+/).filter((seed) => seed !== "") }),
    ...(listen && { listen: listenOf(listen) }),
  };
}

function listenOf(text: string): { hostname: string; port?: number } {
  const parts = parseName(`listen@${text}`);
  if (parts === undefined) {
    throw new NodeOptionError(
      `FIRN_LISTEN is ${JSON.stringify(text)}: use an address such as 0.0.0.0:9000`,
    );
  }
  const { hostname, port } = parts;
  return /:\d+$/.test(text) && !/^\[[^\]]*$/.test(text) ? { hostname, port } : { hostname };
}
