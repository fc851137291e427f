import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Call } from "../../lib/actor/call.ts";
import { describe } from "../../lib/actor/describe.ts";
import {
  type ActorExitError,
  ArgumentError,
  CallExitError,
  CallTimeoutError,
  MailboxFullError,
  NoProcError,
} from "../../lib/actor/errors.ts";
import { type Crash, crashText } from "../../lib/actor/report.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { System } from "../../lib/actor/system.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { HOME, ManualSystem, withSystem } from "../kit/system.ts";
import { test } from "../kit/test.ts";

/** Starts a server that collects the calls it receives. The test replies to them. */
function server(system: ManualSystem) {
  const calls: Call<unknown, unknown>[] = [];
  const pid = system.start(() => (call: Call<unknown, unknown>) => void calls.push(call));
  return { pid, calls, self: system.find(pid.id)! };
}

/** Records the outcome of a promise, and handles its rejection. */
function outcome(promise: Promise<unknown>) {
  const seen: { value?: unknown; error?: Error } = {};
  promise.then((value) => seen.value = value, (error) => seen.error = error);
  return seen;
}

test("call resolves to the reply, whether a handler, a loop or another actor sends it", async () => {
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

test("call rejects with CallTimeoutError after the timeout, by default 5 seconds", async () => {
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
      `no answer from ${pid} in ${ms} ms (call of "?" from outside of actors)`,
    ]);
  }
  // Replies that arrive after the timeout are dropped, and no entry is left behind.
  for (const call of calls) call.reply("late");
  await system.settle();
  assertEquals([self.chain, system.wheel.size, calls.length], [undefined, 0, 3]);
  system.stop();
});

