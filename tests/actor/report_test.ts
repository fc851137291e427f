import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Call } from "../../lib/actor/call.ts";
import type { ActorFunction, Self } from "../../lib/actor/self.ts";
import { type Crash, crashText, type SystemEvents } from "../../lib/actor/report.ts";
import type { ExitReason } from "../../lib/term/exit.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { startCheaply } from "../kit/keys.ts";
import { ManualSystem } from "../kit/system.ts";
import { unreadableValues } from "../kit/unreadable.ts";
import { test, until } from "../kit/test.ts";

/** Creates a system and records its crashes. */
function watched() {
  const system = new ManualSystem();
  const crashes: Crash[] = [];
  system.events.on("crash", (crash) => void crashes.push(crash));
  return { system, crashes };
}

test("a crash event has the pid, names, function, reason, last message and ancestors of its actor", async () => {
  const { system, crashes } = watched();
  const reason = new Error("a crash");
  function cook() {
    return (order: { dish: string }) => {
      if (order.dish === "soup") throw reason;
    };
  }
  let cookPid: Pid<{ dish: string }> | undefined;
  const owner = system.start((self) => {
    self.spawn((chef) => {
      cookPid = chef.spawn(cook);
      return () => {};
    });
    return () => {};
  });
  await system.settle();
  system.names.register("cook", cookPid!);
  system.names.register("also", cookPid!);
  for (const dish of ["bread", "soup", "cake"]) system.send(cookPid!, { dish });
  await system.settle();
  const [crash] = crashes;
  assertEquals(crashes.length, 1);
  assertEquals([crash!.pid, crash!.names, crash!.body], [cookPid, ["cook", "also"], "cook"]);
  assertEquals([crash!.reason, crash!.message], [reason, { dish: "soup" }]);
  assertEquals(crash!.ancestors.map(String), ["<0.2>", String(owner)]);
  const lines = crashText(crash!).split("\n");
  assertEquals(lines[0], "actor <0.3> cook also (cook) crashed: Error: a crash");
  assert(lines.slice(1, -2).every((line) => line.startsWith("    at ")), "the stack");
  assertEquals(lines.slice(-2), ['  last message: { dish: "soup" }', "  ancestors: <0.2> <0.1>"]);
  system.stop();
});

test("a crash event of a loop has the message that the loop was handling", async () => {
  const { system, crashes } = watched();
  const loop = async (self: Self<number>) => {
    await self.receive({ timeout: 10 });
    const message = await self.receive();
    if (message === 2) throw new Error("at it");
    await Promise.resolve();
    await self.receive({ match: (other) => other === 3, timeout: 10 });
    throw new Error("at none");
  };
  const [one, two, three] = [system.start(loop), system.start(loop), system.start(loop)];
  for (const message of [1, 2]) system.send(one, message);
  for (const message of [1, 4]) system.send(two, message);
  await system.advance(100);
  system.send(three, 2);
  await system.settle();
  const received = crashes.map(({ reason, message }) => [(reason as Error).message, message]);
  assertEquals(received, [["at it", 2], ["at none", undefined], ["at it", 2]]);
  const aside = system.start(async (self: Self<number>) => {
    await self.receive();
    await Promise.race([self.receive(), Promise.reject(new Error("aside"))]);
  });
  system.send(aside, 5);
  await system.settle();
  assertEquals(crashes[3]!.message, undefined);
  const alone = crashText({ ...crashes[1]!, ancestors: [] }).split("\n");
  assert(alone.slice(1).every((line) => line.startsWith("    at ")), alone.join("\n"));
});

test("an actor releases a message after it has handled it", async () => {
  const { system, crashes } = watched();
  const handlers = [() => {}, () => Promise.resolve(), () => new Promise(() => {})];
  for (const handler of handlers) {
    const pid = system.start(() => handler);
    system.send<unknown>(pid, "it");
    await system.settle();
    system.find(pid.id)!.crash("from outside its turns");
  }
  assertEquals(crashes.map(({ message }) => message), [undefined, undefined, "it"]);
});

for (const reason of ["normal", "shutdown", { shutdown: "enough" }]) {
  test(`an exit with the normal reason ${JSON.stringify(reason)} emits no crash event`, async () => {
    const { system, crashes } = watched();
    system.start((self) => self.exit(reason));
    await system.settle();
    assertEquals([crashes, system.size], [[], 0]);
  });
}

test("an actor that an exit signal ends emits no crash event", async () => {
  const { system, crashes } = watched();
  const [one, two, three] = [system.puppet(), system.puppet(), system.puppet()];
  one.self.link(two.pid);
  two.self.link(three.pid);
  const victim = system.puppet();
  await system.settle();
  system.exit(victim.pid, "kill");
  three.self.system.spawn(three.self, { link: true }, function guilty() {
    throw new Error("it was me");
  }, []);
  await system.settle();
  assertEquals([system.size, crashes.map(({ body }) => body)], [0, ["guilty"]]);
});

