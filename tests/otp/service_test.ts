import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { Call } from "../../lib/actor/call.ts";
import {
  ActorExitError,
  ArgumentError,
  CallExitError,
  CallTimeoutError,
  NameError,
  NoProcError,
} from "../../lib/actor/errors.ts";
import { Exit } from "../../lib/actor/exit.ts";
import type { Self } from "../../lib/actor/self.ts";
import { service } from "../../lib/otp/service.ts";
import {
  continueWith,
  noReply,
  type ServicePid,
  stopService,
} from "../../lib/otp/service_definition.ts";
import { UnknownCallError } from "../../lib/otp/unknown_call.ts";
import type { ExitReason } from "../../lib/term/exit.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { test } from "../kit/test.ts";
import { unreadableValues } from "../kit/unreadable.ts";
import { CRASH, Family } from "./family.ts";

/** A thrown value that is not an error. */
const WORD: unknown = "a word";

interface Counter {
  state: number;
  start: [first: number];
  call: {
    add(by: number): number;
    later(by: number): number;
    fail(error: unknown): number;
    failLater(error: unknown): number;
  };
  cast: { set(to: number): void; fail(error: unknown): void };
}

const counter = service<Counter>({
  init: (first) => first,
  call: {
    add: (sum, by) => [sum + by, sum + by],
    later: async (sum, by) => {
      await null;
      return [sum + by, sum + by];
    },
    fail: (_sum, error) => {
      throw error;
    },
    failLater: async (_sum, error) => {
      await null;
      throw error;
    },
  },
  cast: {
    set: (_sum, to) => to,
    fail: (_sum, error) => {
      throw error;
    },
  },
});

test("service handles calls and casts in order, one at a time", async () => {
  const family = new Family();
  const pid = await family.run(counter.start(family.outside, 10));
  const ask = counter.call(pid);
  const replies = [ask.add(5), ask.later(1), ask.add(2)];
  counter.cast(pid).set(100);
  replies.push(ask.later(1), ask.add(1));
  assertEquals(await family.run(Promise.all(replies)), [15, 16, 18, 101, 102]);
  assertEquals(await family.run(counter.state(pid)), 102);
  family.system.stop();
});

test("service.call has the argument and reply types of each handler", async () => {
  const family = new Family();
  const pid = await family.run(counter.start(family.outside, 1));
  const sum: number = await family.run(counter.call(pid).add(3));
  assertEquals(sum, 4);
  // @ts-expect-error: the argument must be a number
  counter.call(pid).add("3").catch(() => {});
  // @ts-expect-error: the service has no such call
  assertEquals(counter.call(pid).sub, undefined);
  // @ts-expect-error: `init` accepts a number
  counter.start(family.outside, "1").catch(() => {});
  await family.system.settle();
  family.system.stop();
});

test("service.start rejects with the error of init", async () => {
  const fails: [() => unknown, unknown][] = [
    [() => {
      throw CRASH;
    }, CRASH],
    [() => Promise.reject(CRASH), CRASH],
    [() => {
      throw WORD;
    }, WORD],
    [() => stopService(CRASH, 0), CRASH],
    [() => Promise.resolve(stopService(CRASH, 0)), CRASH],
    [() => stopService("busy", 0), "busy"],
    [() => stopService("normal", 0), "normal"],
  ];
  for (const [init, reason] of fails) {
    let terminated = 0;
    const failing = service<{ state: number }>({
      init: init as () => number,
      terminate: () => void terminated++,
    });
    const family = new Family();
    const got = await family.run(failing.start(family.outside).catch((error) => error));
    assertEquals(got instanceof ActorExitError ? got.reason : got, reason);
    // An actor that starts the failing service with a link does not exit.
    let caught: unknown;
    const parent = family.system.start(async (self: Self) => {
      await failing.start(self).catch((error) => caught = error);
      await self.receive();
    });
    await family.system.settle();
    assertEquals(caught instanceof ActorExitError ? caught.reason : caught, reason);
    assertEquals(family.system.pids(), [parent]);
    assertEquals([terminated, family.crashes.length], [0, 0]);
    family.system.stop();
  }
});

