import { assert, assertEquals, assertRejects } from "@std/assert";
import { randomBytes } from "node:crypto";
import tls from "node:tls";
import { utf8 } from "../../lib/base/bytes.ts";
import { UNPROVEN_MAX } from "../../lib/host/unproven.ts";
import { Initiator } from "../../lib/mesh/handshake.ts";
import { makeAuthority, makeLeaf } from "../../lib/mesh/certificate.ts";
import { checkNodeUri } from "../../lib/mesh/certificate_names.ts";
import { parseName } from "../../lib/mesh/name.ts";
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import {
  encodeList,
  encodeName,
  encodeReply,
  encodeRoomBroadcast,
  TAG,
} from "../../lib/mesh/message.ts";
import { COOKIE, testKeys } from "../kit/keys.ts";
import {
  agree,
  countingHost,
  freePort,
  hostWith,
  hostWithDelay,
  listen,
  refusedBy,
  type TestNode,
  untilWhole,
  warnings,
  withNodes,
} from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { OwnAuthority } from "./authority.ts";
import { frameOf } from "./collector.ts";
import { Intruder, startMiddle } from "./intruder.ts";

const NAME = {
  name: "intruder@127.0.0.1:1",
  creation: 1,
  version: 1,
  features: 0,
  flags: 1,
};

/** Messages that an intruder sends after an invalid proof. */
const AFTER_PROOF: readonly Uint8Array[] = [encodeRoomBroadcast("lobby", "from outside")];

/** Asserts that nothing was accepted (no session, no message, no peer), and that the node works. */
async function assertUnharmed(
  node: TestNode,
  observed: () => number,
  start: Parameters<Parameters<typeof withNodes>[0]>[0],
): Promise<void> {
  assertEquals([node.mesh.peers(), node.received, observed()], [[], [], 0]);
  const honest = await start("honest", { seeds: [node.name] });
  await untilWhole([node, honest]);
  honest.rooms.broadcast("lobby", "from an honest node");
  await until("the honest node's broadcast has arrived", () => observed() > 0);
  assertEquals(observed(), 1);
}

test("Mesh rejects a TLS client that trusts any certificate and guesses the proof", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const observed = listen(a);
    for (let guess = 0; guess < 5; guess++) {
      const intruder = await Intruder.secure(a.name);
      intruder.send(TAG.NAME, encodeName({ ...NAME, nonce: randomBytes(32) }));
      assertEquals((await intruder.frame(0)).tag, TAG.CHALLENGE);
      intruder.send(
        TAG.REPLY,
        encodeReply(randomBytes(32), { lastSession: 0n, exposed: [], startedAt: 0 }),
      );
      intruder.send(TAG.PEER_LIST, encodeList(["intruder@127.0.0.1:1"]));
      intruder.write(...AFTER_PROOF);
      assertEquals((await intruder.frame(1)).tag, TAG.REJECT);
      await until("the connection is closed", () => intruder.isOver);
      assertEquals(intruder.frames.length, 2);
      intruder.close();
    }
    await until("all rejections are reported", () => a.refused.length === 5);
    assertEquals(warnings(a).length, 1);
    assert(warnings(a)[0]!.endsWith(": its proof is wrong: it has another cookie"), warnings(a)[0]);
    assertEquals(a.refused.map(({ reason }) => reason), new Array(5).fill("cookie"));
    await assertUnharmed(a, observed, start);
  });
});

test("Mesh rejects a client that replays a recorded handshake of an honest node", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const observed = listen(a);
    const { proofKey } = await testKeys();
    const self = { name: NAME.name, creation: 1, proofKey, exposed: [] };
    // Creates the plaintext messages of an honest initiator. An attacker cannot record them,
    // because only the initiator itself has them.
    const honest = await Intruder.secure(a.name);
    const machine = new Initiator(
      self,
      a.name,
      randomBytes(32),
      honest.certificate,
      () => 0n,
      checkNodeUri,
    );
    const begun = machine.begin();
    assert(begun.kind === "send");
    const recorded = [begun.frame];
    honest.write(recorded[0]!);
    const challenge = await honest.frame(0);
    const step = machine.receive(challenge.tag, challenge.body);
    assert(step.kind === "send");
    recorded.push(step.frame);
    honest.write(step.frame);
    assertEquals((await honest.frame(1)).tag, TAG.ACK);
    honest.close();
    await until("the session has ended", () => a.received.length === 2);
    a.received.length = 0;

    const intruder = await Intruder.secure(a.name);
    intruder.write(...recorded, ...AFTER_PROOF);
    assertEquals((await intruder.frame(1)).tag, TAG.REJECT);
    intruder.close();
    assertEquals(await refusedBy(a), "cookie");
    await a.mesh.disconnect(NAME.name);
    await assertUnharmed(a, observed, start);
  });
});

