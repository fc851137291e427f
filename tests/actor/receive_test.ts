import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { ActorExitError, ArgumentError } from "../../lib/actor/errors.ts";
import { Down, Exit } from "../../lib/actor/exit.ts";
import type { ReceiveOptions, Self } from "../../lib/actor/self.ts";
import { ManualSystem } from "../kit/system.ts";
import { test } from "../kit/test.ts";

/** Starts an actor whose `receive` the test calls from outside. */
async function receiver(system: ManualSystem) {
  const pid = system.start(async (self: Self) => {
    await new Promise<void>((end) => self.signal.addEventListener("abort", () => end()));
  });
  await system.settle();
  const self = system.find(pid.id)!;
  const got: unknown[] = [];
  const receive = (options: ReceiveOptions<never> = {}): void => {
    self.receive(options).then(
      (message) => void got.push(message),
      (error) => void got.push(error.message),
    );
  };
  return { pid, self, got, receive };
}

const even = (message: number): boolean => message % 2 === 0;

test("receive returns messages in the order in which they were sent", async () => {
  const system = new ManualSystem();
  const { pid, got, receive } = await receiver(system);
  for (const message of [0, "", undefined, null, false]) system.send(pid, message);
  for (let i = 0; i < 5; i++) {
    receive();
    await system.settle();
  }
  assertEquals(got, [0, "", undefined, null, false]);
  receive();
  await system.settle();
  assertEquals(got.length, 5);
  system.send(pid, "late");
  await system.settle();
  assertEquals(got[5], "late");
  system.stop();
});

test("receive returns messages that arrived before the actor's first turn", async () => {
  const system = new ManualSystem();
  const got: unknown[] = [];
  const pid = system.start(async (self) => {
    for await (const message of self) got.push(message);
  });
  system.send(pid, 1);
  system.send(pid, 2);
  await system.settle();
  assertEquals(got, [1, 2]);
  system.stop();
});

test("receive with match returns the first matching message, and keeps the order of the others", async () => {
  const system = new ManualSystem();
  const { pid, self, got, receive } = await receiver(system);
  for (const message of [1, 3, 4, 5, 6]) system.send(pid, message);
  receive({ match: even });
  await system.settle();
  assertEquals([got, self.peek()], [[4], [1, 3, 5, 6]]);
  receive();
  receive.call(undefined);
  await system.settle();
  assertEquals([got, self.peek()], [[4, 1, 3], [5, 6]]);
  system.stop();
});

test("receive with match skips messages that do not match, and keeps their order", async () => {
  const system = new ManualSystem();
  const { pid, self, got, receive } = await receiver(system);
  system.send(pid, 1);
  receive({ match: even });
  for (const message of [3, 5, 8, 7, 10]) {
    system.send(pid, message);
    await system.settle();
  }
  assertEquals([got, self.peek()], [[8], [1, 3, 5, 7, 10]]);
  system.stop();
});

test("receive returns the same messages as a list model for random sends, predicates and timeouts", async () => {
  const random = new SeededRandom(11);
  const system = new ManualSystem();
  const { pid, got, receive } = await receiver(system);
  const model: number[] = [];
  const expected: unknown[] = [];
  let waits: ((message: number) => boolean) | undefined;
  const look = (): void => {
    const at = waits === undefined ? -1 : model.findIndex(waits);
    if (at < 0) return;
    expected.push(model.splice(at, 1)[0]);
    waits = undefined;
  };
  for (let step = 0; step < 4000; step++) {
    const dice = random.below(10);
    if (dice < 5) {
      const message = random.below(50);
      system.send(pid, message);
      model.push(message);
    } else if (dice < 9) {
      if (waits !== undefined) continue;
      await system.settle();
      const rest = random.below(3);
      waits = dice === 5 ? () => true : (message: number) => message % 3 === rest;
      receive(dice === 5 ? { timeout: 50 } : { timeout: 50, match: waits });
    } else {
      await system.advance(50);
      look();
      if (waits !== undefined) expected.push(undefined);
      waits = undefined;
    }
    look();
    if (random.next() < 0.4) {
      await system.settle();
      assertEquals(got, expected);
    }
  }
  system.stop();
});