test("service.start rejects with the exit reason of a service that exits during init", async () => {
  for (const reason of ["kill", "shutdown", CRASH]) {
    const hanging = service<{ state: number }>({ init: () => new Promise<number>(() => {}) });
    const family = new Family();
    const starting = hanging.start(family.outside);
    starting.catch(() => {});
    await family.system.settle();
    const [pid] = family.system.pids();
    const asked = assertRejects(
      () => hanging.state(pid as ServicePid<{ state: number }>),
      CallExitError,
    );
    family.system.exit(pid!, reason);
    const got = await starting.catch((error) => error);
    if (reason === CRASH) assertEquals(got, CRASH);
    else assertEquals((got as ActorExitError).reason, reason === "kill" ? "killed" : reason);
    await asked;
  }
});

test("service handles messages that arrive during an async init after init, in order", async () => {
  const family = new Family();
  let ready = (_first: number): void => {};
  interface Slow {
    state: number[];
    call: { add(n: number): number };
    cast: { put(n: number): void };
  }
  const slow = service<Slow>({
    init: () => new Promise<number[]>((resolve) => ready = (first) => resolve([first])),
    call: { add: (list, n) => [list.length, [...list, n]] },
    cast: { put: (list, n) => [...list, n] },
  });
  const starting = slow.start(family.outside);
  await family.system.settle();
  const pid = family.system.pids()[0] as ServicePid<Slow>;
  const replies = [slow.call(pid).add(1)];
  slow.cast(pid).put(2);
  replies.push(slow.call(pid).add(3));
  await family.system.settle();
  ready(0);
  assertEquals(await family.run(starting), pid);
  assertEquals(await family.run(Promise.all(replies)), [1, 3]);
  assertEquals(await family.run(slow.state(pid)), [0, 1, 2, 3]);
  family.system.stop();
});

test("service runs the continue handler before any message", async () => {
  for (const value of ["x", undefined, null, 0]) {
    const seen: unknown[] = [];
    const going = service<{ state: number; start: [late: boolean]; call: { get(): number } }>({
      init: (late) => late ? Promise.resolve(continueWith(0, value)) : continueWith(0, value),
      continue: async (state, given) => {
        await null;
        seen.push(given);
        return state + 1;
      },
      call: { get: (state) => [state, state] },
    });
    const family = new Family();
    for (const late of [false, true]) {
      const pid = await family.run(going.start(family.outside, late));
      assertEquals(await family.run(going.call(pid).get()), 1);
    }
    assertEquals(seen, [value, value]);
    family.system.stop();
  }
});

test("service runs none of its callbacks after it is killed", async () => {
  const family = new Family();
  const ran: string[] = [];
  let release = (): void => {};
  const held = (): Promise<void> => new Promise((resolve) => release = resolve);
  const slow = service<{
    state: number;
    start: [waits: boolean];
    cast: { stop(): void; fail(): void };
  }>({
    init: async (waits) => {
      if (waits) await held();
      return continueWith(0);
    },
    continue: (state) => {
      ran.push("continue");
      return state;
    },
    cast: {
      stop: async (state) => {
        await held();
        return stopService("normal", state);
      },
      fail: async () => {
        await held();
        throw CRASH;
      },
    },
    terminate: () => void ran.push("terminate"),
  });
  slow.start(family.outside, true).catch(() => {});
  await family.system.settle();
  family.system.exit(family.system.pids()[0]!, "kill");
  release();
  await family.system.settle();
  assertEquals(ran, []);
  for (const name of ["stop", "fail"] as const) {
    const pid = await family.run(slow.start(family.outside, false));
    assertEquals(ran.splice(0), ["continue"]);
    slow.cast(pid)[name]();
    await family.system.settle();
    family.system.exit(pid, "kill");
    release();
    await family.system.settle();
    assertEquals(ran, []);
  }
});

test("service: an error in continue is a crash, not a failed start", async () => {
  for (const late of [false, true]) {
    const family = new Family();
    const going = service<{ state: number }>({
      init: () => continueWith(0),
      continue: () => {
        if (!late) throw CRASH;
        return Promise.reject(CRASH);
      },
    });
    let started = false;
    const starting = going.start(family.outside).then(() => started = true);
    await family.system.settle();
    await starting;
    assertEquals(started, true);
    assertEquals(family.crashes.map(({ reason, body }) => [reason, body]), [[CRASH, "service"]]);
    assertEquals(family.system.size, 0);
  }
});

