/**
 * The client of `fairness.ts`, in a separate process: repeatedly sends 64 bytes, waits for their
 * echo, and prints the latencies.
 *
 *     echo_client.ts <port> <echoes>       prints "ready"; starts after a line on standard input;
 *                                          prints the 50th and 99th percentile in milliseconds
 *     echo_client.ts <port> <echoes> now   starts at once, and prints no "ready"
 *
 * @module
 */
import process from "node:process";
import { IGNORE } from "../../lib/host/stream.ts";
import { systemHost } from "../../lib/start.ts";

const BYTES = 64;

const [port, echoes] = process.argv.slice(2, 4).map(Number) as [number, number];
const host = systemHost();
const stream = await host.connect({ hostname: "127.0.0.1", port, timeoutMs: 10_000 });
const message = new Uint8Array(BYTES);
const times: number[] = [];
let began = 0;
let missing = 0;

function next(): void {
  missing = BYTES;
  began = performance.now();
  stream.write(message);
}

function percentile(part: number): string {
  return times[Math.min(times.length - 1, Math.floor(times.length * part))]!.toFixed(3);
}

stream.handler = {
  ...IGNORE,
  data(bytes) {
    missing -= bytes.length;
    if (missing > 0) return;
    times.push(performance.now() - began);
    // Pauses for a random time, so that echoes arrive at any time within a scheduler slice.
    if (times.length < echoes) return void setTimeout(next, Math.random() * 2);
    times.sort((a, b) => a - b);
    process.stdout.write(`${percentile(0.5)} ${percentile(0.99)}\n`, () => process.exit(0));
  },
  close: () => process.exit(1),
};

if (process.argv[4] === "now") next();
else {
  process.stdin.once("data", next);
  process.stdout.write("ready\n");
}
