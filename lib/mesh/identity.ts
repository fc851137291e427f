/**
 * Who a node is: from a cookie to an authority that every node of the cluster derives alike, and to
 * this node's own certificate.
 *
 *     cookie ─PBKDF2─▶ root ─HKDF "authority"─▶ Ed25519 seed ─▶ the cluster's authority ─signs─▶ leaf
 *                       └────HKDF "proof"─────▶ the key of the proofs in the handshake
 *
 * PBKDF2 runs once, at start, and takes some tenths of a second: it is what a guess costs.
 *
 * @module
 */
import { utf8 } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { type Authority, type Leaf, makeAuthority } from "./certificate.ts";

/** Rounds of PBKDF2-HMAC-SHA256. */
const ROUNDS = 600_000;

/** Public and fixed: the same cookie must give the same keys on every node. */
const SALT = utf8("firn cluster identity 1");

/** What a cookie gives. */
export interface ClusterKeys {
  readonly authority: Authority;
  /** The key of the proofs in the handshake, 32 bytes. */
  readonly proofKey: Uint8Array;
  /** Makes a node's certificate in place of the authority: in simulations, whose channel is no TLS. */
  readonly leaf?: ((nodeName: string) => Leaf) | undefined;
}

/** The keys of a cookie: the same on every node and runtime. */
export async function deriveKeys(cookie: string): Promise<ClusterKeys> {
  const secret = await importKey(utf8(cookie), "PBKDF2");
  const root = await crypto.subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-256", salt: SALT as BufferSource, iterations: ROUNDS },
    secret,
    256,
  );
  const key = await importKey(new Uint8Array(root), "HKDF");
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

/** A fresh creation: tells this life of a node from its earlier and later ones. Never 0. */
export function makeCreation(random: Random): number {
  const bytes = random.bytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) || 1;
}

function importKey(bytes: Uint8Array, algorithm: "PBKDF2" | "HKDF"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes as BufferSource, algorithm, false, ["deriveBits"]);
}
