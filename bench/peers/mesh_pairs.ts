/**
 * The compared pairs of nodes: Firn on each runtime and on both, a bare TLS connection of each
 * runtime, Erlang/OTP over TLS and over plain TCP. Finds, prepares and starts them, and reports the missing ones.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { freePorts } from "../../scripts/cluster/ports.ts";
import type { DistRun } from "./mesh_rows.ts";
import { bun, deno, type Figures, figuresIn, path, version } from "./programs.ts";
import type { Contender } from "./rounds.ts";

/** Maximum time of a run, in milliseconds. */
const RUN_MS_MAX = 60_000;
/** Maximum time for the far node to start, in milliseconds. */
const START_MS_MAX = 15_000;

/** Time in milliseconds within which a process must exit before it is killed. */
const END_MS = 2_000;

/** The runs that are also measured with Erlang over TCP. */
const TCP_RUNS: readonly DistRun[] = ["send-64", "send-object", "trip", "call"];

type Env = Readonly<Record<string, string>>;

/** A pair of nodes. */
export interface Pair extends Contender {
  readonly isOurs: boolean;
  readonly runs?: readonly DistRun[];
  /** Returns the command line of the far node. `turn` is different for each run. */
  far(turn: number): readonly string[];
  /** Returns the command line of the near node, which executes the run. */
  near(turn: number, run: DistRun, far: string, farProcess: number): readonly string[];
  readonly env: Env;
}

/** The available pairs, and messages about the missing ones. */
export interface Pairs {
  readonly pairs: readonly Pair[];
  readonly absent: readonly string[];
  /** Removes the temporary files. */
  clear(): void;
}

/** Finds the pairs, creates certificates, compiles the Erlang program, and starts `epmd`. */
export async function preparePairs(mixed: boolean, own: boolean): Promise<Pairs> {
  const folder = mkdtempSync(join(tmpdir(), "firn-mesh-"));
  const pairs: Pair[] = [];
  const absent: string[] = [];
  const hasKeys = makeCertificates(folder);
  if (!hasKeys) absent.push("openssl is not on the PATH: there is nothing with certificates.");
  const env: Env = own && hasKeys ? { FIRN_TLS: folder } : {};
  const ours = [path("mesh_firn.ts")];
  const onDeno = version(deno, "--version");
  const onBun = version(bun, "--version");
  const denoLine = [deno, "run", "-A", ...ours];
  const bunLine = [bun, ...ours];
  if (onDeno) pairs.push(firn("Deno", `Deno ${onDeno}`, denoLine, denoLine, env));
  else absent.push("Deno is not on the PATH (DENO_BIN can name it).");
  if (onBun) pairs.push(firn("Bun", `Bun ${onBun}`, bunLine, bunLine, env));
  else absent.push("Bun is not on the PATH (BUN_BIN can name it).");
  if (mixed && onDeno && onBun) {
    pairs.push(firn("Deno→Bun", "Deno, far Bun", denoLine, bunLine, env));
    pairs.push(firn("Bun→Deno", "Bun, far Deno", bunLine, denoLine, env));
  }
  if (onDeno) pairs.push(bare("Deno", [deno, "run", "-A"]));
  if (onBun) pairs.push(bare("Bun", [bun]));
  const erlang = await prepareErlang(folder, hasKeys);
  pairs.push(...erlang.pairs);
  absent.push(...erlang.absent);
  const clear = (): void => {
    erlang.clear();
    rmSync(folder, { recursive: true, force: true });
  };
  return { pairs, absent, clear };
}

/** All running processes of the pairs, which {@linkcode endAll} kills. */
const running = new Set<ChildProcess>();

/** Kills all running processes. */
export function endAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

let turns = 0;

