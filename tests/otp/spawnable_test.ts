/** Tests functions and services that one node exposes and another starts, by one definition. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Call } from "../../lib/actor/call.ts";
import { ArgumentError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import { SpawnError } from "../../lib/mesh/spawner.ts";
import { service } from "../../lib/otp/service.ts";
import { remote } from "../../lib/otp/spawnable.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { startCheaply } from "../kit/keys.ts";
import { test } from "../kit/test.ts";

const adder = remote("adder", (_self: Self<Call<number, number>>, to: number) => {
  return (call) => call.reply(call.request + to);
});

interface Counter {
  state: number;
  start: [first: number];
  call: { get(): number };
}

const counter = service<Counter>({
  name: "counter",
  init: (first) => first,
  call: { get: (n) => [n, n] },
});

test("Node.expose accepts a definition that other nodes spawn, supervise and start", async () => {
  const cookie = "the same on every node";
  await using a = await startCheaply({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
  await using b = await startCheaply({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
  b.expose(adder);
  b.expose(counter, { allow: [a.name] });
  assertEquals(b.exposed(), ["adder", "counter"]);
  await a.connect(b.name);

  const pid: Pid<Call<number, number>> = await a.spawn(adder.on(b.name), 40);
  assertEquals([pid.node, await a.call(pid, 2)], [b.name, 42]);
  const started = await counter.startAt(a, counter.on(b.name), 7);
  assertEquals([started.node, await counter.call(started).get()], [b.name, 7]);

  const tree = await Supervisor.start(a, {
    children: [
      adder.child({ id: "adder", node: b.name, args: [1] }),
      counter.child({ id: "counter", node: b.name, args: [8] }),
    ],
  });
  const [first, second] = await tree.whichChildren();
  assertEquals([first!.state, second!.state], ["running", "running"]);
  assertEquals([await a.call(first!.pid!, 2), await counter.call(second!.pid!).get()], [3, 8]);
  await tree.stop();

  assertEquals(b.unexpose(adder.name), true);
  const error = await assertRejects(() => a.spawn(adder.on(b.name), 40), SpawnError);
  assertEquals(error.code, "notexposed");
  const unnamed = service<{ state: number }>({ init: () => 0 });
  assertThrows(() => b.expose(unnamed), ArgumentError);
});
