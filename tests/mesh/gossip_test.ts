/** Gossip: digests, lists, and the cost of an exchange. */
import { assert, assertEquals } from "@std/assert";
import { digestOf, encodeDigest, EXCHANGE_MS, Gossip } from "../../lib/mesh/gossip.ts";
import { decodeList, TAG } from "../../lib/mesh/message.ts";
import { test } from "../kit/test.ts";
import { frameOf } from "./collector.ts";

/** Nodes that gossip, and the sessions between them. */
class Town {
  readonly sent: string[] = [];
  readonly nodes = new Map<string, Gossip>();
  readonly links: Record<string, string[]>;
  /** The names that each node has learned. */
  readonly heard = new Map<string, Set<string>>();
  now = 0;

  constructor(links: Record<string, string[]>) {
    this.links = links;
    for (const name of Object.keys(links)) {
      this.heard.set(name, new Set());
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
        this.heard.get(to)!.add(name);
      }
    } else assertEquals(this.nodes.get(to)!.digest(from, body, this.now), undefined);
  }
}

test("Gossip sends only a digest while both sides know the same nodes", () => {
  const town = new Town({ a: ["b"], b: ["a"] });
  assertEquals(town.tick("a", EXCHANGE_MS / 4), false);
  assertEquals(town.tick("a", EXCHANGE_MS), true);
  assertEquals(town.sent, ["a>b digest"]);
  assertEquals(town.nodes.get("b")!.mismatches, 0);
});

test("Gossip exchanges both lists if the digests differ, whichever side began", () => {
  const town = new Town({ a: ["c"], b: ["c"], c: ["a", "b"] });
  town.tick("a", EXCHANGE_MS);
  assertEquals(town.sent, ["a>c digest", "c>a b", "c>a digest"]);
  assertEquals([...town.heard.get("a")!], ["b"]);
  const other = new Town({ a: ["c", "d"], c: ["a"], d: [] });
  other.tick("c", EXCHANGE_MS);
  assertEquals(other.sent, ["c>a digest", "a>c d", "a>c digest"]);
});

test("Gossip announces a new node to all others at the next tick, and all peers to it at once", () => {
  const town = new Town({ a: ["b", "c", "n"], b: ["a", "c"], c: ["a", "b"], n: ["a"] });
  town.nodes.get("a")!.up("n");
  assertEquals(town.sent, ["a>n b,c"]);
  town.tick("a", 1);
  assertEquals(town.sent.slice(1), ["a>b n", "a>c n"]);
  town.tick("a", 1);
  assertEquals(town.sent.length, 3, "once");
});

test("Gossip answers a peer's digests at most once a second", () => {
  const town = new Town({ a: ["b", "c"], b: ["a"], c: [] });
  const digest = frameOf(encodeDigest(true, ["x"])).body;
  for (let i = 0; i < 100; i++) town.nodes.get("a")!.digest("b", digest, i);
  assertEquals(town.sent, ["a>b c"]);
  town.nodes.get("a")!.digest("b", digest, 1_000);
  assertEquals(town.sent.length, 2);
});

test("Gossip reports a short digest as a protocol violation", () => {
  const { nodes } = new Town({ a: [] });
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