/** Executes one run of one pair in separate processes. Resolves to the reason if it failed. */
export async function measurePair(
  pair: Pair,
  run: DistRun,
): Promise<Figures | string> {
  const turn = ++turns;
  // A Firn node exits when its standard input ends, and thus also when this program exits.
  const far = start(pair.far(turn), pair.env);
  try {
    const line = await far.firstLine();
    if (line === undefined) return `the far node is not up: ${far.lastWords()}`;
    const { name, process: farProcess } = JSON.parse(line);
    const near = start(pair.near(turn, run, name, farProcess), pair.env);
    const timer = setTimeout(() => near.child.kill("SIGKILL"), RUN_MS_MAX);
    const status = await near.ended;
    clearTimeout(timer);
    if (status === "0") return figuresIn(near.output());
    return status === "SIGKILL"
      ? `cut after ${RUN_MS_MAX / 1000} s`
      : `status ${status} ${near.lastWords()} ${far.lastWords()}`;
  } finally {
    far.child.stdin!.end();
    const timer = setTimeout(() => far.child.kill("SIGKILL"), END_MS);
    await far.ended;
    clearTimeout(timer);
  }
}

interface Started {
  readonly child: ChildProcess;
  /** Resolves to the exit status, or to the signal that ended the process. */
  readonly ended: Promise<string>;
  output(): string;
  /**
   * Resolves to the first line that the process prints, or to undefined if it exits before or takes
   * too long.
   */
  firstLine(): Promise<string | undefined>;
  /** Returns the last line of the process's standard error. */
  lastWords(): string;
}

function start([command, ...args]: readonly string[], env: Env): Started {
  const child = spawn(command!, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  running.add(child);
  let output = "";
  let errors = "";
  const output$ = child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  child.stdin.on("error", () => {});
  const ended = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(signal ?? String(code)));
  }).finally(() => running.delete(child));
  return {
    child,
    ended,
    output: () => output,
    firstLine: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(undefined), START_MS_MAX);
        const look = (): void => {
          const end = output.indexOf("\n");
          if (end < 0) return;
          clearTimeout(timer);
          resolve(output.slice(0, end));
        };
        output$.on("data", look);
        look();
        ended.then(() => {
          clearTimeout(timer);
          resolve(undefined);
        });
      }),
    lastWords: () => errors.trim().split("\n").at(-1) ?? "",
  };
}

function firn(
  name: string,
  title: string,
  nearLine: readonly string[],
  farLine: readonly string[],
  env: Env,
): Pair {
  const tls = "FIRN_TLS" in env ? ", certificates on both sides" : "";
  return {
    name: `Firn ${name}`,
    title: `Firn on ${title}${tls}`,
    isOurs: true,
    env,
    far: () => [...farLine, "far"],
    near: (_turn, run, far, farProcess) => [...nearLine, "near", run, far, String(farProcess)],
  };
}

/** Returns two processes that only have a TLS connection. */
function bare(runtime: string, command: readonly string[]): Pair {
  const line = [...command, path("mesh_bare.ts")];
  return {
    name: `bare ${runtime}`,
    title: `a TLS connection of ${runtime} that returns a call's bytes`,
    isOurs: false,
    runs: ["trip", "call"],
    env: {},
    far: () => [...line, "far"],
    near: (_turn, run, port) => [...line, "near", run, port],
  };
}

