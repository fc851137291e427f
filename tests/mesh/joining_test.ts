/** Tests joining: when a node has joined, and what it knows at that time. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import { cluster, freePort, withNodes } from "../kit/mesh.ts";
import { silentServer } from "../kit/silent.ts";
import { test, until } from "../kit/test.ts";

test("Node.start resolves when the peers, names and groups of the seeds are known", async () => {
  await withNodes(async (start) => {
    const nodes = await cluster(start, 3);
    const [, , third] = nodes;
    const pid = third!.system.spawn(undefined, undefined, () => () => {}, []);
    assertEquals(await third!.global.register("held", pid), true);
    third!.groups.join("default", "members", pid);
    const newcomer = await start("new", { seeds: [nodes[0]!.name], joinTimeout: 10_000 });
    assertEquals(newcomer.mesh.peers(), nodes.map(({ name }) => name).sort());
    assertEquals(newcomer.global.whereis("held")?.node, third!.name);
    assertEquals(newcomer.groups.members("default", "members").length, 1);
    const other = newcomer.system.spawn(undefined, undefined, () => () => {}, []);
    assertEquals(await newcomer.global.register("held", other), false);
  });
});

test("Node.start resolves after dialing each seed once, even if all are down", async () => {
  await withNodes(async (start) => {
    const seeds = [`x@127.0.0.1:${await freePort()}`, `y@127.0.0.1:${await freePort()}`];
    const began = performance.now();
    const a = await start("a", { seeds, joinTimeout: 10_000 });
    assert(performance.now() - began < 2_000);
    await a.joined;
  });
});

test("Node.start resolves after joinTimeout if a seed does not answer", async () => {
  await withNodes(async (start) => {
    const quiet = await start("quiet");
    const silent = await silentServer();
    const seed = `s@127.0.0.1:${silent.port}`;
    const began = performance.now();
    const a = await start("a", { seeds: [seed, quiet.name], joinTimeout: 300 });
    const took = performance.now() - began;
    assert(took >= 290 && took < 3_000, `${took} ms`);
    assertEquals(a.mesh.peers(), [quiet.name]);
    let hasJoined = false;
    a.joined.then(() => hasJoined = true);
    assertEquals(hasJoined, false);
    await a.mesh.stop();
    await until("Node.stop ends the wait", () => hasJoined);
    await silent.close();
  });
});

test("Mesh.connect rejects exactly at its timeout while a node does not answer", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const silent = await silentServer();
    const name = `s@127.0.0.1:${silent.port}`;
    const began = performance.now();
    const [soon, later] = await Promise.all([
      assertRejects(() => a.mesh.connect(name, 200), NodeConnectError),
      assertRejects(() => a.mesh.connect(name, 600), NodeConnectError),
    ]);
    const took = performance.now() - began;
    assertEquals([soon.code, later.code], ["timeout", "timeout"]);
    assert(took >= 590 && took < 4_500, `${took} ms`);
    await silent.close();
  });
});

test("Node.start dials only the nodes for which canDial returns true", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    const asked: string[] = [];
    const canDial = (node: string, origin: string): boolean => {
      asked.push(`${origin} ${node}`);
      if (origin === "asked") throw new Error("a bug in the hook");
      return node === a!.name;
    };
    const seeds = [a!.name];
    const c = await start("c", { seeds, canDial, joinTimeout: 10_000 });
    assertEquals(c.mesh.membership.stats().dials, 1);
    assert(asked.includes(`seed ${a!.name}`));
    // b knows c from gossip, and may dial it.
    await until("b has dialed c", () => c.mesh.peers().includes(b!.name));
    const error = await assertRejects(() => c.mesh.connect("x@127.0.0.1:1"), NodeConnectError);
    assertEquals(error.code, "denied");
    assert(c.lines.some(({ line }) => line.includes("option canDial threw")));
  });
});

test("A list of a thousand names of one port causes only a few dials", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const silent = await silentServer();
    const refusing = await freePort();
    const names = Array.from(
      { length: 1_000 },
      (_, i) => `x${i}@127.0.0.1:${i % 2 === 0 ? silent.port : refusing}`,
    );
    const dialed: string[] = [];
    a.mesh.events.on("dial", ({ node }) => void dialed.push(node));
    a.mesh.membership.named(names, "hostile@127.0.0.1:9");
    await new Promise((wake) => setTimeout(wake, 1_000));
    assert(silent.count <= 2, `${silent.count} dials`);
    assert(dialed.length > 0 && dialed.length <= 10, `${dialed.length} dials`);
    await silent.close();
  });
});

test("Mesh.connect reaches a live node even if eighty seeds do not answer", async () => {
  await withNodes(async (start) => {
    const live = await start("live");
    // Each server has its own address, so that the limit per address does not apply.
    const servers = await Promise.all(
      Array.from({ length: 80 }, (_, i) => silentServer(`127.0.0.${i + 2}`)),
    );
    const seeds = servers.map(({ port }, i) => `s${i}@127.0.0.${i + 2}:${port}`);
    const a = await start("a", { seeds });
    await until(
      "all slots of dials are used",
      () => servers.filter(({ count }) => count > 0).length >= 40,
    );
    const began = performance.now();
    await a.mesh.connect(live.name);
    assert(performance.now() - began < 3_000);
    await a.mesh.stop();
    await Promise.all(servers.map((server) => server.close()));
  });
});
