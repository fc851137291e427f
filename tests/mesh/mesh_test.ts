import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { TLSSocket } from "node:tls";
import { TICK_MS } from "../../lib/observe/loop_delay.ts";
import { deriveKeys } from "../../lib/mesh/identity.ts";
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import type { Stream } from "../../lib/host/stream.ts";
import { encodeList, TAG } from "../../lib/mesh/message.ts";
import {
  agree,
  cluster,
  countingHost,
  freePort,
  hostWith,
  listen,
  refusedBy,
  untilApart,
  untilWhole,
  warnings,
  withNodes,
} from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { Intruder } from "./intruder.ts";
import { joinAs } from "./wire.ts";

test("Mesh.connect connects two nodes, which agree on the session id", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const b = await start("b");
    await b.mesh.connect(a.name);
    await until("a has the same session", () => agree(a, b));
    assertEquals([a.mesh.peers(), b.mesh.peers()], [[b.name], [a.name]]);
    assertEquals([a.received, b.received], [[`up ${b.name}`], [`up ${a.name}`]]);
    assertEquals([warnings(a), warnings(b)], [[], []]);
    assertEquals(b.mesh.session(a.name)!.met.creation, a.mesh.creation);
    assertEquals(b.mesh.session(a.name)!.dialed, true);
    assertEquals(a.mesh.session(b.name)!.dialed, false);
    // Connecting again changes nothing.
    await Promise.all([a.mesh.connect(b.name), b.mesh.connect(a.name)]);
    assertEquals([a.received.length, b.received.length], [1, 1]);
  });
});

test("Mesh connects all nodes that share one seed", async () => {
  await withNodes(async (start) => {
    const nodes = await cluster(start, 5);
    for (const node of nodes) {
      assertEquals(node.received.length, 4, node.received.join());
      assertEquals(warnings(node), []);
    }
  });
});

test("Mesh keeps one session when two nodes dial each other at the same time, repeatedly", {
  timeout: 180_000,
}, async () => {
  await withNodes(async (start) => {
    for (let round = 0; round < 50; round++) {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      // In the first rounds, both nodes dial in the same turn. In each later round, b dials later
      // after a, up to the duration of a handshake.
      const later = Math.max(0, round - 25) / 5;
      const first = a.mesh.connect(b.name);
      if (later > 0) await new Promise((wake) => setTimeout(wake, later));
      await Promise.all([first, b.mesh.connect(a.name)]);
      await until("both nodes have the same session", () => agree(a, b));
      assertEquals(
        [a.received, b.received],
        [[`up ${b.name}`], [`up ${a.name}`]],
        `round ${round}`,
      );
      assertEquals([warnings(a), warnings(b)], [[], []], `round ${round}`);
      await Promise.all([a.mesh.stop(), b.mesh.stop()]);
    }
  });
});

test("Mesh.disconnect is permanent on both sides, even if one is the other's seed", async () => {
  const [one, other] = [countingHost(), countingHost()];
  /**
   * Returns whether no dial is pending or scheduled. Ignores repeated timers, and the timer of the
   * timer wheel, which stays armed after the node has waited for a peer's names.
   */
  const atRest = ({ armed }: { armed: ReadonlySet<string> }) =>
    [...armed].every((what) => what.includes("every") || what.includes("after 5000."));
  await withNodes(async (start) => {
    const a = await start("a", {}, one.host);
    const b = await start("b", { seeds: [a.name] }, other.host);
    const c = await start("c", { seeds: [a.name, b.name] });
    await untilWhole([a, b, c]);
    await Promise.all([a.joined, b.joined, c.joined]);
    assertEquals(await b.mesh.disconnect(a.name), true);
    assertEquals(b.mesh.session(a.name), undefined);
    await untilApart(a, b);
    assertEquals(a.received.at(-1), `down ${b.name} disconnected`);
    assertEquals(b.received.at(-1), `down ${a.name} disconnected`);
    assertEquals(await b.mesh.disconnect(a.name), false);
    await until("no dial is pending or scheduled", () => atRest(one) && atRest(other));
    // A new node sends a and b each other's names, but a and b stay disconnected.
    const d = await start("d", { seeds: [a.name] });
    await untilWhole([a, c, d]);
    await untilWhole([b, c, d]);
    assertEquals([a.mesh.peers().includes(b.name), b.mesh.peers().includes(a.name)], [
      false,
      false,
    ]);
    // After `disconnect`, the user may connect the two nodes again.
    await a.mesh.connect(b.name);
    await untilWhole([a, b, c, d]);
  });
});