test("receive with a timeout returns undefined at the timeout", async () => {
  const system = new ManualSystem();
  const { got, receive } = await receiver(system);
  receive({ timeout: 100 });
  await system.advance(99);
  assertEquals(got, []);
  await system.advance(1);
  assertEquals(got, [undefined]);
  assertEquals([system.wheel.size, system.clock.armed], [0, 0]);
  system.stop();
});

test("receive with a timeout clears its timer if a message arrives in time", async () => {
  const system = new ManualSystem();
  const { pid, got, receive } = await receiver(system);
  receive({ timeout: 100 });
  await system.advance(99);
  system.send(pid, "in time");
  assertEquals(system.wheel.size, 0);
  await system.advance(1000);
  assertEquals(got, ["in time"]);
  system.stop();
});

test("receive with a timeout returns a message that was queued before the timeout", async () => {
  const system = new ManualSystem();
  const { pid, self, got, receive } = await receiver(system);
  receive({ timeout: 10 });
  // The time slice is used up, so the message waits for I/O, and the timer fires first.
  system.scheduler.credit = 0;
  system.clock.jump(10);
  system.send(pid, "it came");
  assertEquals(self.length, 1);
  assertEquals(system.clock.fire(system.clock.now()), true);
  await system.settle();
  assertEquals(got, ["it came"]);
  system.stop();
});

test("receive with a timeout of 0 or less returns a waiting message or undefined", async () => {
  for (const timeout of [0, -5, -Infinity]) {
    const system = new ManualSystem(0.5);
    const { pid, got, receive } = await receiver(system);
    receive({ timeout });
    await system.advance(1);
    assertEquals(got, [undefined]);
    system.send(pid, "there");
    receive({ timeout });
    await system.advance(1);
    assertEquals(got, [undefined, "there"]);
    system.stop();
  }
});

test("receive rejects an invalid timeout, and removes no message", async () => {
  const system = new ManualSystem();
  const { pid, self, got, receive } = await receiver(system);
  system.send(pid, "stays");
  for (const timeout of [NaN, 2 ** 31, 1e300]) {
    const error = assertThrows(() => self.receive({ timeout }), ArgumentError);
    assertEquals(error.code, "badarg");
  }
  assertEquals(self.peek(), ["stays"]);
  receive({ timeout: Infinity });
  await system.settle();
  assertEquals([got, system.wheel.size], [["stays"], 0]);
  system.stop();
});

test("receive rejects if its predicate throws, and the message stays in the mailbox", async () => {
  const system = new ManualSystem();
  const { pid, self, got, receive } = await receiver(system);
  const match = (): boolean => {
    throw new Error("a bad predicate");
  };
  // `receive` already waits, so the predicate throws when a message is sent.
  receive({ match, timeout: 1000 });
  system.send(pid, 1);
  await system.settle();
  assertEquals([got, self.peek()], [["a bad predicate"], [1]]);
  // The predicate throws in the actor's turn, which waits for I/O.
  system.send(pid, 2);
  system.scheduler.credit = 0;
  system.clock.jump(10);
  receive({ match: (message: number) => message === 2 ? match() : false });
  assertEquals(got.length, 1);
  await system.settle();
  assertEquals([got, self.peek()], [["a bad predicate", "a bad predicate"], [1, 2]]);
  // The predicate throws within `receive` itself.
  assertThrows(() => self.receive({ match }), Error, "a bad predicate");
  assertEquals([self.peek(), system.wheel.size], [[1, 2], 0]);
  receive();
  await system.settle();
  assertEquals(got[2], 1);
  system.stop();
});

test("receive allows its predicate to end the receiving actor", async () => {
  for (const first of [false, true]) {
    const system = new ManualSystem();
    const { pid, self, got, receive } = await receiver(system);
    const match = (): boolean => {
      system.exit(pid, "kill");
      return true;
    };
    if (first) {
      system.send(pid, 1);
      receive({ match });
      await system.settle();
      assertEquals(got, []);
    } else {
      receive({ match });
      system.send(pid, 1);
      await system.settle();
      assertEquals(got, [`${pid} has ended: killed`]);
    }
    assertEquals([self.isAlive, self.length], [false, 0]);
    system.stop();
  }
});

test("receive throws while another receive is pending", async () => {
  const system = new ManualSystem();
  const { pid, self, got, receive } = await receiver(system);
  receive();
  assertThrows(() => self.receive(), Error, "already pending");
  system.send(pid, 1);
  await system.settle();
  assertEquals(got, [1]);
  system.stop();
});

