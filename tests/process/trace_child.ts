/**
 * One of three nodes whose services call each other, in a process with tracing: with the real SDK
 * from npm, or with Deno's own, which only needs environment variables.
 */
import process from "node:process";
import type { Self } from "../../lib/actor/self.ts";
import { startCheaply } from "../kit/keys.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

/** The fields of a finished span that the test uses. */
export interface SeenSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly node: string;
}

const spans: SeenSpan[] = [];

/** Registers the real SDK, as a program does. */
async function registerSdk(): Promise<void> {
  const { context, trace } = await import("@opentelemetry/api");
  const { AsyncLocalStorageContextManager } = await import("@opentelemetry/context-async-hooks");
  const { BasicTracerProvider, SimpleSpanProcessor } = await import(
    "@opentelemetry/sdk-trace-base"
  );
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const exporter = {
    export(
      ended: readonly {
        name: string;
        spanContext(): { traceId: string; spanId: string };
        parentSpanContext?: { spanId: string };
        attributes: Record<string, unknown>;
      }[],
      done: (result: { code: number }) => void,
    ): void {
      for (const span of ended) {
        const { traceId, spanId } = span.spanContext();
        const parentId = span.parentSpanContext?.spanId;
        spans.push({
          name: span.name,
          traceId,
          spanId,
          parentId,
          node: `${span.attributes["firn.node"]}`,
        });
      }
      done({ code: 0 });
    },
    shutdown: () => Promise.resolve(),
  };
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter as never)],
  });
  trace.setGlobalTracerProvider(provider);
}

takeCommands(async (options) => {
  if (process.env["OTEL_DENO"] === undefined) await registerSdk();
  const node = await startCheaply(options);
  tell({ event: "ready", at: now(), name: node.name, pid: process.pid });
  return async (command) => {
    switch (command.do) {
      case "peers":
        return node.peers();
      case "front": {
        // Starts a handler that calls the next node. "middle" below does the same in an async loop.
        const middle = { name: "middle", node: String(command["node"]) };
        node.spawnWith({ name: "front" }, (self: Self) => async (call) => {
          const { request } = call as { request: unknown };
          const answer = await self.call(middle, request);
          (call as { reply(value: unknown): void }).reply(answer);
        });
        return true;
      }
      case "middle": {
        const back = { name: "back", node: String(command["node"]) };
        node.spawnWith({ name: "middle" }, async (self: Self) => {
          for await (const call of self) {
            self.send(back, { type: "note" });
            const answer = await self.call(back, (call as { request: unknown }).request);
            (call as { reply(value: unknown): void }).reply(answer);
          }
        });
        return true;
      }
      case "back":
        node.spawnWith({ name: "back" }, () => (message) => {
          (message as { reply?(value: unknown): void }).reply?.("done");
        });
        return true;
      case "ask":
        return await node.call("front", { type: "question" });
      case "spans":
        return spans;
      default:
        throw new Error(`unknown command ${command.do}`);
    }
  };
});
