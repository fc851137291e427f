/**
 * Runs all comparisons and writes the tables of `RECORD.md`, with the machine, the versions, and
 * the share of the machine that other programs used during the measurement.
 *
 *     deno task bench:all --only ws,codec --out tables.md
 *
 * Each table is printed by a separate program, which can also be run alone. With `FIRN_BENCH=tiny`,
 * only the shortest programs run, at a tiny size, to verify that they work.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { readOptions, refuse } from "./command_line.ts";
import { Others } from "./cpu.ts";
import { isTiny } from "./kit.ts";
import { bun, deno, version } from "./peers/programs.ts";
import { namesIn, say } from "./peers/rounds.ts";

/** A table of `RECORD.md`, which a program of this folder prints. */
interface Table {
  readonly name: string;
  readonly title: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Arguments of the program if this script was started with `--quick`. */
  readonly quick: readonly string[];
  /** Runs the program on Bun instead of Deno. Other programs start both runtimes themselves. */
  readonly onBun?: boolean;
  /** Maximum time in minutes, after which the program is ended. */
  readonly minutes: number;
  /** Whether the program can run at a tiny size, in a second or two. */
  readonly tiny?: boolean;
}

const TABLES: readonly Table[] = [
  {
    name: "actors",
    title: "Actors beside Erlang/OTP and other libraries",
    program: "peers/run.ts",
    args: ["--rounds", "5"],
    quick: ["--rounds", "1"],
    minutes: 40,
    tiny: true,
  },
  {
    name: "restarts",
    title: "Restarts beside Erlang's supervisor",
    program: "otp/compare.ts",
    args: ["--rounds", "5"],
    quick: ["--rounds", "1"],
    minutes: 5,
  },
  {
    name: "mesh",
    title: "Actors of two nodes beside Erlang's, over TLS",
    program: "peers/mesh.ts",
    args: ["--rounds", "5"],
    quick: ["--rounds", "1"],
    minutes: 25,
  },
  {
    name: "names",
    title: "Global names of two nodes beside Erlang's",
    program: "peers/global.ts",
    args: ["--rounds", "5"],
    quick: ["--rounds", "1"],
    minutes: 10,
  },
  {
    name: "codec",
    title: "Terms beside msgpackr and JSON",
    program: "peers/codec.ts",
    args: ["--rounds", "5"],
    quick: ["--rounds", "1"],
    minutes: 10,
    tiny: true,
  },
  {
    name: "ws",
    title: "WebSocket servers, by the server's CPU",
    program: "peers/ws.ts",
    args: ["--seconds", "5"],
    quick: ["--seconds", "1"],
    minutes: 20,
    tiny: true,
  },
  {
    name: "http",
    title: "HTTP servers, by the server's CPU",
    program: "peers/http.ts",
    args: ["--seconds", "5"],
    quick: ["--seconds", "1"],
    minutes: 5,
    tiny: true,
  },
  {
    name: "pairs",
    title: "A broadcast to members on the other node",
    program: "peers/ws_pairs.ts",
    args: ["--seconds", "5"],
    quick: ["--seconds", "1"],
    minutes: 10,
  },
  {
    name: "kills",
    title: "Messages that a client misses when its server is killed",
    program: "peers/ws_kill.ts",
    args: ["--rounds", "3"],
    quick: ["--rounds", "1", "--seconds", "3"],
    minutes: 5,
  },
  {
    name: "cores",
    title: "Two workers of `cores` against one",
    program: "cores/capacity.ts",
    args: ["--seconds", "5"],
    quick: ["--seconds", "1"],
    minutes: 5,
  },
  {
    name: "cores-bun",
    title: "Two workers of `cores` against one, on Bun",
    program: "cores/capacity.ts",
    args: ["--seconds", "5"],
    quick: ["--seconds", "1"],
    minutes: 5,
    onBun: true,
  },
  {
    name: "mesher",
    title: "One node of Mesher beside a plain handler that inserts each event by itself",
    program: "mesher/run.ts",
    args: ["--rounds", "5"],
    quick: ["--rounds", "1", "--seconds", "0.5"],
    minutes: 60,
  },
];

const NAMES = TABLES.map(({ name }) => name);

const HELP = `Measures everything beside its peers, and prints the tables of bench/RECORD.md.

Usage: deno task bench:all [options]

  --only <tables>  some tables only, by name, with commas between:
                   ${NAMES.slice(0, 6).join(" ")}
                   ${NAMES.slice(6).join(" ")}
  --quick          a round or a second each, for a look: about ten minutes in all
  --out <file>     write the tables to a file, after each of them (default: print them)
  --help           show this

All of them take up to three hours; each ends by itself and has a limit:
${
  TABLES.map(({ name, minutes, program, onBun }) => {
    const file = `bench/${program}${onBun ? ", on Bun" : ""}`;
    return `  ${name.padEnd(9)} ${`${minutes} min`.padStart(6)}   ${file}`;
  }).join("\n")
}

Peers that are not installed are left out with a message. Nothing else should use
the machine: what others use is part of the result.
`;

