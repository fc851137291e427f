import { assert, assertEquals } from "@std/assert";
import { makeHost } from "../kit/host.ts";
import { test } from "../kit/test.ts";
import { serve } from "../../lib/ws/server.ts";
import { type Behaviour, BEHAVIOURS, exchange, hook } from "./http_behaviours.ts";

/** The runtime's own server, and how to stop it. */
interface Platform {
  readonly port: number;
  stop(): Promise<unknown>;
}

interface Runtimes {
  readonly Bun?: {
    serve(options: unknown): { readonly port: number; stop(closes: boolean): Promise<void> };
  };
  readonly Deno?: {
    serve(
      options: unknown,
      handler: unknown,
    ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
  };
}

function platform(events: string[], end: AbortSignal): Platform {
  const { Bun, Deno } = globalThis as unknown as Runtimes;
  const fetch = hook(events);
  if (Bun !== undefined) {
    const error = (): Response => new Response("failed", { status: 500 });
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch, error, idleTimeout: 60 });
    return { port: server.port, stop: () => server.stop(true) };
  }
  const onError = (): Response => new Response("failed", { status: 500 });
  const options = { port: 0, hostname: "127.0.0.1", onListen() {}, onError, signal: end };
  const server = Deno!.serve(options, fetch) as unknown as {
    readonly addr: { readonly port: number };
    readonly finished: Promise<void>;
  };
  return { port: server.addr.port, stop: () => server.finished };
}

const RUNTIME = "Bun" in globalThis ? "bun" : "deno";

async function judge(port: number, events: string[], skips: boolean): Promise<string[]> {
  const wrong: string[] = [];
  const run = async (row: Behaviour): Promise<void> => {
    if (skips && row.differs?.[RUNTIME] !== undefined) return;
    const got = await exchange(port, row, events);
    const isRight = got.length === row.expect.length &&
      row.expect.every((each, i) =>
        typeof each === "string" ? each === got[i] : each.test(got[i]!)
      );
    if (!isRight) wrong.push(`${row.title}: ${JSON.stringify(got)}, not ${row.expect.join(", ")}`);
  };
  await Promise.all(BEHAVIOURS.filter(({ fin }) => !fin).map(run));
  for (const row of BEHAVIOURS.filter(({ fin }) => fin)) {
    events.length = 0;
    await run(row);
  }
  return wrong;
}

test("BEHAVIOURS has at least forty rows with distinct titles", () => {
  assert(BEHAVIOURS.length >= 40);
  assertEquals(new Set(BEHAVIOURS.map(({ title }) => title)).size, BEHAVIOURS.length);
});

test("serve behaves as the table of HTTP behaviours specifies", async () => {
  const events: string[] = [];
  const server = await serve(makeHost(), { fetch: hook(events), log: () => {} });
  try {
    assertEquals(await judge(server.port, events, false), []);
  } finally {
    await server.stop({ timeout: 100 });
  }
});

test("the runtime's own server behaves as the table specifies except for the noted rows", {
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  const events: string[] = [];
  const end = new AbortController();
  const server = platform(events, end.signal);
  try {
    assertEquals(await judge(server.port, events, true), []);
  } finally {
    end.abort();
    await server.stop();
  }
});
