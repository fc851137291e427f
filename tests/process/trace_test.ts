/**
 * Tests one trace over three processes, with the real OpenTelemetry SDK and with Deno's own
 * exporter. Only Deno can fetch the packages, so it runs with the tests on Deno.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { type NodeProcess, untilWhole, withNodes } from "../kit/process.ts";
import { runtime, test, until } from "../kit/test.ts";
import type { SeenSpan } from "./trace_child.ts";

const needsDeno = { ignore: runtime !== "deno" };
const CHILD = "trace_child.ts";

/** Starts three nodes, each of which calls the next, and sends a request to the first. */
async function askThrough(start: typeof NodeProcess.start): Promise<NodeProcess[]> {
  const a = await start("deno", "a", {}, CHILD);
  const b = await start("deno", "b", { seeds: [a.name] }, CHILD);
  const c = await start("deno", "c", { seeds: [a.name] }, CHILD);
  await untilWhole(a, b, c);
  await c.ask("back");
  await b.ask("middle", { node: c.name });
  await a.ask("front", { node: b.name });
  assertEquals(await a.ask("ask"), "done");
  return [a, b, c];
}

/**
 * Asserts that all spans of the request form one trace, in which the parent of each span is on the
 * previous node.
 */
function assertOneTrace(spans: readonly SeenSpan[], nodes: readonly NodeProcess[]): void {
  assertEquals(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  assertEquals(new Set(spans.map(({ node }) => node)), new Set(nodes.map(({ name }) => name)));
  const roots = spans.filter(({ parentId }) => parentId === undefined || /^0*$/.test(parentId));
  assertEquals(roots.map(({ name }) => name), ["call question"]);
  for (const span of spans) {
    if (roots.includes(span)) continue;
    assert(spans.some(({ spanId }) => spanId === span.parentId), `${span.name} has no parent`);
  }
  const names = spans.map(({ name }) => name).sort();
  assertEquals(names, [
    "call question",
    "call question",
    "call question",
    "handle call question",
    "handle call question",
    "handle note",
    "send note",
  ]);
}

test(
  "tracing with OpenTelemetry's SDK creates one trace across three processes",
  needsDeno,
  async () => {
    await withNodes(async (start) => {
      const nodes = await askThrough(start);
      let spans: SeenSpan[] = [];
      await until("all spans have ended", async () => {
        spans = (await Promise.all(nodes.map((node) => node.ask<SeenSpan[]>("spans")))).flat();
        return spans.length >= 7;
      });
      assertOneTrace(spans, nodes);
    });
  },
);

test("tracing with Deno's own exporter needs only environment variables", needsDeno, async () => {
  const spans: SeenSpan[] = [];
  const collector = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => body += chunk);
    request.on("end", () => {
      if (request.url === "/v1/traces") spans.push(...spansOf(JSON.parse(body)));
      response.end("{}");
    });
  });
  await new Promise<void>((done) => collector.listen(0, "127.0.0.1", done));
  const { port } = collector.address() as AddressInfo;
  const settings = {
    OTEL_DENO: "true",
    OTEL_DENO_CONSOLE: "ignore",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_BSP_SCHEDULE_DELAY: "100",
  };
  Object.assign(process.env, settings);
  try {
    await withNodes(async (start) => {
      const nodes = await askThrough(start);
      const own = (): SeenSpan[] => spans.filter(({ node }) => node !== "");
      await until("the collector has all spans", () => own().length >= 7);
      assertOneTrace(own(), nodes);
    });
  } finally {
    for (const name of Object.keys(settings)) delete process.env[name];
    collector.closeAllConnections();
    await new Promise((done) => collector.close(done));
  }
});

interface Exported {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly name: string;
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly attributes: readonly {
          readonly key: string;
          readonly value: { stringValue?: string };
        }[];
      }[];
    }[];
  }[];
}

function spansOf({ resourceSpans }: Exported): SeenSpan[] {
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    .map(({ name, traceId, spanId, parentSpanId, attributes }) => ({
      name,
      traceId,
      spanId,
      parentId: parentSpanId || undefined,
      node: attributes.find(({ key }) => key === "firn.node")?.value.stringValue ?? "",
    }));
}
