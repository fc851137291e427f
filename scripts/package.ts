// deno-lint-ignore-file no-console
/**
 * Builds a package of JavaScript and declarations that `bun add` and `deno add npm:` install:
 *
 *     deno task package          into package/, and as a tarball if npm is installed
 *     deno task package FOLDER   into another folder
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { givenArguments } from "./command_arguments.ts";
import { buildPackage } from "./package/build.ts";

const HELP = `Makes the npm package: JavaScript and declarations.

Usage: deno task package [folder]

  folder   where to put it (package); it is emptied first
  --help   show this`;

const args = parseArgs(givenArguments(), {
  boolean: ["help"],
  unknown: (arg) => {
    if (!arg.startsWith("-")) return true;
    console.error(`No such option: ${arg}\n\n${HELP}`);
    process.exit(2);
  },
});
if (args.help) {
  console.log(HELP);
  process.exit(0);
}
const folder = String(args._[0] ?? "package");
const { name, version } = await buildPackage(folder);
console.log(`${name} ${version} is in ${folder}`);
const packed = spawnSync("npm", ["pack", "--silent"], { cwd: folder, encoding: "utf8" });
console.log(
  packed.status === 0
    ? `tarball: ${join(folder, packed.stdout.trim())}`
    : "no tarball: npm is not installed",
);
