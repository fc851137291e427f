/** Builds with deliberate defects, to test the checkers. */
import { TopicLog } from "../../lib/channel/topic_log.ts";
import { Actor } from "../../lib/actor/actor.ts";
import { Inbound } from "../../lib/mesh/inbound.ts";
import { RemoteActor } from "../../lib/mesh/remote_actor.ts";
import { Outbound } from "../../lib/mesh/outbound.ts";
import { RemoteNodes } from "../../lib/mesh/remote_nodes.ts";
import { readInquire } from "../../lib/cluster/claim_rows.ts";
import { type Claim, Claims } from "../../lib/cluster/claims.ts";
import { HeldLease } from "../../lib/cluster/lease.ts";
import { HomeActor } from "../../lib/cluster/home_actor.ts";
import { Registry } from "../../lib/cluster/registry.ts";
import { type PeerLink, REGISTERED, sendRegistered } from "../../lib/cluster/rows.ts";
import { StampClock } from "../../lib/cluster/stamp_clock.ts";
import { Tokens } from "../../lib/cluster/tokens.ts";
import { RoomRelay } from "../../lib/cluster/room_relay.ts";
import { RoomInterest } from "../../lib/mesh/room_interest.ts";
import { Mesh } from "../../lib/mesh/mesh.ts";
import { Peers } from "../../lib/mesh/peers.ts";
import { QuestionActor } from "../../lib/observe/question_actor.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { Node } from "../../lib/node.ts";
import { SupervisorActor } from "../../lib/otp/supervisor_actor.ts";
import { Supervisors } from "../../lib/actor/supervisors.ts";
import { Signals } from "../../lib/actor/signals.ts";
import { TAG } from "../../lib/mesh/message.ts";

// deno-lint-ignore no-explicit-any -- replaces methods of any type
export type Any = any;

/** Replaces a method. Returns a function that restores it. */
export function breaks(
  of: { prototype: Any },
  method: string,
  make: (real: Any) => Any,
): () => () => void {
  return () => {
    const real = of.prototype[method];
    if (typeof real !== "function") throw new Error(`there is no method ${method} to replace`);
    of.prototype[method] = make(real);
    return () => void (of.prototype[method] = real);
  };
}

/**
 * Each build: the promise that it violates, its defect, and a function that introduces the defect
 * and returns a function that removes it.
 */
