import { assert, assertEquals } from "@std/assert";
import type { Clock } from "../../lib/base/clock.ts";
import { refusalWords, Rejections } from "../../lib/mesh/rejections.ts";
import { test } from "../kit/test.ts";

/** Returns a clock that is set by hand. */
function clockAt(time: { now: number }): Clock {
  const timer = { cancel() {} };
  return { now: () => time.now, wall: () => 0, after: () => timer, every: () => timer };
}

test("Rejections reports the same reason for the same host once a minute", () => {
  const time = { now: 5 };
  const refusals = new Rejections(clockAt(time));
  assert(refusals.isDue("h", "cookie"));
  for (time.now of [5, 6, 60_004.9]) assertEquals(refusals.isDue("h", "cookie"), false);
  time.now = 60_005;
  assert(refusals.isDue("h", "cookie"));
  assertEquals(refusals.isDue("h", "cookie"), false);
});

test("Rejections reports a different reason or host at once", () => {
  const refusals = new Rejections(clockAt({ now: 0 }));
  for (const host of ["h", "i"]) {
    for (const reason of ["cookie", "timeout"]) assert(refusals.isDue(host, reason));
  }
  assertEquals(refusals.isDue("i", "cookie"), false);
});

test("Rejections records a bounded number of hosts", () => {
  const refusals = new Rejections(clockAt({ now: 0 }));
  for (let i = 0; i < 1024; i++) assert(refusals.isDue(`h${i}`, "cookie"));
  assertEquals(refusals.isDue("h0", "cookie"), false);
  // The table was cleared, so the first host is reported again.
  assert(refusals.isDue("h1024", "cookie"));
  assert(refusals.isDue("h0", "cookie"));
});

/** The messages of the runtimes, and the reasons that they mean. */
const WORDS: readonly (readonly [message: string, reason: string])[] = [
  ["TLS handshake timeout", "timeout"],
  ["received fatal alert: UnknownCA", "cookie"],
  ["received fatal alert: BadCertificate", "cookie"],
  ["tlsv1 alert unknown ca", "cookie"],
  ["error:0A000418:SSL routines::tlsv1 alert unknown ca", "cookie"],
  ["received fatal alert: CertificateUnknown", "cookie"],
  ["CERT_NOT_YET_VALID", "untrusted"],
  ["invalid peer certificate: certificate expired", "untrusted"],
  ["no certificate", "untrusted"],
  ["peer sent no certificates", "untrusted"],
  ["invalid peer certificate: UnknownIssuer", "untrusted"],
  ["received corrupt message of type InvalidContentType", "protocol"],
  ["wrong version number", "protocol"],
  ["error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "protocol"],
  ["error:0A00009C:SSL routines::http request", "protocol"],
  ["it hung up during the TLS handshake", "broken"],
  ["Client network socket disconnected before secure TLS connection was established", "broken"],
  ["read ECONNRESET", "broken"],
  ["something new", "tls"],
  ["", "tls"],
];

test("refusalWords maps the TLS errors of both runtimes to the same text", () => {
  for (const [message, reason] of WORDS) {
    const refusal = refusalWords(message);
    assertEquals(refusal.reason, reason, message);
    assert(refusal.words.length > 0);
  }
  assert(refusalWords("CERT_HAS_EXPIRED").words.includes("clock"));
  assertEquals(refusalWords("something new").words, "TLS failed: something new");
});

test("Rejections.isDue returns true once for the TLS alert and the hang-up of one client", () => {
  const rejections = new Rejections(clockAt({ now: 0 }));
  assertEquals(rejections.isDue("10.0.0.1", "cookie"), true);
  assertEquals(rejections.isDue("10.0.0.1", "broken"), false);
  assertEquals(rejections.isDue("10.0.0.1", "protocol"), true);
});
