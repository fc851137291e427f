/**
 * Measures servers in interleaved turns. All servers of a comparison run at the same time, each
 * with a connected load client. The servers are loaded one after another for a quarter of a second
 * each, in alternating order, so that changes in the speed of the machine affect all servers alike.
 * Between its turns a server should be idle, because it would otherwise slow down the others. Its
 * use of the CPU in this time is measured too.
 *
 * @module
 */
import type { ChildProcess } from "node:child_process";
import process from "node:process";
import { type CommandLine, refuse } from "../command_line.ts";
import { descendants, Others } from "../cpu.ts";
import { median, NOISE_RULE, spread, timesOf } from "../spread.ts";
import { calm } from "./calm.ts";
import { compileClient, LoadClient, type Turn } from "./load_client.ts";
import { endProcess, startServer } from "./processes.ts";
import { say } from "./rounds.ts";
import { draw } from "./table.ts";

/** Duration in seconds of a turn. */
const TURN_S = 0.25;

/** Maximum warm-up in seconds: compilation takes much of the first seconds. */
const WARM_S_MAX = 3;

/** Share of a core above which a server's use between its turns is reported. */
const IDLE_MAX = 0.02;

/** A running server. */
export interface Target {
  /** Arguments of the load client: ports and protocol. */
  readonly args: readonly string[];
  /** The processes whose CPU time is measured. */
  readonly pids: readonly number[];
}

/** A server, or several that work together. */
export interface Server {
  readonly name: string;
  /** The name of the server with which this server is compared. */
  readonly beside?: string;
  start(started: (child: ChildProcess) => void): Promise<Target>;
}

/**
 * Returns a server that is started by one command, which prints its port. The processes that it
 * starts are measured too.
 */
export function oneServer(
  name: string,
  command: readonly string[],
  { beside, args = [] }: { readonly beside?: string; readonly args?: readonly string[] } = {},
): Server {
  return {
    name,
    ...beside === undefined ? {} : { beside },
    async start(started) {
      let pid = 0;
      const port = await startServer(command, (child) => {
        pid = child.pid!;
        started(child);
      });
      return { args: [`port=${port}`, ...args], pids: [pid, ...descendants(pid)] };
    },
  };
}

/** A load that every server receives. */
export interface Load {
  readonly name: string;
  readonly args: readonly string[];
}

/** The turns of each server by load. */
export type Turns = ReadonlyMap<Load, ReadonlyMap<Server, readonly Turn[]>>;

/**
 * Starts the wanted servers, and measures them in turns. In each round, each server has
 * `options.seconds` of each load, after a warm-up of the same duration, but at most {@linkcode
 * WARM_S_MAX}. A server that fails is left out with a message.
 */
export async function takeTurns(
  bench: string,
  folder: string,
  servers: readonly Server[],
  loads: readonly Load[],
  options: CommandLine,
): Promise<Turns> {
  const problem = compileClient(folder);
  if (problem !== undefined) refuse(bench, problem);
  const wanted = new Map(
    loads.map((load) =>
      [load, servers.filter(({ name }) => options.wants(`${load.name}: ${name}`))] as const
    ).filter(([, servers]) => servers.length > 0),
  );
  if (wanted.size === 0) refuse(bench, "no run has each --only in its name (--help)");
  const children: ChildProcess[] = [];
  const running = new Map<Server, Target>();
  try {
    for (const server of new Set([...wanted.values()].flat())) {
      await server.start((child) => void children.push(child))
        .then((target) => running.set(server, target), (error) => leaveOut(server, error));
    }
    const turns = new Map<Load, Map<Server, Turn[]>>();
    for (let round = 1; round <= options.rounds; round++) {
      for (const [load, servers] of wanted) {
        const used = await calm(options.calm);
        if (options.calm > 0 && used > 0.1) say(`  the machine is not idle: ${percent(used)} used`);
        const others = new Others();
        const there = new Map(servers.flatMap((server) => {
          const target = running.get(server);
          return target === undefined ? [] : [[server, target] as const];
        }));
        const found = turns.get(load) ?? new Map<Server, Turn[]>();
        turns.set(load, found);
        for (const [server, more] of await takeTurnsAt(folder, load, there, options.seconds)) {
          found.set(server, [...found.get(server) ?? [], ...more]);
        }
        say(
          `${load.name}, round ${round} of ${options.rounds}: others use ${percent(others.use())}`,
        );
      }
    }
    return turns;
  } finally {
    await Promise.all(children.map(endProcess));
  }
}

