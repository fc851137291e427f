/**
 * The other end of `process.ts`: the reports and requests of a node in its own process, over standard input
 * and output, one JSON value a line. The first line in is the node's options; every further one is an order
 * with an `id`, which is answered with the same `id`. What happens by itself goes out with `event`.
 *
 * The process ends when its input does, so no test leaves one behind.
 */
import process from "node:process";
import type { NodeOptions } from "../../lib/node_options.ts";

/** A request to the node, with its arguments. */
export interface Order {
  readonly do: string;
  readonly [detail: string]: unknown;
}

/** Sends a report to the test. */
export function tell(value: unknown): void {
  process.stdout.write(JSON.stringify(value) + "\n");
}

/** Milliseconds on a clock that all processes of this machine share. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Takes the node's options and hands them to `start`, with a log that the test hears. What `start` returns
 * carries out the orders from then on; what it returns or throws, or its promise does, is the answer.
 */
export function takeOrders<What = Order, Options extends NodeOptions = NodeOptions>(
  start: (options: Options) => Promise<(order: What) => unknown>,
): void {
  let act: Promise<(order: What) => unknown> | undefined;
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
