/** A service that calls itself, and a loop around a promise of a node that is settled at once. */
import { assert, assertRejects } from "@std/assert";
import { CallExitError, CallingSelfError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Node } from "../../lib/node.ts";
import { type Service, service } from "../../lib/otp/service.ts";
import { test } from "../kit/test.ts";

test("Global.register: tried for ever, keeps no timer from its turn", async () => {
  await using node = await Node.start({ logLevel: "silent" });
  let tries = 0;
  let isOver = false;
  const pid = node.spawn(async (self: Self) => {
    while (!isOver) {
      tries++;
      await node.global.register("mine", self.pid).catch(() => {});
    }
  });
  await new Promise((later) => setTimeout(later, 5));
  node.exit(pid, "kill");
  const before = tries;
  await new Promise((later) => setTimeout(later, 5));
  isOver = true;
  assert(tries > before, "it runs on, and everything else too");
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
};

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

for (const how of Object.keys(WAYS)) {
  test(`service: a handler that awaits a call of itself ${how} fails at once with calling_self`, async () => {
    await using node = home = await Node.start({ logLevel: "silent" });
    const pid = await mirror.startAs("mirror", node);
    await node.global.register("mirror", pid);
    const error = await assertRejects(
      () => mirror.call(pid, { timeout: 4_000 }).ask(how),
      CallExitError,
    );
    assert(error.reason instanceof CallingSelfError, `${error.reason}`);
  });
}
