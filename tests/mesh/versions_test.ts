/**
 * Tests a mesh of nodes of different versions: newer peers, with fields, features and messages that
 * this version does not know, and older peers, without optional features.
 * `lib/guides/rolling_upgrades.md` has the rules. The proofs are computed here independently, by a
 * second implementation of the handshake.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { concat, Reader, utf8, Writer } from "../../lib/base/bytes.ts";
import type { Listener } from "../../lib/host/host.ts";
import { makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import {
  coveredByChallenge,
  encodeChallenge,
  encodeList,
  encodeName,
  encodeReject,
  encodeReply,
  FLAG_READS_CERTIFICATE,
  TAG,
} from "../../lib/mesh/message.ts";
import { parseName } from "../../lib/mesh/name.ts";
import { makeHost } from "../kit/host.ts";
import { testKeys } from "../kit/keys.ts";
import { freePort, type TestNode, warnings, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { Raw } from "./wire.ts";

/** The values that a version sends in its handshake. */
interface Version {
  readonly version: number;
  readonly features: number;
  /** The unknown fields that it appends to each message. */
  readonly tail: Uint8Array;
}

const NEWER: Version = { version: 7, features: 0xffff_ffff, tail: utf8("fields of the future") };
const OLDER: Version = { version: 1, features: 0, tail: new Uint8Array(0) };

function transcriptOf(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash("sha256").update("firn handshake 1");
  for (const part of parts) {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, part.length, true);
    hash.update(length).update(part);
  }
  return hash.digest();
}

function prove(key: Uint8Array, role: string, transcript: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update(role).update(transcript).digest();
}

/** Dials a node as a peer of another version, up to the ACK. */
async function dialAs({ version, features, tail }: Version, name: string, target: string) {
  const { authority, proofKey } = await testKeys();
  const { hostname, port } = parseName(target)!;
  const tls = { ca: authority.pem, serverName: SERVER_NAME };
  const raw = new Raw(await makeHost().connect({ hostname, port, tls, timeoutMs: 5000 }));
  const nonce = new Uint8Array(randomBytes(32));
  const flags = FLAG_READS_CERTIFICATE | (version > 1 ? 0xf0 : 0);
  const hello = concat([
    encodeName({ name, creation: 5, version, features, flags, nonce }),
    tail,
  ]);
  raw.send(TAG.NAME, hello);
  await until("the node has answered", () => raw.frames.length > 0 || raw.isOver);
  const challenge = raw.frames[0]!;
  assertEquals(challenge.tag, TAG.CHALLENGE);
  const transcript = transcriptOf(
    hello,
    coveredByChallenge(challenge.body),
    raw.stream.peerCertificate!,
  );
  const proof = prove(proofKey, "dialler", transcript);
  raw.send(
    TAG.REPLY,
    concat([encodeReply(proof, { lastSession: 0n, exposed: ["f"], startedAt: 0 }), tail]),
  );
  await until(
    "the session is open",
    () => raw.frames.some(({ tag }) => tag === TAG.ACK) || raw.isOver,
  );
  return raw;
}

/** Listens as a peer of another version. */
async function listenAs(
  { features, tail }: Version,
  body: (name: string, peers: Raw[]) => unknown,
) {
  const host = makeHost();
  const { authority, proofKey } = await testKeys();
  const port = await freePort();
  const name = `other@127.0.0.1:${port}`;
  const leaf = await makeLeaf(authority, name, new Uint8Array(randomBytes(16)));
  const peers: Raw[] = [];
  const listener: Listener = await host.listen({
    hostname: "127.0.0.1",
    port,
    tls: { cert: leaf.cert, key: leaf.key },
  }, async (stream) => {
    const raw = new Raw(stream);
    peers.push(raw);
    await until("NAME", () => raw.frames.length > 0 || raw.isOver);
    if (raw.isOver) return;
    // The responder selects the lower of the two versions.
    const nonce = new Uint8Array(randomBytes(32));
    const fields = encodeChallenge({ name, creation: 9, version: 1, features, nonce });
    const covered = concat([fields, tail]);
    const proof = prove(
      proofKey,
      "acceptor",
      transcriptOf(raw.frames[0]!.body, covered, leaf.der),
    );
    raw.send(TAG.CHALLENGE, concat([fields, proof, tail]));
    await until("REPLY", () => raw.frames.length > 1 || raw.isOver);
    if (!raw.isOver) raw.send(TAG.ACK, concat([encodeList(["g"]), tail]));
  });
  try {
    await body(name, peers);
  } finally {
    for (const raw of peers) raw.stream.abort();
    await listener.close();
  }
}

async function pongs(raw: Raw, node: TestNode): Promise<void> {
  const before = raw.tags.filter((tag) => tag === TAG.PONG).length;
  raw.send(TAG.PING, new Uint8Array(8));
  await until(
    "the session answers",
    () => raw.tags.filter((tag) => tag === TAG.PONG).length > before || raw.isOver,
  );
  assert(!raw.isOver, `the session is over: ${warnings(node)}`);
}

