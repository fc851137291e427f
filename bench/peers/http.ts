/**
 * Compares the HTTP servers of Firn, Deno and Bun, and `node:http`, by the CPU time of the server
 * per request: each answers "ok" on 32 kept-alive connections with one request in flight on each.
 *
 *     deno run -A bench/peers/http.ts --seconds 5 --calm 60
 *
 * All servers run and take turns (`turns.ts`).
 *
 * @module
 */
import process from "node:process";
import { readCommandLine } from "../command_line.ts";
import { isTiny } from "../kit.ts";
import { temporaryFolder } from "./packages.ts";
import { bun, deno, path, version } from "./programs.ts";
import { say } from "./rounds.ts";
import { type Load, oneServer, printTurns, type Server, takeTurns } from "./turns.ts";

const HELP = `deno run -A bench/peers/http.ts [options]

  --seconds N   measured of each server, in turns of 0.25 s (5; at most 60)
  --rounds N    how often this is done (1; at most 50)
  --calm N      wait at most N seconds for an idle machine (0)
  --only TEXT   only "GET: server" with TEXT in it
  --help        this text

Needs gcc. Without Bun or Node their servers are left out.`;

const options = readCommandLine("http", HELP, {
  rounds: 1,
  seconds: isTiny() ? 0.1 : 5,
  secondsMin: 0.1,
});

const servers: Server[] = [];

/** Adds Firn, the server of the runtime, and `node:http`, on one runtime. */
function add(runtime: string, line: readonly string[]): void {
  const name = `Firn, ${runtime}`;
  const others = path("http_others.mjs");
  if (runtime !== "Node") {
    servers.push(oneServer(name, [...line, path("http_firn.ts")]));
    const native = [...line, others, "native"];
    servers.push(oneServer(`${runtime}.serve`, native, { beside: name }));
  }
  const beside = runtime === "Node" ? "Firn, Deno" : name;
  servers.push(oneServer(`node:http, ${runtime}`, [...line, others, "http"], { beside }));
}

add("Deno", [deno, "run", "-A", "-q", "--no-lock"]);
for (const [runtime, program] of [["Bun", bun], ["Node", "node"]] as const) {
  if (version(program, "--version") !== undefined) add(runtime, [program]);
  else say(`${runtime} is not on the PATH: it is left out.`);
}

const LOAD: Load = { name: "GET", args: ["mode=http", "members=32", "bytes=0"] };
const turns = await takeTurns("http", temporaryFolder("http"), servers, [LOAD], options);
printTurns("http", turns, servers, "CPU seconds of the server for a million requests.");
process.exit(0);
