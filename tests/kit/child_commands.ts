/**
 * The counterpart of `process.ts` in a node's process: reports and commands over standard input and output,
 * one JSON value per line. The first input line contains the node's options; every further line is a
 * command with an `id`, which the reply repeats. Events are sent with `event`.
 *
 * The process ends when its input ends, so that no process outlives its test.
 */
import process from "node:process";
import type { NodeOptions } from "../../lib/node_options.ts";

/** A command for the node, with its arguments. */
export interface Command {
  readonly do: string;
  readonly [detail: string]: unknown;
}

/** Sends a report, one JSON value, to the test. */
export function tell(value: unknown): void {
  process.stdout.write(JSON.stringify(value) + "\n");
}

/** Returns the time in milliseconds on a clock that all processes of the machine share. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Reads the node's options and passes them to `start`, with a log that is sent to the test. The
 * function that `start` returns handles all commands. Its result, or the error that it throws, is
 * the reply.
 */
export function takeCommands<What = Command, Options extends NodeOptions = NodeOptions>(
  start: (options: Options) => Promise<(command: What) => unknown>,
): void {
  let act: Promise<(command: What) => unknown> | undefined;
  let rest = "";
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", async (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const value = JSON.parse(line);
      if (act === undefined) {
        act = start({ ...value, log: ({ level, line }) => tell({ event: "log", level, line }) });
        act.catch((error) => {
          tell({ event: "failed", code: error.code, message: error.message });
          process.exit(1);
        });
        continue;
      }
      const { id } = value;
      try {
        tell({ id, result: await (await act)(value) });
      } catch (error) {
        tell({ id, error: String(error) });
      }
    }
  });
  process.stdin.on("end", () => process.exit(0));
}
