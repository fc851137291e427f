/**
 * The compared libraries: Firn, Erlang/OTP, and other libraries for JavaScript: nact, Effect,
 * actor-ts and noex. Finds and prepares them, and reports the missing ones.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { isTiny } from "../kit.ts";
import { install, temporaryFolder } from "./packages.ts";
import { bun, deno, type Figures, path, runProgram, version } from "./programs.ts";
import type { Contender } from "./rounds.ts";
import type { Run } from "./rows.ts";

/** Time in milliseconds within which a library must be bundled. */
const BUNDLE_MS_MAX = 60_000;

/** The libraries for JavaScript, with the program and the runs of each. */
const LIBRARIES: readonly Library[] = [
  {
    name: "nact",
    program: "nact.ts",
    package: "nact@7.6.2",
    exports: [
      'import nact from "nact";',
      "export const { dispatch, query, spawn, spawnStateless, start, stop } = nact;",
    ],
  },
  {
    name: "Effect",
    program: "effect.ts",
    package: "effect@4.1.0",
    exports: [
      'export * from "effect";',
      'export * as cluster from "effect/cluster";',
      'export * as rpc from "effect/rpc";',
    ],
    more: ["call-entity"],
  },
  // The npm registry does not contain these two libraries, so their sources must be on this
  // machine.
  { name: "actor-ts", program: "actor_ts.ts", sources: "ACTOR_TS" },
  { name: "noex", program: "noex.ts", sources: "NOEX" },
];

/** Runs that the libraries support. */
const LIBRARY_RUNS: readonly Run[] = ["send", "pingpong", "call", "spawn", "restart", "idle"];

/** A library for JavaScript. */
interface Library {
  readonly name: string;
  /** The file with the runs of the library. */
  readonly program: string;
  /**
   * The npm package with its version. Without a package, `sources` is the environment variable that
   * names a folder with the sources.
   */
  readonly package?: string;
  readonly sources?: string;
  /**
   * The source lines of the bundled module, which export what the program uses. By default, the
   * module exports everything in the package.
   */
  readonly exports?: readonly string[];
  /** Runs that the library supports in addition to {@linkcode LIBRARY_RUNS}. */
  readonly more?: readonly Run[];
}

/**
 * Runs that only Firn has. Erlang has one kind of process, so one of its runs corresponds to
 * several of Firn.
 */
const FIRN_RUNS: readonly Run[] = ["send-burst", "send-async", "spawn-async", "idle-async"];

/** The run that only Effect supports. */
const ENTITY_RUN: Run = "call-entity";

/** A contender of the comparison of actors. */
export interface Peer extends Contender {
  readonly kind: "firn" | "erlang" | "library";
  readonly runtime?: "Deno" | "Bun";
  /** Returns the command line of a run, or undefined if the contender does not support it. */
  command(run: Run): readonly string[] | undefined;
}

/** The available contenders, and messages about the missing ones. */
export interface Contenders {
  readonly contenders: readonly Peer[];
  readonly absent: readonly string[];
}

const denoRun = [deno, "run", "-A", "--v8-flags=--expose-gc"];

/** Finds the contenders, compiles the Erlang program, and prepares libraries in a folder. */
export function prepare(): Contenders {
  const folder = temporaryFolder("peers");
  const contenders: Peer[] = [];
  const absent: string[] = [];
  const there = { deno: version(deno, "--version"), bun: version(bun, "--version") };
  const ours = path("firn.ts");
  if (there.deno) contenders.push(firn("Deno", there.deno, [...denoRun, "--no-check", ours]));
  else absent.push("Deno is not on the PATH (DENO_BIN can name it).");
  if (there.bun) contenders.push(firn("Bun", there.bun, [bun, ours]));
  else absent.push("Bun is not on the PATH (BUN_BIN can name it).");
  const erlang = isTiny() ? "Erlang is left out at the tiny size." : prepareErlang(folder);
  if (typeof erlang === "string") absent.push(erlang);
  else contenders.push(erlang);
  const packages = LIBRARIES.flatMap((library) => library.package ?? []);
  const installed = install(folder, packages);
  for (const library of LIBRARIES) {
    const module = moduleOf(library, folder, installed);
    if (!module.path) {
      absent.push(`${library.name} is left out: ${module.reason}.`);
      continue;
    }
    const theirs = path(library.program);
    const onDeno = [...denoRun, "--no-config", theirs];
    if (there.deno) contenders.push(peer(library, module.path, "Deno", onDeno));
    if (there.bun) contenders.push(peer(library, module.path, "Bun", [bun, theirs]));
  }
  return { contenders, absent };
}