function leaveOut({ name }: Server, reason: unknown): void {
  say(`${name} is left out: ${reason instanceof Error ? reason.message : reason}`);
}

/** Measures the servers in turns at one load. */
async function takeTurnsAt(
  folder: string,
  load: Load,
  targets: ReadonlyMap<Server, Target>,
  seconds: number,
): Promise<Map<Server, Turn[]>> {
  const clients = new Map<Server, LoadClient>();
  const turns = new Map<Server, Turn[]>();
  try {
    for (const [server, { args, pids }] of targets) {
      const line = [...args, ...load.args, ...pids.map((pid) => `pid=${pid}`)];
      await LoadClient.start(folder, line)
        .then((client) => clients.set(server, client), (error) => leaveOut(server, error));
    }
    const count = Math.max(1, Math.round(seconds / TURN_S));
    const warm = Math.ceil(Math.min(seconds, WARM_S_MAX) / TURN_S);
    for (let i = -warm; i < count; i++) {
      for (const [server, client] of i % 2 === 0 ? clients : [...clients].reverse()) {
        try {
          const turn = await client.turn(Math.min(seconds, TURN_S), i < 0);
          if (i >= 0) turns.set(server, [...turns.get(server) ?? [], turn]);
        } catch (error) {
          leaveOut(server, error);
          clients.delete(server);
          turns.delete(server);
        }
      }
    }
    for (const [{ name }, all] of turns) {
      const idle = all.reduce((sum, { idle }) => sum + idle, 0);
      const used = idle / all.reduce((sum, { since }) => sum + since, 0);
      if (clients.size > 1 && used > IDLE_MAX) {
        say(`  ${name} used ${percent(used)} of a core while the others had their turns`);
      }
    }
    return turns;
  } finally {
    await Promise.all([...clients.values()].map((client) => client.end()));
  }
}

/**
 * Prints the tables of CPU time and latency. `cpuOf` returns the CPU times of a turn that are
 * printed, and of which the first is compared.
 */
export function printTurns(
  bench: string,
  turns: Turns,
  servers: readonly Server[],
  what: string,
  cpuOf: (turn: Turn) => readonly number[] = ({ cpuPerMillion }) => [cpuPerMillion],
): void {
  const there = servers.filter((server) => [...turns.values()].some((by) => by.has(server)));
  if (there.length === 0) refuse(bench, "nothing was measured");
  const head = ["", ...there.map(({ name }) => name)];
  const rows = (cell: (all: readonly Turn[], base: readonly Turn[] | undefined) => string) =>
    [...turns].map(([load, by]) => [
      load.name,
      ...there.map((server) => {
        const all = by.get(server);
        const base = [...by].find(([{ name }]) => name === server.beside)?.[1];
        return all === undefined ? "" : cell(all, base);
      }),
    ]);
  const cpu = rows((all, base) => {
    const [first, ...more] = cpuOf(all[0]!).map((_, i) => all.map((turn) => cpuOf(turn)[i]!));
    const { median: middle, low, high } = spread(first!);
    const own = `${middle.toFixed(2)} ± ${((high - low) / 2).toFixed(2)}`;
    const rest = more.map((values) => median(values)).filter((value) => value > 0);
    const text = [own, ...rest.map((value) => value.toFixed(2))].join(" + ");
    if (base === undefined) return text;
    const bases = base.map((turn) => cpuOf(turn)[0]!);
    return `${text} (${timesOf(first!, bases, () => 2)})`;
  });
  const latency = rows((all) => `${median(all.map(({ p50 }) => p50))} / ${all.at(-1)!.p99}`);
  print(`${what} ± is half of the middle half of the turns.`);
  const names = new Set(there.map(({ name }) => name));
  const compared = there.filter(({ beside }) => beside !== undefined && names.has(beside));
  if (compared.length > 0) {
    const pairs = Map.groupBy(compared, ({ beside }) => beside!);
    const text = [...pairs].map(([base, all]) => {
      return `${base} for ${all.map(({ name }) => name).join(" · ")}`;
    });
    print("In brackets the ratio to the figure of another column in the same turns:");
    print(`${text.join("; ")}.\n${NOISE_RULE}`);
  }
  print(`\n${draw(head, cpu, 1)}`);
  print(`Latency in µs: p50, the median of the turns, and p99 of all turns of the last round.\n`);
  print(draw(head, latency, 1));
  const all = [...turns.values()].flatMap((by) => [...by.values()].flat());
  const most = Math.max(...all.map(({ client }) => client)).toFixed(2);
  print(`The load client, a process of its own, used at most ${most} cores in a turn.`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
