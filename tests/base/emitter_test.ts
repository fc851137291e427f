import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Emitter } from "../../lib/base/emitter.ts";
import { test } from "../kit/test.ts";

interface Events {
  up: string;
  down: number;
}

test("Emitter calls the listeners of a name in the order of asking, within emit", () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  emitter.on("up", (node) => heard.push(`first ${node}`));
  emitter.on("up", (node) => heard.push(`second ${node}`));
  emitter.on("down", (count) => heard.push(`down ${count}`));
  emitter.emit("up", "a");
  assertEquals(heard, ["first a", "second a"]);
});

test("Emitter with nobody listening does nothing", () => {
  const emitter = new Emitter<Events>();
  emitter.emit("up", "a");
  emitter.on("up", () => {})();
  emitter.emit("up", "b");
});

test("Emitter.on gives back what stops that listener, and only that one", () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  const stop = emitter.on("up", () => heard.push("first"));
  emitter.on("up", () => heard.push("second"));
  stop();
  stop();
  emitter.emit("up", "a");
  assertEquals(heard, ["second"]);
});

test("Emitter.emit tells who listened when it began, whatever listeners do", () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  emitter.on("up", () => {
    heard.push("first");
    stop();
    emitter.on("up", () => heard.push("third"));
  });
  const stop = emitter.on("up", () => heard.push("second"));
  emitter.emit("up", "a");
  assertEquals(heard, ["first", "second"]);
  emitter.emit("up", "b");
  assertEquals(heard, ["first", "second", "first", "third"]);
});

test("Emitter.emit tells the others although a listener throws, and the error surfaces", () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  const bug = new Error("of the listener");
  emitter.on("up", () => {
    throw bug;
  });
  emitter.on("up", (node) => heard.push(node));

  // What surfaces would end the tests: it is caught on its way.
  const real = globalThis.queueMicrotask;
  const surfacing: (() => void)[] = [];
  globalThis.queueMicrotask = (task) => surfacing.push(task);
  try {
    emitter.emit("up", "a");
  } finally {
    globalThis.queueMicrotask = real;
  }
  assertEquals(heard, ["a"]);
  assertEquals(surfacing.length, 1);
  assertStrictEquals(assertThrows(surfacing[0]!), bug);
});
