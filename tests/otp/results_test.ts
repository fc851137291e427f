/** Tests the return values of handlers: `continueWith` from each handler, and invalid values. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { ArgumentError, BadReturnError, CallExitError } from "../../lib/actor/errors.ts";
import type { Call } from "../../lib/actor/call.ts";
import type { Self } from "../../lib/actor/self.ts";
import { service } from "../../lib/otp/service.ts";
import { continueWith, noReply, stopService } from "../../lib/otp/service_definition.ts";
import { remote } from "../../lib/otp/spawnable.ts";
import { startCheaply } from "../kit/keys.ts";
import { test } from "../kit/test.ts";
import { Family } from "./family.ts";

interface Worker {
  state: readonly string[];
  call: { replies(): string; waits(): string; later(): string; list(): readonly string[] };
  cast: { one(): void; chain(left: number): void; slow(): void };
}

const worker = service<Worker>({
  init: () => [],
  call: {
    replies: (log) => ["a reply", continueWith([...log, "call"], 0)],
    waits(log) {
      const { call } = this;
      queueMicrotask(() => call.reply("late"));
      return continueWith([...log, "call"], 0);
    },
    later: (log) => Promise.resolve(["a reply", continueWith([...log, "call"], 0)]),
    list: (log) => [log, log],
  },
  cast: {
    one: (log) => continueWith([...log, "cast"], 0),
    chain: (log, left) => continueWith(log, left),
    slow: (log) => Promise.resolve(continueWith([...log, "slow"], 0)),
  },
  info: (log, message) => continueWith([...log, `info ${message}`], 0),
  continue(log, left) {
    const next = [...log, `continue ${left}`];
    return (left as number) > 0 ? continueWith(next, (left as number) - 1) : next;
  },
});

test("continueWith runs the continue handler before the next message", async () => {
  const family = new Family();
  const pid = await family.run(worker.start(family.outside));
  const ask = worker.call(pid);
  const seen = async (): Promise<readonly string[]> => {
    const log = await family.run(worker.state(pid));
    await family.run(worker.replace(pid, () => []));
    return log;
  };
  const replies: Promise<unknown>[] = [];
  for (const name of ["replies", "waits", "later"] as const) replies.push(ask[name](), ask.list());
  worker.cast(pid).one();
  worker.cast(pid).slow();
  family.system.send(pid, "message");
  assertEquals(await family.run(Promise.all(replies)), [
    "a reply",
    ["call", "continue 0"],
    "late",
    ["call", "continue 0", "call", "continue 0"],
    "a reply",
    ["call", "continue 0", "call", "continue 0", "call", "continue 0"],
  ]);
  assertEquals((await seen()).slice(6), [
    ...["cast", "continue 0", "slow", "continue 0", "info message", "continue 0"],
  ]);
  // A message that arrives during a chain of `continueWith` is handled after the whole chain.
  worker.cast(pid).chain(2);
  family.system.send(pid, "last");
  assertEquals(await seen(), [
    ...["continue 2", "continue 1", "continue 0", "info last", "continue 0"],
  ]);
  family.system.stop();
});

test("continueWith in an endless chain does not starve other actors and timers", async () => {
  const endless = service<{ state: number }>({
    init: () => continueWith(0),
    continue: (count) => continueWith(count + 1),
  });
  await using node = await startCheaply({ logLevel: "silent" });
  const pid = await endless.start(node);
  const other = node.spawn((_self: Self<Call<string, string>>) => (call) => call.reply("yes"));
  for (let i = 0; i < 3; i++) assertEquals(await node.call(other, "there?"), "yes");
  await new Promise((wake) => setTimeout(wake, 0));
  node.exit(pid, "kill");
  assertEquals(node.isAlive(pid), false);
});

/** Invalid return values of handlers, each with the text that the crash report contains. */
const WRONG: readonly (readonly [string, unknown, string])[] = [
  ["call", "ok", 'call handler get of service "odd" returned "ok": return [reply, state]'],
  ["call", 0, 'call handler get of service "odd" returned 0: return [reply, state]'],
  ["call", undefined, "returned undefined: return [reply, state]"],
  ["call", ["alone"], 'returned ["alone"]: return [reply, state]'],
  ["call", ["a", 1, 2], 'returned ["a", 1, 2]: return [reply, state]'],
  ["call", { reply: 1, state: 2 }, "returned { reply: 1, state: 2 }: return [reply, state]"],
  ["call", ["a", undefined], "returned undefined: return the state"],
  ["call", ["a", Promise.resolve(1)], "the state must not be a promise: await it"],
  ["call", ["a", continueWith(1)], "returned continueWith(…), but there is no continue handler"],
  ["call", continueWith(1), "returned continueWith(…), but there is no continue handler"],
  ["call", noReply(undefined), "return the state"],
  ["cast", undefined, 'handler set of service "odd" returned undefined: return the state'],
  ["cast", continueWith(1), "returned continueWith(…), but there is no continue handler"],
  ["info", undefined, 'handler info of service "odd" returned undefined: return the state'],
  ["info", stopService("normal", undefined), "return the state"],
  ["idle", undefined, 'handler idle of service "odd" returned undefined: return the state'],
];

