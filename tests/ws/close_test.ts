import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  buildClose,
  checkCloseCode,
  CloseCodeError,
  isWireCode,
  parseClose,
} from "../../lib/ws/close.ts";
import { closePayload, hex, toHex } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";

/** Ranges of close codes, and whether they may be received and sent. */
const CODES: readonly (readonly [from: number, to: number, received: boolean, sent: boolean])[] = [
  [0, 999, false, false],
  [1000, 1003, true, true],
  [1004, 1006, false, false],
  [1007, 1009, true, true],
  [1010, 1010, true, false],
  [1011, 1014, true, true],
  [1015, 2999, false, false],
  [3000, 4999, true, true],
  [5000, 5100, false, false],
  [65535, 65535, false, false],
];

test("isWireCode and checkCloseCode accept the codes that RFC 6455 and IANA allow", () => {
  for (const [from, to, received, sent] of CODES) {
    for (let code = from; code <= to; code++) {
      assertEquals(isWireCode(code), received, `received ${code}`);
      const refused = ((): unknown => {
        try {
          checkCloseCode(code);
        } catch (error) {
          return error;
        }
        return undefined;
      })();
      assertEquals(refused === undefined, sent, `sent ${code}`);
      if (refused !== undefined) assertInstanceOf(refused, CloseCodeError);
    }
  }
});

test("checkCloseCode rejects a value that is not an integer with an error that names valid codes", () => {
  for (const code of [1000.5, NaN, Infinity, -1]) {
    assertThrows(() => checkCloseCode(code), CloseCodeError, "use 1000 to 1003");
  }
});

test("parseClose accepts every code that may be received, and rejects the others", () => {
  for (const [from, to, received] of CODES) {
    for (const code of [from, to]) {
      assertEquals(
        parseClose(closePayload(code, "why")),
        received ? { ok: true, code, reason: "why" } : { ok: false, rule: "closeCode" },
      );
    }
  }
});

test("parseClose reads an empty payload as 1005, and rejects a payload of one byte", () => {
  assertEquals(parseClose(hex("")), { ok: true, code: 1005, reason: "" });
  assertEquals(parseClose(hex("03")), { ok: false, rule: "closeLength" });
});

test("parseClose rejects a reason that is not UTF-8", () => {
  assertEquals(parseClose(hex("03 e8 ff")), { ok: false, rule: "closeReason" });
  assertEquals(parseClose(hex("03 e8 e2 82")), { ok: false, rule: "closeReason" });
});

test("buildClose writes the code and the reason, and an empty payload for 1005", () => {
  assertEquals(toHex(buildClose(1000, "bye")), "03 e8 62 79 65");
  assertEquals(toHex(buildClose(4999, "")), "13 87");
  assertEquals(toHex(buildClose(1005, "never")), "");
});

test("buildClose truncates a long reason to 123 bytes at a character boundary", () => {
  assertEquals(buildClose(1000, "x".repeat(500)).length, 125);
  for (const [character, bytes] of [["é", 2], ["€", 3], ["😀", 4]] as const) {
    const payload = buildClose(1000, character.repeat(100));
    assertEquals(payload.length, 2 + bytes * Math.floor(123 / bytes));
    const frame = parseClose(payload);
    assertEquals(frame.ok && frame.reason, character.repeat(Math.floor(123 / bytes)));
  }
});
