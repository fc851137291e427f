import { assert, assertEquals } from "@std/assert";
import type { Clock, Timer } from "../../lib/base/clock.ts";
import type { Call } from "../../lib/actor/call.ts";
import { type Runnable, Scheduler } from "../../lib/actor/scheduler.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { System } from "../../lib/actor/system.ts";
import type { Stream } from "../../lib/host/stream.ts";
import { IGNORE } from "../../lib/host/stream.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { makeHost } from "../kit/host.ts";
import { ManualClock, ManualSystem, withSystem } from "../kit/system.ts";
import { test, until } from "../kit/test.ts";

/** Runs all pending microtasks, and those that they queue. */
async function microtasks(): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}

test("Scheduler runs actors in order, and appends an actor that is scheduled again", async () => {
  const clock = new ManualClock();
  const scheduler = new Scheduler(clock, () => {});
  const log: string[] = [];
  let left = 2;
  const one: Runnable = {
    run: () => {
      log.push("one");
      if (left-- > 0) scheduler.ready(one);
    },
  };
  const two: Runnable = { run: () => void log.push("two") };
  scheduler.ready(one);
  scheduler.ready(two);
  assertEquals([log, scheduler.waiting], [[], 2]);
  await microtasks();
  assertEquals([log, scheduler.waiting], [["one", "two", "one", "one"], 0]);
  scheduler.ready(two);
  await microtasks();
  assertEquals(log.length, 5);
});

test("Scheduler yields to I/O after its time slice, and continues after I/O", async () => {
  const clock = new ManualClock();
  const yielded: (() => void)[] = [];
  const scheduler = new Scheduler(clock, (task) => void yielded.push(task));
  let turns = 0;
  const busy: Runnable = {
    run: () => {
      turns++;
      scheduler.credit--;
      clock.jump(0.01);
      scheduler.ready(busy);
    },
  };
  scheduler.ready(busy);
  await microtasks();
  // 64 turns take 0.64 ms, so the second clock read is past the first millisecond.
  assertEquals([turns, yielded.length], [128, 1]);
  assertEquals(scheduler.spend(), false);
  await microtasks();
  assertEquals([turns, yielded.length], [128, 1]);
  yielded.shift()!();
  assertEquals([turns, yielded.length], [256, 1]);
  // The clock is read once every 64 turns.
  assert(clock.readings < 12, `${clock.readings} readings`);
});

test("Scheduler.spend yields to I/O after at most two portions of work", () => {
  const clock = new ManualClock();
  const yielded: (() => void)[] = [];
  const scheduler = new Scheduler(clock, (task) => void yielded.push(task));
  let spent = 0;
  while (scheduler.spend() && spent < 10_000) {
    spent++;
    clock.jump(0.01);
  }
  assert(spent >= 64 && spent <= 192, `${spent}`);
  assertEquals(yielded.length, 1);
  yielded.shift()!();
  assertEquals(scheduler.spend(), true);
});

/**
 * Runs an actor that takes 5 ms per message. Returns the number of messages handled in each slice,
 * that is between two turns of I/O.
 */
async function slow(body: (clock: ManualClock, handled: () => void) => (self: Self) => unknown) {
  const system = new ManualSystem();
  let handled = 0;
  const pid = system.start(body(system.clock, () => void handled++) as (self: Self) => void);
  for (let i = 0; i < 1000; i++) system.send(pid as Pid<unknown>, i);
  const slices: number[] = [];
  let before = 0;
  const { yieldToIo } = system.host;
  system.host.yieldToIo = (task) => {
    slices.push(handled - before);
    before = handled;
    yieldToIo.call(system.host, task);
  };
  await system.settle();
  system.stop();
  assertEquals(handled, 1000);
  return slices;
}

test("a handler that is measured as slow yields to I/O after each message", async () => {
  const slices = await slow((clock, handled) => () => () => {
    clock.jump(5);
    handled();
  });
  assert(slices.slice(0, 2).every((count) => count <= 128), `${slices}`);
  assert(slices.length > 800 && slices.slice(2).every((count) => count <= 1), `${slices}`);
});

test("a slow loop yields to I/O every few messages", async () => {
  const slices = await slow((clock, handled) => async (self) => {
    for await (const _ of self) {
      clock.jump(5);
      handled();
    }
  });
  assert(slices.every((count) => count <= 9), `${slices}`);
});

test("a handler that becomes fast again runs many messages in each time slice", async () => {
  let count = 0;
  let read = (): number => 0;
  let before = 0;
  const slices = await slow((clock, handled) => () => () => {
    read = () => clock.readings;
    if (++count === 500) before = clock.readings;
    clock.jump(count < 500 ? 5 : 0.001);
    handled();
  });
  assert(slices.length > 100 && slices.length < 500, `${slices.length} slices`);
  const readings = read() - before;
  assert(readings < 50, `${readings} clock readings for 500 messages`);
});

test("Scheduler does not count idle time as a slow turn", async () => {
  const system = new ManualSystem();
  const pid = system.start(() => () => {});
  for (let i = 0; i < 1000; i++) {
    system.send<unknown>(pid, i);
    await system.settle();
    system.clock.jump(10);
  }
  // Most messages do not wait for I/O: the scheduler reads the clock only at every 64th message,
  // and then finds that the time slice is over.
  assert(system.yields < 40, `${system.yields} of 1,000 messages waited for I/O`);
  system.stop();
});