test("service: a handler that throws rejects its caller at once, before terminate has ended", async () => {
  for (const name of ["fail", "failLater"] as const) {
    for (const error of [CRASH, "a word"]) {
      const family = new Family();
      let go = (): void => {};
      const slow = service<{
        state: number;
        call: { fail(thrown: unknown): void; failLater(thrown: unknown): void };
      }>({
        init: () => 0,
        call: {
          fail: (_, thrown) => {
            throw thrown;
          },
          failLater: (_, thrown) => Promise.reject(thrown),
        },
        terminate: () => new Promise<void>((resolve) => go = resolve),
      });
      const pid = await family.run(slow.start(family.outside));
      const refused = await family.run(slow.call(pid)[name](error).catch((given) => given));
      const reason = error === CRASH ? CRASH : { thrown: error };
      assertInstanceOf(refused, CallExitError);
      assertEquals(refused.reason, reason);
      assertEquals(family.system.isAlive(pid), true);
      const ended = family.system.whenEnded(pid);
      go();
      assertEquals(await family.run(ended), reason);
      assertEquals(family.crashes.length, 1);
      // The report contains the call.
      assertInstanceOf(family.crashes[0]!.message, Call);
    }
  }
});

test("service: a crash rejects all waiting callers, and is reported once", async () => {
  const family = new Family();
  const pid = await family.run(counter.start(family.outside, 0));
  const ask = counter.call(pid);
  const calls = [ask.failLater(CRASH), ask.add(1), ask.add(2)];
  const reasons = await family.run(
    Promise.all(calls.map((call) => call.then(() => "", (error) => error.reason))),
  );
  assertEquals(reasons, [CRASH, CRASH, CRASH]);
  assertEquals(family.crashes.length, 1);
  await assertRejects(() => ask.add(1), NoProcError);
  counter.cast(pid).set(1);
});

test("service: a handler may store a call, and another handler may reply to it later", async () => {
  const family = new Family();
  const desk = service<{
    state: Call<unknown, string>[];
    call: { wait(): string };
    cast: { serve(reply: string): void; turnAway(): void };
  }>({
    init: () => [],
    call: {
      wait(waiting) {
        return noReply([...waiting, this.call]);
      },
    },
    cast: {
      serve(waiting, reply) {
        waiting.at(-1)!.reply(reply);
        return waiting.slice(0, -1);
      },
      turnAway(waiting) {
        // `this.call` is undefined in a cast, although an earlier call still waits for its reply.
        assertEquals((this as { call?: unknown }).call, undefined);
        waiting.at(-1)!.refuse(CRASH);
        return waiting.slice(0, -1);
      },
    },
  });
  const pid = await family.run(desk.start(family.outside));
  const calls = [1, 2, 3].map(() => desk.call(pid).wait().catch((error: Error) => error.message));
  desk.cast(pid).serve("third");
  desk.cast(pid).turnAway();
  desk.cast(pid).serve("first");
  assertEquals(await family.run(Promise.all(calls)), ["first", "boom", "third"]);
  family.system.stop();
});

test("stopService ends the service with its reason after the reply", async () => {
  const family = new Family();
  const terminated: unknown[] = [];
  const stopping = service<{
    state: number;
    call: { reply(): string; replyNothing(): undefined; silent(): void; later(): string };
    cast: { leave(): void };
  }>({
    init: () => 1,
    call: {
      reply: (state) => ["bye", stopService("done", state + 1)],
      replyNothing: (state) => [undefined, stopService("done", state)],
      silent: (state) => stopService("done", state),
      later: (state) => Promise.resolve(["bye", stopService("done", state)]),
    },
    cast: { leave: (state) => stopService(CRASH, state) },
    info: (state) => stopService("normal", state),
    terminate: (state, reason) => void terminated.push(state, reason),
  });
  const grid = [["reply", "bye"], ["replyNothing", undefined], ["later", "bye"]] as const;
  for (const [name, reply] of grid) {
    const pid = await family.run(stopping.start(family.outside));
    const ended = family.system.whenEnded(pid);
    assertEquals(await family.run(stopping.call(pid)[name]()), reply);
    assertEquals(await ended, "done");
  }
  assertEquals(terminated.splice(0), [2, "done", 1, "done", 1, "done"]);
  let pid = await family.run(stopping.start(family.outside));
  const refused = await family.run(stopping.call(pid).silent().catch((error) => error));
  assertEquals((refused as CallExitError).reason, "done");
  pid = await family.run(stopping.start(family.outside));
  let ended = family.system.whenEnded(pid);
  stopping.cast(pid).leave();
  assertEquals(await family.run(ended), CRASH);
  pid = await family.run(stopping.start(family.outside));
  ended = family.system.whenEnded(pid);
  family.system.send(pid, "anything");
  assertEquals(await family.run(ended), "normal");
});

