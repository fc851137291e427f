import { assertEquals } from "@std/assert";
import {
  acceptDeflate,
  type DeflateTerms,
  offerDeflate,
  parseExtensions,
  readDeflateAnswer,
} from "../../lib/ws/extension.ts";
import { test } from "../kit/test.ts";

const D = "permessage-deflate";

/** Returns the compression parameters that a server accepts. */
function wish(server: boolean, client: boolean, serverBits = 15, clientBits = 15): DeflateTerms {
  return {
    server: { takeover: server, windowBits: serverBits },
    client: { takeover: client, windowBits: clientBits },
  };
}

test("parseExtensions reads names, parameters and quoted values", () => {
  assertEquals(parseExtensions(""), []);
  assertEquals(parseExtensions('a, b; c; d=1 ,, e ; f = "2"'), [
    { name: "a", params: [] },
    { name: "b", params: [["c", true], ["d", "1"]] },
    { name: "e", params: [["f", "2"]] },
  ]);
  assertEquals(parseExtensions('a; b="\\1\\2"'), [{ name: "a", params: [["b", "12"]] }]);
  const wrongs = [
    "a b",
    ";",
    "a;",
    "a; =1",
    "a; b=",
    'a; b="',
    'a; b="1',
    'a; b="1,2"',
    "a; b=1 2",
  ];
  for (const wrong of [...wrongs, "é", "a; b=(", new Array(17).fill("a").join()]) {
    assertEquals(parseExtensions(wrong), undefined, wrong);
  }
});

/**
 * Offers, each with the parameters that the server accepts and the server's response. The response
 * is undefined if the server declines the offer.
 */
const GRID: readonly (readonly [string, DeflateTerms, string | undefined])[] = [
  [D, wish(true, true), D],
  [D, wish(false, true), `${D}; server_no_context_takeover`],
  [D, wish(true, false), `${D}; client_no_context_takeover`],
  [`${D}; server_no_context_takeover`, wish(true, true), `${D}; server_no_context_takeover`],
  [`${D}; client_no_context_takeover`, wish(true, true), `${D}; client_no_context_takeover`],
  [`${D}; server_max_window_bits=10`, wish(true, true), `${D}; server_max_window_bits=10`],
  [`${D}; server_max_window_bits=15`, wish(true, true), `${D}; server_max_window_bits=15`],
  [`${D}; server_max_window_bits=12`, wish(true, true, 9), `${D}; server_max_window_bits=9`],
  [`${D}; server_max_window_bits="8"`, wish(true, true), `${D}; server_max_window_bits=8`],
  [D, wish(true, true, 11), `${D}; server_max_window_bits=11`],
  [D, wish(true, true, 15, 11), D],
  [`${D}; client_max_window_bits`, wish(true, true), D],
  [`${D}; client_max_window_bits`, wish(true, true, 15, 11), `${D}; client_max_window_bits=11`],
  [`${D}; client_max_window_bits=9`, wish(true, true, 15, 11), `${D}; client_max_window_bits=9`],
  [
    `${D}; client_max_window_bits=10; server_max_window_bits=9; server_no_context_takeover; ` +
    "client_no_context_takeover",
    wish(true, true),
    `${D}; server_no_context_takeover; client_no_context_takeover; ` +
    "server_max_window_bits=9; client_max_window_bits=10",
  ],
  [
    `${D}; unknown, ${D}; server_max_window_bits=10, ${D}`,
    wish(true, true),
    `${D}; server_max_window_bits=10`,
  ],
  ["x-webkit-deflate-frame", wish(true, true), undefined],
  ...[
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=08",
    "server_max_window_bits=1e1",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    "server_no_context_takeover; server_no_context_takeover",
    "client_max_window_bits=9; client_max_window_bits=9",
    "unknown",
  ].map((wrong) => [`${D}; ${wrong}`, wish(true, true), undefined] as const),
];

test("acceptDeflate answers every offer within the limits of both sides", () => {
  for (const [offer, will, answer] of GRID) {
    assertEquals(acceptDeflate(parseExtensions(offer)!, will)?.answer, answer, offer);
  }
});

test("acceptDeflate assumes the largest window for a client that does not accept a smaller one", () => {
  const received = acceptDeflate(parseExtensions(D)!, wish(true, true, 15, 9))!;
  assertEquals(received.terms, wish(true, true));
});

test("readDeflateAnswer reads a valid answer to an offer, and rejects other answers", () => {
  const wishes = [true, false].flatMap((server) =>
    [true, false].flatMap((client) => [8, 15].map((bits) => wish(server, client, bits, bits)))
  );
  for (const mine of wishes) {
    const offers = parseExtensions(offerDeflate(mine))!;
    for (const yours of wishes) {
      const { terms, answer } = acceptDeflate(offers, yours)!;
      assertEquals(readDeflateAnswer(answer, mine), terms, answer);
    }
  }
  assertEquals(readDeflateAnswer(undefined, wish(true, true)), "none");
  const wrongs = [
    "x",
    `${D}, ${D}`,
    `${D}; client_max_window_bits`,
    `${D}; server_max_window_bits=7`,
    `${D}; unknown`,
    "a b",
  ];
  for (const wrong of wrongs) {
    assertEquals(readDeflateAnswer(wrong, wish(true, true)), undefined, wrong);
  }
  assertEquals(readDeflateAnswer(D, undefined), undefined);
  assertEquals(readDeflateAnswer(D, wish(false, true)), undefined);
  assertEquals(readDeflateAnswer(D, wish(true, true, 10)), undefined);
});
