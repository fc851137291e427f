/**
 * A shell on a running cluster.
 *
 *     deno task shell alpha@127.0.0.1:9000            reads commands
 *     deno task shell alpha@127.0.0.1:9000 --json top tree    runs these
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { shell } from "../lib/shell.ts";
import { givenArguments } from "./command_arguments.ts";

const HELP = `Connects with a node, as a hidden member of its cluster, and reads commands.

Usage: deno task shell NAME [options] [command…]

  NAME                 a node, name@host:port
  --cookie-file <path> where the cookie is kept (default: .firn.cookie in the home folder)
  --json               writes each result as a line of JSON
  --help               show this; in the shell, help shows the commands

FIRN_COOKIE in the environment is used instead of a file.
`;

function fail(words: string): never {
  process.stderr.write(`shell: ${words}\n`);
  process.exit(1);
}

const options = parseArgs(givenArguments(), {
  string: ["cookie-file"],
  boolean: ["help", "json"],
  unknown: (arg) => !arg.startsWith("-") || fail(`no such option: ${arg} (--help shows them)`),
});
const [target, ...commands] = options._.map(String);
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (target === undefined) fail("which node? Write its name, name@host:port (--help shows more)");
const cookie = process.env["FIRN_COOKIE"];
const cookieFile = options["cookie-file"];
try {
  const status = await shell({
    target,
    json: options.json,
    node: {
      ...cookie === undefined ? {} : { cookie },
      ...cookieFile === undefined ? {} : { cookieFile },
    },
    ...commands.length > 0 ? { commands } : {},
  });
  process.exit(status);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
