/**
 * Tests spans within one node with a minimal SDK, trace contexts on the wire, and events on
 * diagnostics channels.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Call } from "../../lib/actor/call.ts";
import type { Self } from "../../lib/actor/self.ts";
import { splitTrace, withTrace } from "../../lib/mesh/trace_context.ts";
import type { Node } from "../../lib/node.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

const API = Symbol.for("opentelemetry.js.api.1");
const SPAN = Symbol.for("OpenTelemetry Context Key SPAN");

class Context {
  readonly values: Map<symbol, unknown>;
  constructor(values: Map<symbol, unknown>) {
    this.values = values;
  }
  getValue(key: symbol): unknown {
    return this.values.get(key);
  }
  setValue(key: symbol, value: unknown): Context {
    return new Context(new Map(this.values).set(key, value));
  }
}

interface Span {
  readonly name: string;
  readonly parent: string | undefined;
  ended: boolean;
  failed: boolean;
}

/** Runs `body` on a node while the minimal SDK is registered. */
async function traced(body: (node: Node, spans: Span[]) => Promise<void>): Promise<void> {
  const storage = new AsyncLocalStorage<Context>();
  const root = new Context(new Map());
  const spans: Span[] = [];
  const api = {
    context: {
      active: () => storage.getStore() ?? root,
      with: (context: Context, run: () => unknown) => storage.run(context, run),
    },
    trace: {
      getTracer: () => ({
        startSpan(name: string, _options: unknown, context: Context) {
          const parent = context.getValue(SPAN) as { seen: Span } | undefined;
          const seen = { name, parent: parent?.seen?.name, ended: false, failed: false };
          spans.push(seen);
          return {
            seen,
            spanContext: () => ({
              traceId: "0".repeat(31) + "1",
              spanId: "0".repeat(15) + "1",
              traceFlags: 1,
            }),
            setStatus: () => seen.failed = true,
            end: () => seen.ended = true,
          };
        },
      }),
    },
  };
  const registry = globalThis as Record<symbol, unknown>;
  registry[API] = api;
  try {
    await using node = await startCheaply({ cookie: COOKIE, logLevel: "silent" });
    await body(node, spans);
  } finally {
    delete registry[API];
  }
}

test("tracing creates a child span for each call, send, spawn and broadcast of a handler", async () => {
  await traced(async (node, spans) => {
    const noted = node.spawn(() => (_: { type: string }) => {});
    const worker = node.spawn((self: Self<Call<{ type: string }, string>>) => async (call) => {
      self.send(noted, { type: "note" });
      self.spawn(function helper() {});
      await new Promise((later) => setTimeout(later, 1));
      node.rooms.broadcast("lobby", "hello");
      call.reply("done");
    });
    const server = await node.serve({
      message: async (conn) => void conn.send(await node.call(worker, { type: "work" })),
    });
    const client = new WebSocket(server.url);
    const answered = new Promise((answer) => client.onmessage = answer);
    client.onopen = () => client.send("go");
    await answered;
    await until("all spans have ended", () => spans.every(({ ended }) => ended));
    assertEquals(spans.map(({ name, parent }) => [name, parent]), [
      ["socket message", undefined],
      ["call work", "socket message"],
      ["handle call work", "call work"],
      ["send note", "handle call work"],
      ["spawn helper", "handle call work"],
      ["handle note", "send note"],
      ["broadcast lobby", "handle call work"],
    ]);
    const closed = new Promise((close) => client.onclose = close);
    client.close();
    await closed;
    await server.stop();
  });
});

test("tracing marks the span of a handler that throws as failed, and ignores untraced messages", async () => {
  await traced(async (node, spans) => {
    const pid = node.spawn(() => (_: unknown) => {
      throw new Error("crash requested");
    });
    node.send(pid, { type: "untraced" });
    await until("the actor has exited", () => !node.isAlive(pid));
    assertEquals(spans, []);
    const other = node.spawn(() => (_: unknown) => {
      throw new Error("crash requested");
    });
    await node.call(other as never, { type: "work" }).catch(() => {});
    assertEquals(spans.map(({ name, failed }) => [name, failed]), [
      ["call work", false],
      ["handle call work", true],
    ]);
  });
});

test("withTrace adds a trace to a message, and splitTrace removes the trace", () => {
  const carrier = {
    carry: (subject: unknown) => subject === 1 ? "00-a-b-01" : undefined,
    arrived() {},
  };
  assertEquals(withTrace(carrier, "m", 2), "m");
  assertEquals(splitTrace(withTrace(carrier, "m", 1)), { message: "m", trace: "00-a-b-01" });
  for (const term of [undefined, null, 1, "x", [], { $trace: 1, $message: 2 }, { $trace: "x" }]) {
    assertEquals(splitTrace(term), { message: term, trace: undefined });
  }
});

test("events are published on node:diagnostics_channel while a channel has subscribers", async () => {
  await using node = await startCheaply({ cookie: COOKIE, logLevel: "silent" });
  const observed: string[] = [];
  const listen = (message: unknown): void => {
    const { node: name, event } = message as { node: string; event: { reason?: unknown } };
    if (name === node.name) observed.push(`${event.reason}`);
  };
  for (const name of ["firn:crash", "firn:exit"]) subscribe(name, listen);
  try {
    const crash = (): void => {
      const pid = node.spawn(() => () => {
        throw new Error("crash requested");
      });
      node.send(pid, 1);
    };
    crash();
    await until("the crash is published", () => observed.length >= 1);
    assertStringIncludes(observed[0]!, "crash requested");
    await until("the exits are published", () => {
      node.spawn(() => {});
      return observed.includes("normal");
    });
  } finally {
    for (const name of ["firn:crash", "firn:exit"]) unsubscribe(name, listen);
  }
});