test("an actor with many messages does not starve an actor with one message", async () => {
  for (const { ms, most } of [{ ms: 0, most: 2048 }, { ms: 0.01, most: 128 }]) {
    const system = new ManualSystem();
    const log: string[] = [];
    const many = system.start(() => () => {
      system.clock.jump(ms);
      log.push("many");
    });
    const few = system.start(() => () => void log.push("few"));
    for (let i = 0; i < 5000; i++) system.send(many, i);
    system.send(few, 1);
    await until("all messages are handled", () => system.settle().then(() => log.length === 5001));
    assert(log.indexOf("few") <= most, `${log.indexOf("few")} messages of ${ms} ms`);
    system.stop();
  }
});

test("an actor that sends to itself lets the receivers of its other messages keep up", async () => {
  const system = new ManualSystem();
  let [sent, handled, most] = [0, 0, 0];
  const sink = system.start(() => () => void handled++);
  const producer = system.start((self: Self<"go on">) => () => {
    for (let i = 0; i < 50; i++) self.send(sink, i);
    sent += 50;
    most = Math.max(most, sent - handled);
    if (sent < 10_000) self.send(self.pid, "go on");
  });
  system.send(producer, "go on");
  await until("all messages are handled", () => system.settle().then(() => handled === 10_000));
  assert(most <= 100, `${most} messages were waiting`);
  system.stop();
});

/**
 * Ways to keep 1,000 actors always busy. Each returns a function that returns the amount of
 * completed work.
 */
const BUSY_ACTORS: readonly [string, (system: System) => () => number][] = [
  ["handlers that send to themselves", (system) => {
    let done = 0;
    for (let i = 0; i < 1000; i++) {
      const pid = system.spawn(undefined, undefined, (self: Self<number>) => (message) => {
        done++;
        self.send(self.pid, message);
      }, []);
      system.send(pid, i);
    }
    return () => done;
  }],
  ["loops that send to themselves", (system) => {
    let done = 0;
    for (let i = 0; i < 1000; i++) {
      const pid = system.spawn(undefined, undefined, async (self: Self<number>) => {
        for await (const message of self) {
          done++;
          self.send(self.pid, message);
        }
      }, []);
      system.send(pid, i);
    }
    return () => done;
  }],
  ["loops that exchange messages in microtasks", (system) => {
    let done = 0;
    for (let i = 0; i < 500; i++) {
      const pong = system.spawn(undefined, undefined, async (self: Self<Pid<number>>) => {
        for await (const pid of self) {
          done++;
          self.send(pid, done);
        }
      }, []);
      system.spawn(undefined, undefined, async (self: Self<number>) => {
        for (;;) {
          self.send(pong, self.pid);
          await self.receive();
        }
      }, []);
    }
    return () => done;
  }],
  ["loops that call handlers", (system) => {
    let done = 0;
    for (let i = 0; i < 500; i++) {
      const server = system.spawn(
        undefined,
        undefined,
        (_self: Self<Call<number, number>>) => (call) => call.reply(call.request),
        [],
      );
      system.spawn(undefined, undefined, async (self) => {
        for (;; done++) await self.call(server, 1);
      }, []);
    }
    return () => done;
  }],
];

for (const [who, start] of BUSY_ACTORS) {
  test(`timers and sockets continue while 1,000 actors run ${who}`, async () => {
    const host = makeHost();
    await withSystem(async (system) => {
      const listener = await host.listen({ hostname: "127.0.0.1", port: 0 }, (stream) => {
        stream.handler = {
          ...IGNORE,
          data: (bytes) => stream.write(bytes.slice()),
          end: () => stream.end(),
        };
      });
      const stream = await host.connect({ ...listener.address, timeoutMs: 5000 });
      const [done, ticks] = [start(system), { count: 0 }];
      const timer = host.clock.every(1, () => void ticks.count++);
      try {
        const began = performance.now();
        await echo(stream, 20);
        await until("timers fire", () => ticks.count >= 10);
        const took = performance.now() - began;
        // The echoes and ticks take about 10 ms on an idle machine. They never end if actors starve
        // I/O.
        assert(took < 5000, `${took} ms for 20 echoes and 10 ticks`);
        assert(done() > 1000, `${done()} messages`);
      } finally {
        timer.cancel();
        system.stop();
        stream.abort();
        await listener.close();
      }
    });
  });
}

/** Makes `times` round trips, one after another. */
function echo(stream: Stream, times: number): Promise<void> {
  return new Promise((done, fail) => {
    let left = times;
    stream.handler = {
      ...IGNORE,
      data: () => {
        if (--left === 0) done();
        else stream.write(Uint8Array.of(left));
      },
      close: () => fail(new Error("the stream closed")),
    };
    stream.write(Uint8Array.of(left));
  });
}

test("an idle system sets no timer and reads no clock", async () => {
  const clock: Clock & { asked: number } = {
    asked: 0,
    now: () => (clock.asked++, 0),
    wall: () => 0,
    after: (): Timer => (clock.asked++, { cancel() {} }),
    every: (): Timer => (clock.asked++, { cancel() {} }),
  };
  const scheduler = new Scheduler(clock, () => clock.asked++);
  const began = clock.asked;
  scheduler.ready({ run() {} });
  await microtasks();
  assertEquals([clock.asked, scheduler.waiting], [began, 0]);
});
