import { assert, assertEquals, assertRejects } from "@std/assert";
import { deriveKeys } from "../../lib/mesh/identity.ts";
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import type { OwnTls } from "../../lib/mesh/mesh.ts";
import { NodeOptionError } from "../../lib/node_options.ts";
import {
  listen,
  refusedBy,
  type Start,
  type TestNode,
  untilWhole,
  warnings,
  withNodes,
} from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { OwnAuthority } from "./authority.ts";
import { Intruder } from "./intruder.ts";

const authority = await OwnAuthority.make(31);
const otherAuthority = await OwnAuthority.make(32);

/** Asserts that the dial fails with this code, and that neither side has a session. */
async function assertNoSession(from: TestNode, to: TestNode, code: string): Promise<void> {
  const error = await assertRejects(() => from.mesh.connect(to.name), NodeConnectError);
  assertEquals(error.code, code, error.message);
  assertEquals([from.received, to.received], [[], []]);
}

for (const host of ["127.0.0.1", "localhost"]) {
  test(`Mesh connects nodes named by ${host} with the user's certificates`, async () => {
    await withNodes(async (start) => {
      const a = await start(`a@${host}:0`, { tls: await authority.issue(host) });
      const b = await start(`b@${host}:0`, {
        tls: await authority.issue(host),
        seeds: [a.name],
      });
      await untilWhole([a, b]);
      const observed = listen(b);
      a.rooms.broadcast("lobby", "hello");
      await until("the broadcast has arrived", () => observed() > 0);
      assertEquals([warnings(a), warnings(b)], [[], []]);
      const error = await assertRejects(() => a.mesh.connect(`x@${host}:1`), NodeConnectError);
      assertEquals(error.code, "refused");
    });
  });
}

test("Mesh with the user's certificates joins a whole cluster from one seed", async () => {
  await withNodes(async (start) => {
    const tls = await authority.issue("127.0.0.1");
    const a = await start("a", { tls });
    const rest = await Promise.all(["b", "c"].map((name) => start(name, { tls, seeds: [a.name] })));
    await untilWhole([a, ...rest]);
  });
});

test("Mesh with the user's certificates rejects a certificate for another host", async () => {
  await withNodes(async (start) => {
    const a = await start("a", { tls: await authority.issue("localhost", "10.0.0.1") });
    const b = await start("b", { tls: await authority.issue("127.0.0.1") });
    await assertNoSession(b, a, "untrusted");
    const c = await start("c@localhost:0", { tls: await authority.issue("example.org") });
    await assertNoSession(b, c, "untrusted");
  });
});

test("Mesh with the user's certificates rejects a node whose certificate is not for the host in its name", async () => {
  await withNodes(async (start) => {
    const a = await start("a", { tls: await authority.issue("127.0.0.1") });
    // Starts a node with a name on host db1 and the certificate of host web7.
    const tls = await authority.issue("web7.example");
    const listen = { hostname: "127.0.0.1", port: 0 };
    const thief = await start("db1@db1.example:1", { tls, listen });
    const error = await assertRejects(() => thief.mesh.connect(a.name), NodeConnectError);
    assertEquals(error.code, "certificate");
    assert(
      error.message.endsWith(
        "its certificate is not for db1.example, the host of db1@db1.example:1",
      ),
      error.message,
    );
    assertEquals([a.received, thief.received], [[], []]);
    assertEquals(await refusedBy(a), "certificate");
  });
});

test("NodeOptions.tls.verifyPeer replaces the check of the host name on both sides", async () => {
  await withNodes(async (start) => {
    const asked: string[] = [];
    const certificates = await authority.issue("spiffe.example");
    const verifyPeer: OwnTls["verifyPeer"] = (node, { dns, der }) => {
      asked.push(`${node} ${dns} ${der.length > 100}`);
      return !node.startsWith("c@");
    };
    const tls = { ...certificates, verifyPeer };
    const a = await start("a", { tls });
    const b = await start("b", { tls, seeds: [a.name] });
    await untilWhole([a, b]);
    assertEquals(
      asked.sort(),
      [`${a.name} spiffe.example true`, `${b.name} spiffe.example true`],
    );
    const c = await start("c", { tls });
    for (const [from, to] of [[c, a], [a, c]] as const) {
      const error = await assertRejects(() => from.mesh.connect(to.name), NodeConnectError);
      assertEquals(error.code, "certificate");
    }
    // verifyPeer checks names, but TLS still checks the authority.
    const d = await start("d", {
      tls: { ...await otherAuthority.issue("spiffe.example"), verifyPeer },
    });
    for (const [from, to] of [[a, d], [d, a]] as const) {
      const error = await assertRejects(() => from.mesh.connect(to.name), NodeConnectError);
      assertEquals(error.code, "untrusted");
    }
    const throwing = (): boolean => {
      throw new Error("no such policy");
    };
    const e = await start("e", { tls: { ...certificates, verifyPeer: throwing } });
    await assertRejects(() => e.mesh.connect(a.name), NodeConnectError);
    assert(warnings(e)[0]!.includes("tls.verifyPeer threw"), warnings(e)[0]);
    assertEquals([c.received, d.received, e.received], [[], [], []]);
  });
});

