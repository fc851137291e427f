/**
 * The contenders: Firn on each runtime, Erlang/OTP, nact on each runtime. Finds and prepares them,
 * and reports the missing ones.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { bun, deno, type Figures, figuresIn, path, version } from "./programs.ts";
import type { Contender } from "./rounds.ts";
import type { Run } from "./rows.ts";

/** Maximum time in milliseconds of a run, which is then killed. */
const RUN_MS_MAX = 60_000;

/** The version of nact in the record. */
const NACT = "nact@7.6.2";

/** Runs that nact supports. */
const NACT_RUNS: readonly Run[] = ["send", "pingpong", "call", "spawn", "idle"];

/** Runs of Firn only: Erlang has one kind of process, so another run covers these. */
const OURS_ONLY: readonly Run[] = ["send-burst", "send-async", "spawn-async", "idle-async"];

/** A contender. */
export interface Peer extends Contender {
  /** Returns the command line of a run, or undefined if the contender does not support it. */
  command(run: Run): readonly string[] | undefined;
}

/** The available contenders, and messages about the missing ones. */
export interface Field {
  readonly contenders: readonly Peer[];
  readonly absent: readonly string[];
  /** Removes the temporary files. */
  clear(): void;
}

const denoRun = [deno, "run", "-A", "--v8-flags=--expose-gc"];

/** Finds the contenders, compiles the Erlang program, and installs nact into a temporary folder. */
export function prepare(): Field {
  const folder = mkdtempSync(join(tmpdir(), "firn-peers-"));
  const contenders: Peer[] = [];
  const absent: string[] = [];
  const there = { deno: version(deno, "--version"), bun: version(bun, "--version") };
  const ours = path("firn.ts");
  if (there.deno) contenders.push(firn("Deno", there.deno, [...denoRun, ours]));
  else absent.push("Deno is not on the PATH (DENO_BIN can name it).");
  if (there.bun) contenders.push(firn("Bun", there.bun, [bun, ours]));
  else absent.push("Bun is not on the PATH (BUN_BIN can name it).");
  const erlang = prepareErlang(folder);
  if (typeof erlang === "string") absent.push(erlang);
  else contenders.push(erlang);
  if (installNact(folder, there)) {
    const theirs = path("nact.ts");
    if (there.deno) {
      contenders.push(nact("Deno", folder, [...denoRun, "--no-config", theirs]));
    }
    if (there.bun) contenders.push(nact("Bun", folder, [bun, theirs]));
  } else absent.push(`${NACT} could not be installed: it is left out.`);
  return { contenders, absent, clear: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Executes one run of one contender in a separate process. Resolves to the reason if it failed. */
export function measure(contender: Peer, run: Run): Promise<Figures | string> {
  const [command, ...args] = contender.command(run)!;
  const child = spawn(command!, args, { stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve(figuresIn(output));
      const why = signal === "SIGKILL" ? `cut after ${RUN_MS_MAX / 1000} s` : `status ${code}`;
      resolve(`${why} ${errors.trim().split("\n").at(-1) ?? ""}`);
    });
  });
}

function firn(runtime: string, version: string, line: readonly string[]): Peer {
  return {
    name: `Firn ${runtime}`,
    title: `Firn on ${runtime} ${version}`,
    command: (run) => [...line, run],
  };
}

function nact(runtime: string, folder: string, line: readonly string[]): Peer {
  return {
    name: `nact ${runtime}`,
    title: `${NACT} on ${runtime}`,
    command: (run) => NACT_RUNS.includes(run) ? [...line, run, folder] : undefined,
  };
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
    name: "Erlang",
    title: `Erlang/OTP ${release}`,
    command(run) {
      if (OURS_ONLY.includes(run)) return undefined;
      const more = run === "fairness" ? [which(client[0]!), ...client.slice(1)] : [];
      return [...line, "-s", "actors", "main", "-extra", run, ...more];
    },
  };
}

function installNact(folder: string, there: { readonly bun: string | undefined }): boolean {
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  try {
    if (there.bun) run(bun, "add", NACT);
    else run(deno, "add", "--quiet", `npm:${NACT}`);
    return true;
  } catch {
    return false;
  }

  function run(command: string, ...args: string[]): void {
    execFileSync(command, args, { cwd: folder, stdio: "ignore", timeout: RUN_MS_MAX });
  }
}

/** Returns the path of a command that Erlang needs. */
function which(command: string): string {
  return execFileSync("sh", ["-c", 'command -v "$1"', "sh", command], { encoding: "utf8" }).trim();
}