async function prepareErlang(folder: string, hasKeys: boolean): Promise<Pairs> {
  const pairs: Pair[] = [];
  const absent: string[] = [];
  const erl = process.env["ERL"] ?? "erl";
  const print = (what: string): string => `io:format("~p", [${what}]), halt().`;
  const release = version(erl, "-noshell", "-eval", print("erlang:system_info(otp_release)"));
  const none: Pairs = { pairs, absent, clear() {} };
  if (release === undefined) {
    absent.push(
      "Erlang is not on the PATH (ERL can name it), so there is nothing to compare with:\n" +
        "    apt-get install --no-install-recommends erlang-base erlang-ssl",
    );
    return none;
  }
  const mapper = await startMapper();
  if (mapper === undefined) {
    absent.push("Erlang's port mapper, epmd, cannot be started: Erlang is left out.");
    return none;
  }
  const source = path("mesh_actors.erl");
  execFileSync(process.env["ERLC"] ?? "erlc", ["-o", folder, source], { stdio: "inherit" });
  const env: Env = {
    ERL_CRASH_DUMP: "/dev/null",
    ERL_EPMD_PORT: String(mapper.port),
    ERL_EPMD_ADDRESS: "127.0.0.1",
  };
  const line = [erl, "-start_epmd", "false", "-pa", folder, "-noshell", "-noinput"];
  line.push("-setcookie", `firn${process.pid}`);
  const pair = (name: string, words: string, more: readonly string[]): Pair => {
    const node = (side: string, turn: number): readonly string[] => {
      return [...line, ...more, "-sname", `${side}${turn}@localhost`, "-s", "mesh_actors", side];
    };
    return {
      name,
      title: `Erlang/OTP ${release} ${words}`,
      isOurs: false,
      env,
      far: (turn) => node("far", turn),
      near: (turn, run, far, farProcess) => [
        ...node("near", turn),
        "-extra",
        run,
        far,
        String(farProcess),
      ],
    };
  };
  const look = "case code:which(ssl) of non_existing -> 0; _ -> 1 end";
  if (version(erl, "-noshell", "-eval", print(look)) === "1" && hasKeys) {
    const file = join(folder, "ssl.conf");
    const more = ["-proto_dist", "inet_tls", "-ssl_dist_optfile", file];
    pairs.push(pair("Erlang TLS", "over TLS, certificates on both sides", more));
  } else {
    absent.push(
      "Erlang has no TLS (ERL_LIBS can say where more of it is):\n" +
        "    apt-get install --no-install-recommends erlang-ssl",
    );
  }
  pairs.push({ ...pair("Erlang TCP", "over plain TCP", []), runs: TCP_RUNS });
  return { pairs, absent, clear: () => void mapper.child.kill("SIGKILL") };
}

/** Starts a separate `epmd`, so that a running one is not affected. */
async function startMapper(): Promise<{ child: ChildProcess; port: number } | undefined> {
  const port = (await freePorts(1))[0]!;
  const epmd = process.env["EPMD"] ?? "epmd";
  const args = ["-port", String(port), "-address", "127.0.0.1", "-relaxed_command_check"];
  const child = spawn(epmd, args, { stdio: "ignore" });
  running.add(child);
  let isOver = false;
  child.on("error", () => isOver = true).on("close", () => {
    isOver = true;
    running.delete(child);
  });
  for (let i = 0; i < 100 && !isOver; i++) {
    if (await listens(port)) return { child, port };
    await new Promise((wake) => setTimeout(wake, 20));
  }
  child.kill("SIGKILL");
  return undefined;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    }).on("error", () => resolve(false));
  });
}

/** Creates an authority, its certificate for this machine, and Erlang's TLS configuration. */
function makeCertificates(folder: string): boolean {
  const openssl = (...args: string[]): void =>
    void execFileSync("openssl", args, { cwd: folder, stdio: "ignore", timeout: START_MS_MAX });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const days = ["-days", "2"];
  const ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
  try {
    openssl(
      "req",
      "-x509",
      ...key,
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
      ...days,
      "-subj",
      "/CN=ca",
    );
    writeFileSync(join(folder, "names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    openssl("req", ...key, "-keyout", "n.key", "-out", "n.csr", "-subj", "/CN=localhost");
    const names = ["-extfile", "names"];
    openssl("x509", "-req", "-in", "n.csr", ...ca, "-out", "n.pem", ...days, ...names);
  } catch {
    return false;
  }
  const quoted = (name: string): string => JSON.stringify(join(folder, name));
  const both = `{cacertfile,${quoted("ca.pem")}},{certfile,${quoted("n.pem")}},` +
    `{keyfile,${quoted("n.key")}},{verify,verify_peer}`;
  const text = `[{server,[${both},{fail_if_no_peer_cert,true}]},{client,[${both}]}].\n`;
  writeFileSync(join(folder, "ssl.conf"), text);
  return true;
}
