/**
 * Tests seeds that are evaluated repeatedly: addresses, files and functions.
 * `tests/process/discovery_test.ts` tests DNS seeds with a DNS server.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { identify } from "../../lib/mesh/identify.ts";
import { NodeNameError, parseName } from "../../lib/mesh/name.ts";
import { makeHost } from "../kit/host.ts";
import { testKeys } from "../kit/keys.ts";
import { freePort, type TestNode, untilWhole, warnings, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

function addressOf(node: TestNode): string {
  return `*@${node.name.split("@")[1]}`;
}

test("Node.start with the address of a node as seed joins that node, whatever its name", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const b = await start("b", { seeds: [a.name] });
    const c = await start("c", { seeds: [addressOf(a)], joinTimeout: 10_000 });
    assert(c.mesh.peers().includes(a.name));
    await untilWhole([a, b, c]);
    // Asking for the name of an address logs no warning on any node.
    assertEquals([a, b, c].flatMap(warnings), []);
    assertEquals(a.refused, []);
  });
});

test("Node.start joins the other seeds if one is its own address or has no listener", async () => {
  await withNodes(async (start) => {
    const [port, none] = [await freePort(), await freePort()];
    const a = await start("a");
    const seeds = [`*@127.0.0.1:${port}`, `*@127.0.0.1:${none}`, addressOf(a)];
    const b = await start(`b@127.0.0.1:${port}`, { seeds, seedInterval: 100 });
    await untilWhole([a, b]);
    assertEquals(b.lines.filter(({ level }) => level === "warn").length, 1);
    assert(warnings(b)[0]!.includes(`no node found by seed 127.0.0.1:${none}`), warnings(b)[0]);
    assertEquals(warnings(a), []);
  });
});

test("identify removes its listener from the signal when the connection is closed", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const { authority, proofKey } = await testKeys();
    const self = { name: "b@127.0.0.1:1", creation: 1, proofKey, exposed: [] };
    const tls = { ca: authority.pem, serverName: SERVER_NAME };
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    const { hostname, port } = parseName(a.name)!;
    assertEquals(await identify(makeHost(), self, tls, hostname, port, signal), a.name);
    await until("the listeners are removed", () => listeners === 0);
  });
});

test("Discovery finds nodes that are added to a seed file later", async () => {
  const folder = mkdtempSync(join(tmpdir(), "firn-"));
  try {
    const path = join(folder, "seeds");
    await withNodes(async (start) => {
      const a = await start("a");
      const options = { seeds: [`file:${path}`], seedInterval: 100, joinTimeout: 10_000 };
      const b = await start("b", options);
      assertEquals(b.mesh.peers(), []);
      assert(warnings(b)[0]!.includes("no node found by seed file:"), warnings(b)[0]);
      writeFileSync(path, `# the cluster\n${addressOf(a)}\nno seed\n`);
      await untilWhole([a, b]);
      await until("the invalid line is reported", () => warnings(b).length === 2);
      assert(warnings(b)[1]!.includes("no seed"), warnings(b)[1]);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("Discovery calls the seed function repeatedly, even after the function has thrown", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    let calls = 0;
    const seeds = (): Promise<string[]> => {
      if (++calls < 3) return Promise.reject(new Error("not yet"));
      return Promise.resolve([a.name]);
    };
    const b = await start("b", { seeds, seedInterval: 100 });
    await untilWhole([a, b]);
    // On a busy machine, the function is called again before the nodes are connected.
    assert(calls >= 3, `${calls} calls`);
    assertEquals(warnings(b).length, 1);
  });
});

test("Node.start rejects invalid seeds", async () => {
  await withNodes(async (start) => {
    await assertRejects(() => start("a", { seeds: ["*@h:0"] }), NodeNameError);
  });
});
