/**
 * Tests the types of actors. Each `@ts-expect-error` makes the type check fail if the line below it
 * compiles. The other lines must compile and behave as their types state.
 */
import { assertEquals } from "@std/assert";
import type { Call } from "../../lib/actor/call.ts";
import { Down, Exit } from "../../lib/actor/exit.ts";
import type { ActorFunction, Self, SystemMessage } from "../../lib/actor/self.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { ManualSystem } from "../kit/system.ts";
import { test } from "../kit/test.ts";

type Counter = number | Call<"sum", number>;

test("Pid accepts only messages of its actor's type", async () => {
  const system = new ManualSystem();
  const got: unknown[] = [];
  const numbers: Pid<number> = system.start((_self: Self<number>) => (message) => {
    got.push(message.toFixed(1));
  });
  system.send(numbers, 1);
  // @ts-expect-error: the actor accepts numbers
  const wrong = (): void => system.send(numbers, "one");
  // @ts-expect-error: a union that includes numbers is not accepted either
  const either = (): void => system.send<string | number>(numbers, 1);
  // @ts-expect-error: a timer sends only messages that the actor accepts
  const later = (): unknown => system.sendAfter(numbers, "one", 1);
  // @ts-expect-error: the actor accepts no calls
  const called = (): unknown => system.call(numbers, 1);
  assertEquals([wrong, either, later, called].length, 4);
  await system.settle();
  assertEquals(got, ["1.0"]);
  system.stop();
});

test("Pid is assignable to a Pid with a narrower message type", () => {
  const system = new ManualSystem();
  const both: Pid<number | string> = system.start((_self: Self<number | string>) => () => {});
  const numbers: Pid<number> = both;
  const nothing: Pid = numbers;
  // @ts-expect-error: a pid that accepts numbers is not one that accepts strings
  const texts: Pid<string> = numbers;
  // @ts-expect-error: nothing can be sent to a pid that accepts no messages
  const send = (): void => system.send(nothing, 1);
  assertEquals([texts, typeof send], [both, "function"]);
  system.stop();
});

test("Self is not assignable to a Self with another message type", async () => {
  const system = new ManualSystem();
  const body: ActorFunction<number, [string]> = async (self, name) => {
    const message: number = await self.receive();
    // @ts-expect-error: the message is a number
    const text: string = message;
    const perhaps = await self.receive({ timeout: 1 });
    // @ts-expect-error: the result is undefined after the timeout
    const surely: number = perhaps;
    return [name, text, surely];
  };
  const pid = system.start(body, "a name");
  // @ts-expect-error: the argument is missing
  const without = (): unknown => system.start(body);
  // @ts-expect-error: the argument has another type
  const wrong = (): unknown => system.start(body, 1);
  // @ts-expect-error: the actor accepts numbers
  const texts: Pid<string> = pid;
  assertEquals([typeof without, typeof wrong, texts], ["function", "function", pid]);
  await system.settle();
  system.stop();
});

test("call accepts only the callee's requests and returns their reply type", async () => {
  const system = new ManualSystem();
  const counter = system.start((_self: Self<Counter>) => {
    let sum = 0;
    return (message) => {
      if (typeof message === "number") sum += message;
      else message.reply(sum);
    };
  });
  system.send(counter, 42);
  const sum: number = await system.call(counter, "sum");
  // @ts-expect-error: "sum" is the only request
  const product = (): unknown => system.call(counter, "product");
  // @ts-expect-error: the reply is a number
  const text = (): Promise<string> => system.call(counter, "sum");
  assertEquals([sum, typeof product, typeof text], [42, "function", "function"]);
  system.stop();
});

test("reply accepts only the caller's reply type", async () => {
  const system = new ManualSystem();
  const pid = system.start((_self: Self<Call<string, number>>) => (call) => {
    const wrong = (): void => {
      // @ts-expect-error: the reply must be a number
      call.reply("4");
    };
    call.reply(call.request.length + 0 * wrong.length);
  });
  assertEquals(await system.call(pid, "four"), 4);
  system.stop();
});

test("match receives messages of the actor's message type", async () => {
  const system = new ManualSystem();
  const other = system.start((_self: Self<number>) => () => {});
  const kinds: unknown[] = [];
  const pid = system.start(async (self: Self<{ kind: "a" | "b" } | SystemMessage>) => {
    self.trapExit = true;
    self.link(other);
    self.monitor(other);
    const b = await self.receive({ match: (message) => "kind" in message && message.kind === "b" });
    // @ts-expect-error: no message has this kind
    const never = "kind" in b && b.kind === "c";
    kinds.push(b, never);
    for await (const message of self) {
      if (message instanceof Exit) kinds.push(["EXIT", message.reason]);
      else if (message instanceof Down) kinds.push(["DOWN", message.reason]);
      else if ("kind" in message) kinds.push(message.kind);
    }
  });
  system.send(pid, { kind: "a" });
  system.send(pid, { kind: "b" });
  // @ts-expect-error: no message has this kind
  system.send(system.start((_self: Self<{ kind: "a" }>) => () => {}), { kind: "x" });
  await system.settle();
  system.find(other.id)!.end("over");
  await system.settle();
  assertEquals(kinds.slice(0, 3), [{ kind: "b" }, false, "a"]);
  assertEquals(kinds.slice(3).toSorted(), [["DOWN", "over"], ["EXIT", "over"]]);
  system.stop();
});

test("an exit reason may be any term", () => {
  const system = new ManualSystem();
  const { self, pid } = system.puppet();
  const exit = (): void => {
    self.exit(pid, "normal");
    self.exit(pid, { any: ["term", 1n] });
    self.exit(pid, new Error("or this"));
  };
  // @ts-expect-error: the constructor is not public
  const make = (): unknown => new Exit(pid, "normal");
  assertEquals([typeof exit, typeof make], ["function", "function"]);
  system.stop();
});
