import { assertEquals } from "@std/assert";
import { Emitter } from "../../lib/base/emitter.ts";
import { test } from "../kit/test.ts";

interface Events {
  up: string;
  down: number;
}

test("Emitter.emit calls the listeners of its event synchronously, in order of registration", () => {
  const emitter = new Emitter<Events>();
  const observed: string[] = [];
  emitter.on("up", (node) => observed.push(`first ${node}`));
  emitter.on("up", (node) => observed.push(`second ${node}`));
  emitter.on("down", (count) => observed.push(`down ${count}`));
  emitter.emit("up", "a");
  assertEquals(observed, ["first a", "second a"]);
});

test("Emitter.emit without listeners does nothing", () => {
  const emitter = new Emitter<Events>();
  emitter.emit("up", "a");
  emitter.on("up", () => {})();
  emitter.emit("up", "b");
});

test("Emitter.on returns a function that removes the registered listener", () => {
  const emitter = new Emitter<Events>();
  const observed: string[] = [];
  const stop = emitter.on("up", () => observed.push("first"));
  emitter.on("up", () => observed.push("second"));
  stop();
  stop();
  emitter.emit("up", "a");
  assertEquals(observed, ["second"]);
});

test("Emitter.emit calls the listeners that were registered when it began", () => {
  const emitter = new Emitter<Events>();
  const observed: string[] = [];
  emitter.on("up", () => {
    observed.push("first");
    stop();
    emitter.on("up", () => observed.push("third"));
  });
  const stop = emitter.on("up", () => observed.push("second"));
  emitter.emit("up", "a");
  assertEquals(observed, ["first", "second"]);
  emitter.emit("up", "b");
  assertEquals(observed, ["first", "second", "first", "third"]);
});

test("Emitter.emit calls all listeners, and reports the errors of those that throw or reject", async () => {
  const failed: [string, string][] = [];
  const emitter = new Emitter<Events>((name, error) => failed.push([name, String(error)]));
  const observed: string[] = [];
  emitter.on("up", () => {
    throw new Error("thrown");
  });
  // deno-lint-ignore require-await
  emitter.on("up", async () => {
    throw new Error("rejected");
  });
  emitter.on("up", (node) => observed.push(node));
  emitter.emit("up", "a");
  assertEquals([observed, failed], [["a"], [["up", "Error: thrown"]]]);
  await new Promise((wake) => setTimeout(wake, 0));
  assertEquals(failed.at(-1), ["up", "Error: rejected"]);
});

test("Emitter.on removes a listener when its signal aborts, or after one event with the option once", () => {
  const emitter = new Emitter<Events>();
  const observed: string[] = [];
  const stop = new AbortController();
  emitter.on("up", (node) => observed.push(`signal ${node}`), { signal: stop.signal });
  emitter.on("up", (node) => observed.push(`once ${node}`), { once: true });
  emitter.on("up", () => observed.push("never"), { signal: AbortSignal.abort() });
  emitter.emit("up", "a");
  emitter.emit("up", "b");
  stop.abort();
  emitter.emit("up", "c");
  assertEquals(observed, ["signal a", "once a", "signal b"]);
  assertEquals(emitter.has("up"), false);
});
