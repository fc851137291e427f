/**
 * Measures how the event loop is shared between actors that are never idle and sockets.
 *
 *     this process                              separate process
 *     1,000 actors, each sends itself the next  echo_client.ts: one echo after the other,
 *     message · an echo server                  prints the 50th and 99th percentile
 *
 * The share of the actors is the part of the time that is not spent between a call of `yieldToIo`
 * and the next turn of an actor.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { System } from "../../lib/actor/system.ts";
import type { Host } from "../../lib/host/host.ts";
import { IGNORE } from "../../lib/host/stream.ts";
import { size } from "../kit.ts";

/** Number of actors that are never idle. */
export const BUSY: number = size(1000, 10);

/** Number of echoes that the client sends and measures. */
const ECHOES = size(600, 5);

/**
 * Time in milliseconds after which the actors stop. An echo that has not arrived by then counts as
 * starved.
 */
const MS_MAX = 5_000;

/** The result of one measurement. */
export interface Fairness {
  /** Median latency of an echo, in milliseconds. */
  readonly p50Ms: number;
  /** 99th percentile of the latency of an echo, in milliseconds. */
  readonly p99Ms: number;
  /** Fraction of the time, 0 to 1, in which the actors could run. */
  readonly share: number;
  /** Number of yields of the scheduler per second. */
  readonly yields: number;
  /** Whether echoes were still missing when the actors were stopped. */
  readonly starved: boolean;
}

/** Simulates the work of a message: rounds of an integer loop, about a nanosecond each. */
function work(rounds: number, seed: number): number {
  let sum = seed;
  for (let i = 0; i < rounds; i++) sum = (Math.imul(sum, 31) + i) & 0xffffff;
  return sum;
}

/** Measures one way to yield. `rounds` is the work for each message. */
export async function measureFairness(
  host: Host,
  yieldToIo: (task: () => void) => void,
  rounds = 1000,
): Promise<Fairness> {
  let away = 0;
  let yields = 0;
  let stopAt = Infinity;
  let starved = false;
  const counted = (task: () => void): void => {
    const left = performance.now();
    yields++;
    yieldToIo(() => {
      const now = performance.now();
      away += now - left;
      if (now > stopAt) {
        starved = true;
        system.stop();
      }
      task();
    });
  };
  const home = { node: "busy@127.0.0.1:0", creation: 1, local: true };
  const { clock, random } = host;
  const system = new System(home, { clock, random, yieldToIo: counted });
  const listener = await host.listen({ hostname: "127.0.0.1", port: 0 }, (stream) => {
    stream.handler = {
      ...IGNORE,
      data: (bytes) => stream.write(bytes.slice()),
      end: () => stream.end(),
    };
  });
  const client = host.spawn({
    runtime: host.runtime,
    file: fileURLToPath(new URL("echo_client.ts", import.meta.url)),
    args: [String(listener.address.port), String(ECHOES)],
  });
  // Called with each line that the client prints: the first when it is connected, the second when
  // it has finished.
  let observed: (line: string) => void = () => {};
  const line = (): Promise<string> => new Promise((hear) => observed = hear);
  client.lines((text) => observed(text));
  await line();

  const start = performance.now();
  stopAt = start + MS_MAX;
  for (let i = 0; i < BUSY; i++) {
    const pid = system.spawn(undefined, undefined, (self) => {
      let sum = i;
      return () => {
        sum = work(rounds, sum);
        self.send(self.pid, sum);
      };
    }, []);
    system.send(pid, 0);
  }
  client.write("go\n");
  const percentiles = (await line()).split(" ").map(Number);
  const took = performance.now() - start;
  system.stop();
  await client.ended;
  await listener.close();
  return {
    p50Ms: percentiles[0]!,
    p99Ms: percentiles[1]!,
    share: 1 - away / took,
    yields: yields * 1000 / took,
    starved,
  };
}