test("a crash report shows a thrown value that is not an Error", async () => {
  const { system, crashes } = watched();
  system.start(() => {
    throw { odd: 1n };
  });
  const full = system.startWith({ mailbox: { max: 1, policy: "exit" } }, () => () => {});
  system.send(full, 1);
  system.send(full, 2);
  await system.settle();
  const texts = crashes.map((crash) => crashText(crash));
  assertEquals(texts.length, 2);
  // An anonymous function is described by its source, which the runtimes print differently.
  assertMatch(
    texts[0]!,
    /^actor <0\.2> \(\(\) ?=> ?\(\) ?=> ?\{\}\) crashed: \{ mailbox: "full" \}$/,
  );
  assertMatch(
    texts[1]!,
    /^actor <0\.1> \(\(\) ?=> ?\{ ?throw .*\) crashed: \{ thrown: \{ odd: 1n \} \}$/,
  );
});

test("a crash report describes a call by its request", async () => {
  const { system, crashes } = watched();
  const pid = system.start((_self: Self<Call<{ get: string }, never>>) => () => {
    throw new Error("no");
  });
  system.call(pid, { get: "it" }).catch(() => {});
  await system.settle();
  assertStringIncludes(crashText(crashes[0]!), '\n  last message: a call, { get: "it" }');
});

test("System emits an event only to the listeners of its name", async () => {
  const system = new ManualSystem();
  const received: [string, unknown][] = [];
  const stops = (["spawn", "exit", "crash", "deadletter", "mailbox"] as const).map((name) =>
    system.events.on(name, (event: SystemEvents[typeof name]) => void received.push([name, event]))
  );
  const pid = system.startWith({ mailbox: { max: 1, policy: "dropNewest" } }, () => () => {});
  system.send(pid, 1);
  system.send(pid, 2);
  system.exit(pid, "over");
  system.send(pid, 3);
  assertEquals(received, [
    ["spawn", { pid }],
    ["mailbox", { pid, length: 1, dropped: true }],
    ["exit", { pid, reason: "over" }],
    ["deadletter", { to: pid, message: 3 }],
  ]);
  for (const stop of stops) stop();
  system.start(() => {});
  await system.settle();
  assertEquals(received.length, 4);
});

test("System allocates no event object if the event has no listener", async () => {
  const system = new ManualSystem();
  system.events.emit = (name) => {
    throw new Error(`${String(name)} was emitted without a listener`);
  };
  const pid = system.startWith({ mailbox: { max: 1, policy: "dropOldest" } }, () => () => {
    throw new Error("a crash");
  });
  for (let i = 0; i < 3; i++) system.send(pid, i);
  await system.settle();
  system.send(pid, "dead");
  system.sendTo("nobody", "dead");
  assertEquals(system.size, 0);
});

test("a listener that throws does not affect the system or other listeners", async () => {
  const system = new ManualSystem();
  const received: unknown[] = [];
  system.events.on("exit", () => {
    throw new Error("a bad listener");
  });
  system.events.on("exit", ({ reason }) => void received.push(reason));
  const [one, two] = [system.puppet(), system.puppet()];
  one.self.link(two.pid);
  system.exit(one.pid, "over");
  await system.settle();
  assertEquals([received, system.size], [["over", "over"], 0]);
});

test("Node logs one readable report for each crash", async () => {
  const lines: string[] = [];
  await using node = await startCheaply({
    cookie: "only for this test",
    log: ({ level, line }) => void (level === "error" && lines.push(line)),
  });
  const pid = node.spawn(function cook() {
    return () => {
      throw new Error("a crash");
    };
  });
  node.send(pid, { pid });
  await until("the crash is logged", () => lines.length > 0);
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0]!, `actor ${pid} (cook) crashed: Error: a crash`);
  assertStringIncludes(lines[0]!, `last message: { pid: ${pid} }`);
});

test("an actor ends with a crash event if it throws a value that cannot be read", async () => {
  for (const [name, value] of Object.entries(unreadableValues())) {
    const system = new ManualSystem();
    const crashes: string[] = [];
    system.events.on("crash", (crash) => void crashes.push(crashText(crash)));
    const bodies: ActorFunction<unknown>[] = [
      () => {
        throw value;
      },
      async () => {
        await undefined;
        throw value;
      },
      () => () => {
        throw value;
      },
      () => async () => {
        await undefined;
        throw value;
      },
      (self) => self.exit(value as ExitReason),
      async (self) =>
        void await self.receive({
          match: () => {
            throw value;
          },
        }),
    ];
    const linked = system.puppet({ trap: true });
    const before = system.size;
    for (const body of bodies) {
      const pid = system.start(body);
      linked.self.link(pid);
      linked.self.monitor(pid);
      system.send(pid, "go");
    }
    const killed = system.start(() => () => {});
    system.exit(killed, value as ExitReason);
    await system.settle();
    assertEquals([name, system.size, crashes.length], [name, before, bodies.length]);
    assertEquals(linked.got.length, bodies.length * 2);
  }
});
