import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NameError, NoProcError } from "../../lib/actor/errors.ts";
import { Call } from "../../lib/actor/call.ts";
import { ManualSystem } from "../kit/system.ts";
import { test } from "../kit/test.ts";

test("Names.register registers an actor under one or several names, and whereis finds it", () => {
  const system = new ManualSystem();
  const { names } = system;
  const [one, two] = [system.puppet(), system.puppet()];
  names.register("b", one.pid);
  one.self.register("a");
  names.register("c", two.pid);
  assertEquals(names.whereis("a"), one.pid);
  assertEquals(names.whereis("b"), one.pid);
  assertEquals(names.whereis("c"), two.pid);
  assertEquals(names.whereis("d"), undefined);
  assertEquals(names.registered(), ["b", "a", "c"]);
  system.stop();
});

test("Names.register throws NameError with the holder if the name belongs to another actor", () => {
  const system = new ManualSystem();
  const [one, two] = [system.puppet(), system.puppet()];
  one.self.register("it");
  one.self.register("it");
  const error = assertThrows(() => two.self.register("it"), NameError, `held by ${one.pid}`);
  assertEquals([error.code, error.holder], ["taken", one.pid]);
  assertEquals(system.names.registered(), ["it"]);
  system.stop();
});

test("Names.register throws for the empty name and for an actor that does not exist", () => {
  const system = new ManualSystem();
  const one = system.puppet();
  assertEquals(assertThrows(() => one.self.register(""), NameError).code, "badname");
  system.exit(one.pid, "kill");
  assertThrows(() => system.names.register("it", one.pid), NoProcError);
  assertEquals(system.names.registered(), []);
});

test("Names.register throws for an actor of another system in the same process", () => {
  const [system, other] = [new ManualSystem(), new ManualSystem()];
  const [one, stranger] = [system.puppet({ name: "it" }), other.puppet()];
  assertThrows(() => system.names.register("there", stranger.pid), NoProcError);
  assertThrows(() => other.names.register("it", one.pid), NoProcError);
  stranger.self.register("it");
  other.exit(stranger.pid, "kill");
  assertEquals([system.names.whereis("it"), other.names.registered()], [one.pid, []]);
  system.stop();
});

test("Names.unregister frees a name, and returns whether the name was registered", () => {
  const system = new ManualSystem();
  const [one, two] = [system.puppet(), system.puppet()];
  one.self.register("it");
  one.self.register("other");
  assertEquals(system.names.unregister("it"), true);
  assertEquals(system.names.unregister("it"), false);
  two.self.register("it");
  // The exit of its former owner does not remove the name from its new owner.
  system.exit(one.pid, "kill");
  assertEquals(system.names.registered(), ["it"]);
  assertEquals(system.names.whereis("it"), two.pid);
  system.stop();
});

test("Names removes the names of an exited actor before other actors are notified", () => {
  const system = new ManualSystem();
  const [one, two] = [system.puppet(), system.puppet()];
  one.self.register("it");
  one.self.register("also");
  const seen: unknown[] = [];
  system.events.on("exit", () => {
    seen.push(system.names.whereis("it"));
    two.self.register("it");
  });
  system.exit(one.pid, "over");
  assertEquals([seen, system.names.whereis("it")], [[undefined], two.pid]);
  assertEquals(system.names.registered(), ["it"]);
});

test("sendTo drops the message as a dead letter if no actor has the name", async () => {
  const system = new ManualSystem();
  const letters: unknown[] = [];
  system.events.on("deadletter", (letter) => void letters.push(letter));
  const one = system.puppet({ name: "it" });
  system.sendTo("it", 1);
  system.sendTo("nobody", 2);
  system.sendTo(one.pid, 3);
  await system.settle();
  assertEquals([one.got, letters], [[1, 3], [{ to: "nobody", message: 2 }]]);
  system.exit(one.pid, "kill");
  system.sendTo("it", 4);
  assertEquals(letters.length, 2);
});

test("call accepts the name of a registered actor", async () => {
  const system = new ManualSystem();
  system.startWith({ name: "it" }, () => (message: unknown) => {
    if (message instanceof Call) message.reply(message.request * 2);
  });
  assertEquals(await system.call<number, number>("it", 21), 42);
  const error = await assertRejects(() => system.call("nobody", 1), NoProcError);
  const words = "no such actor: nobody (call of 1 from outside of actors)";
  assertEquals([error.code, error.message], ["noproc", words]);
  system.stop();
});

test("spawn with a name in use throws, starts no actor and emits no event", async () => {
  const system = new ManualSystem();
  const one = system.puppet({ name: "it" });
  const events: string[] = [];
  for (const name of ["spawn", "exit"] as const) system.events.on(name, () => events.push(name));
  let ran = false;
  const spawn = () => system.startWith({ name: "it" }, () => void (ran = true));
  assertThrows(spawn, NameError);
  await system.settle();
  assertEquals([system.pids(), events, ran], [[one.pid], [], false]);
  assertEquals(system.names.whereis("it"), one.pid);
  system.stop();
});

test("spawn with a name registers it before the actor runs", async () => {
  const system = new ManualSystem();
  const seen: unknown[] = [];
  const pid = system.startWith({ name: "it" }, () => void seen.push(system.names.whereis("it")));
  assertEquals(system.names.whereis("it"), pid);
  await system.settle();
  assertEquals([seen, system.names.registered()], [[pid], []]);
});

test("self.whereis finds the actor of a name, and self.unregister frees it", () => {
  const system = new ManualSystem();
  const [one, two] = [system.puppet({ name: "it" }), system.puppet()];
  assertEquals([two.self.whereis("it"), two.self.whereis("nobody")], [one.pid, undefined]);
  assertEquals([two.self.unregister("it"), two.self.unregister("it")], [true, false]);
  assertEquals(one.self.whereis("it"), undefined);
  system.stop();
});
