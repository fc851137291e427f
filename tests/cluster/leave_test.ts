import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Self } from "../../lib/actor/self.ts";
import { ListenError } from "../../lib/host/host.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { OptionError } from "../../lib/ws/options.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

/** An actor that traps exits and ignores them. */
async function stubborn(self: Self<unknown>): Promise<void> {
  self.trapExit = true;
  for await (const _ of self);
}

test("Node.leave ends at its timeout if a singleton does not stop", async () => {
  const options = { cookie: COOKIE, logLevel: "silent" } as const;
  await using a = await startCheaply({ name: "a@127.0.0.1:0", ...options });
  await using b = await startCheaply({ name: "b@127.0.0.1:0", ...options, seeds: [a.name] });
  const spec = {
    id: "s",
    shutdown: Infinity,
    start: (self: Self) => self.spawnLink(stubborn),
  };
  await a.global.singleton("s", spec);
  await b.global.singleton("s", spec);
  assertEquals(b.global.whereis("s")?.node, a.name);
  const reasons: string[] = [];
  b.on("nodedown", ({ reason }) => reasons.push(reason));
  const from = performance.now();
  await a.leave({ timeout: 600 });
  assert(performance.now() - from < 5_000, `it took ${performance.now() - from} ms`);
  await until("b has taken over", () => b.global.whereis("s")?.node === b.name);
  assertEquals(reasons, ["shutdown"]);
  await assertRejects(() => a.serve(), ListenError);
  await b.leave({ timeout: 600 });
});

test("Node.leave unexposes all functions before the node stops, and rejects an invalid timeout", async () => {
  const options = { cookie: COOKIE, logLevel: "silent" } as const;
  await using a = await startCheaply({ name: "a@127.0.0.1:0", ...options });
  await using b = await startCheaply({ name: "b@127.0.0.1:0", ...options, seeds: [a.name] });
  a.expose("worker", () => () => {});
  await until("b knows the function", () => b.exposed(a.name).includes("worker"));
  for (const timeout of [-1, NaN, 2 ** 31, Infinity]) {
    await assertRejects(() => b.leave({ timeout }), OptionError);
    await assertRejects(() => startCheaply({ leaveOnSigterm: { timeout } }), OptionError);
  }
  // Leaving had not begun, so the node keeps running.
  await (await b.serve()).stop();
  const seen: string[][] = [];
  b.on("nodedown", () => seen.push(b.exposed(a.name)));
  await a.leave({ timeout: 1_000 });
  await until("b has lost a", () => b.peers().length === 0);
  assertEquals(seen, [[]]);
});

test("Node.leave: supervisors of the leaving node restart their children until the node stops", async () => {
  const options = { cookie: COOKIE, logLevel: "silent" } as const;
  await using a = await startCheaply({ name: "a@127.0.0.1:0", ...options });
  // The singleton does not stop, so leaving takes half of its timeout.
  const singleton = {
    id: "s",
    shutdown: Infinity,
    start: (self: Self) => self.spawnLink(stubborn),
  };
  await a.global.singleton("s", singleton);
  const started: Pid<string>[] = [];
  a.expose("child", (self: Self<string>) => {
    started.push(self.pid);
    return () => self.exit("crashed");
  });
  const child = { id: "c", node: a.name, fn: "child" };
  const supervisor = await Supervisor.start(a, { intensity: 1, children: [child] });
  let hasLeft = false;
  const left = a.leave({ timeout: 1_000 }).then(() => hasLeft = true);
  await until("a exposes no functions", () => a.exposed().length === 0);
  a.send(started[0]!, "crash");
  await until("the child has been restarted", () => started.length === 2);
  assert(!hasLeft && a.isAlive(supervisor.pid));
  await left;
});