/** Ways to end a service. Each row: its name, the exit reason, whether `terminate` is called. */
const ENDS: readonly [string, ExitReason, boolean][] = [
  ["stop", "normal", true],
  ["stop with a reason", { shutdown: 1 }, true],
  ["a crash", CRASH, true],
  ["the exit of its parent", "shutdown", true],
  ["the normal exit of its parent", "normal", true],
  ["the stop of its node", "shutdown", true],
  ["the exit of a linked actor", CRASH, true],
  ["kill", "killed", false],
];

for (const slow of [false, true]) {
  for (const [how, reason, called] of ENDS) {
    const does = `${called ? "is" : "is not"} called at the end by ${how}`;
    test(`service: terminate ${slow ? "is awaited and " : ""}${does}`, async () => {
      const family = new Family();
      const terminated: unknown[] = [];
      interface Clean {
        state: string;
        start: [state: string];
        cast: { crash(): void };
      }
      const clean = service<Clean>({
        init: (state) => state,
        cast: {
          crash: () => {
            throw CRASH;
          },
        },
        async terminate(state, why) {
          if (slow) await new Promise((resolve) => setTimeout(resolve, 0));
          assertEquals(family.system.isAlive(this.self.pid), true);
          terminated.push([state, why]);
        },
      });
      let pid: ServicePid<Clean> | undefined;
      const parent = family.system.start(async (self: Self) => {
        pid = await clean.start(self, "state");
        self.unlink(how.includes("exit of its parent") ? self.pid : pid);
        self.exit(await self.receive() as string);
      });
      await family.system.settle();
      const ended = family.system.whenEnded(pid!);
      if (how.startsWith("stop")) await family.run(clean.stop(pid!, reason));
      else if (how === "a crash") clean.cast(pid!).crash();
      else if (how === "the stop of its node") family.system.exit(pid!, reason);
      else if (how === "kill") family.system.exit(pid!, "kill");
      else if (how.includes("exit of its parent")) family.system.send(parent, reason);
      else {
        const other = family.system.puppet();
        other.self.link(pid!);
        other.self.end(reason);
      }
      assertEquals(await family.run(ended), reason);
      assertEquals(terminated, called ? [["state", reason]] : []);
      // Only a service's own crash is reported, not an exit caused by a link or a signal.
      assertEquals(family.crashes.length, how === "a crash" ? 1 : 0);
      family.system.stop();
    });
  }
}

test("service: an error in terminate does not change the exit reason", async () => {
  for (const late of [false, true]) {
    const family = new Family();
    const clumsy = service<{ state: number }>({
      init: () => 0,
      terminate: () => {
        if (!late) throw new Error("clumsy");
        return Promise.reject(new Error("clumsy"));
      },
    });
    const pid = await family.run(clumsy.start(family.outside));
    const ended = family.system.whenEnded(pid);
    await family.run(clumsy.stop(pid, "shutdown"));
    assertEquals(await ended, "shutdown");
    assertEquals(family.crashes, []);
  }
});

test("service without terminate ends when a linked actor exits abnormally", async () => {
  const family = new Family();
  const pid = await family.run(counter.start(family.outside, 0));
  const other = family.system.puppet();
  other.self.link(pid);
  other.self.end("normal");
  assertEquals(family.system.isAlive(pid), true);
  const second = family.system.puppet();
  second.self.link(pid);
  second.self.end("bad");
  assertEquals(family.system.isAlive(pid), false);
});

