import { assertEquals } from "@std/assert";
import { inspect } from "node:util";
import { Pid, Ref } from "../../lib/term/pid.ts";
import { test } from "../kit/test.ts";

const HOME = { node: "a@127.0.0.1:9000", creation: 3, local: true };
const ABROAD = { ...HOME, local: false };

test("Pid and Ref serialise to text in JSON", () => {
  const target: { self?: unknown } = {};
  target.self = target;
  const values = [new Pid(HOME, 42, target), new Pid(ABROAD, 42, undefined), new Ref(HOME, 7)];
  const texts = ["<0.42>", "<a@127.0.0.1:9000 42.3>", "#Ref<0.7>"];
  assertEquals(JSON.parse(JSON.stringify(values)), texts);
});

test("Pid and Ref are shown as text in a console", () => {
  const home = { ...HOME, system: { secret: "s3cret" } };
  const values = [new Pid(home, 42, { secret: "s3cret" }), new Ref(home, 7)];
  assertEquals(values.map((value) => inspect(value)), ["<0.42>", "#Ref<0.7>"]);
  // Deno's `console.log` uses its own function instead of `inspect`.
  const { Deno } = globalThis as { Deno?: { inspect(value: unknown): string } };
  if (Deno !== undefined) assertEquals(Deno.inspect(values), "[ <0.42>, #Ref<0.7> ]");
});