test("Mesh rejects a client whose first message belongs to an open session", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const observed = listen(a);
    for (const tag of [TAG.PEER_LIST, TAG.ROOM_BROADCAST, TAG.PING, TAG.GOODBYE, TAG.ACK, 0x77]) {
      const intruder = await Intruder.secure(a.name);
      const body = tag === TAG.ROOM_BROADCAST
        ? frameOf(AFTER_PROOF[0]!).body
        : encodeList(["x@h:1"]);
      intruder.send(tag, body);
      assertEquals((await intruder.frame(0)).tag, TAG.REJECT);
      await until("the connection is closed", () => intruder.isOver);
      intruder.close();
    }
    assertEquals(warnings(a).length, 1);
    await assertUnharmed(a, observed, start);
  });
});

test("Mesh logs one bounded line for a REJECT, whatever text it contains", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const intruder = await Intruder.secure(a.name);
    const words = utf8(`x\n\r${"all is well ".repeat(300)}`);
    const length = new Uint8Array(new Uint16Array([words.length]).buffer);
    intruder.send(TAG.REJECT, new Uint8Array([3, ...length, ...words]));
    assertEquals(await refusedBy(a), "cookie");
    assertEquals(warnings(a).length, 1);
    assert(warnings(a)[0]!.length < 300 && !/[\n\r]/.test(warnings(a)[0]!), warnings(a)[0]);
    intruder.close();
  });
});

test("Mesh logs once that a client does not use TLS", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const observed = listen(a);
    for (let i = 0; i < 3; i++) {
      const intruder = await Intruder.plain(a.name);
      intruder.write(utf8("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
      await until("the connection is closed", () => intruder.isOver);
      intruder.close();
    }
    await until("all rejections are reported", () => a.refused.length === 3);
    assertEquals(warnings(a).length, 1, warnings(a).join("\n"));
    assert(warnings(a)[0]!.endsWith(": it does not speak TLS"), warnings(a)[0]);
    await assertUnharmed(a, observed, start);
  });
});

test("Mesh aborts silent clients at a deadline, before and after TLS", async () => {
  await withNodes(async (start) => {
    const a = await start("a", {}, hostWithDelay(300));
    const observed = listen(a);
    const before = await Intruder.plain(a.name);
    const after = await Intruder.secure(a.name);
    await until("both connections are closed", () => before.isOver && after.isOver);
    before.close();
    after.close();
    await until("both timeouts are reported", () => a.refused.length === 2);
    assertEquals(a.refused.map(({ reason }) => reason), ["timeout", "timeout"]);
    assertEquals(warnings(a).length, 1);
    await assertUnharmed(a, observed, start);
  });
});

test("Mesh accepts honest nodes at once while hundreds of clients are silent", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const silent = await Promise.all([
      ...Array.from({ length: 50 }, () => Intruder.plain(a.name)),
      ...Array.from({ length: 200 }, () => Intruder.secure(a.name)),
    ]);
    const from = performance.now();
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    const ms = performance.now() - from;
    assert(ms < 2000, `it took ${ms} ms`);
    // No connection was closed, because there are fewer than the limit per address.
    assertEquals(silent.filter(({ isOver }) => isOver).length, 0);
    for (const intruder of silent) intruder.close();
  });
});

test("Mesh rejects a man in the middle that terminates TLS with its own certificate", async () => {
  await withNodes(async (start) => {
    const b = await start("b");
    const leaf = await makeLeaf(
      await makeAuthority(randomBytes(32)),
      b.name,
      randomBytes(16),
    );
    const target = Number(b.name.split(":")[1]);
    const middle = await startMiddle(target, leaf);
    try {
      const a = await start("a");
      const name = `b@127.0.0.1:${middle.port}`;
      const error = await assertRejects(() => a.mesh.connect(name), NodeConnectError);
      assertEquals(error.code, "untrusted");
      assertEquals([a.received, b.received], [[], []]);
      assertEquals(middle.seen.length, 0, "the initiator sent data");
    } finally {
      await middle.close();
    }
  });
});

test("Mesh works through a relay that forwards TCP, which sees no plaintext", async () => {
  await withNodes(async (start) => {
    const target = await freePort();
    const middle = await startMiddle(target);
    try {
      const b = await start(`b@127.0.0.1:${middle.port}`, {
        listen: { hostname: "127.0.0.1", port: target },
      });
      const a = await start("a", { seeds: [b.name] });
      await untilWhole([a, b]);
      const observed = listen(b);
      await b.rooms.announced();
      a.rooms.broadcast("lobby", "a secret broadcast");
      await until("the broadcast arrives", () => observed() > 0);
      const all = middle.seen.map((bytes) => new TextDecoder("latin1").decode(bytes)).join("");
      assert(all.length > 500);
      for (const word of ["a secret", "lobby", a.name, b.name, COOKIE]) {
        assertEquals(all.includes(word), false, word);
      }
    } finally {
      await middle.close();
    }
  });
});