test("service: an invalid return value of a handler ends the service with an error that names both", async () => {
  for (const late of [false, true]) {
    for (const [part, value, words] of WRONG) {
      const family = new Family();
      const handler = () => late ? Promise.resolve(value) : value;
      const odd = service<{ state: number; call: { get(): number }; cast: { set(): void } }>(
        {
          name: "odd",
          init: () => 1,
          call: { get: handler },
          cast: { set: handler },
          info: handler,
          idle: handler,
          idleMs: 10,
        } as never,
      );
      const pid = await family.run(odd.start(family.outside));
      const asked = part === "call" ? odd.call(pid).get().catch((error) => error) : undefined;
      if (part === "cast") odd.cast(pid).set();
      if (part === "info") family.system.send(pid, "message");
      if (part === "idle") await family.system.advance(11);
      await family.system.settle();
      const reason = family.crashes[0]?.reason as BadReturnError | undefined;
      assertInstanceOf(reason, BadReturnError, `${part} ${words}`);
      assertEquals(reason.code, "bad_return_value");
      assert(reason.message.includes(words), reason.message);
      assertEquals([family.system.isAlive(pid), family.crashes.length], [false, 1]);
      if (asked !== undefined) {
        const error = await asked;
        assertInstanceOf(error, CallExitError);
        assertEquals(error.reason, reason);
      }
      family.system.stop();
    }
  }
});

test("service.start rejects if init returns continueWith without a continue handler", async () => {
  const family = new Family();
  const odd = service<{ state: number }>({ init: () => continueWith(1) });
  const error = await assertRejects(() => family.run(odd.start(family.outside)), BadReturnError);
  assertEquals(
    error.message,
    "init of the service returned continueWith(…), but there is no continue handler",
  );
  assertEquals([family.system.size, family.crashes.length], [0, 0]);
  family.system.stop();
});

test("spawn: an async body that returns a handler ends with an error", async () => {
  const family = new Family();
  const body = async (_self: Self<string>): Promise<unknown> => {
    await null;
    return (_message: string) => {};
  };
  const pid = family.system.start(body);
  const ended = family.system.whenEnded(pid);
  const reason = await family.run(ended);
  assertInstanceOf(reason, BadReturnError);
  assert(reason.message.includes("an async body returned a message handler"), reason.message);
  assertEquals(family.crashes.map(({ body }) => body), ["body"]);
  family.system.stop();
});

test("remote rejects an empty name and a value that is not a function", () => {
  for (const [name, body] of [["", () => {}], ["job", "no function"], [undefined, () => {}]]) {
    assertThrows(() => remote(name as never, body as never), ArgumentError, "remote: the ");
  }
  const unnamed = service<{ state: number }>({ init: () => 0 });
  for (const use of [unnamed.on, (node: string) => unnamed.child({ id: "x", node })]) {
    assertThrows(() => use("b@127.0.0.1:1"), ArgumentError, "a service without a name");
  }
  const job = remote("job", (_self: Self<string>, _n: number) => {});
  assertEquals(job.on("b@127.0.0.1:1", { timeout: 9 }), {
    node: "b@127.0.0.1:1",
    fn: "job",
    timeout: 9,
  });
  assertEquals(job.child({ id: "x", node: "any", args: [1] }), {
    id: "x",
    node: "any",
    args: [1],
    fn: "job",
  });
});
