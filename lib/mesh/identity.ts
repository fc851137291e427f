/**
 * Derives keys from the cookie: the cluster's authority, the same on every node, and the key of
 * proofs.
 *
 *     cookie ─scrypt─▶ root ─HKDF "authority"─▶ Ed25519 seed ─▶ the cluster's authority ─signs─▶ leaf
 *                       └────HKDF "proof"─────▶ the key of the proofs in the handshake
 *
 * scrypt (RFC 7914) runs once per cookie, with 64 MiB of memory for 0.2 s, which is the cost of
 * each guess.
 *
 * @module
 */
import { scrypt } from "node:crypto";
import { utf8 } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { type Authority, type Leaf, makeAuthority } from "./certificate.ts";

/** Parameters of scrypt: cost, block size and parallelism. It uses 128 × N × r bytes of memory. */
const SCRYPT = { N: 65_536, r: 8, p: 1, maxmem: 2 * 128 * 65_536 * 8 };

/**
 * The salt of scrypt. It is public and constant, so that a cookie has the same keys on every node.
 */
const SALT = utf8("firn cluster identity 2");

/** The keys derived from a cookie. */
export interface ClusterKeys {
  readonly authority: Authority;
  /** The key of the proofs in the handshake, 32 bytes. */
  readonly proofKey: Uint8Array;
  /**
   * Creates the node's certificate in simulations, which have no TLS and therefore no authority.
   */
  readonly leaf?: ((nodeName: string) => Leaf) | undefined;
}

/** Derives the keys of a cookie, the same on every node and runtime. */
export async function deriveKeys(cookie: string): Promise<ClusterKeys> {
  return await keysOf(
    await new Promise<Uint8Array>((derived, fail) =>
      scrypt(utf8(cookie), SALT, 32, SCRYPT, (error, key) => error ? fail(error) : derived(key))
    ),
  );
}

/** Returns the keys of a root, the result of scrypt: 32 bytes. */
export async function keysOf(root: Uint8Array): Promise<ClusterKeys> {
  const key = await crypto.subtle.importKey("raw", new Uint8Array(root), "HKDF", false, [
    "deriveBits",
  ]);
  const expand = async (info: string): Promise<Uint8Array> =>
    new Uint8Array(
      await crypto.subtle.deriveBits(
        {
          name: "HKDF",
          hash: "SHA-256",
          salt: new Uint8Array(0),
          info: utf8(info) as BufferSource,
        },
        key,
        256,
      ),
    );
  return {
    authority: await makeAuthority(await expand("firn authority")),
    proofKey: await expand("firn proof"),
  };
}

/** Returns a new creation, which distinguishes the incarnations of a node. Never 0. */
export function makeCreation(random: Random): number {
  const bytes = random.bytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) || 1;
}