export const BROKEN: readonly (readonly [promise: string, what: string, () => () => void])[] = [
  [
    "messages",
    "a message is delivered twice",
    breaks(Outbound, "send", (real) => {
      let count = 0;
      return function (this: Any, ...args: Any[]) {
        real.apply(this, args);
        if (++count % 50 === 0) real.apply(this, args);
      };
    }),
  ],
  [
    "messages",
    "later messages overtake a large one",
    breaks(Inbound, "keyOf", () => () => undefined),
  ],
  [
    "messages",
    "a pid of an old incarnation reaches the new one",
    breaks(RemoteNodes, "nodeLinkOf", () =>
      function (this: RemoteNodes, home: Any) {
        return this.nodeLink(home.node) ?? "noconnection";
      }),
  ],
  [
    "signals",
    "monitors are not sent to the other node",
    breaks(RemoteActor, "watched", () => () => {}),
  ],
  [
    "signals",
    "links are dropped when a session is lost",
    breaks(Signals, "losing", (real) =>
      function (this: Any, actors: Any[]) {
        for (const actor of actors) if (actor.links !== undefined) actor.links = undefined;
        return real.call(this, actors);
      }),
  ],
  [
    "signals",
    "a Down is sent twice",
    breaks(Actor, "down", (real) =>
      function (this: Any, ...args: Any[]) {
        real.apply(this, args);
        real.apply(this, args);
      }),
  ],
  ["names", "a lost node's names are kept", breaks(Registry, "down", () => () => {})],
  [
    "names",
    "a peer's names are ignored",
    breaks(Registry, "sync", () => () => undefined),
  ],
  [
    "claims",
    "a peer grants a name to every claim",
    breaks(Claims, "add", () => ({ nodeLink, request }: Claim) => {
      sendRegistered(nodeLink, request, REGISTERED.OK);
    }),
  ],
  [
    "claims",
    "a holder yields to an earlier claim",
    breaks(Registry, "inquired", () =>
      function (this: Registry, line: PeerLink, body: Uint8Array) {
        const { name } = readInquire(line, body)!;
        this.unregister(name);
      }),
  ],
  [
    "channels",
    "a position is valid in any epoch",
    breaks(TopicLog, "after", () =>
      function (this: TopicLog, { offset }: Any, to: number) {
        return { recovered: true, missed: this.slice(offset, to) };
      }),
  ],
  [
    "channels",
    "a node that takes over continues with the same epoch",
    breaks(TopicLog, "begin", (real) =>
      function (this: Any, ...args: Any[]) {
        if (this.epoch === undefined) real.apply(this, args);
      }),
  ],
  ["claims", "one node is a quorum", breaks(Registry, "need", () => () => 1)],
  [
    "claims",
    "no node stores tokens, and clocks stand still",
    () => {
      const mendNote = breaks(Tokens, "note", () => () => {})();
      const real = Object.getOwnPropertyDescriptor(StampClock.prototype, "time")!;
      Object.defineProperty(StampClock.prototype, "time", { ...real, get: () => 1 });
      return () => {
        mendNote();
        Object.defineProperty(StampClock.prototype, "time", real);
      };
    },
  ],
  [
    "singletons",
    "a peer grants a lock to every claim",
    breaks(Claims, "add", () => ({ nodeLink, request }: Claim) => {
      sendRegistered(nodeLink, request, REGISTERED.OK);
    }),
  ],
  ["singletons", "one node is a quorum", breaks(Registry, "need", () => () => 1)],
  [
    "singletons",
    "a child without permission continues to run",
    breaks(Supervisor, "stop", () => () => Promise.resolve()),
  ],
  [
    "singletons",
    "a lease that was not renewed is kept",
    breaks(HeldLease, "renew", () => () => Promise.resolve(true)),
  ],
  [
    "singletons",
    "a lease is used until its last moment, while the child needs time to stop",
    () => {
      const real = HeldLease.usedMs;
      HeldLease.usedMs = ({ ttl }) => ttl;
      return () => void (HeldLease.usedMs = real);
    },
  ],
  [
    "homes",
    "a key starts while another node may still run it",
    breaks(HomeActor, "isBlocked", () => () => false),
  ],
  [
    "homes",
    "a key starts before the exchange with connected nodes",
    breaks(HomeActor, "connected", () => () => {}),
  ],
  [
    "homes",
    "a node does not list the keys that it still runs",
    breaks(HomeActor, "listKeys", () =>
      function (this: Any, member: Any) {
        const from = this.self.pid;
        this.self.send(member.pid, { $home: "keys", from, keys: [], last: true });
      }),
  ],
  ["homes", "one node is a quorum", breaks(Registry, "need", () => () => 1)],
  [
    "rooms",
    "a broadcast is delivered twice",
    breaks(RoomRelay, "roomMessage", (real) =>
      function (this: Any, ...args: Any[]) {
        real.apply(this, args);
        real.apply(this, args);
      }),
  ],
  [
    "rooms",
    "broadcasts are not sent to other nodes",
    breaks(RoomRelay, "broadcast", () => () => {}),
  ],
  ["rooms", "first members are not announced", breaks(RoomRelay, "joined", () => () => {})],
  [
    "rooms",
    "an announcement of rooms is lost",
    breaks(RoomInterest, "apply", (real) => {
      let count = 0;
      return function (this: Any, body: Any) {
        return ++count % 10 === 0 ? undefined : real.call(this, body);
      };
    }),
  ],
  [
    "children",
    "exits are not sent to other nodes",
    breaks(
      Inbound,
      "take",
      (real) =>
        function (this: Any, handle: Any, tag: number, ...args: Any[]) {
          return tag === TAG.EXIT ? undefined : real.call(this, handle, tag, ...args);
        },
    ),
  ],
  [
    "careless",
    "an exited actor's receive rejects repeatedly",
    breaks(Actor, "receive", (real) => {
      const rejected = new WeakMap<object, number>();
      return function (this: Any, ...args: Any[]) {
        if (this.isAlive) return real.apply(this, args);
        const count = (rejected.get(this) ?? 0) + 1;
        rejected.set(this, count);
        // Rejects a limited number of times, so that the test ends.
        return count < 1_000 ? Promise.reject(new Error("it has ended")) : new Promise(() => {});
      };
    }),
  ],
  [
    "careless",
    "messages of an exited actor are delivered",
    breaks(Actor, "send", () =>
      function (this: Any, to: Any, message: Any) {
        this.system.sendTo(to, message);
      }),
  ],
  [
    "membership",
    "a node that does not exist is dialed forever",
    breaks(Peers, "up", (real) =>
      function (this: Any, name: string, ...args: Any[]) {
        real.call(this, name, ...args);
        this.add(`ghost-of-${name}`, "seed", args[2]);
      }),
  ],
  [
    "observation",
    "nodes do not answer questions of others",
    breaks(QuestionActor, "deliver", () => () => {}),
  ],
  [
    "observation",
    "hidden nodes are peers",
    breaks(Mesh, "peers", () =>
      function (this: Mesh) {
        return [...this.sessions()].map(({ met }) => met.name).sort();
      }),
  ],
  ["leaks", "remote actors are never released", breaks(Outbound, "forget", () => () => {})],
  [
    "leaks",
    "demonitors are not sent to the other node",
    breaks(Outbound, "demonitor", () => () => {}),
  ],
  ["shutdown", "trees end together", breaks(Supervisors, "top", () => () => [])],
  [
    "shutdown",
    "children end together",
    breaks(SupervisorActor, "stopAll", () =>
      function (this: Any) {
        return this.lifecycle.stopTogether(this.children);
      }),
  ],
  [
    "shutdown",
    "everything is cut off at once",
    breaks(Node, "stop", (real) =>
      function (this: Any) {
        return real.call(this, { timeout: 0 });
      }),
  ],
];
