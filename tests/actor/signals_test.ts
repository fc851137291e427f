import { assert, assertEquals, assertThrows } from "@std/assert";
import { ActorExitError } from "../../lib/actor/errors.ts";
import { Down, Exit } from "../../lib/actor/exit.ts";
import type { ExitReason } from "../../lib/term/exit.ts";
import { Pid, Ref } from "../../lib/term/pid.ts";
import { HOME, ManualSystem, type Puppet } from "../kit/system.ts";
import { test } from "../kit/test.ts";

const crash = new Error("a crash");

/** Exit reasons of every kind. */
const REASONS: readonly ExitReason[] = [
  "normal",
  "shutdown",
  { shutdown: "enough" },
  "kill",
  "killed",
  "noproc",
  "noconnection",
  crash,
  "anything else",
  { of: ["the program's", "own"] },
  0,
];

/** The states in which the target may be when the link or monitor is created. */
const STATES = ["alive", "dead", "never"] as const;

/** A system that records the exit reasons of its actors. */
class ExitRecorder extends ManualSystem {
  readonly #reasons = new Map<number, ExitReason>();

  constructor() {
    super();
    this.events.on("exit", ({ pid, reason }) => void this.#reasons.set(pid.id, reason));
  }

  /** Returns the exit reason in a list, or an empty list if the actor is alive. */
  of({ pid }: Puppet): ExitReason[] {
    assertEquals(this.isAlive(pid), !this.#reasons.has(pid.id));
    return this.isAlive(pid) ? [] : [this.#reasons.get(pid.id)];
  }
}

/** Makes a puppet exit as if its own code had called `exit`. */
function leave({ self }: Puppet, reason: ExitReason): void {
  assertThrows(() => self.exit(reason), ActorExitError);
}

/** Returns the messages as plain arrays. Other tests check their classes. */
function plain(messages: readonly unknown[]): unknown[] {
  return messages.map((message) => {
    if (message instanceof Exit) return ["EXIT", message.from.id, message.reason];
    if (message instanceof Down) return ["DOWN", message.ref.id, message.pid.id, message.reason];
    return message;
  });
}

function name(reason: ExitReason): string {
  return reason instanceof Error ? "an Error" : JSON.stringify(reason);
}

/** Returns the effect of an exit signal on a running actor, for a title. */
function effectOf(reason: ExitReason, trap: boolean): string {
  if (reason === "kill") return "ends";
  if (trap) return "sends an Exit to";
  return reason === "normal" ? "has no effect on" : "ends";
}

/** Returns a target in the given state. */
async function targetOf(system: ExitRecorder, state: typeof STATES[number]): Promise<Puppet> {
  if (state === "never") {
    return { pid: new Pid(system.home, 999_999, undefined), self: undefined as never, got: [] };
  }
  const target = system.puppet();
  await system.settle();
  if (state === "dead") leave(target, "shutdown");
  return target;
}

for (const reason of REASONS) {
  for (const state of STATES) {
    for (const trap of [false, true]) {
      const received: ExitReason = state === "alive" ? reason : "noproc";
      const traps = trap ? "traps exits" : "does not trap exits";
      const other = {
        alive: `an actor that exits with ${name(reason)}`,
        dead: "an exited actor",
        never: "an actor that never existed",
      }[state];
      const outcome = trap
        ? `receives an Exit with ${name(received)}`
        : received === "normal"
        ? "continues"
        : `ends with ${name(received)}`;
      const [effect, receiver] = state === "alive"
        ? [effectOf(reason, trap), `an actor that ${traps}`]
        : ["has no effect on", other];

      // `reason` makes no difference if the target has exited or never existed.
      if (state === "alive" || reason === REASONS[0]) {
        test(`link to ${other}: an actor that ${traps} ${outcome}`, async () => {
          const system = new ExitRecorder();
          const target = await targetOf(system, state);
          const one = system.puppet({ trap });
          one.self.link(target.pid);
          if (state === "alive") leave(target, reason);
          await system.settle();
          assertEquals(plain(one.got), trap ? [["EXIT", target.pid.id, received]] : []);
          assertEquals(system.of(one), trap || received === "normal" ? [] : [received]);
          assertEquals(one.self.links?.size ?? 0, 0);
          system.stop();
        });

        test(`monitor of ${other}: an actor that ${traps} receives a Down with ${name(received)}`, async () => {
          const system = new ExitRecorder();
          const target = await targetOf(system, state);
          const one = system.puppet({ trap });
          const ref = one.self.monitor(target.pid);
          if (state === "alive") leave(target, reason);
          await system.settle();
          assertEquals(plain(one.got), [["DOWN", ref.id, target.pid.id, received]]);
          assertEquals([system.of(one), one.self.monitors?.size ?? 0], [[], 0]);
          system.stop();
        });
      }

      // `trapExit` of the target makes a difference only while the target is alive.
      if (state === "alive" || !trap) {
        test(`exit with ${name(reason)} ${effect} ${receiver}`, async () => {
          const system = new ExitRecorder();
          const target = await targetOf(system, state);
          if (state === "alive") target.self.trapExit = trap;
          const one = system.puppet();
          one.self.exit(target.pid, reason);
          await system.settle();
          assertEquals([system.of(one), one.got], [[], []]);
          if (state !== "alive") return system.stop();
          const ends = reason === "kill" ? ["killed"] : trap || reason === "normal" ? [] : [reason];
          assertEquals(system.of(target), ends);
          const got = trap && reason !== "kill" ? [["EXIT", one.pid.id, reason]] : [];
          assertEquals(plain(target.got), got);
          system.stop();
        });
      }
    }
  }

  for (const trap of [false, true]) {
    const traps = trap ? "traps exits" : "does not trap exits";
    const effect = reason === "normal" && !trap ? "ends" : effectOf(reason, trap);

    test(`exit with ${name(reason)} to its own pid ${effect} an actor that ${traps}`, async () => {
      const system = new ExitRecorder();
      const one = system.puppet({ trap });
      await system.settle();
      one.self.exit(one.pid, reason);
      await system.settle();
      assertEquals(system.of(one), reason === "kill" ? ["killed"] : trap ? [] : [reason]);
      assertEquals(
        plain(one.got),
        trap && reason !== "kill" ? [["EXIT", one.pid.id, reason]] : [],
      );
      system.stop();
    });
  }
}

/** How an actor exits, and the reason that linked and monitoring actors receive. */
const EXITS: readonly [string, (target: Puppet, other: Puppet) => void, ExitReason][] = [
  ["returns", (target) => void target.self.system.sendTo(target.pid, "return"), "normal"],
  ["throws an Error", (target) => target.self.system.sendTo(target.pid, crash), crash],
  ["is killed", (target, other) => other.self.exit(target.pid, "kill"), "killed"],
  ["receives an exit signal", (target, other) => other.self.exit(target.pid, "so"), "so"],
  ["exits with kill", (target) => leave(target, "kill"), "kill"],
];

for (const [how, act, reason] of EXITS) {
  test(`an actor that ${how} sends the reason ${name(reason)} to its links and monitors`, async () => {
    const system = new ExitRecorder();
    const pid = system.start(async (self) => {
      const message = await self.receive();
      if (message instanceof Error) throw message;
    });
    const target: Puppet = { pid, self: system.find(pid.id)!, got: [] };
    const [linked, trapping, watching] = [
      system.puppet(),
      system.puppet({ trap: true }),
      system.puppet(),
    ];
    linked.self.link(pid);
    target.self.link(trapping.pid);
    const ref = watching.self.monitor(pid);
    await system.settle();
    act(target, watching);
    await system.settle();
    assertEquals(system.of(linked), reason === "normal" ? [] : [reason]);
    assertEquals(plain(trapping.got), [["EXIT", pid.id, reason]]);
    assertEquals(plain(watching.got), [["DOWN", ref.id, pid.id, reason]]);
    system.stop();
  });
}

test("link called twice, or from both ends, creates one link", async () => {
  const system = new ExitRecorder();
  const [one, two] = [system.puppet({ trap: true }), system.puppet({ trap: true })];
  one.self.link(two.pid);
  one.self.link(two.pid);
  two.self.link(one.pid);
  assertEquals([one.self.links?.size, two.self.links?.size], [1, 1]);
  leave(two, "gone");
  await system.settle();
  assertEquals(plain(one.got), [["EXIT", two.pid.id, "gone"]]);
  system.stop();
});

test("link with itself has no effect", async () => {
  const system = new ExitRecorder();
  const one = system.puppet({ trap: true });
  one.self.link(one.pid);
  await system.settle();
  assertEquals([one.self.links?.size ?? 0, one.got, system.of(one)], [0, [], []]);
  system.stop();
});

test("unlink removes the link on both sides, whichever actor created the link", async () => {
  for (const byMaker of [true, false]) {
    const system = new ExitRecorder();
    const [one, two] = [system.puppet(), system.puppet({ trap: true })];
    one.self.link(two.pid);
    if (byMaker) one.self.unlink(two.pid);
    else two.self.unlink(one.pid);
    leave(one, "gone");
    await system.settle();
    assertEquals([two.got, one.self.links?.size ?? 0, two.self.links?.size ?? 0], [[], 0, 0]);
    system.stop();
  }
});

test("unlink of an unlinked, exited or unknown actor has no effect", async () => {
  const system = new ExitRecorder();
  const one = system.puppet();
  for (const state of STATES) one.self.unlink((await targetOf(system, state)).pid);
  assertEquals([system.of(one), one.got], [[], []]);
  system.stop();
});

test("unlink keeps an Exit message that has already arrived", async () => {
  const system = new ExitRecorder();
  const [one, two] = [system.puppet({ trap: true }), system.puppet()];
  one.self.link(two.pid);
  leave(two, "gone");
  one.self.unlink(two.pid);
  await system.settle();
  assertEquals(plain(one.got), [["EXIT", two.pid.id, "gone"]]);
  system.stop();
});

test("unlink in a listener of the exit event prevents the exit signal", async () => {
  const system = new ExitRecorder();
  const [one, two] = [system.puppet(), system.puppet()];
  one.self.link(two.pid);
  system.events.on("exit", ({ pid }) => pid === two.pid && one.self.unlink(two.pid));
  leave(two, "gone");
  await system.settle();
  assertEquals(system.of(one), []);
  system.stop();
});

test("link after unlink creates a new link", async () => {
  const system = new ExitRecorder();
  const [one, two] = [system.puppet(), system.puppet()];
  one.self.link(two.pid);
  one.self.unlink(two.pid);
  two.self.link(one.pid);
  leave(two, "gone");
  await system.settle();
  assertEquals(system.of(one), ["gone"]);
  system.stop();
});

test("monitor called several times on one actor results in one Down for each call", async () => {
  const system = new ExitRecorder();
  const [one, two] = [system.puppet(), system.puppet()];
  const refs = [1, 2, 3].map(() => one.self.monitor(two.pid));
  assertEquals(new Set(refs.map(({ key }) => key)).size, 3);
  assertEquals(one.self.demonitor(refs[1]!), true);
  assertEquals(one.self.demonitor(refs[1]!), false);
  leave(two, "gone");
  await system.settle();
  assertEquals(plain(one.got), [
    ["DOWN", refs[0]!.id, two.pid.id, "gone"],
    ["DOWN", refs[2]!.id, two.pid.id, "gone"],
  ]);
  system.stop();
});

test("monitor does not affect the monitored actor when the monitoring actor exits", async () => {
  const system = new ExitRecorder();
  const [one, two] = [system.puppet(), system.puppet({ trap: true })];
  one.self.monitor(two.pid);
  one.self.monitor(one.pid);
  leave(one, "gone");
  await system.settle();
  assertEquals([two.got, system.of(two), two.self.watchers], [[], [], undefined]);
  system.stop();
});

test("demonitor with flush removes the Down of its reference from the mailbox", async () => {
  for (const flush of [false, true]) {
    const system = new ExitRecorder();
    const [two, three] = [system.puppet(), system.puppet()];
    const refs: Ref[] = [];
    const kept: unknown[] = [];
    const pid = system.start(async (self) => {
      refs.push(self.monitor(two.pid), self.monitor(three.pid));
      await self.receive({ match: (message) => message === "go" });
      assertEquals(self.demonitor(refs[0]!, { flush }), false);
      for (;;) kept.push(await self.receive());
    });
    await system.settle();
    leave(two, "gone");
    leave(three, "gone");
    system.send(pid, "between");
    system.send(pid, "go");
    await system.settle();
    const first = flush ? [] : [["DOWN", refs[0]!.id, two.pid.id, "gone"]];
    const rest = [["DOWN", refs[1]!.id, three.pid.id, "gone"], "between"];
    assertEquals(plain(kept), [...first, ...rest]);
    system.stop();
  }
});

test("demonitor of a reference that belongs to another actor or node has no effect", async () => {
  const system = new ExitRecorder();
  const [one, two, three] = [system.puppet(), system.puppet(), system.puppet()];
  const ref = one.self.monitor(two.pid);
  assertEquals(three.self.demonitor(ref, { flush: true }), false);
  const abroad = new Ref({ ...HOME, node: "b@127.0.0.1:2" }, ref.id);
  assertEquals(one.self.demonitor(abroad, { flush: true }), false);
  assertEquals(one.self.demonitor(new Ref(system.home, ref.id)), true);
  leave(two, "gone");
  await system.settle();
  assertEquals(one.got, []);
  system.stop();
});

test("demonitor in a listener of the exit event prevents the Down", async () => {
  const system = new ExitRecorder();
  const [one, two] = [system.puppet(), system.puppet()];
  const ref = one.self.monitor(two.pid);
  system.events.on("exit", ({ pid }) => pid === two.pid && one.self.demonitor(ref));
  leave(two, "gone");
  await system.settle();
  assertEquals(one.got, []);
  system.stop();
});

test("an exit signal ends linked actors one after the other until one traps exits", async () => {
  const system = new ExitRecorder();
  const [a, b, c, d] = [
    system.puppet(),
    system.puppet(),
    system.puppet({ trap: true }),
    system
      .puppet(),
  ];
  a.self.link(b.pid);
  b.self.link(c.pid);
  c.self.link(d.pid);
  leave(a, crash);
  await system.settle();
  assertEquals([system.of(b), system.of(c), system.of(d)], [[crash], [], []]);
  // The exit comes from the linked actor, not from the one that crashed first.
  assertEquals(plain(c.got), [["EXIT", b.pid.id, crash]]);
  system.stop();
});

test("trapExit applies when the signal arrives, not when the link was created", async () => {
  const system = new ExitRecorder();
  const [one, two, three] = [system.puppet({ trap: true }), system.puppet(), system.puppet()];
  one.self.link(two.pid);
  one.self.link(three.pid);
  leave(two, "first");
  one.self.trapExit = false;
  leave(three, "second");
  await system.settle();
  assertEquals(system.of(one), ["second"]);
  system.stop();
});

for (const shape of ["a chain", "a star"] as const) {
  test(`${shape} of 100,000 linked actors ends without deep recursion`, async () => {
    const system = new ExitRecorder();
    const all = Array.from({ length: 100_000 }, () => system.puppet());
    for (let i = 1; i < all.length; i++) {
      all[i]!.self.link(all[shape === "a chain" ? i - 1 : 0]!.pid);
    }
    const order: number[] = [];
    system.events.on("exit", ({ pid }) => void order.push(pid.id));
    leave(all[0]!, "over");
    system.signals.flush();
    assertEquals(system.size, 0);
    assert(order.every((id, i) => id === all[i]!.pid.id), "causes before effects");
    assertEquals(system.of(all.at(-1)!), ["over"]);
    await system.settle();
  });
}

test("Exit and Down cannot be created, copied or imitated", async () => {
  const system = new ExitRecorder();
  const [one, two] = [system.puppet({ trap: true }), system.puppet()];
  one.self.link(two.pid);
  const ref = one.self.monitor(two.pid);
  leave(two, "gone");
  await system.settle();
  assertEquals(one.got.map((got) => [got instanceof Exit, got instanceof Down]).toSorted(), [
    [false, true],
    [true, false],
  ]);
  for (const genuine of one.got as object[]) {
    const Class = genuine.constructor as new (...args: unknown[]) => object;
    assertThrows(() => new Class(two.pid, "gone"), TypeError);
    assertThrows(() => new Class(Symbol("runtime"), ref, two.pid, "gone"), TypeError);
    const imitations = [
      { ...genuine },
      structuredClone({ type: (genuine as Exit).type, reason: "gone" }),
      Object.create(genuine),
      Object.assign(Object.create(Class.prototype), genuine),
      "EXIT",
      null,
      undefined,
    ];
    for (const imitation of imitations) {
      assert(!(imitation instanceof Exit) && !(imitation instanceof Down), String(imitation));
    }
  }
  system.stop();
});

test("a plain object with the fields of EXIT or DOWN is an ordinary message", async () => {
  const system = new ExitRecorder();
  const [one, two] = [system.puppet(), system.puppet()];
  one.self.link(two.pid);
  const ref = one.self.monitor(two.pid);
  const fakes = [
    { type: "EXIT", from: two.pid, reason: "kill" },
    { type: "DOWN", ref, pid: two.pid, reason: "gone" },
  ];
  for (const fake of fakes) system.send(one.pid, fake);
  one.self.demonitor(ref, { flush: true });
  one.self.demonitor(ref, { flush: true });
  await system.settle();
  assertEquals([one.got, system.of(one)], [fakes, []]);
  system.stop();
});