/** Time in milliseconds between the two signals that end a program, SIGTERM and SIGKILL. */
const END_MS = 5_000;

const given = readOptions("bench:all", HELP, {
  values: { only: undefined, out: undefined },
  flags: ["quick"],
});
const wanted = namesIn("bench:all", given.value("only"), NAMES);
const out = given.value("out");
const isQuick = given.has("quick");

/** Returns the machine and the versions, as lines of a list. */
function machine(): string[] {
  const all = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  const print = 'io:format("~s", [erlang:system_info(otp_release)]), halt().';
  const versions = [
    ["commit", commit()],
    ["Deno", version(deno, "--version")],
    ["Bun", version(bun, "--version")],
    ["Node", version("node", "--version")],
    ["Erlang/OTP", version(process.env["ERL"] ?? "erl", "-noshell", "-eval", print)],
  ].filter(([, found]) => found !== undefined).map((pair) => pair.join(" "));
  return [
    `- Machine: ${all[0]?.model.trim()}, ${all.length} cores, ${gib} GiB, Linux ${release()}`,
    `- Load at the start: ${loadavg().map((load) => load.toFixed(1)).join(", ")}`,
    `- Versions: ${versions.join(", ")}`,
  ];
}

/** Returns the commit, and whether the working tree differs from it. */
function commit(): string | undefined {
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .trim();
  try {
    const hasChanges = git("status", "--porcelain") !== "";
    return `${git("rev-parse", "--short", "HEAD")}${hasChanges ? " with changes" : ""}`;
  } catch {
    return undefined;
  }
}

/** Writes the tables so far to the file, if one is given. Exits if it cannot be written. */
function write(): void {
  if (out === undefined) return;
  try {
    writeFileSync(out, `${parts.join("\n\n")}\n`);
  } catch (error) {
    refuse("bench:all", `--out: ${(error as Error).message}`);
  }
}

/** Runs the program of a table. Resolves to the program's output and, if it failed, the reason. */
function run({ program, onBun, minutes }: Table, args: readonly string[]): Promise<{
  readonly text: string;
  readonly failure: string | undefined;
}> {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const [command, ...flags] = onBun ? [bun] : [deno, "run", "-A", "-q"];
  const child = spawn(command!, [...flags, file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let isLate = false;
  const end = (): void => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), END_MS).unref();
  };
  const limit = setTimeout(() => {
    isLate = true;
    end();
  }, minutes * 60_000);
  const stop = (): void => {
    end();
    process.exitCode = 130;
  };
  process.once("SIGINT", stop);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => text += more);
  return new Promise((resolve) => {
    const settle = (failure: string | undefined): void => {
      clearTimeout(limit);
      process.off("SIGINT", stop);
      resolve({ text: text.trim(), failure });
    };
    child.on("error", (error) => settle(error.message));
    child.on("close", (status, signal) => {
      if (isLate) settle(`ended after its limit of ${minutes} minutes`);
      else settle(status === 0 ? undefined : `ended with ${status ?? signal}`);
    });
  });
}

const tables = TABLES.filter(({ name, tiny }) => wanted.includes(name) && (!isTiny() || tiny));
const parts = ["# Measured", machine().join("\n")];
write();
let failures = 0;
for (const [index, table] of tables.entries()) {
  const { name, title, program, minutes, onBun } = table;
  const args = isTiny() ? [] : isQuick ? table.quick : table.args;
  say(`${name}, ${index + 1} of ${tables.length}, at most ${minutes} minutes`);
  const others = new Others();
  const { text, failure } = await run(table, args);
  const use = `others used ${Math.round(others.use() * 100)} % of the cores`;
  if (failure !== undefined) failures++;
  const command = [onBun ? "bun" : "deno run -A", `bench/${program}`, ...args].join(" ");
  parts.push(
    `## ${title}`,
    `\`${command}\`, ${use}${failure === undefined ? "" : `. **It ${failure}.**`}`,
    text,
  );
  write();
  if (process.exitCode === 130) break;
}
if (out === undefined) process.stdout.write(`${parts.join("\n\n")}\n`);
if (failures > 0) {
  say(`${failures} of ${tables.length} tables failed`);
  process.exit(1);
}
process.exit();
