/**
 * Tests metrics in the formats of Prometheus. `promtool` (Debian: prometheus) checks both formats;
 * without it, that part is skipped.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import type { Node } from "../../lib/node.ts";
import { METRIC_FORMATS, metricsText } from "../../lib/observe/metrics.ts";
import { dashboard } from "../../lib/observe/dashboard.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
const needsPromtool = { ignore: !hasPromtool };
if (!hasPromtool) {
  // deno-lint-ignore no-console -- says why a test is skipped
  console.log("metrics_test: promtool is not installed (Debian: prometheus), so it checks nothing");
}

/** Runs `body` with two connected nodes, of which the first has values to count. */
async function withCounts(body: (node: Node) => Promise<void>): Promise<void> {
  const options = { cookie: COOKIE, logLevel: "silent", warnings: { mailbox: 10 } } as const;
  await using node = await startCheaply(options);
  await using other = await startCheaply({ ...options, seeds: [node.name] });
  await until("the nodes are connected", () => other.peers().length === 1);
  const stuck = node.spawn(async (self) => {
    await self.receive({ match: () => false });
  });
  for (let n = 0; n < 20; n++) node.send(stuck, n as never);
  await node.serve({ message() {} });
  await body(node);
}

/** Returns the samples by name and labels. */
function samples(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const at = line.lastIndexOf(" ");
    assert(!found.has(line.slice(0, at)), `twice: ${line}`);
    found.set(line.slice(0, at), Number(line.slice(at)));
  }
  return found;
}

test("node.metrics has counts of actors, sessions, memory and warnings in both formats", async () => {
  await withCounts(async (node) => {
    for (const format of METRIC_FORMATS) {
      const all = samples(await node.metrics(format));
      const of = (name: string, labels = ""): number | undefined =>
        all.get(`${name}{node="${node.name}"${labels}}`);
      assertEquals(of("firn_actors"), 1);
      assertEquals(of("firn_sessions"), 1);
      assertEquals(of("firn_warnings_total", ',kind="mailbox"'), 1);
      assert(of("firn_memory_resident_bytes")! > 1_000_000);
      assert([...all.keys()].some((key) => key.startsWith("firn_session_round_trip_seconds{")));
      assert([...all.values()].every((value) => Number.isFinite(value)));
    }
  });
});

test("node.metrics escapes the values of labels", async () => {
  await withCounts(async (node) => {
    const stats = await node.stats();
    const odd = { ...stats, node: 'a"\\\n' };
    assert(metricsText(odd).includes('firn_actors{node="a\\"\\\\\\n"} 1'));
  });
});

test(
  "node.metrics in the Prometheus format passes promtool without warnings",
  needsPromtool,
  async () => {
    await withCounts(async (node) => {
      const input = await node.metrics("prometheus");
      const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input });
      assertEquals([status, `${stdout}${stderr}`], [0, ""]);
    });
  },
);

test("node.metrics in the OpenMetrics format is readable by promtool", needsPromtool, async () => {
  await withCounts(async (node) => {
    const folder = mkdtempSync(join(tmpdir(), "firn-metrics-"));
    try {
      // This command of promtool requires timestamps. It uses the same parser as a scrape.
      const now = Math.floor(Date.now() / 1000);
      const text = (await node.metrics()).replaceAll(/^(firn_.*)$/gm, `$1 ${now}`);
      writeFileSync(join(folder, "metrics"), text);
      const args = ["tsdb", "create-blocks-from", "openmetrics", join(folder, "metrics"), folder];
      execFileSync("promtool", args, { stdio: "pipe" });
      // Checks that the parser rejects text that is not OpenMetrics.
      writeFileSync(join(folder, "metrics"), text.replace("# EOF\n", ""));
      assert(spawnSync("promtool", args).status !== 0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test("dashboard uses only metrics that exist", async () => {
  await withCounts(async (node) => {
    const known = new Set(
      [...samples(await node.metrics()).keys()].map((key) => key.split("{")[0]),
    );
    const { panels, title } = dashboard();
    assertEquals(title, "Firn");
    const used = panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => expr.match(/firn_\w+/g) ?? [])
    );
    assert(used.length >= panels.length && panels.length >= 10);
    for (const name of used) assert(known.has(name), `${name} does not exist`);
  });
});
