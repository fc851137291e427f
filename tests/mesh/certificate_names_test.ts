import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { derOf, makeAuthority, makeLeaf } from "../../lib/mesh/certificate.ts";
import {
  type CertificateNames,
  certificateNames,
  checkHost,
  checkNodeUri,
  hasHost,
} from "../../lib/mesh/certificate_names.ts";
import * as der from "../../lib/mesh/der.ts";
import { test } from "../kit/test.ts";
import { OwnAuthority } from "./authority.ts";

const random = new SeededRandom(5);
const authority = await makeAuthority(random.bytes(32));
const leaf = await makeLeaf(authority, "a@127.0.0.1:9000", random.bytes(16));
const own = derOf((await (await OwnAuthority.make(1)).issue("db1.example", "10.0.0.7")).cert);

test("certificateNames reads the names of generated leaf certificates and of user certificates", () => {
  assertEquals(certificateNames(leaf.der), {
    dns: ["node.firn.internal"],
    addresses: [],
    uris: ["firn://a@127.0.0.1:9000"],
  });
  assertEquals(certificateNames(own), {
    dns: ["db1.example"],
    addresses: [new Uint8Array([10, 0, 0, 7])],
    uris: [],
  });
});

test("certificateNames returns no wrong names for truncated, modified or random certificates", () => {
  for (const whole of [leaf.der, own]) {
    for (let at = 0; at < whole.length; at++) {
      certificateNames(whole.subarray(0, at));
      for (const value of [0x00, 0x7f, 0x80, 0x84, 0xff]) {
        const changed = whole.slice();
        changed[at] = value;
        const names = certificateNames(changed);
        assert(names.dns.length + names.addresses.length + names.uris.length <= 2);
      }
    }
  }
  assertEquals(certificateNames(new Uint8Array()), { dns: [], addresses: [], uris: [] });
});

test("children stops at a length that exceeds the remaining bytes or has more than 3 bytes", () => {
  assertEquals(der.children(Uint8Array.fromHex("020101040200")).map(({ tag }) => tag), [2]);
  assertEquals(der.children(Uint8Array.fromHex("0484000000010a")), []);
  assertEquals(der.children(Uint8Array.fromHex("0480")), []);
  assertEquals(der.children(Uint8Array.fromHex("048101")), []);
  const [only] = der.children(Uint8Array.fromHex("0481020a0b"));
  assertEquals([only!.body.toHex(), only!.whole.toHex()], ["0a0b", "0481020a0b"]);
});

test("checkNodeUri accepts only a certificate with the dialed name", () => {
  assertEquals(checkNodeUri("a@127.0.0.1:9000", leaf.der), undefined);
  for (const name of ["b@127.0.0.1:9000", "a@127.0.0.1:900", "a@127.0.0.1:90000"]) {
    const failure = checkNodeUri(name, leaf.der)!;
    assertEquals(failure.reason, "wrongnode");
    assertEquals(failure.words, `a@127.0.0.1:9000 answered where ${name} was dialed`);
  }
  assertEquals(checkNodeUri("a@127.0.0.1:9000", own)!.reason, "wrongnode");
});

test("checkHost accepts only nodes on the host named in the certificate", () => {
  assertEquals(checkHost("x@db1.example:1", own), undefined);
  assertEquals(checkHost("x@10.0.0.7:1", own), undefined);
  for (const host of ["db2.example", "10.0.0.8", "xdb1.example", "db1.example.org"]) {
    assertEquals(checkHost(`x@${host}:1`, own)!.reason, "certificate", host);
  }
});

test("hasHost compares names as RFC 6125 specifies, and addresses in any notation", () => {
  const names: CertificateNames = {
    dns: ["exact.example", "*.wild.example", "*.com", "127.0.0.1", "f*.part.example"],
    addresses: [
      new Uint8Array([10, 0, 0, 7]),
      new Uint8Array(16).fill(0xfd, 0, 1).fill(7, 15),
    ],
    uris: [],
  };
  const yes = ["exact.example", "EXACT.example", "exact.example.", "a.wild.example", "10.0.0.7"];
  const no = ["a.b.wild.example", "wild.example", "a.com", "127.0.0.1", "foo.part.example", ""];
  for (const host of [...yes, "fd00::7", "FD00:0:0:0:0:0:0:7", "fd00::0007"]) {
    assert(hasHost(names, host), host);
  }
  for (const host of [...no, "10.0.0.70", "fd00::8", "::", "fd00::7::", "1.2.3.999"]) {
    assert(!hasHost(names, host), host);
  }
});
