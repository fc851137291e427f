/**
 * Tests that the journeys in `lib/README.md` match the code: each step exists and mentions the next
 * one, and for two journeys the call stack at the last step contains the documented steps in order.
 */
import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { Mailbox } from "../lib/actor/mailbox.ts";
import { WebSocketConnection } from "../lib/ws/websocket_connection.ts";
import type { Pid } from "../lib/term/pid.ts";
import { Rooms } from "../lib/ws/rooms.ts";
import { Node } from "../lib/node.ts";
import { join, moveAll } from "./mesh/session_pair.ts";
import { sourceOf } from "./kit/source.ts";
import { runtime, test, until } from "./kit/test.ts";

interface Step {
  readonly file: string;
  /** `Class.method`, or a function. */
  readonly name: string;
}

/** Returns the lists of steps of each journey. */
function journeys(): Map<string, Step[][]> {
  const page = readFileSync(new URL("../lib/README.md", import.meta.url), "utf8");
  const part = page.slice(
    page.indexOf("## Six journeys"),
    page.indexOf("## Deterministic files, and files with effects"),
  );
  const found = new Map<string, Step[][]>();
  for (const text of part.split("\n### ").slice(1)) {
    const lists: Step[][] = [];
    for (const [, number, file, name] of text.matchAll(/^(\d+)\. `([^`]+\.ts)` `([^`]+)`/gm)) {
      if (number === "1") lists.push([]);
      lists.at(-1)!.push({ file: file!, name: name! });
    }
    found.set(text.slice(0, text.indexOf("\n")), lists);
  }
  return found;
}

const sources = new Map<string, string>();

function codeOf(file: string): string {
  let code = sources.get(file);
  if (code === undefined) {
    const text = readFileSync(new URL(`../lib/${file}`, import.meta.url), "utf8");
    sources.set(file, code = sourceOf(file, text).bare);
  }
  return code;
}

/** Returns the last part of a step's name, as it appears in code. */
function last({ name }: Step): string {
  return name.slice(name.indexOf(".") + 1);
}

function isDeclared(step: Step): boolean {
  const code = codeOf(step.file);
  if (!step.name.includes(".")) return code.includes(`function ${step.name}(`);
  const [type] = step.name.split(".");
  return new RegExp(`\\bclass ${type}\\b`).test(code) &&
    new RegExp(
      `^  (?:(?:static|protected|override|async|abstract) )*\\*?${last(step)}(?:<[^(]*>)?\\(`,
      "m",
    ).test(code);
}

test("lib/README.md has six journeys in which each step exists and calls the next", () => {
  const all = journeys();
  assertEquals(all.size, 6);
  for (const [title, lists] of all) {
    assert(lists.length > 0 && lists.flat().length >= 6, title);
    for (const steps of lists) {
      for (const [at, step] of steps.entries()) {
        assert(isDeclared(step), `${title}: there is no ${step.name} in ${step.file}`);
        const next = steps[at + 1];
        if (next === undefined) continue;
        const calls = new RegExp(`(?<![\\w#])${last(next)}\\??\\.?\\(|\\b${last(next)}\\(`);
        // The previous step may have received this step's function from the step before it.
        const from = steps.slice(Math.max(0, at - 1), at + 1);
        assert(
          from.some(({ file }) => calls.test(codeOf(file))),
          `${title}: ${step.name} does not lead to ${next.name}`,
        );
      }
    }
  }
});

/** Returns the names of the functions on a stack, outermost first. */
function namesOn(stack: string): string[] {
  return stack.split("\n").map((line) =>
    /^\s*at (?:async )?(?:new )?(?:[\w$<>]+\.)*([#\w$]+)/.exec(line)?.[1] ??
      /^([#\w$.]+)@/.exec(line)?.[1] ?? ""
  ).reverse();
}

/**
 * Asserts that the steps are on the stack, in this order. Bun is not checked, because its tail
 * calls leave no stack frame.
 */
function assertOn(stack: string, steps: readonly Step[]): void {
  if (runtime === "bun") return;
  const names = namesOn(stack);
  let at = 0;
  for (const step of steps) {
    const name = last(step);
    at = names.indexOf(name, at) + 1;
    assert(at > 0, `${step.name} is not on the stack, or not in its place:\n${names.join(" > ")}`);
  }
}

/** Calls `run` and returns the stacks at calls of a method. */
async function stacksAt<T extends object>(
  prototype: T,
  method: keyof T & string,
  run: () => void | Promise<void>,
): Promise<string[]> {
  const stacks: string[] = [];
  // deno-lint-ignore no-explicit-any -- any method
  const real = prototype[method] as any;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  // deno-lint-ignore no-explicit-any -- any method
  (prototype as any)[method] = function (this: T, ...args: unknown[]) {
    stacks.push(new Error().stack ?? "");
    return real.apply(this, args);
  };
  try {
    await run();
  } finally {
    prototype[method] = real;
    Error.stackTraceLimit = limit;
  }
  return stacks;
}

test("lib/README.md describes the path of a message to Mailbox.push", async () => {
  const steps = journeys().get("A send across nodes to a mailbox")!.at(-1)!;
  const [one, other] = join();
  const actor = other.actor();
  const stacks = await stacksAt(Mailbox.prototype, "push", () => {
    one.system.send(one.pid(actor) as Pid<string>, "hello");
    moveAll(one, other);
  });
  assertEquals(stacks.length, 1);
  assertOn(stacks[0]!, steps.slice(0, -1));
});

test("lib/README.md describes the path of a broadcast to the members of another node", async () => {
  const [, over, turn] = journeys().get("A broadcast to a room")!;
  const options = { cookie: "the same on every node", logLevel: "silent" } as const;
  await using a = await Node.start({ ...options, name: "a@127.0.0.1:0" });
  await using b = await Node.start({ ...options, name: "b@127.0.0.1:0" });
  await b.connect(a.name);
  const server = await b.serve({ open: (conn) => conn.join("lobby") });
  const socket = new WebSocket(server.url);
  let received = 0;
  socket.onmessage = () => received++;
  await until("the member has joined", () => b.rooms.count === 1);
  await b.rooms.announced();
  let sent: string[] = [];
  const delivered = await stacksAt(Rooms.prototype, "deliver", async () => {
    sent = await stacksAt(WebSocketConnection.prototype, "sendShared", async () => {
      a.rooms.broadcast("lobby", "hello");
      await until("the member has the message", () => received === 1);
    });
  });
  assertOn(delivered[0]!, over!.slice(0, -1));
  assertOn(sent[0]!, turn!.slice(0, -2));
  const closed = new Promise((close) => socket.onclose = close);
  socket.close();
  await closed;
});
