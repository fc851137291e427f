/**
 * A certificate authority with its own root, for tests of certificates that the user provides
 * instead of the cluster's. It signs certificates for host names and IP addresses.
 */
import { Buffer } from "node:buffer";
import { utf8 } from "../../lib/base/bytes.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { type Authority, makeAuthority } from "../../lib/mesh/certificate.ts";
import * as der from "../../lib/mesh/der.ts";
import type { OwnTls } from "../../lib/mesh/mesh.ts";

const ED25519 = der.sequence(der.oid("1.3.101.112"));

/** Signs certificates. */
export class OwnAuthority {
  readonly #authority: Authority;

  private constructor(authority: Authority) {
    this.#authority = authority;
  }

  static async make(seed: number): Promise<OwnAuthority> {
    return new OwnAuthority(await makeAuthority(new SeededRandom(seed).bytes(32)));
  }

  /** The authority's certificate, PEM. */
  get ca(): string {
    return this.#authority.pem;
  }

  /**
   * Issues a certificate for these host names and IPv4 addresses. Returns the TLS options of a
   * node.
   */
  async issue(...hosts: string[]): Promise<OwnTls> {
    const pair = await crypto.subtle.generateKey(
      { name: "ECDSA", namedCurve: "P-256" },
      true,
      ["sign", "verify"],
    );
    const exported = async (format: "spki" | "pkcs8", key: CryptoKey): Promise<Uint8Array> =>
      new Uint8Array(await crypto.subtle.exportKey(format, key));
    const day = 24 * 60 * 60 * 1000;
    const toSign = der.sequence(
      der.explicit(0, der.integer(new Uint8Array([2]))),
      der.integer(crypto.getRandomValues(new Uint8Array(16)).fill(0x42, 0, 1)),
      ED25519,
      this.#authority.subject,
      der.sequence(der.utcTime(Date.now() - day), der.utcTime(Date.now() + day)),
      der.sequence(der.setOf(der.sequence(der.oid("2.5.4.3"), der.text("a node")))),
      await exported("spki", pair.publicKey),
      der.explicit(
        3,
        der.sequence(
          der.sequence(der.oid("2.5.29.19"), der.TRUE, der.octets(der.sequence())),
          der.sequence(der.oid("2.5.29.17"), der.octets(der.sequence(...hosts.map(alternative)))),
        ),
      ),
    );
    const signature = new Uint8Array(
      await crypto.subtle.sign("Ed25519", this.#authority.key, toSign as BufferSource),
    );
    return {
      cert: pem("CERTIFICATE", der.sequence(toSign, ED25519, der.bits(signature))),
      key: pem("PRIVATE KEY", await exported("pkcs8", pair.privateKey)),
      ca: this.ca,
    };
  }
}

/** Encodes a subject alternative name: a dNSName or an iPAddress. */
function alternative(host: string): Uint8Array {
  return /^[\d.]+$/.test(host)
    ? der.element(0x87, new Uint8Array(host.split(".").map(Number)))
    : der.element(0x82, utf8(host));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString("base64").match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
