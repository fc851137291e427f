/**
 * Starts and ends the processes of a comparison. They are killed when this process exits.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";

/** Time in milliseconds within which a server must print its port. */
const START_MS = 15_000;

/** Time in milliseconds within which a process must exit before it is killed. */
const END_MS = 1_000;

/** The running processes of the comparison, which are killed when this process exits. */
const running = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Kills the process when this process exits. */
export function bind(child: ChildProcess): void {
  running.add(child);
  child.once("exit", () => running.delete(child));
}

/** Starts a server, and waits for its first line. It is killed when this process exits. */
export async function startServer(
  command: readonly string[],
  started: (child: ChildProcess) => void,
  startMs: number = START_MS,
): Promise<string> {
  const [program, ...rest] = command;
  const child = spawn(program!, rest, { stdio: ["pipe", "pipe", "inherit"] });
  bind(child);
  started(child);
  let late: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<string>((ready, fail) => {
      const give = (why: string) => fail(new Error(`${command.join(" ")}: ${why}`));
      late = setTimeout(() => give("is not ready in time"), startMs);
      let text = "";
      child.stdout!.on("data", (more) => {
        text += more;
        if (text.includes("\n")) ready(text.slice(0, text.indexOf("\n")));
      });
      child.once("exit", () => give("does not start"));
      child.once("error", fail);
    });
  } finally {
    clearTimeout(late);
  }
}

/** Closes the input of a process. Kills it if it does not exit within `endMs` milliseconds. */
export async function endProcess(child: ChildProcess, endMs: number = END_MS): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((exit) => child.once("exit", exit));
  const force = setTimeout(() => child.kill("SIGKILL"), endMs);
  child.stdin!.end();
  await gone;
  clearTimeout(force);
}