test("receive rejects when the actor exits, and clears its timer", async () => {
  const system = new ManualSystem();
  const { pid, self } = await receiver(system);
  const waiting = self.receive({ timeout: 1000 });
  const rejected = assertRejects(() => waiting, ActorExitError);
  system.exit(pid, "over");
  assertEquals(system.wheel.size, 0);
  const error = await rejected;
  assertEquals([error.code, error.reason], ["exit", "over"]);
  system.stop();
});

test("a receive that is not awaited rejects without ending the process", async () => {
  const system = new ManualSystem();
  const pid = system.start(async (self) => {
    const next = self.receive();
    await new Promise(() => {});
    await next;
  });
  await system.settle();
  system.exit(pid, "kill");
  await system.settle();
  assertEquals(system.size, 0);
  system.stop();
});

test("for await on self yields each message until the actor exits", async () => {
  const system = new ManualSystem();
  const events: unknown[] = [];
  const pid = system.start(async (self) => {
    try {
      for await (const message of self) {
        events.push(message);
        if (message === "skip") break;
      }
      events.push("broke off");
      for await (const message of self) events.push(["again", message]);
    } catch (error) {
      events.push((error as Error).name);
      throw error;
    } finally {
      events.push("finally");
    }
  });
  for (const message of [1, "skip", 2]) system.send(pid, message);
  await system.settle();
  assertEquals(events, [1, "skip", "broke off", ["again", 2]]);
  system.exit(pid, "kill");
  await system.settle();
  assertEquals(events.slice(4), ["ActorExitError", "finally"]);
  system.stop();
});

test("mailboxLength returns the number of queued messages", async () => {
  const system = new ManualSystem();
  const { pid, self, receive } = await receiver(system);
  for (let i = 0; i < 10; i++) system.send(pid, i);
  assertEquals((self as Self).length, 10);
  receive();
  await system.settle();
  assertEquals(self.length, 9);
  system.stop();
});

test("an unbounded mailbox emits one mailbox event when its length reaches the warning mark", async () => {
  const system = new ManualSystem();
  const { pid } = await receiver(system);
  const received: unknown[] = [];
  system.events.on("mailbox", (event) => void received.push(event));
  for (let i = 0; i < system.mark + 10; i++) system.send(pid, i);
  assertEquals(received, [{ pid, length: system.mark, dropped: false }]);
  assertEquals(system.find(pid.id)!.length, system.mark + 10);
  system.stop();
});

for (const waiting of [false, true]) {
  const when = waiting ? "while it waits for something else" : "while it is busy";

  test(`a bounded mailbox with the policy dropNewest keeps the oldest messages, ${when}`, async () => {
    const { got, received } = await overflow("dropNewest", waiting);
    assertEquals([got, received], [["EXIT", 1, 2, "DOWN"], [3, 3, 3, 4]]);
  });

  test(`a bounded mailbox with the policy dropOldest keeps the newest messages, ${when}`, async () => {
    const { got, received } = await overflow("dropOldest", waiting);
    assertEquals([got, received], [["EXIT", 5, "DOWN", 6], [3, 3, 3, 4]]);
  });

  test(`a bounded mailbox with the policy exit ends its actor at the first message over the limit, ${when}`, async () => {
    const { got, received, reason } = await overflow("exit", waiting);
    assertEquals([got, received, reason], [[], [3], { mailbox: "full" }]);
  });
}

/**
 * Sends an Exit, the messages 1 to 5, a Down and 6 to an actor whose mailbox holds three messages.
 */
async function overflow(policy: "dropNewest" | "dropOldest" | "exit", waiting: boolean) {
  const system = new ManualSystem();
  const received: number[] = [];
  const got: unknown[] = [];
  let reason: unknown;
  system.events.on("mailbox", ({ length, dropped }) => {
    assert(dropped);
    received.push(length);
  });
  system.events.on("exit", (event) => event.pid === pid && (reason = event.reason));
  const [linked, watched] = [system.puppet(), system.puppet()];
  const pid = system.startWith({ mailbox: { max: 3, policy } }, async (self) => {
    self.trapExit = true;
    self.link(linked.pid);
    self.monitor(watched.pid);
    if (waiting) await self.receive({ match: (message) => message === "none", timeout: 10 });
    else await new Promise((done) => system.events.on("deadletter", done));
    for await (const message of self) {
      got.push(message instanceof Exit || message instanceof Down ? message.type : message);
    }
  });
  await system.settle();
  linked.self.end("x");
  for (let i = 1; i <= 5; i++) system.send(pid, i);
  watched.self.end("x");
  system.send(pid, 6);
  system.send(linked.pid, "go on");
  await system.advance(20);
  system.stop();
  return { got, received, reason };
}

