/**
 * Tests state machines: rules, timeouts that cannot fire late, postponed and internal events, and
 * machines that are stored or moved.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ArgumentError, CallExitError } from "../../lib/actor/errors.ts";
import type { Call } from "../../lib/actor/call.ts";
import { shards } from "../../lib/cluster/shards.ts";
import { stateMachine } from "../../lib/otp/state_machine.ts";
import { memoryStore, type Store } from "../../lib/otp/store.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { UnknownCallError } from "../../lib/otp/unknown_call.ts";
import { simulate } from "../../lib/simulate.ts";
import { test } from "../kit/test.ts";

interface Payment {
  states: "created" | "authorised" | "captured" | "expired";
  data: { amount: number; log: readonly string[] };
  start: [amount: number];
  call: {
    authorise(card: string): "ok";
    capture(amount: number): number;
    log(): readonly string[];
  };
  cast: { note(text: string): void; audit(): void; crash(): void };
}

function paymentIn(store?: Store) {
  return stateMachine<Payment>({
    name: "payment",
    initial: "created",
    data: (amount) => ({ amount, log: [] }),
    states: {
      created: {
        on: {
          authorise: {
            to: "authorised",
            run: (data, card) => ({
              reply: "ok",
              data: { ...data, log: [...data.log, card] },
              timeouts: { reminder: 5_000 },
              next: ["note", "authorised"],
            }),
          },
          capture: { postpone: true },
        },
        after: { ms: 30_000, to: "expired" },
      },
      authorised: {
        enter: (data) => ({ data: { ...data, log: [...data.log, "enter"] } }),
        exit: (data) => ({ ...data, log: [...data.log, "exit"] }),
        on: {
          capture: {
            to: ["captured", "authorised"],
            run: (data, amount) =>
              amount > data.amount
                ? { reply: 0 }
                : { reply: amount, to: "captured", timeouts: { reminder: undefined } },
          },
          audit: { postpone: true },
        },
        timeouts: { reminder: (data) => ({ data: { ...data, log: [...data.log, "reminded"] } }) },
        after: { ms: 60_000, to: "expired" },
      },
      captured: { on: { audit: (data) => ({ data: { ...data, log: [...data.log, "audited"] } }) } },
      expired: {},
    },
    any: {
      on: {
        log: (data) => ({ reply: data.log }),
        note: (data, text) => ({ data: { ...data, log: [...data.log, text] } }),
        crash: () => {
          throw new Error("fails as requested");
        },
      },
    },
    ...store && { persist: { store, key: (amount) => `payment/${amount}` } },
  });
}

const payment = paymentIn();

test("stateMachine runs rules, entry actions and internal events in order", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const pid = await payment.start(node, 10);
    assertEquals((await payment.state(pid)).state, "created");
    assertEquals(await payment.call(pid).authorise("visa"), "ok");
    assertEquals(await payment.call(pid).log(), ["visa", "enter", "authorised"]);
    assertEquals(await payment.call(pid).capture(11), 0);
    assertEquals((await payment.state(pid)).state, "authorised");
    assertEquals(await payment.call(pid).capture(10), 10);
    assertEquals((await payment.state(pid)).state, "captured");
    assertEquals(await payment.call(pid).log(), ["visa", "enter", "authorised", "exit"]);
    const error = await assertRejects(() => payment.call(pid).authorise("again"), UnknownCallError);
    assert(error.message.includes("no rule for authorise in state captured"), error.message);
    payment.cast(pid).audit();
    assertEquals((await payment.call(pid).log()).at(-1), "audited");
  });
});

test("stateMachine ignores the timeout of a previous state", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await simulate({ seed }, async (sim) => {
      const node = await sim.start("a");
      const pid = await payment.start(node, 10);
      const left = 29_999.5 + sim.random.next();
      await sim.run(left);
      const answer = await payment.call(pid).authorise("visa").catch(() => "expired");
      const { state } = await payment.state(pid);
      assertEquals(state, answer === "ok" ? "authorised" : "expired");
      await sim.run(59_000);
      assertEquals((await payment.state(pid)).state, state);
      await sim.run(2_000);
      assertEquals((await payment.state(pid)).state, "expired");
    });
  }
});

test("stateMachine ignores a timeout that an earlier event in the mailbox has cancelled", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    let release: (() => void) | undefined;
    const slow = stateMachine<{
      states: "one" | "two";
      data: number;
      call: { leave(): void };
      cast: { hold(): void };
    }>({
      initial: "one",
      data: () => 0,
      states: {
        one: {
          on: {
            hold: () => new Promise<void>((resolve) => release = resolve),
            leave: "two",
          },
          after: { ms: 100, to: "two", run: (fired) => ({ data: fired + 1 }) },
        },
        two: {},
      },
    });
    const pid = await slow.start(node);
    slow.cast(pid).hold();
    const left = slow.call(pid).leave();
    // The timeout is due while the machine is busy, and waits behind the call.
    await sim.run(200);
    release!();
    await left;
    const { state, data } = await slow.state(pid);
    assertEquals([state, data], ["two", 0]);
  });
});

test("stateMachine handles postponed events in order after a change of the state", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const pid = await payment.start(node, 10);
    const captured = [payment.call(pid).capture(11), payment.call(pid).capture(10)];
    const late = assertRejects(() => payment.call(pid).capture(1), UnknownCallError);
    await sim.run(100);
    assertEquals(await payment.call(pid).authorise("visa"), "ok");
    assertEquals(await Promise.all(captured), [0, 10]);
    await late;
    assertEquals((await payment.state(pid)).state, "captured");
  });
});

test("stateMachine keeps named timeouts across changes of the state until they are cancelled", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const [one, other] = [await payment.start(node, 1), await payment.start(node, 2)];
    for (const pid of [one, other]) await payment.call(pid).authorise("visa");
    await payment.call(other).capture(2);
    await sim.run(6_000);
    assertEquals((await payment.call(one).log()).at(-1), "reminded");
    assertEquals((await payment.call(other).log()).at(-1), "exit");
  });
});

test("stateMachine calls the handler `idle` after the given time without events", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const lamp = stateMachine<{ states: "on" | "off"; data: null; cast: { move(): void } }>({
      initial: "on",
      data: () => null,
      states: {
        on: { on: { move: () => {} }, idle: { ms: 1_000, to: "off" } },
        off: { on: { move: "on" } },
      },
    });
    const pid = await lamp.start(node);
    for (let i = 0; i < 5; i++) {
      await sim.run(900);
      lamp.cast(pid).move();
    }
    assertEquals((await lamp.state(pid)).state, "on");
    await sim.run(1_100);
    assertEquals((await lamp.state(pid)).state, "off");
    lamp.cast(pid).move();
    await sim.run(1);
    assertEquals((await lamp.state(pid)).state, "on");
  });
});

test("stateMachine with a store continues after a restart in its state, with its timeouts", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const stored = paymentIn(memoryStore());
    const tree = await Supervisor.start(node, {
      children: [{ id: "payment", start: (self) => stored.startAs("payment", self, 10) }],
    });
    const at = stored.at(node, "payment");
    await stored.call(at).authorise("visa");
    await sim.run(50_000);
    stored.cast(at).crash();
    await sim.until("the machine is restarted", () => node.whereis("payment") !== undefined);
    await sim.run(1);
    assertEquals((await stored.state(at)).state, "authorised");
    assertEquals((await stored.call(at).log())[0], "visa");
    await sim.run(11_000);
    assertEquals((await stored.state(at)).state, "expired");
    await tree.stop();
  });
});

test("stateMachine: the start rejects if the stored state is not in the definition", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const memory = memoryStore();
    const slow: Store = {
      load: async (key) => await memory.load(key),
      save: (key, value, version, previous) => memory.save(key, value, version, previous),
    } as Store;
    for (const gone of ["old", "toString"]) {
      const machineIn = (state: string, store: Store) =>
        stateMachine<{ states: string; data: number; cast: { go(): void } }>({
          initial: "new",
          data: () => 0,
          states: { new: { on: { go: state } }, [state]: {} },
          persist: { store, key: gone },
        });
      const before = machineIn(gone, memory);
      const pid = await before.start(node);
      before.cast(pid).go();
      assertEquals((await before.state(pid)).state, gone);
      await before.stop(pid);
      for (const store of [memory, slow]) {
        const after = machineIn("next", store);
        const error = await assertRejects(() => after.start(node), ArgumentError);
        assert(error.message.includes(`the stored state is "${gone}"`), error.message);
      }
    }
  });
});

test("stateMachine moves to another node with its state and timeouts if it is sharded", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const machine = stateMachine<{
      states: "fresh" | "old";
      data: string;
      start: [key: string];
      call: { key(): string };
    }>({
      initial: "fresh",
      data: (key) => key,
      states: { fresh: { after: { ms: 10_000, to: "old" } }, old: {} },
      any: { on: { key: (key) => ({ reply: key }) } },
    });
    const a = await sim.start("a");
    const machines = shards(a, "machine", { actor: machine });
    const keys = Array.from({ length: 20 }, (_, i) => `${i}`);
    for (const key of keys) assertEquals(await machines.call(key).key(), key);
    await sim.run(6_000);
    const b = await sim.start("b", { seeds: ["a"] });
    const others = shards(b, "machine", { actor: machine });
    await sim.until("keys have moved", () => others.counts().movedIn > 5);
    await sim.run(2_000);
    for (const key of keys) assertEquals((await machine.state(others.at(key))).state, "fresh");
    await sim.run(3_000);
    for (const key of keys) assertEquals((await machine.state(machines.at(key))).state, "old");
  });
});

test("stateMachine: a handler that throws rejects its caller, and ends the machine", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const kept: Call<unknown, string>[] = [];
    const bad = stateMachine<{
      states: "one" | "two" | "three";
      data: null;
      call: { forget(): string; stray(): string; loop(): string; later(): string };
      cast: { again(): void };
    }>({
      initial: "one",
      data: () => null,
      states: {
        one: {
          on: {
            forget: () => ({}) as never,
            stray: { to: "two", run: () => ({ reply: "", to: "three" }) },
            loop: () => ({ reply: "", next: ["again"] }),
            again: () => ({ next: ["again"] }),
            later() {
              kept.push(this.call as Call<unknown, string>);
              return { noReply: true };
            },
          },
        },
        two: {},
        three: {},
      },
    });
    for (const event of ["forget", "stray", "loop"] as const) {
      const pid = await bad.start(node);
      const error = await assertRejects(() => bad.call(pid)[event](), CallExitError);
      assert(/no reply|does not have in|follow one another/.test(`${error}`), `${error}`);
      assertEquals(node.isAlive(pid), false);
    }
    const pid = await bad.start(node);
    const later = bad.call(pid).later();
    await sim.run(10);
    kept[0]!.reply("now");
    assertEquals(await later, "now");
  });
});

test("stateMachine.diagram contains all states and transitions", () => {
  assertEquals(payment.diagram().split("\n"), [
    "stateDiagram-v2",
    "  [*] --> created",
    "  created --> authorised: authorise",
    "  created --> expired: after 30000 ms",
    "  authorised --> captured: capture",
    "  authorised --> authorised: capture",
    "  authorised --> expired: after 60000 ms",
    "  captured --> [*]",
    "  expired --> [*]",
  ]);
});

test("stateMachine rejects unknown states, unknown options and invalid times", () => {
  const states = { one: {}, two: {} };
  const bad = [
    { initial: "three", states },
    { initial: "one", states: { one: { on: { go: "three" } } } },
    { initial: "one", states: { one: { after: { ms: 1, to: "three" } } } },
    { initial: "one", states: { one: { after: { ms: NaN, to: "one" } } } },
    { initial: "one", states: { one: { onn: {} } } },
    { initial: "one", states, stats: {} },
    { initial: "one", states, data: 7 },
    { initial: "one", states: null },
    ...[null, 5, {}, { postpone: false }, { to: 5 }, { to: "one", run: 5 }, { to: [null] }]
      .flatMap((rule) => [
        { initial: "one", states: { one: { on: { go: rule } } } },
        { initial: "one", states: { one: { timeouts: { go: rule } } } },
        { initial: "one", states: { one: { after: rule } } },
      ]),
    ...["on", "timeouts", "enter", "exit"].flatMap((name) =>
      [null, 5].map((value) => ({ initial: "one", states: { one: { [name]: value } } }))
    ),
  ];
  for (const definition of bad) {
    assertThrows(
      () => stateMachine({ data: () => null, ...definition } as never),
      ArgumentError,
      undefined,
      JSON.stringify(definition),
    );
  }
});

test("stateMachine: an invalid return value of a handler ends the machine with an error that names both", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const go = { to: "b", run: () => ({ reply: 1 }) };
    const promise = Promise.resolve();
    const cases: readonly [string, Record<string, unknown>][] = [
      ...["ok", null, 5, [1, 2], { reply: 1, goto: "b" }, { reply: 1, next: "go" }, {
        reply: 1,
        data: promise,
      }].map((value): [string, Record<string, unknown>] => [
        "the handler of go",
        { a: { on: { go: () => value } }, b: {} },
      ]),
      ...[{ next: ["toString"] }, { next: ["gone"] }, { timeouts: { gone: 1 } }].map(
        (value): [string, Record<string, unknown>] => [
          "the handler of go",
          { a: { on: { go: () => ({ reply: 1, ...value }) } }, b: {} },
        ],
      ),
      ["enter of state b", { a: { on: { go } }, b: { enter: () => promise } }],
      ["enter of state b", { a: { on: { go } }, b: { enter: () => "entered" } }],
      ["exit of state a", { a: { on: { go }, exit: () => promise }, b: {} }],
    ];
    for (const [handler, states] of cases) {
      const machine = stateMachine<{ states: "a" | "b"; data: number; call: { go(): number } }>({
        initial: "a",
        data: () => 0,
        states: states as never,
      });
      const pid = await machine.start(node);
      const error = await assertRejects(() => machine.call(pid).go(), CallExitError);
      const { name, message } = (error as CallExitError).reason as Error;
      assertEquals([name, message.includes(`${handler} returned`)], ["BadReturnError", true]);
      assertEquals(node.isAlive(pid), false);
    }
  });
});