/** Sends messages that this version does not know, or knows with fewer fields. */
function sendFuture(raw: Raw, tail: Uint8Array): void {
  const known = new Set<number>(Object.values(TAG));
  for (let tag = 0x20; tag <= 0xff; tag++) {
    if (!known.has(tag)) raw.send(tag, new Uint8Array(randomBytes(tag)));
  }
  raw.send(TAG.PEER_LIST, concat([encodeList([]), tail]));
  raw.send(TAG.EXPOSED, concat([new Writer(8).u8(1).u16(1).text16("h").done(), tail]));
  raw.send(TAG.CLOCK, concat([new Writer(8).u64(BigInt(Date.now())).done(), tail]));
  // Sends a SPAWNED with an unassigned status.
  raw.send(TAG.SPAWNED, new Writer(32).u64(99n).u8(200).u64(0n).done());
}

test("Mesh accepts a newer peer that dials, and skips its unknown fields, features and messages", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const raw = await dialAs(NEWER, "newer@127.0.0.1:1", a.name);
    assertEquals(a.mesh.peers(), ["newer@127.0.0.1:1"]);
    const { met } = a.mesh.session("newer@127.0.0.1:1")!;
    assertEquals([met.version, met.exposed], [1, ["f"]]);
    sendFuture(raw, NEWER.tail);
    await pongs(raw, a);
    assertEquals(a.mesh.exposedBy("newer@127.0.0.1:1"), ["f", "h"]);
    // An unassigned reason is read as an orderly stop.
    raw.send(TAG.GOODBYE, new Uint8Array([77, 1, 2, 3]));
    await until("the session has ended", () => a.mesh.peers().length === 0);
    assertEquals(a.received.at(-1), "down newer@127.0.0.1:1 shutdown");
    assertEquals(warnings(a), []);
    raw.stream.abort();
  });
});

test("Mesh connects to a newer peer, whose proof covers unknown fields", async () => {
  await withNodes(async (start) => {
    await listenAs(NEWER, async (name, peers) => {
      const a = await start("a");
      await a.mesh.connect(name);
      const raw = peers[0]!;
      assertEquals(a.mesh.exposedBy(name), ["g"]);
      sendFuture(raw, NEWER.tail);
      await pongs(raw, a);
      assertEquals(warnings(a), []);
    });
  });
});

test('Mesh.connect rejects with "version" without a common version, and with "protocol" for an unknown reason', async () => {
  await withNodes(async (start) => {
    const rejects: readonly (readonly [Uint8Array, string])[] = [
      [encodeReject("version", "it speaks version 1, we speak 7"), "version"],
      [new Writer(16).u8(250).text16("a reason of the future").done(), "protocol"],
    ];
    for (const [reject, code] of rejects) {
      const host = makeHost();
      const { authority } = await testKeys();
      const port = await freePort();
      const name = `other@127.0.0.1:${port}`;
      const leaf = await makeLeaf(authority, name, new Uint8Array(randomBytes(16)));
      const listener = await host.listen(
        { hostname: "127.0.0.1", port, tls: { cert: leaf.cert, key: leaf.key } },
        (stream) => new Raw(stream).send(TAG.REJECT, reject),
      );
      const a: TestNode = await start("a");
      const error = await assertRejects(() => a.mesh.connect(name), NodeConnectError);
      assertEquals(error.code, code);
      await listener.close();
    }
  });
});

test("Mesh uses no features that an older peer lacks", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const raw = await dialAs(OLDER, "older@127.0.0.1:1", a.name);
    assertEquals(a.mesh.session("older@127.0.0.1:1")!.met.features, 0);
    // The peer completes its list of names, and registers a name with the longer message of its
    // version.
    raw.send(TAG.GLOBAL_SYNC, new Writer(4).u32(0).done());
    const row = new Writer(64).text16("theirs").u64(3n).text16("older@127.0.0.1:1");
    raw.send(TAG.GLOBAL_REGISTER, row.u64(BigInt(Date.now()) * 1000n).u64(8n).done());
    await until("the registration is answered", () => raw.tags.includes(TAG.GLOBAL_REGISTERED));
    const answer = raw.frames.find(({ tag }) => tag === TAG.GLOBAL_REGISTERED)!;
    const reader = new Reader(answer.body);
    assertEquals([reader.u64(), reader.u8()], [8n, 0]);
    assertEquals(a.global.whereis("theirs")?.node, "older@127.0.0.1:1");

    const pid = a.system.spawn(undefined, undefined, () => () => {}, []);
    const registering = a.global.register("ours", pid);
    await until(
      "the peer has received a registration",
      () => raw.tags.includes(TAG.GLOBAL_REGISTER),
    );
    const asked = new Reader(raw.frames.find(({ tag }) => tag === TAG.GLOBAL_REGISTER)!.body);
    assertEquals(asked.text(asked.u16()), "ours");
    asked.u64();
    asked.text(asked.u16());
    asked.u64();
    raw.send(TAG.GLOBAL_REGISTERED, new Writer(16).u64(asked.u64()).u8(0).text16("").done());
    assertEquals(await registering, true);
    // An older peer receives all broadcasts, but no announcements of rooms.
    a.rooms.join("a room of a", { sendShared() {} });
    a.rooms.broadcast("a room without members", "x");
    await until("the broadcast has arrived", () => raw.tags.includes(TAG.ROOM_BROADCAST));
    assertEquals(await a.rooms.announced(), { missing: [] });
    await pongs(raw, a);
    assert(!raw.tags.includes(TAG.ROOM_INTEREST));
    assertEquals(warnings(a), []);
    raw.stream.abort();
  });
});
