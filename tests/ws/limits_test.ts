import { assertEquals, assertThrows } from "@std/assert";
import { OptionError, type ServeOptions } from "../../lib/ws/options.ts";
import { checkOptions, tickMs } from "../../lib/ws/limits.ts";
import { test } from "../kit/test.ts";

test("checkOptions turns context takeover off by default", () => {
  const whole = { takeover: false, windowBits: 15 };
  assertEquals(checkOptions({ perMessageDeflate: true }).deflate, {
    wish: { server: whole, client: whole },
    threshold: 1024,
    level: 6,
    memLevel: 8,
  });
  const { wish } = checkOptions({
    perMessageDeflate: { serverNoContextTakeover: false, clientMaxWindowBits: 9 },
  }).deflate!;
  assertEquals(wish, {
    server: { takeover: true, windowBits: 15 },
    client: { takeover: false, windowBits: 9 },
  });
  assertEquals(checkOptions({ perMessageDeflate: false }).deflate, undefined);
});

test("checkOptions returns all defaults, in milliseconds and bytes", () => {
  assertEquals(checkOptions({}), {
    port: 0,
    payloadBytesMax: 16 * 1024 * 1024,
    backpressure: { bytesMax: 16 * 1024 * 1024, policy: "close" },
    idleMs: 30_000,
    handshakeMs: 10_000,
    bodyMs: 60_000,
    responseMs: 120_000,
    sendMs: 60_000,
    keepAliveMs: 75_000,
    requestsMax: 1000,
    closeTimeoutMs: 5_000,
    connectionsMax: 10_000,
    connectionsPerAddressMax: Number.MAX_SAFE_INTEGER,
    origins: undefined,
    trustedProxies: undefined,
    proxyProtocol: false,
    bodyBytesMax: 1024 * 1024,
    bodiesBytesMax: 256 * 1024 * 1024,
    deflate: undefined,
  });
  assertEquals(checkOptions({ idleTimeout: 0 }).idleMs, 0);
  assertEquals(checkOptions({ idleTimeout: 0.5 }).idleMs, 500);
});

/** Invalid options, each with a part of the expected error message. */
const INVALID: readonly (readonly [Record<string, unknown>, says: string])[] = [
  [{ port: -1 }, "option port is -1: use a whole number from 0 to 65535"],
  [{ port: 65536 }, "option port is 65536"],
  [{ port: 1.5 }, "option port is 1.5"],
  [{ port: "80" }, "option port is 80"],
  [{ hostname: "" }, "option hostname is empty"],
  [{ maxPayloadLength: 0 }, "option maxPayloadLength is 0: use a whole number from 1"],
  [{ maxPayloadLength: Infinity }, "option maxPayloadLength is Infinity"],
  [{ perMessageDeflate: { level: 10 } }, "perMessageDeflate.level is 10"],
  [{ perMessageDeflate: { serverMaxWindowBits: 7 } }, "a whole number from 8 to 15"],
  [{ mailbox: { max: 0, policy: "exit" } }, "option mailbox.max is 0"],
  [{ backpressureLimit: NaN }, "option backpressureLimit is NaN"],
  [{ backpressurePolicy: "wait" }, 'use "close", "drop" or "latest"'],
  [{ idleTimeout: -1 }, "option idleTimeout is -1: use a number above 0, or 0 for never"],
  [{ idleTimeout: Infinity }, "option idleTimeout is Infinity"],
  [{ handshakeTimeout: 0 }, "option handshakeTimeout is 0: use a number above 0"],
  [{ closeTimeout: -5 }, "option closeTimeout is -5"],
  [{ keepAliveTimeout: -1 }, "option keepAliveTimeout is -1"],
  [{ maxRequestsPerConnection: 0 }, "option maxRequestsPerConnection is 0"],
  [{ maxConnections: 0 }, "option maxConnections is 0"],
  [{ maxRequestBodySize: -1 }, "option maxRequestBodySize is -1: use a whole number from 0"],
  [{ tls: { cert: "x" } }, "option tls needs both cert and key"],
  [{ tls: { cert: "", key: "x" } }, "option tls needs both cert and key"],
  [{ tls: { cert: "cert.pem", key: "key.pem" } }, "option tls.cert is not PEM"],
  [{ perMessageDeflate: { treshold: 1 } }, "perMessageDeflate: there is no option"],
  [{ prot: 80 }, 'there is no option "prot": did you mean port?'],
  [{ websocket: {} }, 'there is no option "websocket": there are hostname, port'],
  [{ origins: ["example.org"] }, "write scheme, host and port only"],
  [{ origins: ["https://example.org/"] }, "write scheme, host and port only"],
  [{ origins: ["https://example.org", "https://example.org/"] }, '"https://example.org/"'],
  [{ message: "no function" }, "option message must be a function"],
  [{ fetch: {} }, "option fetch must be a function"],
];

for (const [options, says] of INVALID) {
  test(`checkOptions rejects ${JSON.stringify(options)} with an error that contains the remedy`, () => {
    const error = assertThrows(() => checkOptions(options as ServeOptions), OptionError, says);
    assertEquals((error as OptionError).code, "badoption");
  });
}

test("checkOptions accepts origins in the form that browsers send", () => {
  checkOptions({ origins: ["https://example.org", "http://127.0.0.1:8080"] });
});

test("tickMs returns a quarter of the shortest enabled timeout", () => {
  const tick = (options: ServeOptions): number => tickMs(checkOptions(options));
  assertEquals(tick({}), 1000);
  assertEquals(tick({ idleTimeout: 2 }), 500);
  assertEquals(tick({ handshakeTimeout: 400 }), 100);
  assertEquals(tick({ keepAliveTimeout: 400 }), 100);
  assertEquals(tick({ closeTimeout: 400 }), 100);
  assertEquals(tick({ closeTimeout: 1 }), 5);
  assertEquals(tick({ idleTimeout: 0, keepAliveTimeout: 0 }), 1000);
});