for (
  const [leaf, code] of [["a leaf of another node", "wrongnode"], [
    "an old leaf of the node",
    "cookie",
  ]]
) {
  test(`Mesh rejects a man in the middle that has stolen ${leaf}, but not the cookie`, async () => {
    await withNodes(async (start) => {
      const target = await freePort();
      const { authority } = await testKeys();
      const port = await freePort();
      const names = { "wrongnode": "c@127.0.0.1:1", "cookie": `b@127.0.0.1:${port}` };
      const name = names[code as keyof typeof names];
      const stolen = await makeLeaf(authority, name, randomBytes(16));
      const middle = await startMiddle(target, stolen, port);
      try {
        const b = await start(`b@127.0.0.1:${port}`, {
          listen: { hostname: "127.0.0.1", port: target },
        });
        const a = await start("a");
        const error = await assertRejects(() => a.mesh.connect(b.name), NodeConnectError);
        assertEquals(error.code, code);
        assertEquals([a.received, b.received], [[], []]);
      } finally {
        await middle.close();
      }
    });
  });
}

for (const own of [false, true]) {
  test(`Mesh accepts only TLS 1.3 ${own ? "with the user's own certificates" : "with certificates derived from the cookie"}`, async () => {
    await withNodes(async (start) => {
      const certificates = await (await OwnAuthority.make(33)).issue("127.0.0.1");
      const a = await start("a", own ? { tls: certificates } : {});
      const outcome = (version: "TLSv1.2" | "TLSv1.3"): Promise<string> =>
        new Promise((settled) => {
          const socket = tls.connect({
            ...parseName(a.name)!,
            host: "127.0.0.1",
            ...(own && certificates),
            rejectUnauthorized: false,
            minVersion: version,
            maxVersion: version,
          });
          socket.on("secureConnect", () => {
            settled(String(socket.getProtocol()));
            socket.destroy();
          });
          socket.on("error", (error) => settled(error.message));
        });
      assertEquals(await outcome("TLSv1.3"), "TLSv1.3");
      const old = await outcome("TLSv1.2");
      assert(/version/i.test(old), old);
    });
  });
}

test("Mesh rejects a peer that states that it cannot read certificates", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const intruder = await Intruder.secure(a.name);
    intruder.send(TAG.NAME, encodeName({ ...NAME, flags: 0, nonce: randomBytes(32) }));
    assertEquals((await intruder.frame(0)).tag, TAG.REJECT);
    intruder.close();
    assertEquals(await refusedBy(a), "certificate");
  });
});

test("Mesh logs no warning when a dial is abandoned because the other side has connected", async () => {
  await withNodes(async (start) => {
    let through!: () => void;
    const gate = new Promise<void>((open) => through = open);
    let dialed = false;
    const { host, armed } = countingHost(hostWith((real) => ({
      async connect(options) {
        const stream = await real.connect(options);
        dialed = true;
        await gate;
        return stream;
      },
    })));
    const b = await start("b");
    // The host delays a's dial after TLS, before the NAME is sent.
    const a = await start("a", { seeds: [b.name] }, host);
    await until("a's dial has completed TLS", () => dialed);
    await b.mesh.connect(a.name);
    await untilWhole([a, b]);
    through();
    await until("the dial has ended", () => [...armed].every((what) => what.includes("every")));
    // If b had logged a's dial, it would have done so before this rejection.
    const intruder = await Intruder.secure(b.name);
    intruder.send(0x99);
    assertEquals(await refusedBy(b), "protocol");
    intruder.close();
    assertEquals([a.refused, warnings(a)], [[], []]);
    assertEquals([b.refused.length, warnings(b).length], [1, 1]);
    assert(agree(a, b));
    assertEquals([a.received.length, b.received.length], [1, 1]);
  });
});

test("Mesh ends the oldest handshakes of an address that has too many", async () => {
  await withNodes(async (start) => {
    const a = await start("a", {}, hostWithDelay(60_000));
    // Opens the first connection. It is as silent as the others, but has another address.
    const slow = await Intruder.secure(a.name, "127.0.0.3");
    const silent: Intruder[] = [];
    while (silent.length < UNPROVEN_MAX / 2 + 20) {
      const dial = (): Promise<Intruder> => Intruder.secure(a.name, "127.0.0.2");
      silent.push(...await Promise.all(Array.from({ length: 12 }, dial)));
    }
    const excess = silent.length - UNPROVEN_MAX / 2;
    const over = (): number => silent.filter(({ isOver }) => isOver).length;
    await until("the connections above the limit are closed", () => over() >= excess);
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    assertEquals([over(), slow.isOver], [excess, false]);
    for (const intruder of [slow, ...silent]) intruder.close();
    await until("all connections are closed", () => slow.isOver && over() === silent.length);
  });
});
