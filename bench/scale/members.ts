/**
 * Starts nodes in separate processes (`member.ts`), and measures them together.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A node that runs in another process. */
export class Member {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting: ((line: string) => void)[];

  private constructor(name: string, child: ChildProcess, waiting: ((line: string) => void)[]) {
    this.name = name;
    this.#child = child;
    this.#waiting = waiting;
  }

  /** Starts a node. Resolves when it runs. */
  static async start(short: string, seed: string | undefined): Promise<Member> {
    const file = fileURLToPath(new URL("member.ts", import.meta.url));
    const flags = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
    const seeds = seed === undefined ? [] : [seed];
    const child = spawn(process.execPath, [...flags, file, short, ...seeds], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const waiting: ((line: string) => void)[] = [];
    createInterface({ input: child.stdout! }).on("line", (line) => waiting.shift()?.(line));
    const name = await new Promise<string>((resolve, reject) => {
      waiting.push((line) => resolve(JSON.parse(line)));
      child.on("exit", () => reject(new Error(`${short} has exited`)));
    });
    return new Member(name, child, waiting);
  }

  /** Sends a command, and resolves with its result. */
  ask<T = unknown>(command: string, argument = 0): Promise<T> {
    return new Promise((resolve) => {
      this.#waiting.push((line) => resolve(JSON.parse(line)));
      this.#child.stdin!.write(`${command} ${argument}\n`);
    });
  }

  /** Kills the process. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** A cluster to which nodes are added. */
export class Members {
  readonly all: Member[] = [];

  /** Starts nodes until there are `count`, at most four at a time. */
  async grow(count: number): Promise<void> {
    if (this.all.length === 0) this.all.push(await Member.start("n0", undefined));
    while (this.all.length < count) {
      const from = this.all.length;
      const some = Array.from(
        { length: Math.min(4, count - from) },
        (_, i) => Member.start(`n${from + i}`, this.all[0]!.name),
      );
      this.all.push(...await Promise.all(some));
    }
    await this.each("peers", count - 1);
  }

  /** Sends a command to all nodes. */
  each<T = unknown>(command: string, argument = 0): Promise<T[]> {
    return Promise.all(this.all.map((member) => member.ask<T>(command, argument)));
  }

  /** Returns the CPU time of all nodes in microseconds. */
  async cpu(): Promise<number> {
    return (await this.each<number>("cpu")).reduce((sum, each) => sum + each, 0);
  }

  /**
   * Returns the bytes that all open sessions have carried in both directions, with TLS, without the
   * headers of TCP and IP; `undefined` without the program `ss`.
   */
  bytes(): number | undefined {
    const ports = new Set(this.all.map(({ name }) => name.split(":")[1]!));
    let text: string;
    try {
      text = execFileSync("ss", ["-tniHO", "state", "established"], {
        encoding: "utf8",
        maxBuffer: 1 << 26,
      });
    } catch {
      return undefined;
    }
    let sum = 0;
    for (const line of text.split("\n")) {
      const port = line.trim().split(/\s+/)[2]?.split(":").at(-1);
      if (port === undefined || !ports.has(port)) continue;
      for (const [, count] of line.matchAll(/bytes_(?:sent|received):(\d+)/g)) sum += Number(count);
    }
    return sum;
  }

  /** Kills the processes of all nodes. */
  kill(): void {
    for (const member of this.all.splice(0)) member.kill();
  }
}