test("service with terminate continues when a linked actor exits normally", async () => {
  const family = new Family();
  const seen: unknown[] = [];
  const clean = service<{ state: number }>({
    init: () => 0,
    info: (state, message) => {
      seen.push(message);
      return state;
    },
    terminate: () => {},
  });
  const pid = await family.run(clean.start(family.outside));
  const other = family.system.puppet();
  other.self.link(pid);
  other.self.end("normal");
  await family.system.settle();
  assertEquals([family.system.isAlive(pid), seen.length], [true, 0]);
  family.system.stop();
});

test("service with trapExit ends at an exit signal of the node", async () => {
  for (const reason of ["normal", "shutdown", "bad"]) {
    const family = new Family();
    const trapping = service<{ state: number }>({
      init: () => 0,
      trapExit: true,
      info: (state) => state,
    });
    const pid = await family.run(trapping.start(family.outside));
    const ended = family.system.whenEnded(pid);
    family.system.exit(pid, reason);
    assertEquals(await family.run(ended), reason);
    assertEquals(family.crashes, []);
  }
});

test("service with trapExit passes exits of linked actors, except its parent's, to info", async () => {
  const family = new Family();
  const seen: unknown[] = [];
  const trapping = service<{ state: number }>({
    init: () => 0,
    trapExit: true,
    info: (state, message) => {
      seen.push(message);
      return state;
    },
    terminate: () => {},
  });
  let pid: ServicePid<{ state: number }> | undefined;
  const parent = family.system.start(async (self: Self) => {
    pid = await trapping.start(self);
    await self.receive();
  });
  await family.system.settle();
  for (const reason of ["normal", "bad"]) {
    const other = family.system.puppet();
    other.self.link(pid!);
    other.self.end(reason);
  }
  await family.system.settle();
  assertEquals(seen.map((exit) => exit instanceof Exit && exit.reason), ["normal", "bad"]);
  family.system.send(parent, "go");
  await family.system.settle();
  assertEquals(seen.length, 2);
  assertEquals(family.system.size, 0);
});

test("service passes all other messages, including unknown casts, to info", async () => {
  const family = new Family();
  const seen: unknown[] = [];
  const listening = service<{ state: number | null; cast: { known(): void } }>({
    init: () => null,
    cast: { known: () => null },
    info: (_state, message) => {
      seen.push(message);
      return null;
    },
  });
  const pid = await family.run(listening.start(family.outside));
  const odd = [
    undefined,
    null,
    0,
    "text",
    { $cast: "known" },
    { $cast: "unknown", args: [] },
    { $cast: "toString", args: [] },
    { $cast: "constructor", args: [] },
    { type: "EXIT", reason: "kill" },
  ];
  for (const message of odd) family.system.send(pid, message);
  await family.system.settle();
  assertEquals(seen, odd);
  assertEquals(await family.run(listening.state(pid)), null);
  family.system.stop();
});

test("service drops a message that cannot be read, and rejects an unreadable call", async () => {
  const family = new Family();
  const plain = service<{ state: number; call: { get(): number } }>({
    init: () => 7,
    call: { get: (n) => [n, n] },
  });
  const pid = await family.run(plain.start(family.outside));
  const trap = {
    get: (): never => {
      throw new Error("a trap");
    },
  };
  const hidden = (shown: object, property: string): object =>
    Object.defineProperty({ ...shown }, property, trap);
  const values = [
    ...Object.values(unreadableValues()),
    hidden({ $cast: "set" }, "args"),
    hidden({ $call: "get" }, "args"),
    hidden({ $state: "set" }, "change"),
    hidden({ $state: "swap" }, "mark"),
  ];
  for (const value of values) {
    family.system.send(pid, value);
    const call = family.system.call(pid as never, value).then(() => "replied", () => "refused");
    assertEquals(await family.run(call), "refused");
  }
  assertEquals(await family.run(plain.call(pid).get()), 7);
  family.system.stop();
});