test("Mesh.disconnect stops dialing a node that was never reached", async () => {
  const { host, armed } = countingHost();
  await withNodes(async (start) => {
    const name = `x@127.0.0.1:${await freePort()}`;
    const a = await start("a", { seeds: [name] }, host);
    await until("a dial has failed", () => a.lines.some(({ line }) => line.includes(name)));
    assertEquals(await a.mesh.disconnect(name), false);
    await until("no dial is pending", () => [...armed].every((what) => what.includes("every")));
    const waiting = assertRejects(() => a.mesh.connect(name), NodeConnectError);
    await a.mesh.disconnect(name);
    assertEquals((await waiting).code, "aborted");
    await until("no dial is pending", () => [...armed].every((what) => what.includes("every")));
  });
});

test("Mesh redials a node after the session is lost", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    const before = a.mesh.session(b.name)!.met.session;
    a.mesh.session(b.name)!.abort("closed", "the test cut it");
    await until(
      "a new session is open",
      () => agree(a, b) && a.mesh.session(b.name)!.met.session !== before,
    );
    assertEquals(a.received, [`up ${b.name}`, `down ${b.name} closed`, `up ${b.name}`]);
    await until("b has the new session", () => b.received.length === 3);
    assertEquals(b.received, [`up ${a.name}`, `down ${a.name} closed`, `up ${a.name}`]);
  });
});

test('Mesh.stop sends a GOODBYE, after which both sides report "shutdown"', async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    await a.mesh.stop();
    await untilApart(b, a);
    assertEquals(a.received.at(-1), `down ${b.name} shutdown`);
    assertEquals(b.received.at(-1), `down ${a.name} shutdown`);
    await a.mesh.stop();
    const error = await assertRejects(() => a.mesh.connect(b.name), NodeConnectError);
    assertEquals(error.code, "stopping");
  });
});

test("Mesh.stop rejects pending connects", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const silent = await a.host.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
    const waiting = assertRejects(
      () => a.mesh.connect(`s@127.0.0.1:${silent.address.port}`),
      NodeConnectError,
    );
    await a.mesh.stop();
    assertEquals((await waiting).code, "stopping");
    await silent.close();
  });
});

test("Mesh.connect rejects with a reason code", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const b = await start("b");
    const free = await a.host.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
    await free.close();
    const { port } = free.address;
    const rows = [
      [a.name, "name"],
      [`x@127.0.0.1:${port}`, "refused"],
      [b.name.replace("b@", "x@"), "wrongnode"],
      [b.name.replace("127.0.0.1", "localhost"), "wrongnode"],
      [b.name.replace("b@127.0.0.1", "a@localhost"), "wrongnode"],
    ] as const;
    for (const [name, code] of rows) {
      const error = await assertRejects(() => a.mesh.connect(name), NodeConnectError, name);
      assertEquals(error.code, code, error.message);
    }
    assertEquals([a.mesh.peers(), b.mesh.peers(), a.received, b.received], [[], [], [], []]);
  });
});

test("Mesh.connect rejects for well-formed names of nodes that cannot exist", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const names = [
      "x@127.0.0.1:0",
      "x@-:1",
      "x@..:1",
      "x@a..b:1",
      "x@_:1",
      "x@999.1.1.1:1",
      "x@[:::::]:1",
      "x@[::1.2.3.4.5]:1",
      `x@${"h".repeat(180)}:1`,
      "x@0:1",
    ];
    for (const name of names) {
      const error = await assertRejects(() => a.mesh.connect(name), NodeConnectError, name);
      assert(
        ["refused", "unreachable", "broken"].includes(error.code),
        `${name}: ${error.code} ${error.message}`,
      );
    }
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
  });
});

