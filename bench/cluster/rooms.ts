// deno-lint-ignore-file no-console -- prints a table
/**
 * Question: what does a broadcast cost a cluster of 2 to 30 nodes, of which two have members?
 *
 *     deno run -A bench/cluster/rooms.ts --seconds 2
 *     bun bench/cluster/rooms.ts --only 20
 *
 * There is one process per node. The first node broadcasts 64 bytes to a room 2,000 times a second,
 * one per turn; it and the second node have one member each. Prints the CPU time of all processes
 * per broadcast, minus their idle use, with announcements of rooms and without (every node receives
 * every broadcast).
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startNode } from "../../lib/start.ts";
import { RoomInterest } from "../../lib/mesh/room_interest.ts";
import { readCommandLine } from "../command_line.ts";

const HELP = `deno run -A bench/cluster/rooms.ts [options]

  --rounds N    rounds (1)
  --seconds N   measured in each (2)
  --only TEXT   only runs, "20 nodes, announced", with TEXT in their name
  --help        this text`;

const NODES = [2, 5, 10, 20, 30];
const PER_MS = 2;
const COOKIE = "the benches' own";

/** Runs one node, which broadcasts for the duration in each line of its standard input. */
async function node([index, mode, ...seeds]: string[]): Promise<void> {
  if (mode === "all") RoomInterest.prototype.has = () => true;
  const parts = await startNode({
    name: `n${index}@127.0.0.1:0`,
    cookie: COOKIE,
    seeds,
    logLevel: "error",
  });
  let observed = 0;
  if (Number(index) < 2) {
    parts.rooms.join("room", {
      sendShared: (frames, room) => observed += room.messages(frames).length,
    });
  }
  console.log(parts.mesh.name);
  const text = "x".repeat(64);
  createInterface({ input: process.stdin }).on("line", async (line) => {
    const [what, value] = line.split(" ");
    if (what === "peers") {
      while (parts.mesh.peers().length < Number(value)) await new Promise((t) => setTimeout(t, 20));
      await parts.rooms.announced({ timeout: 5_000 });
      console.log("ready");
    } else if (what === "received") console.log(`${observed}`);
    else {
      let [said, due] = [0, 0];
      const from = performance.now();
      while (performance.now() - from < Number(value)) {
        await new Promise((t) => setTimeout(t, 1));
        due = (performance.now() - from) * PER_MS;
        while (said < due) {
          parts.rooms.broadcast("room", text);
          said++;
          await new Promise((t) => setImmediate(t));
        }
      }
      console.log(`${said}`);
    }
  }).on("close", () => process.exit(0));
}

/** A child process that reads and writes lines. */
class Child {
  readonly process: ChildProcess;
  readonly #lines: string[] = [];
  #wake: () => void = () => {};

  constructor(args: readonly string[]) {
    const file = fileURLToPath(import.meta.url);
    const runtime = "Bun" in globalThis ? [file] : ["run", "-A", "-q", "--no-lock", file];
    this.process = spawn(process.execPath, [...runtime, "node", ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface({ input: this.process.stdout! }).on("line", (line) => {
      this.#lines.push(line);
      this.#wake();
    });
  }

  async line(): Promise<string> {
    while (this.#lines.length === 0) await new Promise<void>((wake) => this.#wake = wake);
    return this.#lines.shift()!;
  }

  ask(line: string): Promise<string> {
    this.process.stdin!.write(`${line}\n`);
    return this.line();
  }

  /** Returns the CPU time so far, in seconds. */
  cpu(): number {
    const fields = readFileSync(`/proc/${this.process.pid}/stat`, "utf8").split(") ")[1]!.split(
      " ",
    );
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }
}

async function measure(count: number, mode: string, seconds: number): Promise<number> {
  const first = new Child(["0", mode]);
  const children = [first];
  try {
    const seed = await first.line();
    for (let i = 1; i < count; i++) {
      const child = new Child([`${i}`, mode, seed]);
      children.push(child);
      if (i % 4 === 0) await child.line();
      else void child.line();
    }
    await Promise.all(children.map((child) => child.ask(`peers ${count - 1}`)));
    const cpu = (): number => children.reduce((total, child) => total + child.cpu(), 0);
    await first.ask("say 500");
    await new Promise((t) => setTimeout(t, 500));
    const ms = seconds * 1000;
    const idleFrom = cpu();
    await new Promise((t) => setTimeout(t, ms));
    const from = cpu();
    const said = Number(await first.ask(`say ${ms}`));
    const used = cpu() - from;
    await new Promise((t) => setTimeout(t, 100));
    const observed = Number(await children[1]!.ask("received"));
    if (observed < said) console.error(`${count} nodes: ${observed} of ${said} reached the member`);
    return 1e6 * (used - (from - idleFrom)) / said;
  } finally {
    for (const child of children) child.process.kill("SIGKILL");
  }
}

async function main(): Promise<void> {
  const options = readCommandLine("rooms", HELP, { rounds: 1, seconds: 2, secondsMin: 0.5 });
  console.log("| nodes | announced | every node gets every broadcast |");
  console.log("|------:|----------:|--------------------------------:|");
  for (let round = 0; round < options.rounds; round++) {
    for (const count of NODES) {
      const cells: string[] = [];
      for (const mode of ["announced", "all"]) {
        if (!options.wants(`${count} nodes, ${mode}`)) continue;
        cells.push(`${Math.round(await measure(count, mode, options.seconds))} µs`);
      }
      if (cells.length > 0) console.log(`| ${count} | ${cells.join(" | ")} |`);
    }
  }
  process.exit(0);
}

const [role, ...given] = process.argv.slice(2);
if (role === "node") await node(given);
else await main();