test("service allows the states null and undefined", async () => {
  const family = new Family();
  type Empty = null | undefined | number;
  const empty = service<{ state: Empty; cast: { set(to: Empty): void } }>({
    init: () => undefined,
    cast: { set: (_state, to) => to },
    info: () => null,
    terminate: (state) => void ends.push(state),
  });
  const ends: unknown[] = [];
  const pid = await family.run(empty.start(family.outside));
  assertEquals(await family.run(empty.state(pid)), undefined);
  empty.cast(pid).set(undefined);
  assertEquals(await family.run(empty.state(pid)), undefined);
  empty.cast(pid).set(1);
  family.system.send(pid, "info");
  assertEquals(await family.run(empty.state(pid)), null);
  await family.run(empty.stop(pid));
  assertEquals(ends, [null]);
});

test("service rejects an unknown call, and continues", async () => {
  const family = new Family();
  const pid = await family.run(counter.start(family.outside, 0));
  const odd: unknown[] = [
    undefined,
    null,
    "add",
    { $call: "sub", args: [] },
    { $call: "toString", args: [] },
    { $call: "add" },
    { $call: 3, args: [] },
  ];
  for (const request of odd) {
    const asked = family.system.call(pid as Pid<never> as Pid<Call<unknown, unknown>>, request);
    await assertRejects(() => family.run(asked), UnknownCallError);
  }
  assertEquals(await family.run(counter.call(pid).add(1)), 1);
  family.system.stop();
});

test("service rejects an invalid definition with the name of the wrong part", () => {
  const rows: readonly (readonly [object, string])[] = [
    [{}, "service: init must be a function that returns the first state"],
    [{ init: 0 }, "service: init must be a function"],
    [{ init: () => 0, calls: {} }, 'service: there is no option "calls": did you mean call?'],
    [{ init: () => 0, call: { get: 1 } }, "service: call.get must be a function"],
    [{ init: () => 0, name: "" }, "service: name must be a text that is not empty"],
  ];
  for (const [definition, words] of rows) {
    assertThrows(() => service<{ state: number }>(definition as never), ArgumentError, words);
  }
});

test("service rejects an idleMs over the timer limit", () => {
  for (const idleMs of [2 ** 31, Infinity, NaN]) {
    assertThrows(
      () => service<{ state: number }>({ init: () => 0, idleMs }),
      ArgumentError,
      "is not a valid delay",
    );
  }
  service<{ state: number }>({ init: () => 0, idleMs: 2 ** 31 - 1 });
});

test("service runs idle again after each period of idleMs without messages", async () => {
  const family = new Family();
  let idles = 0;
  const quiet = service<{ state: number; cast: { touch(): void }; call: { ask(): number } }>({
    init: () => 0,
    cast: { touch: (state) => state },
    call: { ask: (state) => [state, state] },
    idleMs: 100,
    idle: (state) => {
      idles++;
      return state;
    },
  });
  const pid = await family.run(quiet.start(family.outside));
  const touches = [
    () => quiet.cast(pid).touch(),
    () => quiet.call(pid).ask(),
    () => family.system.send(pid, "info"),
  ];
  for (const touch of touches) {
    await family.system.advance(99);
    touch();
    await family.system.settle();
    assertEquals(family.system.wheel.size, 1);
  }
  assertEquals(idles, 0);
  // Reading the state does not count as activity.
  await family.system.advance(60);
  await family.run(quiet.state(pid));
  await family.system.advance(41);
  assertEquals(idles, 1);
  await family.system.advance(210);
  assertEquals(idles, 3);
  assertEquals(family.system.wheel.size, 1);
  await family.run(quiet.stop(pid));
  assertEquals(family.system.wheel.size, 0);
});

test("service does not count the time in which a handler is busy as idle", async () => {
  const family = new Family();
  let idles = 0;
  let release = (): void => {};
  const busy = service<{ state: number; cast: { work(): void } }>({
    init: () => 0,
    cast: {
      work: (state) => new Promise<number>((resolve) => release = () => resolve(state)),
    },
    idleMs: 100,
    idle: (state) => {
      idles++;
      return state;
    },
  });
  const pid = await family.run(busy.start(family.outside));
  busy.cast(pid).work();
  await family.system.advance(1_000);
  release();
  await family.system.settle();
  assertEquals(idles, 0);
  await family.system.advance(101);
  assertEquals(idles, 1);
  family.system.stop();
});

