/**
 * Membership keeps its guarantees over many seeds, and builds that are broken on purpose are found.
 */
import process from "node:process";
import { assert } from "@std/assert";
import { Gossip } from "../../lib/mesh/gossip.ts";
import { Joining } from "../../lib/mesh/joining.ts";
import { Peers } from "../../lib/mesh/peers.ts";
import { test } from "../kit/test.ts";
import { churn, COSTLY, GUARANTEES } from "./membership.ts";
import { type Any, breaks } from "./sabotage.ts";

const isLong = process.env["FIRN_LONG"] === "1";

/** Seeds for each guarantee. */
const SEEDS = isLong ? 1_000 : 12;

for (const [name, run] of Object.entries(GUARANTEES)) {
  test(`membership keeps its guarantee of ${name}`, { timeout: 600_000 }, async () => {
    const seeds = isLong ? SEEDS : COSTLY[name] ?? SEEDS;
    for (let seed = 1; seed <= seeds; seed++) await run(seed);
  });
}

test("membership forgets a thousand nodes that came and went", { timeout: 300_000 }, async () => {
  await churn(1, isLong ? 1_000 : 60);
});

/** Which guarantee each breaks, and how. */
const BROKEN: readonly (readonly [guarantee: string, what: string, () => () => void])[] = [
  [
    "unreachable",
    "lists are sent once, and a node of gossip is forgotten after some dials",
    () => {
      const gossip = breaks(Gossip, "tick", () => () => false)();
      const failed = breaks(
        Peers,
        "failed",
        (real) =>
          function (this: Any, name: string, ...args: Any[]) {
            const failures = real.call(this, name, ...args);
            if (failures >= 12 && this.originOf(name) === "gossip") this.leave(name);
            return failures;
          },
      )();
      return () => [gossip, failed].forEach((mend) => mend());
    },
  ],
  ["oneSided", "newcomers are not listed", breaks(Gossip, "up", () => () => {})],
  [
    "joining",
    "names and groups are not waited for",
    breaks(Joining, "up", () =>
      function (this: Joining, node: string) {
        this.failed(node);
      }),
  ],
  [
    "churn",
    "nothing is forgotten",
    breaks(Peers, "expire", () => () => []),
  ],
  [
    "stopped",
    "nodes that have stopped are taken for lost",
    breaks(Peers, "down", (real) =>
      function (this: Any, name: string, _why: string, now: number) {
        real.call(this, name, "lost", now);
      }),
  ],
  [
    "duplicates",
    "a newcomer replaces a live node of its name",
    breaks(Peers, "judge", (real) =>
      function (this: Any, ...args: Any[]) {
        const verdict = real.apply(this, args);
        return verdict === "probe" ? "replace" : verdict;
      }),
  ],
  [
    "fairness",
    "all dials have the same rank",
    // What a queue sees of its peers: no difference.
    () => {
      const real = Peers.prototype[Symbol.iterator];
      Peers.prototype[Symbol.iterator] = function* (this: Peers) {
        for (const peer of real.call(this)) {
          yield { ...peer, origin: "seed", isSilent: false, isWanted: false };
        }
      } as typeof real;
      return () => void (Peers.prototype[Symbol.iterator] = real);
    },
  ],
];

for (const [guarantee, what, sabotage] of BROKEN) {
  test(`membership's guarantee of ${guarantee} finds a build in which ${what}`, async () => {
    const mend = sabotage();
    let found: string | undefined;
    try {
      for (let seed = 1; seed <= 40 && found === undefined; seed++) {
        await GUARANTEES[guarantee]!(seed).catch((error) => found = error.message);
      }
    } finally {
      mend();
    }
    assert(found !== undefined, "not found within 40 seeds");
  });
}
