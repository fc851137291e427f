import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Call } from "../../lib/actor/call.ts";
import {
  type ActorExitError,
  ArgumentError,
  CallExitError,
  CallTimeoutError,
  MailboxFullError,
  NoProcError,
} from "../../lib/actor/errors.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { ManualSystem } from "../kit/system.ts";
import { test } from "../kit/test.ts";

/** A server that keeps the calls it gets, for the test to answer. */
function server(system: ManualSystem) {
  const calls: Call<unknown, unknown>[] = [];
  const pid = system.start(() => (call: Call<unknown, unknown>) => void calls.push(call));
  return { pid, calls, self: system.find(pid.id)! };
}

/** How a promise ends, without its being unhandled. */
function outcome(promise: Promise<unknown>) {
  const seen: { value?: unknown; error?: Error } = {};
  promise.then((value) => seen.value = value, (error) => seen.error = error);
  return seen;
}

test("call gives the answer, from a handler, a loop or whoever was given the call", async () => {
  const system = new ManualSystem();
  const handler = system.start(() => (call: Call<number, number>) => call.reply(call.request + 1));
  const loop = system.start<Call<number, number>, []>(async (self) => {
    for await (const call of self) call.reply(call.request + 2);
  });
  const deputy = system.start(() => (call: Call<number, number>) => system.send(loop, call));
  assertEquals(await system.call(handler, 1), 2);
  assertEquals(await system.call(loop, 1), 3);
  assertEquals(await system.call(deputy, 10), 12);
  assertEquals(system.wheel.size, 0);
  system.stop();
});

test("call rejects with CallTimeoutError when the time is over, 5 seconds unless told", async () => {
  const system = new ManualSystem();
  const { pid, self, calls } = server(system);
  for (const timeout of [undefined, 100, 0]) {
    const ms = timeout ?? 5000;
    const seen = outcome(system.call(pid, "?", { timeout }));
    await system.advance(ms - 1);
    assertEquals(seen, {});
    await system.advance(2);
    assertInstanceOf(seen.error, CallTimeoutError);
    assertEquals([seen.error.code, seen.error.message], [
      "timeout",
      `no answer from ${pid} in ${ms} ms`,
    ]);
  }
  // Late answers are dropped, and nothing is kept.
  for (const call of calls) call.reply("late");
  await system.settle();
  assertEquals([self.chain, system.wheel.size, calls.length], [undefined, 0, 3]);
  system.stop();
});

test("call with timeout Infinity waits for ever, and refuses what is no time", async () => {
  const system = new ManualSystem();
  const { pid, self, calls } = server(system);
  const seen = outcome(system.call(pid, "?", { timeout: Infinity }));
  assertEquals([system.wheel.size, system.clock.armed], [0, 0]);
  await system.advance(1e9);
  calls[0]!.reply("at last");
  await system.settle();
  assertEquals(seen, { value: "at last" });
  for (const timeout of [NaN, 2 ** 31]) {
    await assertRejects(() => system.call(pid, "?", { timeout }), ArgumentError);
  }
  await system.settle();
  assertEquals([calls.length, self.chain, system.wheel.size], [1, undefined, 0]);
  system.stop();
});

test("call rejects with NoProcError when nobody is there", async () => {
  const system = new ManualSystem();
  const { pid } = server(system);
  system.exit(pid, "kill");
  const error = await assertRejects(() => system.call(pid, "?"), NoProcError);
  assertEquals([error.code, error.message], ["noproc", `no such actor: ${pid}`]);
  assertEquals(system.wheel.size, 0);
});

