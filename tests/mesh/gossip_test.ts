/** Tests gossip: digests, lists of nodes, and the number of messages. */
import { assert, assertEquals } from "@std/assert";
import { digestOf, encodeDigest, EXCHANGE_MS, Gossip } from "../../lib/mesh/gossip.ts";
import { decodeList, TAG } from "../../lib/mesh/message.ts";
import { test } from "../kit/test.ts";
import { frameOf } from "./collector.ts";

/** Nodes that gossip, and the sessions between them. */
class TestCluster {
  readonly sent: string[] = [];
  readonly nodes = new Map<string, Gossip>();
  readonly links: Record<string, string[]>;
  /** The names that each node has received. */
  readonly observed = new Map<string, Set<string>>();
  now = 0;

  constructor(links: Record<string, string[]>) {
    this.links = links;
    for (const name of Object.keys(links)) {
      this.observed.set(name, new Set());
      this.nodes.set(
        name,
        new Gossip(name, () => 0.5, 0, {
          peers: () => links[name]!,
          send: (peer, frame) => this.#deliver(name, peer, frame),
        }),
      );
    }
  }

  tick(name: string, ms: number): boolean {
    this.now += ms;
    return this.nodes.get(name)!.tick(this.now);
  }

  #deliver(from: string, to: string, frame: Uint8Array): void {
    const { tag, body } = frameOf(frame);
    this.sent.push(`${from}>${to} ${tag === TAG.PEER_LIST ? decodeList(body) : "digest"}`);
    if (tag === TAG.PEER_LIST) {
      for (const name of decodeList(body)!) {
        this.observed.get(to)!.add(name);
      }
    } else assertEquals(this.nodes.get(to)!.digest(from, body, this.now), undefined);
  }
}

test("Gossip sends only a digest while both sides know the same nodes", () => {
  const cluster = new TestCluster({ a: ["b"], b: ["a"] });
  assertEquals(cluster.tick("a", EXCHANGE_MS / 4), false);
  assertEquals(cluster.tick("a", EXCHANGE_MS), true);
  assertEquals(cluster.sent, ["a>b digest"]);
  assertEquals(cluster.nodes.get("b")!.mismatches, 0);
});

test("Gossip exchanges both lists if the digests differ, whichever side sent the first digest", () => {
  const cluster = new TestCluster({ a: ["c"], b: ["c"], c: ["a", "b"] });
  cluster.tick("a", EXCHANGE_MS);
  assertEquals(cluster.sent, ["a>c digest", "c>a b", "c>a digest"]);
  assertEquals([...cluster.observed.get("a")!], ["b"]);
  const other = new TestCluster({ a: ["c", "d"], c: ["a"], d: [] });
  other.tick("c", EXCHANGE_MS);
  assertEquals(other.sent, ["c>a digest", "a>c d", "a>c digest"]);
});

test("Gossip sends all names to a new node at once, and its name to all others at the next tick", () => {
  const cluster = new TestCluster({ a: ["b", "c", "n"], b: ["a", "c"], c: ["a", "b"], n: ["a"] });
  cluster.nodes.get("a")!.up("n");
  assertEquals(cluster.sent, ["a>n b,c"]);
  cluster.tick("a", 1);
  assertEquals(cluster.sent.slice(1), ["a>b n", "a>c n"]);
  cluster.tick("a", 1);
  assertEquals(cluster.sent.length, 3, "once");
});

test("Gossip answers a peer's digests at most once a second", () => {
  const cluster = new TestCluster({ a: ["b", "c"], b: ["a"], c: [] });
  const digest = frameOf(encodeDigest(true, ["x"])).body;
  for (let i = 0; i < 100; i++) cluster.nodes.get("a")!.digest("b", digest, i);
  assertEquals(cluster.sent, ["a>b c"]);
  cluster.nodes.get("a")!.digest("b", digest, 1_000);
  assertEquals(cluster.sent.length, 2);
});

test("Gossip reports a short digest as a protocol violation", () => {
  const { nodes } = new TestCluster({ a: [] });
  assertEquals(nodes.get("a")!.digest("b", new Uint8Array(12), 0), "a malformed PEER_DIGEST");
});

test("digestOf ignores the order, and differs for different sets", () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `n${i}@10.0.${i >> 8}.${i & 255}:9000`);
  assertEquals(digestOf(names), digestOf([...names].reverse()));
  const seen = new Set<bigint>();
  for (let i = 0; i < names.length; i++) seen.add(digestOf(names.toSpliced(i, 1)));
  for (const name of names) seen.add(digestOf([name]));
  assert(seen.size === 2_000, `${seen.size} of 2000 differ`);
});
