/**
 * Tests the tables of cases for RFC 6455 with this server over real sockets. Every case runs on
 * plain and on TLS connections, in one segment, byte by byte and in random segments. Groups and
 * numbers are those of the public test suite; cases `x` are not in it.
 *
 * Group 9 runs at a sixteenth of its size, or in full with `FIRN_RFC6455=full`.
 */
import { assert, assertEquals } from "@std/assert";
import { serve } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";
import { isOwnHalf, test } from "../kit/test.ts";
import type { Case } from "./case.ts";
import { CLOSING } from "./closing.ts";
import { FRAMING } from "./framing.ts";
import { type Cut, CUTS, Judge, judgeAll, makeTls, type Wire, WIRES } from "./judge.ts";
import { UTF8 } from "./utf8.ts";
import { FULL, VOLUME } from "./volume.ts";

const host = makeHost();
const TABLE: readonly Case[] = [...FRAMING, ...UTF8, ...CLOSING];

async function judgeTable(table: readonly Case[], wire: Wire, cut: Cut): Promise<void> {
  const tls = wire === "TLS" ? await makeTls() : undefined;
  const log: string[] = [];
  const server = await serve(host, {
    message: (conn, data) => conn.send(data),
    log: ({ line }) => log.push(line),
    tls: tls?.server,
    backpressureLimit: 1 << 28,
  });
  try {
    await judgeAll(table, async (row) => {
      const judge = await Judge.open(host, server.port, tls?.client, cut);
      await judge.judge(row);
      // Large messages run one after another, so that the machine's load does not cause timeouts.
    }, FULL && table === VOLUME ? 1 : 32);
  } finally {
    await server.stop({ timeout: 1000 });
  }
  assertEquals(log, []);
}

for (const wire of WIRES) {
  for (const [i, cut] of CUTS.entries()) {
    // TLS does not affect how frames are read. Each runtime tests half of the ways to split over TLS.
    const ignore = wire === "TLS" && !isOwnHalf(i);
    test(
      `serve passes the conformance table over ${wire} in ${cut}`,
      { ignore },
      () => judgeTable(TABLE, wire, cut),
    );
    test(
      `serve passes the large messages of the conformance table over ${wire} in ${cut}`,
      { timeout: 600_000, ignore },
      () => judgeTable(VOLUME, wire, cut),
    );
  }
}

test("TABLE contains every case once", () => {
  const ids = [...TABLE, ...VOLUME].map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
  // In the public suite, group 1 has 16 cases, group 2 has 11, and so on.
  const count = (group: string): number => ids.filter((id) => id.split(".")[0] === group).length;
  assertEquals(["1", "2", "3", "4", "5", "6", "7", "9", "10"].map(count), [
    16,
    11,
    7,
    10,
    20,
    145,
    37,
    54,
    1,
  ]);
  assert(count("x") > 20);
});
