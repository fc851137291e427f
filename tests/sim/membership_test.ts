/**
 * Tests that membership keeps its guarantees over many seeds, and that builds with deliberate
 * defects are detected.
 */
import process from "node:process";
import { assert } from "@std/assert";
import { systemOf } from "../../lib/actor/system.ts";
import { Deadline } from "../../lib/actor/timer.ts";
import { GroupTable } from "../../lib/cluster/groups.ts";
import { ClockSkew } from "../../lib/mesh/clock_skew.ts";
import { Gossip } from "../../lib/mesh/gossip.ts";
import { Joining } from "../../lib/mesh/joining.ts";
import { Keyring } from "../../lib/mesh/keyring.ts";
import { Mesh } from "../../lib/mesh/mesh.ts";
import { Reauthentication } from "../../lib/mesh/reauthentication.ts";
import { Peers } from "../../lib/mesh/peers.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { isOwnHalf, test } from "../kit/test.ts";
import { churn, COSTLY, GUARANTEES } from "./membership.ts";
import { type Any, breaks } from "./sabotage.ts";

const isLong = process.env["FIRN_LONG"] === "1";

/** The number of seeds for each guarantee, half of them on each runtime. */
const SEEDS = isLong ? 1_000 : 12;

for (const [name, run] of Object.entries(GUARANTEES)) {
  test(`Membership keeps the guarantee ${name}`, { timeout: 600_000 }, async () => {
    const seeds = isLong ? SEEDS : COSTLY[name] ?? SEEDS;
    for (let seed = 1; seed <= seeds; seed++) if (isOwnHalf(seed)) await run(seed);
  });
}

test("Membership forgets nodes that have joined and left", { timeout: 300_000 }, async () => {
  await churn(1, isLong ? 1_000 : 60);
});

/** Builds with a defect: the violated guarantee, the defect, and a function that introduces it. */
const BROKEN: readonly (readonly [guarantee: string, what: string, () => () => void])[] = [
  [
    "unreachable",
    "lists are sent once, and a node from gossip is forgotten after some dials",
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
    "joining does not wait for names and groups",
    breaks(Joining, "up", () =>
      function (this: Joining, node: string) {
        this.settled(node);
      }),
  ],
  [
    "churn",
    "nodes are never removed",
    breaks(Peers, "expire", () => () => []),
  ],
  [
    "stopped",
    "stopped nodes are treated as lost",
    breaks(Peers, "down", (real) =>
      function (this: Any, name: string, _why: string, now: number) {
        real.call(this, name, "lost", now);
      }),
  ],
  [
    "duplicates",
    "a newcomer replaces a live node of its name",
    breaks(Peers, "decide", (real) =>
      function (this: Any, ...args: Any[]) {
        const verdict = real.apply(this, args);
        return verdict === "probe" ? "replace" : verdict;
      }),
  ],
  [
    "leaving",
    "the state of a singleton is sent before it has ended",
    breaks(Supervisor, "stop", (real) =>
      function (this: Any) {
        systemOf(this.pid).setTimer(new Deadline(() => void real.call(this)), 10);
        return Promise.resolve();
      }),
  ],
  ["leaving", "managers do not find each other", breaks(GroupTable, "members", () => () => [])],
  [
    "rotation",
    "only the cookie in use is accepted",
    breaks(Keyring, "derive", (real) =>
      async function (this: Any, cookies: Any) {
        return { ...await real.call(this, cookies), accepted: [] };
      }),
  ],
  [
    "rotation",
    "a peer that has only the former cookie keeps its session",
    breaks(Reauthentication, "check", () => () => {}),
  ],
  [
    "rotation",
    "a peer that has the next cookie, too, cannot prove it",
    breaks(Reauthentication, "proof", () => () => {}),
  ],
  ["boots", "only digests tell nodes of each other", breaks(Gossip, "up", () => () => {})],
  [
    "skewedClocks",
    "clocks that are behind are not reported",
    breaks(ClockSkew, "compare", (real) =>
      function (this: Any, ...args: Any[]) {
        const skew = real.apply(this, args);
        return skew < 0 ? undefined : skew;
      }),
  ],
  [
    "skewedClocks",
    "nodes with wrong clocks are disconnected",
    breaks(Mesh, "clock", () =>
      function (this: Any, _wall: number, from: string) {
        this.disconnect(from).catch(() => {});
      }),
  ],
  [
    "fairness",
    "all dials have the same rank",
    // Makes the queue of dials rank all peers alike.
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
  test(`the checker of the guarantee ${guarantee} detects a build in which ${what}`, async () => {
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