test("a bounded mailbox stays within its limit while its actor waits for its turn", async () => {
  const system = new ManualSystem();
  const pid = system.startWith(
    { mailbox: { max: 2, policy: "dropNewest" } },
    async (self) => {
      for await (const _ of self);
    },
  );
  await system.settle();
  system.scheduler.credit = 0;
  system.clock.jump(10);
  for (let i = 0; i < 100; i++) system.send(pid, i);
  assertEquals(system.find(pid.id)!.length, 2);
  system.stop();
});

test("a listener of the mailbox event may end the actor", async () => {
  const system = new ManualSystem();
  const pid = system.startWith({ mailbox: { max: 1, policy: "dropOldest" } }, () => () => {});
  const self = system.find(pid.id)!;
  system.events.on("mailbox", () => system.exit(pid, "kill"));
  for (let i = 0; i < 3; i++) system.send<unknown>(pid, i);
  assertEquals([self.isAlive, self.length], [false, 0]);
  await system.settle();
});

test("messages keep their order while the receiver waits for its turn", async () => {
  const system = new ManualSystem();
  const got: unknown[] = [];
  const receiver = system.start(async (self) => {
    for await (const message of self) got.push(message);
  });
  const sender = system.start(() => () => system.send(receiver, "second"));
  await system.settle();
  // The time slice is used up: the turns of the sender and then of the receiver wait for I/O, in
  // this order.
  system.scheduler.credit = 0;
  system.clock.jump(10);
  system.send<unknown>(sender, "go");
  system.send(receiver, "first");
  await system.settle();
  assertEquals(got, ["first", "second"]);
  system.stop();
});

test("spawn with a mailbox limit of zero throws, and starts no actor", () => {
  const system = new ManualSystem();
  for (const max of [0, -1, NaN]) {
    const spawn = () => system.startWith({ mailbox: { max, policy: "exit" } }, () => {});
    assertThrows(spawn, ArgumentError);
  }
  assertEquals([system.size, system.scheduler.waiting], [0, 0]);
  system.stop();
});

test("a message with a then method is delivered unchanged to a handler", async () => {
  const system = new ManualSystem();
  const promise = { then: (resolve: (value: string) => void) => resolve("what it comes to") };
  const { pid, got, receive } = await receiver(system);
  const handled: unknown[] = [];
  const handler = system.start(() => (message: unknown) => void handled.push(message));
  system.send(handler, promise);
  system.send(pid, { promise });
  receive();
  await system.settle();
  assertEquals(got, [{ promise }]);
  assert(handled.length === 1 && handled[0] === promise);
  system.stop();
});

test("receive drops a message that has a then method, such as a promise, and emits a dead letter", async () => {
  const system = new ManualSystem();
  const dead: unknown[] = [];
  system.events.on("deadletter", ({ message, error }) => void dead.push([message, error?.name]));
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const promises = [
    new Promise(() => {}),
    { then: (_: unknown, no: (error: Error) => void) => no(new Error("not received")) },
    {
      get then() {
        throw new Error("a getter");
      },
    },
    proxy,
  ];
  for (const match of [undefined, () => true]) {
    const { pid, got, receive } = await receiver(system);
    // Sends first while the actor waits in receive, then before it calls receive.
    for (const waits of [true, false]) {
      if (waits) receive({ match });
      for (const promise of promises) system.send(pid, promise);
      system.send(pid, `waits: ${waits}`);
      if (!waits) receive({ match });
      await system.settle();
    }
    assertEquals(got, ["waits: true", "waits: false"]);
  }
  assertEquals(dead.length, 4 * promises.length);
  for (const [i, letter] of dead.entries()) {
    const [message, name] = letter as [unknown, string];
    assert(message === promises[i % promises.length] && name === "ArgumentError");
  }
});