test("call waits without a time limit if the timeout is Infinity, and rejects an invalid timeout", async () => {
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

test("call rejects with NoProcError when there is no such actor", async () => {
  const system = new ManualSystem();
  const { pid } = server(system);
  system.exit(pid, "kill");
  const error = await assertRejects(() => system.call(pid, "?"), NoProcError);
  const words = `no such actor: ${pid} (call of "?" from outside of actors)`;
  assertEquals([error.code, error.message], ["noproc", words]);
  assertEquals(system.wheel.size, 0);
});

for (const reason of ["normal", "kill", { my: "reason" }, new Error("a crash")]) {
  test(`call rejects with CallExitError when the callee exits with ${describe(reason)}`, async () => {
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

test("call rejects if the callee exits before it has replied", async () => {
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

test("call rejects with the reason of its AbortSignal if the signal is aborted", async () => {
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

test("call removes its abort listener when it settles", async () => {
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

test("Call.reply and Call.refuse have no effect on a call that is already answered", async () => {
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

test("The time limit of a call begins at the end of the turn in which the call is made", async () => {
  const system = new ManualSystem();
  const { pid } = server(system);
  const caller = system.start(() => async () => {
    const seen = outcome(system.call(pid, "?", { timeout: 100 }));
    // The turn blocks the event loop for longer than the limit.
    system.clock.jump(500);
    await Promise.resolve();
    return seen;
  });
  system.send(caller, "go");
  await system.settle();
  assertEquals(system.wheel.size, 1);
  await system.advance(98);
  assertEquals(system.wheel.size, 1);
  await system.advance(4);
  assertEquals(system.wheel.size, 0);
  system.stop();
});

test("call rarely reads the clock if it is answered in the next turn", async () => {
  const system = new ManualSystem();
  const pid = system.start(() => (call: Call<number, number>) => call.reply(call.request));
  await system.call(pid, 0);
  const before = system.clock.readings;
  for (let i = 0; i < 640; i++) await system.call(pid, i);
  // The scheduler reads the clock 10 times in 640 calls. Most calls capture no stack, and only
  // every 16th of these reads the clock.
  const readings = system.clock.readings - before;
  assert(readings <= 60, `${readings} readings`);
  system.stop();
});

test("calls may be answered in any order, each with its own reply", async () => {
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

test("a call is removed from the callee when the calling actor exits", async () => {
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

test("a call that its actor never awaits causes no unhandled rejection when the actor exits", async () => {
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

test("an answered call leaves no state in the caller or the callee", async () => {
  const system = new ManualSystem();
  const { pid, self, calls } = server(system);
  const caller = system.puppet();
  const seen = outcome(caller.self.call(pid as Pid<Call<string, string>>, "?"));
  await system.settle();
  calls[0]!.reply("!");
  await system.settle();
  assertEquals([seen.value, self.chain, caller.self.chain], ["!", undefined, undefined]);
  // The first message fills the mailbox, so the call that follows makes the target exit.
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

test("a message shaped like a call is not a Call", () => {
  const fake = { request: 1, reply() {}, refuse() {} };
  assertEquals([fake instanceof Call, Object.create(fake) instanceof Call], [false, false]);
});

/** Ways in which an actor calls itself: with `self.call`, from its handler, or by name. */
const SELF_CALLS: readonly [string, (self: Self, system: System) => Promise<unknown>][] = [
  ["by its pid", (self) => self.call(self.pid as Pid<Call<string, string>>, "?")],
  ["by its name", (self) => self.call("me", "?")],
  ["by its name on its node", (self) => self.call({ name: "me", node: HOME.node }, "?")],
  ["through the system", (_self, system) => system.call("me", "?")],
];

for (const [how, call] of SELF_CALLS) {
  test(`a call of an actor to itself ${how} rejects at once with the code calling_self`, async () => {
    const system = new ManualSystem();
    const seen: unknown[] = [];
    const pid = system.startWith<unknown, []>({ name: "me" }, (self) => async (message) => {
      if (message instanceof Call) seen.push("too late");
      else await call(self, system).catch((error) => seen.push(error.code, error.message));
    });
    system.send(pid, "go");
    await system.settle();
    const words = `${pid} me calls itself, and cannot answer while it waits ` +
      `(call of "?" from ${pid} me)`;
    assertEquals(seen, ["calling_self", words]);
    assertEquals([system.find(pid.id)!.chain, system.isAlive(pid)], [undefined, true]);
    system.stop();
  });
}

for (const [policy, kept] of [["dropNewest", [0, 1]], ["dropOldest", [1, 2]]] as const) {
  test(`a call that a full mailbox drops rejects at once with the policy ${policy}`, async () => {
    const system = new ManualSystem();
    const got: unknown[] = [];
    const pid = system.startWith(
      { mailbox: { max: 2, policy } },
      () => (call: Call<number, string>) => {
        got.push(call.request);
        call.reply("done");
      },
    );
    // Sends all calls before the server's first turn, so that all three wait.
    const seen = [0, 1, 2].map((request) => outcome(system.call(pid, request)));
    await system.settle();
    assertEquals(got, [...kept]);
    const dropped = [0, 1, 2].find((request) => !(kept as readonly number[]).includes(request))!;
    const { error } = seen[dropped]!;
    assertInstanceOf(error, MailboxFullError);
    const words = `the mailbox of ${pid} is full (call of ${dropped} from outside of actors)`;
    assertEquals([error.code, error.message], ["mailboxfull", words]);
    assertEquals(kept.map((request) => seen[request]!.value), ["done", "done"]);
    assertEquals([system.find(pid.id)!.chain, system.wheel.size], [undefined, 0]);
    system.stop();
  });
}

test("a handler may call its own actor if it does not await the call", async () => {
  const system = new ManualSystem();
  const seen: unknown[] = [];
  const pid = system.start<unknown, []>((self) => (message) => {
    if (message instanceof Call) message.reply("an answer");
    else {
      self.call(self.pid as Pid<Call<string, string>>, "?").then((reply) => seen.push(reply));
    }
  });
  system.send(pid, "go");
  await system.settle();
  assertEquals(seen, ["an answer"]);
  system.stop();
});

/** Ways of not awaiting a call that fails. */
const UNHANDLED_CALLS: readonly [string, (call: Promise<unknown>) => unknown][] = [
  ["ignores its promise", () => {}],
  ["adds a then without a rejection handler", (call) => void call.then(() => {})],
  ["adds a finally", (call) => void call.finally(() => {})],
  ["adds a chain of two thens", (call) => void call.then(() => {}).then(() => {})],
  ["adds a catch that throws again", (call) =>
    void call.catch((error) => {
      throw error;
    })],
];

for (const [what, forget] of UNHANDLED_CALLS) {
  test(`a failed call ends an actor that ${what}`, async () => {
    const system = new ManualSystem();
    const crashes: Crash[] = [];
    system.events.on("crash", (crash) => void crashes.push(crash));
    const mute = system.startWith({ name: "mute" }, () => () => {});
    const other = system.puppet();
    const careless = system.startWith({ name: "careless" }, (self: Self) => (message) => {
      if (message === "go") forget(self.call("mute", "slow?", { timeout: 10 }));
    });
    system.send(careless, "go");
    await system.advance(20);
    assertEquals([system.isAlive(careless), system.pids()], [false, [mute, other.pid]]);
    const [{ pid, names, reason, unhandled } = {} as Crash] = crashes;
    assertEquals([crashes.length, pid, names, unhandled], [1, careless, ["careless"], true]);
    assertInstanceOf(reason, CallTimeoutError);
    const words = `no answer from ${mute} mute in 10 ms ` +
      `(call of "slow?" from ${careless} careless)`;
    assertEquals(reason.message, words);
    assert(crashText(crashes[0]!).includes("did not await what failed: CallTimeoutError"));
    system.stop();
  });
}

/** Ways of handling the rejection of a call. */
const HANDLED_CALLS: readonly [string, (call: Promise<unknown>) => unknown][] = [
  ["awaits it in a try block", async (call) => {
    try {
      await call;
    } catch {
      // The rejection is ignored on purpose.
    }
  }],
  ["adds a catch", (call) => void call.catch(() => {})],
  ["passes a rejection handler to then", (call) => void call.then(() => {}, () => {})],
  ["awaits Promise.allSettled", async (call) => void await Promise.allSettled([call])],
  ["awaits it in an inner function", async (call) => {
    const later = async () => await call;
    await later().catch(() => {});
  }],
  ["awaits another promise first", async (call) => {
    await Promise.resolve();
    await call.catch(() => {});
  }],
];

for (const [what, handle] of HANDLED_CALLS) {
  test(`a failed call does not end an actor that ${what}`, async () => {
    const system = new ManualSystem();
    const crashes: unknown[] = [];
    system.events.on("crash", (crash) => void crashes.push(crash));
    const pid = system.start((self: Self) => (message) => {
      if (message === "go") handle(self.call("nobody", "?"));
    });
    system.send(pid, "go");
    await system.settle();
    assertEquals([system.isAlive(pid), crashes], [true, []]);
    system.stop();
  });
}

test("a failed call outside of actors is reported as a crash event if it is not awaited", async () => {
  const system = new ManualSystem();
  const crashes: Crash[] = [];
  system.call("nobody", "unheard");
  system.events.on("crash", (crash) => void crashes.push(crash));
  await system.settle();
  const [{ pid, body, reason, unhandled } = {} as Crash] = crashes;
  assertEquals([pid, body, unhandled], [system.pid, "outside of actors", true]);
  assertInstanceOf(reason, NoProcError);
  const words = 'no such actor: nobody (call of "unheard" from outside of actors)';
  assertEquals(reason.message, words);
  assertEquals(
    crashText(crashes[0]!).split("\n")[0]!.slice(0, 42),
    "outside of actors did not await what faile",
  );
  system.stop();
});

test("a failed call of an actor that has exited has no effect", async () => {
  const system = new ManualSystem();
  const crashes: unknown[] = [];
  system.events.on("crash", (crash) => void crashes.push(crash));
  system.startWith({ name: "mute" }, () => () => {});
  const pid = system.start((self: Self) => () => {
    self.call("mute", 1).then(() => {});
    self.exit("over");
  });
  system.send(pid, "go");
  await system.settle();
  assertEquals((crashes as Crash[]).map(({ reason }) => reason), ["over"]);
  system.stop();
});

test("the error of a call has the stack of its caller", async () => {
  const system = new ManualSystem();
  const { pid } = server(system);
  function whoCallsHere() {
    // Returns an array, so that this is not a tail call: Bun omits the caller of a tail call from
    // the stack.
    return [system.call(pid, "?", { timeout: 10 })] as const;
  }
  const seen = outcome(whoCallsHere()[0]);
  await system.advance(20);
  const { stack } = seen.error as Error;
  assert(stack?.startsWith("CallTimeoutError: no answer from"), stack);
  assert(stack?.includes("whoCallsHere"), stack);
  system.stop();
});

test("a call that fails at once does not starve timers if it is retried in a loop", async () => {
  await withSystem(async (system) => {
    let rounds = 0;
    let over = false;
    const loop = (async () => {
      while (!over) {
        rounds++;
        await system.call("nobody", 1).catch(() => {});
      }
    })();
    await new Promise<void>((fired) => setTimeout(fired, 5));
    over = true;
    await loop;
    assert(rounds > 1);
  });
});