/**
 * Bundles a library into one module, so that both runtimes load the same code. Returns the path of
 * the module, or the reason why it cannot be made.
 */
function moduleOf(
  { name, sources, exports, package: spec }: Library,
  folder: string,
  installed: readonly string[],
): { readonly path?: string; readonly reason: string } {
  const file = join(folder, `${name}.mjs`);
  let entry = join(folder, `${name}.entry.ts`);
  if (spec !== undefined) {
    if (!installed.includes(spec)) return { reason: `${spec} is not installed` };
    writeFileSync(entry, exports?.join("\n") ?? `export * from "${name}";`);
  } else {
    const checkout = process.env[sources!];
    if (checkout === undefined || checkout === "") {
      return { reason: `it is not in the npm registry, and ${sources} names no folder with it` };
    }
    entry = join(checkout, "src/index.ts");
  }
  try {
    const args = ["build", entry, "--target=node", "--format=esm", "--outfile", file];
    execFileSync(bun, args, { stdio: "ignore", timeout: BUNDLE_MS_MAX });
    return { path: file, reason: "" };
  } catch {
    return { reason: "bun build failed" };
  }
}

/** Executes one run of one contender in a separate process. Resolves to the reason if it failed. */
export function measure(contender: Peer, run: Run): Promise<Figures | string> {
  return runProgram(contender.command(run)!);
}

function firn(runtime: "Deno" | "Bun", version: string, line: readonly string[]): Peer {
  return {
    kind: "firn",
    runtime,
    name: `Firn ${runtime}`,
    title: `Firn on ${runtime} ${version}`,
    command: (run) => run === ENTITY_RUN ? undefined : [...line, run],
  };
}

function peer(
  library: Library,
  module: string,
  runtime: "Deno" | "Bun",
  line: readonly string[],
): Peer {
  const runs = [...LIBRARY_RUNS, ...library.more ?? []];
  return {
    kind: "library",
    runtime,
    name: `${library.name} ${runtime}`,
    title: `${library.package ?? versionIn(process.env[library.sources!]!)} on ${runtime}`,
    command: (run) => runs.includes(run) ? [...line, run, module] : undefined,
  };
}

/** Returns name and version in the description of a package. */
function versionIn(folder: string): string {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return `${name}@${version}`;
}

function prepareErlang(folder: string): Peer | string {
  const erl = process.env["ERL"] ?? "erl";
  const print = 'io:format("~s", [erlang:system_info(otp_release)]), halt().';
  const release = version(erl, "-noshell", "-eval", print);
  if (release === undefined) {
    return "Erlang is not on the PATH (ERL can name it), so there is nothing to compare with:\n" +
      "    apt-get install --no-install-recommends erlang-base";
  }
  const erlc = process.env["ERLC"] ?? "erlc";
  execFileSync(erlc, ["-o", folder, path("actors.erl")], { stdio: "inherit" });
  const client = [deno, "run", "-A", path("../actor/echo_client.ts")];
  const line = [
    erl,
    "-noshell",
    "-noinput",
    "-start_epmd",
    "false",
    "+P",
    "4000000",
    "-pa",
    folder,
  ];
  return {
    kind: "erlang",
    name: "Erlang",
    title: `Erlang/OTP ${release}`,
    command(run) {
      if (FIRN_RUNS.includes(run) || run === ENTITY_RUN) return undefined;
      const more = run === "fairness" ? [which(client[0]!), ...client.slice(1)] : [];
      return [...line, "-s", "actors", "main", "-extra", run, ...more];
    },
  };
}

/** Returns the path of a command that Erlang needs. */
function which(command: string): string {
  return execFileSync("sh", ["-c", 'command -v "$1"', "sh", command], { encoding: "utf8" }).trim();
}
