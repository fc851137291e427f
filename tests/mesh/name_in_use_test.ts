/** Tests two nodes with the same name: the running one keeps it. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import type { MeshEvents } from "../../lib/mesh/mesh.ts";
import { freePort, untilWhole, warnings, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

/** Returns a name whose address is unused, and the address where the node listens instead. */
async function nowhere(): Promise<{ name: string; listen: { hostname: string; port: number } }> {
  return {
    name: `app@127.0.0.1:${await freePort()}`,
    listen: { hostname: "127.0.0.1", port: 0 },
  };
}

test("Node.start rejects while another live node has the same name", async () => {
  await withNodes(async (start) => {
    const c = await start("c");
    const events: MeshEvents["nameinuse"][] = [];
    c.mesh.events.on("nameinuse", (event) => void events.push(event));
    const { name, listen } = await nowhere();
    const options = { listen, seeds: [c.name], joinTimeout: 10_000 };
    const first = await start(name, options);
    const before = first.mesh.session(c.name)!.met.session;
    for (let i = 0; i < 3; i++) {
      const error = await assertRejects(() => start(name, options), NodeConnectError);
      assertEquals(error.code, "nameinuse");
      assertMatch(error.message, /name in use by a node started at 20\d\d-\d\d-\d\dT[\d:.]+Z/);
    }
    assertEquals(first.mesh.session(c.name)!.met.session, before);
    assertEquals(c.received, [`up ${name}`]);
    assertEquals(events.length, 3);
    assertEquals([events[0]!.name, events[0]!.by], [name, c.name]);
    assertEquals(c.mesh.membership.stats().namesInUse, 3);
    assertEquals(warnings(c).length, 1, "logged once a minute");
  });
});

test("Node.joined rejects if the node's name is found in use after the start", async () => {
  await withNodes(async (start) => {
    const c = await start("c");
    const { name, listen } = await nowhere();
    await start(name, { listen, seeds: [c.name], joinTimeout: 10_000 });
    const twin = await start(name, { listen, seeds: [c.name], joinTimeout: 0 });
    const events: MeshEvents["nameinuse"][] = [];
    twin.mesh.events.on("nameinuse", (event) => void events.push(event));
    const error = await assertRejects(() => twin.joined, NodeConnectError);
    assertEquals(error.code, "nameinuse");
    await until("the conflict is reported", () => events.length > 0);
    assertEquals([events[0]!.name, events[0]!.by], [name, c.name]);
    assert(twin.lines.some(({ level, line }) => level === "error" && line.includes("name in use")));
    // The node does not retry.
    assertEquals(c.received, [`up ${name}`]);
  });
});

test("Mesh accepts the next incarnation of a node at once when the former has ended", async () => {
  await withNodes(async (start) => {
    const c = await start("c");
    const { name, listen } = await nowhere();
    const options = { listen, seeds: [c.name], joinTimeout: 10_000 };
    const first = await start(name, options);
    for (const session of [...first.mesh.sessions()]) session.abort("closed", "the test cut it");
    await first.mesh.stop();
    const second = await start(name, options);
    await untilWhole([c, second]);
    assertEquals(c.mesh.session(name)!.met.creation, second.mesh.creation);
  });
});