for (const reason of ["normal", "kill", { my: "reason" }, new Error("a crash")]) {
  test(`call rejects with CallExitError when the other ends: ${String(reason)}`, async () => {
    const system = new ManualSystem();
    const { pid } = server(system);
    const seen = [outcome(system.call(pid, 1)), outcome(system.call(pid, 2))];
    await system.settle();
    if (reason === "kill") system.exit(pid, "kill");
    else system.find(pid.id)!.end(reason);
    await system.settle();
    for (const { error } of seen) {
      assertInstanceOf(error, CallExitError);
      assertEquals([error.code, error.reason], ["exit", reason === "kill" ? "killed" : reason]);
      assertEquals(error.message.split("\n").length, 1);
    }
    assertEquals([system.wheel.size, system.clock.armed > 1], [0, false]);
  });
}

test("call rejects when the other ends with the call still in its mailbox, or on reading it", async () => {
  const system = new ManualSystem();
  const busy = system.start(() => new Promise(() => {}));
  const crashing = system.start(() => () => {
    throw new Error("no");
  });
  const unread = outcome(system.call(busy as Pid<unknown>, "?"));
  const read = outcome(system.call(crashing as Pid<unknown>, "?"));
  await system.settle();
  system.exit(busy, "over");
  await system.settle();
  assertEquals((unread.error as CallExitError).reason, "over");
  assertEquals(((read.error as CallExitError).reason as Error).message, "no");
  assertEquals(system.wheel.size, 0);
});

test("call rejects with the signal's reason when it is aborted, before or after", async () => {
  const system = new ManualSystem();
  const { pid, self, calls } = server(system);
  const why = new Error("given up");
  const before = outcome(system.call(pid, 1, { signal: AbortSignal.abort(why) }));
  const cancel = new AbortController();
  const after = outcome(system.call(pid, 2, { signal: cancel.signal }));
  await system.settle();
  assertEquals([before.error, after, calls.length], [why, {}, 1]);
  cancel.abort(why);
  await system.settle();
  assertEquals([after.error, self.chain, system.wheel.size], [why, undefined, 0]);
  calls[0]!.reply("late");
  system.stop();
});

test("call listens to its signal no longer than it waits", async () => {
  const system = new ManualSystem();
  const { pid, calls } = server(system);
  let listening = 0;
  const { signal } = new AbortController();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (listening++, add(...args));
  signal.removeEventListener = (
    ...args: Parameters<typeof remove>
  ) => (listening--, remove(...args));
  const answered = outcome(system.call(pid, 1, { signal }));
  const late = outcome(system.call(pid, 2, { signal, timeout: 10 }));
  const refused = outcome(system.call(pid, 3, { signal }));
  await system.settle();
  assertEquals(listening, 3);
  calls[0]!.reply("yes");
  calls[0]!.refuse(new Error("once is enough"));
  calls[2]!.refuse(new Error("no"));
  await system.advance(20);
  assertEquals([listening, answered.value, refused.error?.message], [0, "yes", "no"]);
  assertInstanceOf(late.error, CallTimeoutError);
  system.stop();
});

test("Call.reply counts once, and so does refuse", async () => {
  const system = new ManualSystem();
  const { pid, calls } = server(system);
  const seen = [outcome(system.call(pid, 1)), outcome(system.call(pid, 2))];
  await system.settle();
  calls[0]!.reply("first");
  calls[0]!.reply("second");
  calls[0]!.refuse(new Error("third"));
  calls[1]!.refuse(new Error("first"));
  calls[1]!.reply("second");
  await system.settle();
  assertEquals([seen[0], seen[1]!.error!.message], [{ value: "first" }, "first"]);
  system.stop();
});

test("calls are answered in any order, each with its own answer", async () => {
  const system = new ManualSystem();
  const { pid, self, calls } = server(system);
  const seen = Array.from({ length: 50 }, (_, i) => outcome(system.call(pid, i)));
  await system.settle();
  for (let i = 0; i < 50; i++) calls[(i * 7) % 50]!.reply(calls[(i * 7) % 50]!.request);
  await system.settle();
  assertEquals(seen.map(({ value }) => value), Array.from({ length: 50 }, (_, i) => i));
  assertEquals([self.chain, system.wheel.size], [undefined, 0]);
  system.stop();
});