test("Mesh with another cookie is rejected, with one log line on each side", async () => {
  await withNodes(async (start) => {
    const other = await deriveKeys("another cookie for tests");
    const a = await start("a");
    const observed = listen(a);
    const b = await start("b", { seeds: [a.name] }, undefined, other);
    b.rooms.broadcast("lobby", "from outside");
    const from = performance.now();
    await Promise.all([refusedBy(a), refusedBy(b)]);
    assert(performance.now() - from < 1000);
    // The node's further dials are rejected too, and are not logged again.
    await until("b has dialed several times", () => a.refused.length > 3);
    assertEquals([warnings(a).length, warnings(b).length], [1, 1]);
    assertMatch(
      warnings(a)[0]!,
      /^a@127.0.0.1:\d+: refused 127.0.0.1:\d+: .*another cookie/,
    );
    assertEquals(
      warnings(b)[0]!,
      `${b.name}: refused ${a.name}: its certificate is not of our cluster (another cookie? or a clock that is wrong by days?)`,
    );
    assertEquals([a.received, b.received, a.mesh.peers(), b.mesh.peers(), observed()], [
      [],
      [],
      [],
      [],
      0,
    ]);
    for (const { lines } of [a, b]) {
      assertEquals(lines.some(({ line }) => line.includes("cookie for tests")), false);
    }
  });
});

test("Mesh accepts a node's new incarnation at once while the old session still seems open", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const port = await freePort();
    const name = `b@127.0.0.1:${port}`;
    // The former incarnation sends nothing, not even an end of its session.
    const old = await joinAs(name, a.name, 1);
    await until("the former session is open", () => a.received.length === 1);
    const b = await start(name, { seeds: [a.name] });
    await untilWhole([a, b]);
    assertEquals(a.received, [`up ${name}`, `down ${name} restarted`, `up ${name}`]);
    assertEquals(b.received, [`up ${a.name}`]);
    await until("the former session has ended", () => old.isOver);
    old.stream.abort();
    assertEquals(a.mesh.session(name)!.met.creation, b.mesh.creation);
  });
});

test("Mesh rejects a second session of the same incarnation as a duplicate", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const name = `b@127.0.0.1:${await freePort()}`;
    const first = await joinAs(name, a.name, 1);
    const error = await assertRejects(() => joinAs(name, a.name, 1));
    assertStringIncludes(String(error), "duplicate");
    assertEquals([a.received, warnings(a)], [[`up ${name}`], []]);
    first.send(TAG.PING, new Uint8Array(8));
    await until("the first session is answered", () => first.frames.at(-1)?.tag === TAG.PONG);
    first.stream.abort();
  });
});

test("Mesh ends only the session of the member that violates a rule", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2);
    const name = `c@127.0.0.1:${await freePort()}`;
    const member = await joinAs(name, a!.name);
    await until("the member is connected", () => a!.received.length === 2);
    member.send(TAG.NAME);
    await until("the member's session has ended", () => a!.received.length === 3);
    await until("the connection is closed", () => member.isOver);
    member.stream.abort();
    assertEquals(a!.received.slice(1), [`up ${name}`, `down ${name} protocol`]);
    assertEquals(warnings(a!), [
      `${a!.name}: ${name} is down: protocol (it sent a message of the handshake, after it)`,
    ]);
    assertEquals(b!.received, [`up ${a!.name}`]);
  });
});

test("Mesh continues to run when a member announces invalid names or the node's own name", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const member = await joinAs(`c@127.0.0.1:${await freePort()}`, a.name);
    const free = await freePort();
    const names = ["x@127.0.0.1:0", "x@-:1", "x@a..b:1", "x@[:::::]:1", `x@127.0.0.1:${free}`];
    member.send(TAG.PEER_LIST, encodeList([a.name, ...names]));
    const tried = (name: string) => a.lines.some(({ line }) => line.includes(name));
    await until("all names were tried", () => names.every(tried));
    member.send(TAG.PING, new Uint8Array(8));
    await until("the session answers a ping", () => member.frames.at(-1)?.tag === TAG.PONG);
    assertEquals(a.received.length, 1);
    member.stream.abort();
  });
});

