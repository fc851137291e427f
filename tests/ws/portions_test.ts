/**
 * Tests events that concern all connections of a server: they are handled in portions, between
 * which the host handles sockets and timers. The tests count connections, not time.
 */
import { assert, assertEquals } from "@std/assert";
import { PORTION_COUNT } from "../../lib/base/portions.ts";
import type { Stream } from "../../lib/host/stream.ts";
import { IGNORE } from "../../lib/host/stream.ts";
import { serve } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";
import { hostWith } from "../kit/mesh.ts";
import { test } from "../kit/test.ts";

const COUNT = 3 * PORTION_COUNT;

/** Starts a server with silent connections. The test runs its ticks and its yields. */
async function withSilentClients() {
  const yields: (() => void)[] = [];
  let now = 0;
  let accept!: (stream: Stream) => void;
  let tick!: () => void;
  let written = 0;
  let aborted = 0;
  const host = hostWith((real) => ({
    yieldToIo: (task) => void yields.push(task),
    clock: {
      now: () => now,
      wall: () => real.clock.wall(),
      after: (ms, task) => real.clock.after(ms, task),
      every: (_ms, task) => {
        tick = task;
        return { cancel: () => {} };
      },
    },
    listen: (_options, accepted) => {
      accept = accepted;
      const address = { hostname: "127.0.0.1", port: 1 };
      return Promise.resolve({ address, secure: () => {}, close: () => Promise.resolve() });
    },
  }), makeHost());
  const server = await serve(host, { log: () => {}, handshakeTimeout: 1_000 });
  for (let i = 0; i < COUNT; i++) {
    const stream: Stream = {
      remote: { hostname: "127.0.0.1", port: i + 1 },
      peerCertificate: undefined,
      handler: IGNORE,
      unsent: 0,
      isPaused: false,
      write: () => written++,
      pause: () => {},
      resume: () => {},
      end: () => {},
      abort: () => {
        aborted++;
        stream.handler.close({ kind: "aborted" });
      },
    };
    accept(stream);
  }
  return {
    server,
    yields,
    tick(ms: number): void {
      now += ms;
      tick();
    },
    counts: () => [written, aborted],
  };
}

test("A server ends requests that are late in portions, and begins no further tick meanwhile", async () => {
  const { server, yields, tick, counts } = await withSilentClients();
  tick(100);
  while (yields.length > 0) yields.shift()!();
  tick(2_000);
  assertEquals(counts(), [PORTION_COUNT, 0]);
  tick(100);
  assertEquals(counts(), [PORTION_COUNT, 0]);
  assertEquals(yields.length, 1);
  while (yields.length > 0) {
    const [before] = counts() as [number, number];
    yields.shift()!();
    assert(counts()[0]! - before <= PORTION_COUNT);
  }
  assertEquals(counts(), [COUNT, 0]);
  const stopped = server.stop({ timeout: 0 });
  for (let left = 1_000; left > 0 && counts()[1]! < COUNT; left--) {
    await new Promise((turn) => setTimeout(turn, 1));
    yields.shift()?.();
  }
  await stopped;
});

test("Server.stop ends silent connections in portions", async () => {
  const { server, yields, counts } = await withSilentClients();
  const stopped = server.stop();
  assertEquals(counts(), [0, PORTION_COUNT]);
  yields.shift()!();
  assertEquals(counts(), [0, 2 * PORTION_COUNT]);
  while (yields.length > 0) yields.shift()!();
  assertEquals(counts(), [0, COUNT]);
  await stopped;
});