test("a call of an actor ends with that actor, and leaves nothing on the other", async () => {
  const system = new ManualSystem();
  const { pid, self, calls } = server(system);
  const steps: unknown[] = [];
  const caller = system.start(async (self) => {
    try {
      await self.call(pid, "?", { timeout: Infinity });
    } catch (error) {
      steps.push((error as ActorExitError).name, (error as ActorExitError).reason);
    }
  });
  await system.settle();
  assertEquals(calls.length, 1);
  system.exit(caller, "over");
  assertEquals(self.chain, undefined);
  await system.settle();
  assertEquals(steps, ["ActorExitError", "over"]);
  calls[0]!.reply("late");
  system.stop();
});

test("a call that an actor does not wait for ends with it, and no rejection is unhandled", async () => {
  const system = new ManualSystem();
  const { pid, self } = server(system);
  const caller = system.start(async (self) => {
    const answer = self.call(pid, "?");
    await new Promise(() => {});
    await answer;
  });
  await system.settle();
  system.exit(caller, "kill");
  await system.settle();
  assertEquals([self.chain, system.wheel.size], [undefined, 0]);
  system.stop();
});

test("a call of an actor that was answered hangs on neither", async () => {
  const system = new ManualSystem();
  const { pid, self, calls } = server(system);
  const caller = system.puppet();
  const seen = outcome(caller.self.call(pid as Pid<Call<string, string>>, "?"));
  await system.settle();
  calls[0]!.reply("!");
  await system.settle();
  assertEquals([seen.value, self.chain, caller.self.chain], ["!", undefined, undefined]);
  // To nobody, and to one that overflows at it.
  const small = system.startWith(
    { mailbox: { max: 1, policy: "exit" } },
    () => new Promise(() => {}),
  );
  await system.settle();
  system.send(small as Pid<unknown>, 1);
  const exits = outcome(caller.self.call(small as Pid<unknown>, "?"));
  await system.settle();
  assertInstanceOf(exits.error, CallExitError);
  assertEquals(caller.self.chain, undefined);
  system.stop();
});

test("a message that looks like a call is none", () => {
  const fake = { request: 1, reply() {}, refuse() {} };
  assertEquals([fake instanceof Call, Object.create(fake) instanceof Call], [false, false]);
});

test("an actor that calls itself is told so by the time, and goes on", async () => {
  const system = new ManualSystem();
  const seen: unknown[] = [];
  const pid = system.start<unknown, []>((self) => async (message) => {
    if (message instanceof Call) seen.push("too late");
    else await self.call(self.pid, "?", { timeout: 10 }).catch((error) => seen.push(error.code));
  });
  system.send(pid, "go");
  await system.advance(20);
  assertEquals(seen, ["timeout", "too late"]);
  system.stop();
});

for (const [policy, kept] of [["dropNewest", [0, 1]], ["dropOldest", [1, 2]]] as const) {
  test(`a call that a full mailbox drops is refused at once, with ${policy}`, async () => {
    const system = new ManualSystem();
    const got: unknown[] = [];
    const pid = system.startWith(
      { mailbox: { max: 2, policy } },
      () => (call: Call<number, string>) => {
        got.push(call.request);
        call.reply("done");
      },
    );
    // Before its first turn, so that all three wait.
    const seen = [0, 1, 2].map((request) => outcome(system.call(pid, request)));
    await system.settle();
    assertEquals(got, [...kept]);
    const dropped = [0, 1, 2].find((request) => !(kept as readonly number[]).includes(request))!;
    const { error } = seen[dropped]!;
    assertInstanceOf(error, MailboxFullError);
    assertEquals([error.code, error.message], ["mailboxfull", `the mailbox of ${pid} is full`]);
    assertEquals(kept.map((request) => seen[request]!.value), ["done", "done"]);
    assertEquals([system.find(pid.id)!.chain, system.wheel.size], [undefined, 0]);
    system.stop();
  });
}
