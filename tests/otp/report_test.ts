import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Crash, crashText } from "../../lib/actor/report.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Node } from "../../lib/node.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { startCheaply } from "../kit/keys.ts";
import { cluster, type TestNode, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

test("Node logs one report for each crash of a child, a start or an unsupervised actor", async () => {
  const lines: string[] = [];
  await using node = await startCheaply({
    cookie: "not a secret",
    logLevel: "warn",
    log: ({ level, line }) => void lines.push(`${level} ${line}`),
  });
  let fails = 0;
  const fragile = service<{ state: number; cast: { fail(): void; end(): void } }>({
    init: () => {
      if (fails-- > 0) throw new Error("no init");
      return 0;
    },
    cast: {
      fail: () => {
        throw new Error("crash requested");
      },
      end: () => 0,
    },
  });
  const tree = await Supervisor.start(node, {
    children: [{ id: "fragile", start: (self) => fragile.startAs("fragile", self) }],
  });
  const at = fragile.at(node, "fragile");
  const restarted = async (): Promise<string[]> => {
    await until(
      "the child has been restarted",
      async () => (await tree.countChildren()).active === 1,
    );
    return lines.splice(0);
  };

  fragile.cast(at).fail();
  await until("the crash is logged", () => lines.length > 0);
  const [report, ...none] = await restarted();
  assertEquals(none, []);
  assertEquals(
    report!.includes('child "fragile" <0.2> of supervisor <0.1> ended: Error: crash requested'),
    true,
  );
  for (const part of ["body: service, registered as fragile", "last message:", "next: restarts"]) {
    assertEquals(report!.includes(part), true, part);
  }

  // Only the supervisor reports a failed start.
  fails = 1;
  node.exit(at.pid, "kill");
  await until("both failures are logged", () => lines.length === 2);
  const [killed, failed] = await restarted();
  assertEquals(killed!.includes("ended: killed"), true);
  assertEquals(failed!.includes("could not be started: Error: no init"), true);
  assertEquals(failed!.includes("its start is tried again"), true);

  const loner = node.spawn(() => (): void => {
    throw new Error("alone");
  });
  node.send(loner, "go");
  await until("the crash is logged", () => lines.length > 0);
  assertEquals(lines.splice(0).map((line) => line.includes("crashed: Error: alone")), [true]);

  // A child that exits normally but is restarted is reported as a warning.
  await fragile.stop(at);
  await until("the restart is logged", () => lines.length > 0);
  assertEquals(lines.splice(0).map((line) => /^warn .*ended: normal/.test(line)), [true]);
  await tree.stop();
  assertEquals(lines, []);
});

test("crash reports contain readable names, or the source of an anonymous function", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    const [near, far] = [Node.of(a), Node.of(b)];
    const crashes: Crash[] = [];
    for (const { events } of [a, b]) events.on("crash", (crash) => void crashes.push(crash));
    const crash = async (send: () => void): Promise<Crash> => {
      send();
      await until("the actor has crashed", () => crashes.length > 0);
      return crashes.splice(0)[0]!;
    };

    // An exposed function is reported under its exposed name.
    near.expose("resize", () => () => {
      throw new Error("boom");
    });
    await until("b knows the function", () => far.exposed(near.name).includes("resize"));
    const resize = await far.spawn<string>({ node: near.name, fn: "resize" });
    const exposed = await crash(() => far.send(resize, "go"));
    assertEquals(exposed.body, "resize");
    assertStringIncludes(crashText(exposed), "(resize) crashed: Error: boom");

    // A service is reported by its name, wherever it was started, and by its child id and
    // supervisor.
    const counter = service<{ state: number; cast: { fail(): void } }>({
      name: "counter",
      init: () => 0,
      cast: {
        fail: () => {
          throw new Error("boom");
        },
      },
    });
    const lone = await counter.start(near);
    assertEquals((await crash(() => counter.cast(lone).fail())).body, "counter");
    near.expose(counter);
    await until("b knows the service", () => far.exposed(near.name).includes("counter"));
    const withRemoteWorkers = await counter.startAt(far, { node: near.name, fn: "counter" });
    assertEquals((await crash(() => counter.cast(withRemoteWorkers).fail())).body, "counter");

    const inner = (self: Self) =>
      Supervisor.start(self, {
        children: [{ id: "hits", start: (self) => counter.startAs("hits", self) }],
      });
    await Supervisor.start(near, {
      children: [{ id: "counters", type: "supervisor", start: inner }],
    });
    const child = await crash(() => counter.cast(counter.at(near, "hits")).fail());
    assertEquals([child.child, child.supervisorName, child.names], ["hits", "counters", ["hits"]]);
    assertMatch(
      crashText(child),
      /^actor <0\.\d+> hits \(counter\), child "hits" of supervisor "counters" <0\.\d+>, crashed: /,
    );
    await until(
      "the crash is logged",
      () => a.lines.some(({ line }) => line.includes('child "hits"')),
    );
    const report = a.lines.find(({ line }) => line.includes('child "hits"'))!.line;
    assertMatch(
      report,
      /child "hits" <0\.\d+> of supervisor "counters" <0\.\d+> ended: Error: boom/,
    );

    // An anonymous function is reported by its source.
    const nameless = near.spawn(() => () => {
      throw new Error("boom");
    });
    const shown = await crash(() => near.send(nameless, "go"));
    assertMatch(shown.body, /^\(\) ?=> ?\(\) ?=> ?\{/);
    for (const { lines } of [a, b]) {
      for (const { line } of lines) assert(!line.includes("(anonymous)"), line);
    }
  });
});
