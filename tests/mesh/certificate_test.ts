import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { SeededRandom } from "../../lib/base/random.ts";
import { derOf, makeAuthority, makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { test } from "../kit/test.ts";

/** Every certificate is valid from 1970, so that a node whose clock is wrong accepts it. */
const FROM = Date.UTC(1970, 0, 1);
const UNTIL = Date.UTC(9999, 11, 31, 23, 59, 59);
const NAME = "alpha@[fd00::7]:9000";

/** The bytes from 00 to 1f. */
const SEED = new Uint8Array(32).map((_, i) => i);

const random = new SeededRandom(11);
const authority = await makeAuthority(SEED);
const leaf = await makeLeaf(authority, NAME, random.bytes(16));

test("makeAuthority derives the same certificate bytes from a seed on every runtime", async () => {
  const digest = createHash("sha256").update(authority.pem).digest("hex");
  assertEquals(digest, "b5fbac30fdf83adf1e001f03ad29334de6ef3b240827c768cd65e1fd370f6f24");
  assertEquals((await makeAuthority(SEED)).pem, authority.pem);
  const other = await makeAuthority(SEED.with(31, 0));
  assertNotEquals(other.pem, authority.pem);
  assertNotEquals(other.subject.toHex(), authority.subject.toHex());
  assertNotEquals(other.keyId.toHex(), authority.keyId.toHex());
});

test("makeAuthority creates a self-signed Ed25519 root that never expires", () => {
  const cert = new X509Certificate(authority.pem);
  assertEquals(cert.subject, "CN=firn cluster 56475aa7");
  assertEquals(cert.issuer, cert.subject);
  assertEquals(cert.ca, true);
  assertEquals(Number(cert.serialNumber), 1);
  assert(cert.verify(cert.publicKey));
  assertEquals(cert.publicKey.asymmetricKeyType, "ed25519");
  // The public key that belongs to the seed, computed independently.
  const x = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg";
  assertEquals(cert.publicKey.export({ format: "jwk" }).x, x);
  assertEquals(Date.parse(cert.validFrom), FROM);
  assertEquals(Date.parse(cert.validTo), UNTIL);
});

test("makeAuthority returns a key that cannot be exported", () => {
  assertEquals(authority.key.extractable, false);
  assertEquals(authority.key.usages, ["sign"]);
});

test("makeLeaf creates a certificate that only the key of its authority verifies", async () => {
  const cert = new X509Certificate(leaf.cert);
  const root = new X509Certificate(authority.pem);
  assertEquals(cert.issuer, root.subject);
  assert(cert.verify(root.publicKey));
  const other = new X509Certificate((await makeAuthority(SEED.with(0, 1))).pem);
  assertEquals(cert.verify(other.publicKey), false);
});

test("makeLeaf creates a certificate with the server name, the node URI and both TLS usages", () => {
  const cert = new X509Certificate(leaf.cert);
  assertEquals(cert.subject, "CN=firn node");
  assertEquals(cert.ca, false);
  assertEquals(cert.subjectAltName, `DNS:${SERVER_NAME}, URI:firn://${NAME}`);
  assertEquals(cert.checkHost(SERVER_NAME), SERVER_NAME);
  assertEquals(cert.checkHost("localhost"), undefined);
  assertEquals(cert.checkIP("127.0.0.1"), undefined);
  // Checks each extension in its expected encoding: keyUsage (critical), then extendedKeyUsage with
  // serverAuth and clientAuth.
  for (
    const extension of [
      "0603551d0f0101ff040403020780",
      "0603551d250416301406082b0601050507030106082b06010505070302",
      `0603551d23041830168014${authority.keyId.toHex()}`,
    ]
  ) assertStringIncludes(leaf.der.toHex(), extension);
});

test("makeLeaf creates a certificate that is valid at any time", () => {
  const cert = new X509Certificate(leaf.cert);
  assertEquals(Date.parse(cert.validFrom), FROM);
  assertEquals(Date.parse(cert.validTo), UNTIL);
});

test("makeLeaf creates a new P-256 key for each certificate", async () => {
  const cert = new X509Certificate(leaf.cert);
  const key = createPrivateKey(leaf.key);
  assertEquals(cert.publicKey.asymmetricKeyType, "ec");
  assertEquals(cert.publicKey.export({ format: "jwk" }).crv, "P-256");
  const derived = createPublicKey(key).export({ type: "spki", format: "pem" });
  assertEquals(derived, cert.publicKey.export({ type: "spki", format: "pem" }));
  const again = await makeLeaf(authority, NAME, random.bytes(16));
  assertNotEquals(again.key, leaf.key);
  const serial = new X509Certificate(again.cert).serialNumber;
  assertNotEquals(serial, cert.serialNumber);
});

test("makeLeaf creates a positive 16-byte serial number from any random bytes", async () => {
  for (const byte of [0x00, 0x3f, 0x80, 0xff]) {
    const made = await makeLeaf(authority, NAME, new Uint8Array(16).fill(byte));
    const serial = new X509Certificate(made.cert).serialNumber;
    assertMatch(serial, /^[4-7][0-9A-F]{31}$/);
  }
});

test("derOf returns the bytes of the first certificate, with any line endings", () => {
  assertEquals(derOf(leaf.cert), leaf.der);
  assertEquals(derOf(leaf.cert.replaceAll("\n", "\r\n")), leaf.der);
  assertEquals(derOf(`# a comment\n${leaf.cert}${authority.pem}`), leaf.der);
  assertEquals(new Uint8Array(new X509Certificate(leaf.cert).raw), leaf.der);
});