test("Mesh.stop leaves no timers, even with dials and handshakes in progress", async () => {
  const { host, armed } = countingHost();
  await withNodes(async (start) => {
    const a = await start("a", {}, host);
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    const accepted: Stream[] = [];
    const server = await b.host.listen(
      { hostname: "127.0.0.1", port: 0 },
      (stream) => void accepted.push(stream),
    );
    const dialing = assertRejects(() => a.mesh.connect(`s@127.0.0.1:${server.address.port}`));
    const gone = assertRejects(() => a.mesh.connect("x@127.0.0.1:1"));
    const silent = await Intruder.secure(a.name);
    const refused = await Intruder.secure(a.name);
    refused.send(0x99);
    assertEquals((await refused.frame(0)).tag, TAG.REJECT);
    await until("the silent server has been dialed", () => accepted.length === 1);
    assert(armed.size > 0);
    await a.mesh.stop();
    // The timer wheel of the actors and the node's monitor run until the system stops.
    const ofMesh = [...armed].filter((what) =>
      !what.includes("after 5000.") && !what.endsWith(`every ${TICK_MS}`)
    );
    assertEquals(ofMesh.filter((what) => !what.includes("dial")), []);
    // The pending dial ends long before its timeout.
    const isLeft = (): boolean => [...armed].some((what) => what.includes("dial"));
    await until("no dial is pending", () => !isLeft(), 1000);
    await Promise.all([dialing, gone]);
    for (const stream of accepted) stream.abort();
    silent.close();
    refused.close();
    await server.close();
  });
});

test("Mesh.stop resolves for all callers when the mesh has stopped, even if a listener calls it", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    const order: string[] = [];
    a.mesh.events.on("nodedown", () => void a.mesh.stop().then(() => order.push("inner")));
    const first = a.mesh.stop().then(() => order.push("first"));
    await a.mesh.stop();
    order.push("second");
    await first;
    await until("all calls have resolved", () => order.length === 3);
    assertEquals(order.includes("second") && order[0] === "first", true, order.join());
    assertEquals(a.received.length, 2);
  });
});

test("Mesh rejects a node's new incarnation if a listener for the end of the old session stops the mesh", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const name = `b@127.0.0.1:${await freePort()}`;
    const old = await joinAs(name, a.name, 1);
    a.mesh.events.on("nodedown", () => void a.mesh.stop());
    await assertRejects(() => joinAs(name, a.name, 2));
    assertEquals([a.mesh.peers(), a.received], [[], [`up ${name}`, `down ${name} restarted`]]);
    old.stream.abort();
  });
});

/**
 * Returns the serial number of the certificate that a node presents, or `undefined` if it rejected
 * the connection.
 */
async function serialOf(name: string): Promise<string | undefined> {
  const intruder = await Intruder.secure(name);
  const certificate = (intruder.socket as TLSSocket).getPeerCertificate();
  intruder.close();
  return certificate?.serialNumber;
}

test("Mesh presents a certificate with its actual name", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const intruder = await Intruder.secure(a.name);
    const { subjectaltname } = (intruder.socket as TLSSocket).getPeerCertificate();
    assertEquals(subjectaltname, `DNS:node.firn.internal, URI:firn://${a.name}`);
    intruder.close();
  });
});

test("Mesh renews its certificate every day without ending sessions", async () => {
  let renew: (() => void) | undefined;
  const host = hostWith(({ clock }) => ({
    clock: {
      now: () => clock.now(),
      wall: () => clock.wall(),
      after: (ms, task) => clock.after(ms, task),
      every(ms, task) {
        if (ms === 24 * 60 * 60 * 1000) renew = task;
        return clock.every(ms, task);
      },
    },
  }));
  await withNodes(async (start) => {
    const a = await start("a", {}, host);
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    const before = await serialOf(a.name);
    assertEquals(await serialOf(a.name), before);
    renew!();
    await until("another certificate is presented", async () => {
      // A dial may fail while the certificate changes, so it is retried.
      const serial = await serialOf(a.name);
      return serial !== undefined && serial !== before;
    });
    const c = await start("c", { seeds: [a.name] });
    await untilWhole([a, b, c]);
    assertEquals(b.received, [`up ${a.name}`, `up ${c.name}`]);
    assertEquals(
      warnings(a).filter((line) => line.includes("cookie") && !line.includes("hung up")),
      [],
    );
  });
});
