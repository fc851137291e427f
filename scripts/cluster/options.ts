/**
 * The demo's command line.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";

/** Maximum number of nodes, because each has a key from 1 to 9. */
const NODES_MAX = 9;

/** Default port of the first page, unless it is in use. */
export const PORT_DEFAULT = 8080;

/** The options of the demo. */
export interface Options {
  readonly nodes: number;
  /** Number of nodes on one port, given by `--nodes`; 0 for one per core. */
  readonly cores?: number | undefined;
  readonly once: boolean;
  readonly bun: boolean;
  /** Port of the first page, 0 for any, or `undefined` if not given. */
  readonly port: number | undefined;
  readonly json: boolean;
}

/** The result of parsing the command line. */
export type ParsedOptions =
  | { readonly kind: "run"; readonly options: Options }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly why: string };

/** The text of `--help`. */
export const HELP: string =
  `Starts a demo cluster on this machine: nodes as processes, a page for each.

Usage: deno task cluster [options]
       bun scripts/cluster.ts [options]

  --nodes <count>  how many nodes, 1 to ${NODES_MAX} (default 3)
  --port <port>    port of the first node's page, the others' follow; 0 for any
                   (default ${PORT_DEFAULT}, or free ones if those are taken)
  --cores          a node for each core (or --nodes), as processes that share
                   one port and are replaced when they crash, hang, or on SIGHUP
  --bun            the last node is a Bun process, the others are Deno's
  --once           check that it works, kill a node, restart it, check again,
                   and end: exit status 0 if all of that went well, 1 if not
  --json           print a line of JSON for each node to standard output, with
                   name, address, url, page, pid and runtime; words go to
                   standard error
  --help           show this

FIRN_COOKIE in the environment is the nodes' cookie; without it, each run has a new one.

Without --once it stays up: keys kill nodes and bring them back. BUN_BIN and
DENO_BIN name the programs, where they are not on the PATH.`;

/** Parses the command line. */
export function readOptions(args: readonly string[]): ParsedOptions {
  const strangers: string[] = [];
  const given = parseArgs([...args], {
    string: ["nodes", "port"],
    boolean: ["cores", "once", "bun", "json", "help"],
    alias: { help: "h" },
    unknown: (arg) => {
      strangers.push(arg);
      return false;
    },
  });
  if (given.help) return { kind: "help" };
  if (strangers.length > 0) return wrong(`no such option: ${strangers[0]}`);
  const nodes = whole(given.nodes ?? "3", 1, NODES_MAX);
  if (nodes === undefined) return wrong(`--nodes takes a number from 1 to ${NODES_MAX}`);
  const portMax = 65_536 - nodes;
  const port = given.port === undefined ? undefined : whole(given.port, 0, portMax);
  if (given.port !== undefined && port === undefined) {
    return wrong(`--port takes a number from 0 to ${portMax}, for ${nodes} nodes`);
  }
  const { once, bun, json } = given;
  if (given.cores && (once || bun || json)) {
    return wrong("--cores can only be combined with --nodes and --port");
  }
  const cores = !given.cores ? undefined : given.nodes === undefined ? 0 : nodes;
  return { kind: "run", options: { nodes, cores, once, bun, port, json } };
}

function whole(text: string, least: number, most: number): number | undefined {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  return value >= least && value <= most ? value : undefined;
}

function wrong(why: string): ParsedOptions {
  return { kind: "wrong", why };
}
