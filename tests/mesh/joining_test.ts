/**
 * Joining: when a node has joined, and what is known then.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import { cluster, freePort, withNodes } from "../kit/mesh.ts";
import { silentServer } from "../kit/silent.ts";
import { test, until } from "../kit/test.ts";

test("Node.start resolves with the seeds' peers, names and groups known", async () => {
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

test("Node.start resolves when each seed was dialed once, though none is up", async () => {
  await withNodes(async (start) => {
    const seeds = [`x@127.0.0.1:${await freePort()}`, `y@127.0.0.1:${await freePort()}`];
    const began = performance.now();
    const a = await start("a", { seeds, joinTimeout: 10_000 });
    assert(performance.now() - began < 2_000);
    await a.joined;
  });
});

test("Node.start resolves after joinTimeout beside a seed that does not answer", async () => {
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
    await until("stopping ends it", () => hasJoined);
    await silent.close();
  });
});

test("Mesh.connect rejects after its timeout, and only then, while a node does not answer", async () => {
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