test("service.replace rejects with the error of its function without changing the state", async () => {
  const family = new Family();
  const pid = await family.run(counter.start(family.outside, 1));
  assertEquals(await family.run(counter.replace(pid, (state) => state * 7)), 7);
  const failed = counter.replace(pid, () => {
    throw CRASH;
  });
  assertEquals(await family.run(failed.catch((error) => error)), CRASH);
  assertEquals(await family.run(counter.state(pid)), 7);
  family.system.stop();
});

test("service.at looks up the name at each use", async () => {
  const family = new Family();
  const node = { whereis: (name: string) => family.system.names.whereis(name) };
  const actor = family.system.puppet().self;
  for (const source of [node, actor]) {
    const hits = counter.at(source, "hits");
    await assertRejects(() => counter.call(hits).add(1), NoProcError, "hits");
    await assertRejects(() => counter.state(hits), NoProcError);
    counter.cast(hits).set(1);
    await counter.stop(hits);
    for (const first of [10, 20]) {
      const pid = await family.run(counter.startAs("hits", family.outside, first));
      assertEquals(hits.pid, pid);
      assertEquals(await family.run(counter.call(hits).add(1)), first + 1);
      counter.cast(hits).set(5);
      assertEquals(await family.run(counter.state(hits)), 5);
      await family.run(counter.stop(hits));
    }
  }
  family.system.stop();
});

test("service.startAs rejects if another actor has the name", async () => {
  const family = new Family();
  const first = await family.run(counter.startAs("hits", family.outside, 0));
  const error = await family.run(
    counter.startAs("hits", family.outside, 0).catch((error) => error),
  );
  assertInstanceOf(error, NameError);
  assertEquals(error.holder, first);
  assertEquals(family.system.size, 1);
  family.system.stop();
});

test("service: init may register names and set timers through this.self", async () => {
  const family = new Family();
  const ticking = service<{ state: number; start: [name: string]; info: "tick" }>({
    init(name) {
      this.self.register(name);
      family.system.sendAfter(this.self.pid, "tick", 10);
      return 0;
    },
    info: (state) => state + 1,
  });
  const pid = await family.run(ticking.start(family.outside, "clock"));
  assertEquals(family.system.names.whereis("clock"), pid);
  await family.system.advance(11);
  assertEquals(await family.run(ticking.state(pid)), 1);
  family.system.stop();
});

test("service.call rejects at its timeout or when its signal is aborted", async () => {
  const family = new Family();
  let release = (): void => {};
  const slow = service<{ state: number; call: { wait(): string } }>({
    init: () => 0,
    call: {
      wait: (state) =>
        new Promise<[string, number]>((resolve) => release = () => resolve(["late", state])),
    },
  });
  const pid = await family.run(slow.start(family.outside));
  const timed = assertRejects(() => slow.call(pid, { timeout: 50 }).wait(), CallTimeoutError);
  await family.system.advance(51);
  await timed;
  release();
  const abort = new AbortController();
  const given = assertRejects(() => slow.call(pid, { signal: abort.signal }).wait());
  await family.system.settle();
  abort.abort(CRASH);
  assertEquals(await given, CRASH);
  release();
  await family.system.settle();
  assert(family.system.isAlive(pid));
  family.system.stop();
});

test("service.stop resolves for a service that has exited", async () => {
  const family = new Family();
  const pid = await family.run(counter.start(family.outside, 0));
  await family.run(counter.stop(pid));
  await family.run(counter.stop(pid));
  assertEquals(family.system.size, 0);
});

test("service: self.exit in a handler ends the service at once, without terminate", async () => {
  const family = new Family();
  let terminated = 0;
  const leaving = service<{ state: number; call: { leave(): void } }>({
    init: () => 0,
    call: {
      leave() {
        this.self.exit("done");
      },
    },
    terminate: () => void terminated++,
  });
  const pid = await family.run(leaving.start(family.outside));
  const refused = await family.run(leaving.call(pid).leave().catch((error) => error));
  assertEquals((refused as CallExitError).reason, "done");
  assertEquals(terminated, 0);
});
