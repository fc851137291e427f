/** Tests changing the cookie of running nodes. */
import { assertEquals, assertRejects } from "@std/assert";
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import { CookieError } from "../../lib/mesh/cookie.ts";
import { Keyring } from "../../lib/mesh/keyring.ts";
import { PROOF_MS } from "../../lib/mesh/reauthentication.ts";
import { cheapKeys, COOKIE } from "../kit/keys.ts";
import { cluster, hostWith, type TestNode, untilWhole, warnings, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

const NEXT = "the next cookie of every node";
const keyring = new Keyring(true, cheapKeys);

async function change(node: TestNode, ...cookies: string[]): Promise<void> {
  const { use, accepted } = await keyring.derive(cookies);
  await node.mesh.changeKeys(use, accepted);
}

/** Disconnects two nodes, and waits until they have established a new session. */
async function meetAgain(one: TestNode, other: TestNode): Promise<void> {
  await one.mesh.disconnect(other.name);
  await until("the nodes are disconnected", () => other.mesh.session(one.name) === undefined);
  await one.mesh.connect(other.name);
  await untilWhole([one, other]);
}

test("Mesh.changeKeys moves a cluster to another cookie in three steps without losing a session", async () => {
  await withNodes(async (start) => {
    const nodes = await cluster(start, 3);
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    const before = nodes.map(({ received }) => received.length);
    const downs = (): string[] =>
      nodes.flatMap(({ received }) => received.filter((t) => /^down/.test(t)));
    for (const node of nodes) await change(node, COOKIE, NEXT);
    await change(a, NEXT, COOKIE);
    assertEquals(downs(), []);
    // Reconnects in both directions: a uses the next cookie, and b still uses the current one.
    await meetAgain(a, b);
    await meetAgain(b, a);
    for (const node of [b, c]) await change(node, NEXT, COOKIE);
    await meetAgain(b, c);
    for (const node of nodes) await change(node, NEXT);
    // The sessions with c were authenticated with the former cookie, so they are authenticated
    // again.
    await untilWhole(nodes);
    assertEquals(downs().filter((down) => !down.endsWith("disconnected")), []);
    assertEquals(nodes.flatMap(warnings), []);
    const last = await start(
      "last",
      { seeds: [a.name] },
      undefined,
      (await keyring.derive(NEXT)).use,
    );
    await untilWhole([...nodes, last]);
    const former = await start("former");
    const error = await assertRejects(() => former.mesh.connect(a.name), NodeConnectError);
    assertEquals(error.code, "untrusted");
    assertEquals(before.length, 3);
  });
});

test("Mesh.changeKeys ends sessions with peers that do not have the next cookie", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const b = await start("b", { seeds: [a.name] });
    const c = await start("c", { seeds: [a.name] });
    await untilWhole([a, b, c]);
    await change(b, COOKIE, NEXT);
    await change(a, NEXT);
    await until("a has lost c", () => a.mesh.session(c.name) === undefined);
    assertEquals(a.received.at(-1), `down ${c.name} cookie`);
    assertEquals(a.mesh.peers(), [b.name]);
  });
});

test("Mesh.changeKeys ends a session whose peer does not answer PROVE", async () => {
  await withNodes(async (start) => {
    const hurried = hostWith((real) => ({
      clock: {
        now: () => real.clock.now(),
        wall: () => real.clock.wall(),
        after: (ms, task) => real.clock.after(ms === PROOF_MS ? 50 : ms, task),
        every: (ms, task) => real.clock.every(ms, task),
      },
    }));
    const a = await start("a", {}, hurried);
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    // Simulates that b runs an older version, which ignores the message PROVE.
    b.mesh.prove = () => {};
    await change(a, NEXT);
    await until("a has lost b", () => a.mesh.session(b.name) === undefined);
    assertEquals(a.received.at(-1), `down ${b.name} cookie`);
  });
});

test("Keyring rejects an empty list, too many cookies, and weak cookies on reachable addresses", async () => {
  const many = Array.from({ length: 5 }, (_, i) => `cookie ${i}`);
  for (const cookies of [[], many, ""]) {
    await assertRejects(() => new Keyring(true, cheapKeys).derive(cookies), CookieError);
  }
  await assertRejects(() => new Keyring(false).derive(["f".repeat(64)]), CookieError);
});