test("Mesh with the user's certificates rejects a certificate of another authority", async () => {
  await withNodes(async (start) => {
    const a = await start("a", { tls: await authority.issue("127.0.0.1") });
    const b = await start("b", { tls: await otherAuthority.issue("127.0.0.1") });
    await assertNoSession(b, a, "untrusted");
    // The initiator accepts the responder's certificate, but the responder rejects that of the
    // initiator.
    const half = { ...await otherAuthority.issue("127.0.0.1"), ca: authority.ca };
    const c = await start("c", { tls: half });
    const error = await assertRejects(() => c.mesh.connect(a.name), NodeConnectError);
    assert(["untrusted", "broken"].includes(error.code), `${error.code}: ${error.message}`);
    assertEquals([a.received, c.received], [[], []]);
    await until("a has rejected the connection", () => a.refused.length > 0);
  });
});

test("Mesh with the user's certificates rejects a client without a certificate", async () => {
  await withNodes(async (start) => {
    const a = await start("a", { tls: await authority.issue("127.0.0.1") });
    const intruder = await Intruder.secure(a.name);
    await until("the connection is closed", () => intruder.isOver);
    assertEquals(intruder.frames, []);
    intruder.close();
    const reason = await refusedBy(a);
    assert(["untrusted", "cookie"].includes(reason), reason);
    assertEquals(warnings(a).length, 1);
    // A node with the same cookie but without the certificates is also rejected, in both
    // directions.
    const b = await start("b");
    const error = await assertRejects(() => b.mesh.connect(a.name), NodeConnectError);
    assertEquals(error.code, "untrusted");
    const back = await assertRejects(() => a.mesh.connect(b.name), NodeConnectError);
    assertEquals(back.code, "untrusted");
    assertEquals([a.received, b.received], [[], []]);
  });
});

test("Mesh with the user's certificates still requires the cookie", async () => {
  await withNodes(async (start: Start) => {
    const tls = await authority.issue("127.0.0.1");
    const a = await start("a", { tls });
    const other = await deriveKeys("another cookie, the same authority");
    const b = await start("b", { tls }, undefined, other);
    await assertNoSession(b, a, "cookie");
    assertEquals(await refusedBy(a), "cookie");
    assert(
      warnings(a)[0]!.endsWith("it refused us: its proof is wrong: it has another cookie"),
      warnings(a)[0],
    );
    assert(warnings(b)[0]!.endsWith("its proof is wrong: it has another cookie"), warnings(b)[0]);
  });
});

test("startNode reports which of the user's certificates is invalid, without showing the key", async () => {
  await withNodes(async (start) => {
    const tls = await authority.issue("127.0.0.1");
    const other = await authority.issue("127.0.0.1");
    const rows = [
      [{ cert: "" }, "option tls.cert is not PEM: pass the text of the file, not its name"],
      [{ cert: "none" }, "option tls.cert is not PEM"],
      [{ cert: tls.cert.replaceAll("M", "?") }, "option tls.cert cannot be read as PEM: "],
      [{ cert: tls.key }, "option tls.cert cannot be read as PEM: "],
      [{ ca: "none" }, "option tls.ca is not PEM"],
      [{ key: "secret" }, "option tls.key is not PEM"],
      [{ key: tls.cert }, "option tls.key cannot be read as PEM: "],
      [{ key: other.key }, "option tls.key is not the key of tls.cert"],
    ] as const;
    for (const [broken, words] of rows) {
      const error = await assertRejects(
        () => start("a", { tls: { ...tls, ...broken } }),
        NodeOptionError,
        words,
      );
      assertEquals(error.message.includes("secret"), false);
      assertEquals(error.message.includes(tls.key.slice(40, 60)), false);
    }
  });
});
