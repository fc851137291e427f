/**
 * Creates X.509 certificates (RFC 5280): the certificate of the cluster's authority, and the leaf
 * certificates of nodes. They are encoded here because neither runtime can create certificates.
 *
 *     authority   Ed25519, derived from the cookie only: the same on every node
 *        └─ leaf  P-256, a new one at every start of a node and once a day
 *
 * @module
 */
import { concat, utf8 } from "../base/bytes.ts";
import { nodeUri } from "./certificate_names.ts";
import * as der from "./der.ts";

/**
 * The only host name in every leaf, regardless of the node's address. Public authorities cannot
 * issue certificates for it.
 */
export const SERVER_NAME = "node.firn.internal";

/**
 * The validity of every certificate: from 1970 to 9999, so that nodes with wrong clocks can
 * connect. A shorter time would not increase security: a node is admitted by its proof in the
 * handshake, which covers the responder's current leaf.
 */
const VALIDITY: Uint8Array = der.sequence(
  der.utcTime(Date.UTC(1970, 0, 1)),
  der.generalizedTime(Date.UTC(9999, 11, 31, 23, 59, 59)),
);

/** Interval at which a running node creates a new leaf with a new key, in milliseconds. */
export const LEAF_RENEW_MS: number = 24 * 60 * 60 * 1000;

const ED25519 = der.sequence(der.oid("1.3.101.112"));

/** The certificate authority of a cluster. */
export interface Authority {
  /** The certificate of the authority, as PEM. */
  readonly pem: string;
  /** The subject of the certificate, as DER. It is the issuer of the leaves. */
  readonly subject: Uint8Array;
  /** The key identifier of the authority, to which its leaves refer. */
  readonly keyId: Uint8Array;
  readonly key: CryptoKey;
}

/** A node's certificate and its private key. */
export interface Leaf {
  readonly cert: string;
  readonly key: string;
  /** The certificate in DER, as TLS sends it. */
  readonly der: Uint8Array;
}

/**
 * Derives the authority from a 32-byte seed. The same seed results in the same certificate, byte
 * for byte.
 */
export async function makeAuthority(seed: Uint8Array): Promise<Authority> {
  const pkcs8 = concat([
    der.sequence(der.integer(new Uint8Array([0])), ED25519, der.octets(der.octets(seed))),
  ]);
  const readable = await crypto.subtle.importKey("pkcs8", buffer(pkcs8), "Ed25519", true, ["sign"]);
  const { x } = await crypto.subtle.exportKey("jwk", readable);
  const key = await crypto.subtle.importKey("pkcs8", buffer(pkcs8), "Ed25519", false, ["sign"]);
  const publicKey = fromBase64(x!.replaceAll("-", "+").replaceAll("_", "/"));
  const keyId = (await sha256(publicKey)).subarray(0, 20);
  // The name contains a hash, so that a certificate for another cookie is reported as "unknown
  // issuer" instead of "bad signature".
  const subject = commonName(`firn cluster ${hex(keyId.subarray(0, 4))}`);
  const certificate = await sign(key, {
    serial: new Uint8Array([1]),
    issuer: subject,
    subject,
    publicKey: der.sequence(ED25519, der.bits(publicKey)),
    extensions: [
      // Basic constraints: a CA that cannot sign other CAs.
      extension("2.5.29.19", true, der.sequence(der.TRUE, der.integer(new Uint8Array([0])))),
      extension("2.5.29.15", true, der.bits(new Uint8Array([0x04]), 2)), // keyCertSign
      extension("2.5.29.14", false, der.octets(keyId)),
    ],
  });
  return { pem: pem("CERTIFICATE", certificate), subject, keyId, key };
}

/** Creates a new leaf for the node `nodeName`. `serial` is 16 random bytes. */
export async function makeLeaf(
  authority: Authority,
  nodeName: string,
  serial: Uint8Array,
): Promise<Leaf> {
  const pair = await crypto.subtle.generateKey(
    { name: "ECDSA", namedCurve: "P-256" },
    true,
    ["sign", "verify"],
  );
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const privateKey = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const certificate = await sign(authority.key, {
    serial: serial.map((byte, i) => i === 0 ? byte & 0x7f | 0x40 : byte),
    issuer: authority.subject,
    subject: commonName("firn node"),
    publicKey,
    extensions: [
      extension("2.5.29.19", true, der.sequence()),
      extension("2.5.29.15", true, der.bits(new Uint8Array([0x80]), 7)), // digitalSignature
      extension(
        "2.5.29.37",
        false,
        der.sequence(der.oid("1.3.6.1.5.5.7.3.1"), der.oid("1.3.6.1.5.5.7.3.2")),
      ), // serverAuth, clientAuth
      extension(
        "2.5.29.17",
        false,
        der.sequence(
          der.element(0x82, utf8(SERVER_NAME)),
          der.element(0x86, utf8(nodeUri(nodeName))),
        ),
      ),
      extension("2.5.29.35", false, der.sequence(der.element(0x80, authority.keyId))),
    ],
  });
  return {
    cert: pem("CERTIFICATE", certificate),
    key: pem("PRIVATE KEY", privateKey),
    der: certificate,
  };
}

/**
 * Returns a certificate that contains only names, without key and signature. Simulated nodes
 * present it, because the simulated network has no TLS. The PEM text is followed by the issuer,
 * which clients compare.
 */
export function makeSimulatedLeaf(nodeName: string, issuer: string): Leaf {
  const names = der.sequence(der.element(0x86, utf8(nodeUri(nodeName))));
  const certificate = der.sequence(
    der.sequence(der.explicit(3, der.sequence(extension("2.5.29.17", false, names)))),
  );
  return { cert: pem("CERTIFICATE", certificate) + issuer, key: "", der: certificate };
}

/** Returns the DER bytes of the first certificate in a PEM text. */
export function derOf(text: string): Uint8Array {
  const body = /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/.exec(text)?.[1];
  return fromBase64((body ?? "").replace(/\s/g, ""));
}

interface Fields {
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly extensions: readonly Uint8Array[];
}

async function sign(key: CryptoKey, fields: Fields): Promise<Uint8Array> {
  const toSign = der.sequence(
    der.explicit(0, der.integer(new Uint8Array([2]))), // version 3
    der.integer(fields.serial),
    ED25519,
    fields.issuer,
    VALIDITY,
    fields.subject,
    fields.publicKey,
    der.explicit(3, der.sequence(...fields.extensions)),
  );
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", key, buffer(toSign)));
  return der.sequence(toSign, ED25519, der.bits(signature));
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  const parts = critical ? [der.TRUE] : [];
  return der.sequence(der.oid(id), ...parts, der.octets(value));
}

function commonName(name: string): Uint8Array {
  return der.sequence(der.setOf(der.sequence(der.oid("2.5.4.3"), der.text(name))));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = btoa(String.fromCharCode(...bytes)).match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", buffer(bytes)));
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Returns `bytes` with the type that WebCrypto requires: bytes that are not in shared memory. The
 * bytes in this file never are.
 */
function buffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
