/**
 * Tests services that call themselves, and a loop around a promise that the node settles at once.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { CallExitError, CallingSelfError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Node } from "../../lib/node.ts";
import { type Service, service } from "../../lib/otp/service.ts";
import type { Call } from "../../lib/actor/call.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

test("Global.register does not starve timers if it is retried in a loop", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  let tries = 0;
  let isOver = false;
  const pid = node.spawn(async (self: Self) => {
    while (!isOver) {
      tries++;
      await node.global.register("mine", self.pid).catch(() => {});
    }
  });
  await until("the actor registers", () => tries > 0);
  node.exit(pid, "kill");
  const before = tries;
  // The loop of the dead actor continues, and so do timers, on which `until` depends.
  await until("the loop has continued", () => tries > before);
  isOver = true;
});

interface Mirror {
  state: number;
  call: { get(): number; ask(how: string): number };
}

const WAYS: Readonly<Record<string, (self: Self, node: Node) => Promise<unknown>>> = {
  "by pid": (self) => mirror.call(self.pid as never).get(),
  "by name": (_self, node) => mirror.call(mirror.at(node, "mirror")).get(),
  "by the actor's own lookup": (self) => mirror.call(mirror.at(self, "mirror")).get(),
  "by a global name": (_self, node) => mirror.call(mirror.at(node.global, "mirror")).get(),
  "for its state": (self) => mirror.state(self.pid as never),
  "by the actor's own lookup, after an await": async (self) => {
    await Promise.resolve();
    return mirror.call(mirror.at(self, "mirror")).get();
  },
  "by pid, after an await": async (self) => {
    await self.call(echo, "there");
    return mirror.call(self.pid as never).get();
  },
  "by name, after a timer": async (_self, node) => {
    await new Promise((fire) => setTimeout(fire, 1));
    return mirror.call(mirror.at(node, "mirror")).get();
  },
  "to stop it": (self) => mirror.stop(self.pid as never),
  "to stop it, after an await": async (self) => {
    await self.call(echo, "there");
    await mirror.stop(self.pid as never);
  },
};

let echo: Pid<Call<string, string>>;

let home: Node;
const mirror: Service<Mirror> = service<Mirror>({
  init: () => 0,
  call: {
    get: (n) => [n, n],
    async ask(n, how) {
      await WAYS[how]!(this.self, home);
      return [n, n];
    },
  },
});

test("service: a handler that awaits a call of its own service rejects at once with CallingSelfError", async () => {
  await using node = home = await startCheaply({ logLevel: "silent" });
  echo = node.spawn(() => (call: Call<string, string>) => call.reply(call.request));
  for (const how of Object.keys(WAYS)) {
    const pid = await mirror.startAs("mirror", node);
    await node.global.register("mirror", pid);
    const error = await assertRejects(
      () => mirror.call(pid, { timeout: 4_000 }).ask(how),
      CallExitError,
    );
    assert(error.reason instanceof CallingSelfError, `${how}: ${error.reason}`);
    await until("the service has ended", () => !node.isAlive(pid));
  }
});

test("service: a handler may stop its own service without awaiting it", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const closing = service<{ state: number; cast: { close(): void } }>({
    init: () => 0,
    cast: {
      close(n) {
        closing.stop(this.self.pid as never);
        return n;
      },
    },
  });
  const pid = await closing.start(node);
  const reasons: unknown[] = [];
  node.on("exit", ({ reason }) => reasons.push(reason));
  closing.cast(pid).close();
  await until("the service has stopped", () => !node.isAlive(pid));
  assertEquals(reasons, ["normal"]);
});

test("service: an actor that a handler waits for may call the service", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const results: unknown[] = [];
  const waiting = service<{ state: number; call: { get(): number; wait(): number } }>({
    init: () => 7,
    call: {
      get: (n) => [n, n],
      async wait(n) {
        await Promise.resolve();
        const timer = setInterval(() => {
          clearInterval(timer);
          waiting.call(pid).get().then((got) => results.push(got), (error) => results.push(error));
        }, 20);
        await node.call(other, "go");
        return [n, n];
      },
    },
  });
  const pid = await waiting.start(node);
  const other = node.spawn(() => async (call: Call<string, string>) => {
    await Promise.resolve();
    const got = waiting.call(pid).get();
    call.reply("went");
    results.push(await got.catch((error) => error));
  });
  await waiting.call(pid).wait();
  await until("both calls are answered", () => results.length === 2);
  assertEquals(results, [7, 7]);
});

test("service: a rejection that an async handler does not await ends the service", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  const careless = service<{ state: number; cast: { forget(): void } }>({
    init: () => 0,
    cast: {
      async forget(n) {
        await Promise.resolve();
        void node.call("nobody", "at all");
        return n;
      },
    },
  });
  const pid = await careless.start(node);
  const crashes: unknown[] = [];
  node.on("crash", ({ pid, unhandled }) => crashes.push([pid, unhandled]));
  careless.cast(pid).forget();
  await until("the service has ended", () => !node.isAlive(pid));
  assertEquals(crashes, [[pid, true]]);
});
