/**
 * Compiles `ws_load.c` with gcc and runs it: the load client of the server comparisons.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { path } from "./programs.ts";
import { bind, endProcess } from "./processes.ts";

/** Time limit in milliseconds for the client to connect, and to print its results after a turn. */
const CLIENT_MS = 20_000;

/** The measurements of one turn of load. */
export interface Turn {
  readonly deliveries: number;
  /** CPU seconds of all server processes per million deliveries. */
  readonly cpuPerMillion: number;
  /** CPU seconds of each server process per million deliveries. */
  readonly each: readonly number[];
  readonly perSecond: number;
  /** Number of cores that the servers used. */
  readonly server: number;
  /** Number of cores that the client used. */
  readonly client: number;
  /** Median latency of this turn, in microseconds. */
  readonly p50: number;
  /** The 99th percentile of the latencies of all turns, in microseconds. */
  readonly p99: number;
  /** CPU seconds that the servers used before this turn, while other servers had their turns. */
  readonly idle: number;
  /** The time over which `idle` was measured, in seconds. */
  readonly since: number;
}

/** Compiles the load client into a folder. Returns the reason if that fails. */
export function compileClient(folder: string): string | undefined {
  const args = ["-O2", "-o", join(folder, "ws_load"), path("ws_load.c")];
  const { status, stderr } = spawnSync("gcc", args, { encoding: "utf8" });
  return status === 0 ? undefined : `gcc is not installed or failed: ${stderr ?? ""}`.trim();
}

/**
 * A running load client. It is connected to one server, and sends only while that server is
 * measured.
 */
export class LoadClient {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(folder: string, args: readonly string[]) {
    this.#child = spawn(join(folder, "ws_load"), args, { stdio: ["pipe", "pipe", "inherit"] });
    bind(this.#child);
    this.#lines = createInterface({ input: this.#child.stdout! });
  }

  /** Connects. Rejects if the server does not accept all connections. */
  static async start(folder: string, args: readonly string[]): Promise<LoadClient> {
    const client = new LoadClient(folder, args);
    await client.#line(CLIENT_MS);
    return client;
  }

  /**
   * Loads the server for one turn. The latencies of a warm-up turn are not part of any percentile.
   */
  async turn(seconds: number, isWarm: boolean = false): Promise<Turn> {
    this.#child.stdin!.write(`${seconds}${isWarm ? " warm" : ""}\n`);
    return JSON.parse(await this.#line(seconds * 1000 + CLIENT_MS));
  }

  #line(ms: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const give = (line: string): void => {
        settle();
        resolve(line);
      };
      const fail = (why: string | number | null): void => {
        settle();
        reject(new Error(`ws_load ended with ${why}`));
      };
      const late = setTimeout(() => this.#child.kill("SIGKILL"), ms);
      const settle = (): void => {
        clearTimeout(late);
        this.#lines.off("line", give);
        this.#child.off("close", fail);
      };
      this.#lines.once("line", give);
      this.#child.once("close", fail);
    });
  }

  /** Closes all connections, and ends the client. */
  end(): Promise<void> {
    return endProcess(this.#child);
  }
}
