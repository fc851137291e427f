/**
 * Tests a man in the middle between two nodes: it relays every byte from one TLS session into
 * another, with a certificate signed by an authority that the process trusts, or with the stolen
 * certificate of a node, but without the cookie. Both nodes must reject it, on each runtime and
 * mixed.
 */
import { assert, assertEquals } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { makeAuthority, makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { testKeys } from "../kit/keys.ts";
import { freePort } from "../kit/mesh.ts";
import { type NodeProcess, PAIRS, withNodes } from "../kit/process.ts";
import { test } from "../kit/test.ts";
import { OwnAuthority } from "../mesh/authority.ts";
import { type MiddleTls, startMiddle } from "../mesh/intruder.ts";

/**
 * Runs `body`. The processes that it starts trust an additional authority, as behind a TLS proxy.
 */
async function withTrusted(authority: OwnAuthority, body: () => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "firn-relay-"));
  const file = join(folder, "authority.pem");
  const names = ["DENO_CERT", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"];
  const before = names.map((name) => process.env[name]);
  try {
    await writeFile(file, authority.ca);
    for (const name of names) process.env[name] = file;
    await body();
  } finally {
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
    await rm(folder, { recursive: true });
  }
}

/** Asserts that `a`, which dials `b` through the man in the middle, rejects it. */
async function assertRejected(a: NodeProcess, b: NodeProcess, code: RegExp): Promise<void> {
  const outcome = await a.ask<string>("connect", { name: b.name });
  assert(code.test(outcome), outcome);
  assertEquals([await a.ask("peers"), await b.ask("peers")], [[], []]);
  assertEquals([a.count("nodeup"), b.count("nodeup")], [0, 0]);
}

for (const [one, other] of PAIRS) {
  const between = `a node (${one}) and a node (${other})`;

  const relayed = async (
    leaf: (name: string) => Promise<MiddleTls>,
    code: RegExp,
  ): Promise<void> => {
    const target = await freePort();
    const port = await freePort();
    const name = `b@127.0.0.1:${port}`;
    const middle = await startMiddle(target, await leaf(name), port);
    try {
      await withNodes(async (start) => {
        const b = await start(other, "b", {
          name,
          listen: { hostname: "127.0.0.1", port: target },
        });
        const a = await start(one, "a");
        await assertRejected(a, b, code);
      });
    } finally {
      await middle.close();
    }
  };

  test(`a relay between ${between} is rejected with a certificate of another trusted authority`, async () => {
    const authority = await OwnAuthority.make(71);
    await withTrusted(
      authority,
      () => relayed(() => authority.issue(SERVER_NAME, "127.0.0.1"), /^untrusted$/),
    );
  });

  test(`a relay between ${between} is rejected with a stolen certificate of a third node`, async () => {
    const { authority } = await testKeys();
    await relayed(
      () => makeLeaf(authority, "web7@127.0.0.1:1", randomBytes(16)),
      /^wrongnode$/,
    );
  });

  test(`a relay between ${between} is rejected with an earlier certificate of the dialed node`, async () => {
    const { authority } = await testKeys();
    await relayed((name) => makeLeaf(authority, name, randomBytes(16)), /^cookie$/);
  });

  test(`a relay between ${between} is rejected with a certificate of another cluster's authority`, async () => {
    const authority = await makeAuthority(randomBytes(32));
    await relayed(
      (name) => makeLeaf(authority, name, randomBytes(16)),
      /^untrusted$/,
    );
  });
}
