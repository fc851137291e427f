/**
 * Implements presence. Every node stores in memory which clients and actors are present in each
 * topic, on all nodes.
 *
 * Each node owns the entries of its own clients and actors, and sends only these. When a peer
 * connects, the node sends all entries, and then numbered changes. A peer that detects a gap
 * requests all entries again. The entries of a lost node or client stay for a grace period, or
 * until any node adds an entry with the same key.
 *
 *     track ─▶ own entry ─┬─▶ local clients: presence_diff
 *                         └─▶ peers ─▶ their replica ─▶ their clients
 *
 * @module
 */
import type { PresenceList, PresenceMeta } from "./channel.ts";
import { ChannelError } from "./errors.ts";

/** Maximum length of metadata, in characters of its JSON text. */
const META_LENGTH_MAX = 4_096;

/** Maximum number of presence entries of one node. */
export const ENTRIES_MAX: number = 2 ** 20;

/**
 * Maximum number of entries in one message to a peer, and of entries of a lost node that are removed
 * in one turn of the event loop.
 */
const PORTION_COUNT = 500;

/**
 * Delay after which the number of the last change is sent again, so that peers detect a lost
 * change, in milliseconds.
 */
const DIGEST_MS = 5_000;

/** An entry in its encoded form: topic, key, ref, grace period, metadata. */
export type PresenceRow = readonly [string, string, string, number, PresenceMeta];

/** Messages between nodes about presence. */
export type PresenceMessage =
  /** A numbered change: the added entries, and the topics and refs of the removed ones. */
  | readonly ["presence", number, readonly PresenceRow[], readonly (readonly [string, string])[]]
  /** A part of all entries. The last part has the number of the last included change. */
  | readonly ["presences", readonly PresenceRow[], number | undefined]
  /** Requests all entries of the receiving node. */
  | readonly ["presences?"];

/** The functions of a node that its presence uses. */
export interface PresencePort {
  /** Sends a message to one node, or to all other nodes if `node` is undefined. */
  send(node: string | undefined, message: PresenceMessage): void;
  /** Sends a change to the clients of a topic on this node. */
  deliver(topic: string, diff: { joins: PresenceList; leaves: PresenceList }): void;
  /** Runs a task after `ms` milliseconds. */
  after(ms: number, task: () => void): { cancel(): void };
  /** Runs a task in a later turn of the event loop. */
  soon(task: () => void): void;
}

/** The presence entry of one client or actor. */
export interface PresenceEntry {
  readonly topic: string;
  readonly key: string;
  readonly ref: string;
  readonly node: string;
  readonly grace: number;
  readonly meta: PresenceMeta;
  /** The timer that removes the entry after its grace period. */
  departure: { cancel(): void } | undefined;
}

/** What this node has received from one peer. */
interface Peer {
  /** Number of the last received change. Undefined until all entries were received. */
  number: number | undefined;
  /**
   * The refs that the peer has sent since this node last requested all entries. Undefined when all
   * entries have arrived.
   */
  seen: Set<string> | undefined;
}

/** The entries of a topic that were added and removed since the last presence_diff. */
interface Diff {
  readonly joins: Map<string, PresenceEntry>;
  readonly leaves: Map<string, PresenceEntry>;
}

/** Replicates the presence of all topics, on one node. */
export class Presence {
  readonly #me: string;
  readonly #prefix: string;
  readonly #port: PresencePort;
  readonly #topics = new Map<string, Map<string, Map<string, PresenceEntry>>>();
  readonly #byNode = new Map<string, Map<string, PresenceEntry>>();
  readonly #peers = new Map<string, Peer>();
  readonly #diffs = new Map<string, Diff>();
  /** Changes of this node's entries that have not been sent to peers. */
  #joins = new Map<string, PresenceRow>();
  #leaves: [string, string][] = [];
  #isFlushing = false;
  #number = 0;
  #refs = 0;
  #digest: { cancel(): void } | undefined;

  /** `prefix` makes refs unique to this incarnation of the node. */
  constructor(me: string, prefix: string, port: PresencePort) {
    this.#me = me;
    this.#prefix = prefix;
    this.#port = port;
  }

  /** Adds an entry of this node. Throws `ChannelError`. */
  track(topic: string, key: string, meta: PresenceMeta, grace: number): PresenceEntry {
    let text: string | undefined;
    try {
      text = JSON.stringify(meta);
    } catch (error) {
      throw new ChannelError(
        "badpayload",
        `presence metadata must be an object of JSON values: ${(error as Error).message}`,
      );
    }
    if (typeof meta !== "object" || meta === null || text === undefined || Array.isArray(meta)) {
      throw new ChannelError("badpayload", "presence metadata must be an object of JSON values");
    }
    if (text.length > META_LENGTH_MAX || key.length > META_LENGTH_MAX) {
      throw new ChannelError(
        "toolarge",
        `presence metadata has ${text.length} characters: the maximum is ${META_LENGTH_MAX}`,
      );
    }
    if ((this.#byNode.get(this.#me)?.size ?? 0) >= ENTRIES_MAX) {
      throw new ChannelError("toolarge", `this node has ${ENTRIES_MAX} presence entries already`);
    }
    const ref = `${this.#prefix}.${(++this.#refs).toString(36)}`;
    const entry = { topic, key, ref, node: this.#me, grace, meta, departure: undefined };
    this.#joins.set(ref, [topic, key, ref, grace, meta]);
    this.#add(entry);
    return entry;
  }

  /** Removes an entry of this node. */
  leave(entry: PresenceEntry): void {
    if (!this.#remove(entry) || entry.node !== this.#me) return;
    if (!this.#joins.delete(entry.ref)) this.#leaves.push([entry.topic, entry.ref]);
  }

  /** Removes an entry of this node after its grace period. */
  depart(entry: PresenceEntry): void {
    if (entry.grace === 0) return this.leave(entry);
    if (this.#byNode.get(entry.node)?.get(entry.ref) !== entry) return;
    entry.departure ??= this.#port.after(entry.grace, () => this.leave(entry));
  }

  /** Returns the presence of a topic. */
  list(topic: string): PresenceList {
    const list: Record<string, { metas: (PresenceMeta & { phx_ref: string })[] }> = {};
    for (const [key, entries] of this.#topics.get(topic) ?? []) {
      define(list, key, { metas: [...entries.values()].map(metaOf) });
    }
    return list;
  }

  /** Called when a node with channels was connected. Sends it all entries of this node. */
  up(node: string): void {
    this.#peers.set(node, { number: undefined, seen: new Set() });
    this.#sendAll(node);
  }

  /** Called when a node was lost. Its entries stay for their grace periods. */
  down(node: string): void {
    if (!this.#peers.delete(node)) return;
    const byGrace = new Map<number, PresenceEntry[]>();
    for (const entry of this.#byNode.get(node)?.values() ?? []) {
      const entries = byGrace.get(entry.grace);
      if (entries === undefined) byGrace.set(entry.grace, [entry]);
      else entries.push(entry);
    }
    for (const [grace, entries] of byGrace) {
      const removeFrom = (at: number): void => {
        const next = at + PORTION_COUNT;
        for (const entry of entries.slice(at, next)) {
          if (entry.departure === departure) this.#remove(entry);
        }
        if (next < entries.length) this.#port.soon(() => removeFrom(next));
      };
      const departure = this.#port.after(grace, () => removeFrom(0));
      // All entries of the lost node with this grace period share one timer. The timer is therefore
      // not cancelled when one of the entries is removed.
      const shared = departure;
      for (const entry of entries) entry.departure = shared;
    }
  }

  /** Handles a message from a peer. */
  received(node: string, message: PresenceMessage): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    switch (message[0]) {
      case "presences?":
        return this.#sendAll(node);
      case "presences": {
        const [, rows, number] = message;
        for (const row of rows) {
          peer.seen?.add(row[2]);
          this.#learn(node, row);
        }
        if (number === undefined) return;
        const { seen } = peer;
        peer.number = number;
        peer.seen = undefined;
        for (const entry of [...this.#byNode.get(node)?.values() ?? []]) {
          if (seen !== undefined && !seen.has(entry.ref)) this.#remove(entry);
        }
        return;
      }
      case "presence": {
        const [, number, joins, leaves] = message;
        const isGap = peer.number !== undefined && number > peer.number + 1;
        for (const row of joins) {
          peer.seen?.add(row[2]);
          this.#learn(node, row);
        }
        for (const [, ref] of leaves) {
          peer.seen?.delete(ref);
          const entry = this.#byNode.get(node)?.get(ref);
          if (entry !== undefined) this.#remove(entry);
        }
        if (peer.number === undefined) return;
        peer.number = Math.max(peer.number, number);
        if (!isGap) return;
        peer.seen = new Set();
        peer.number = undefined;
        this.#port.send(node, ["presences?"]);
      }
    }
  }

  /** Cancels all timers. */
  stop(): void {
    this.#digest?.cancel();
    for (const entries of this.#byNode.values()) {
      for (const { departure } of entries.values()) departure?.cancel();
    }
  }

  #learn(node: string, row: PresenceRow): void {
    const [topic, key, ref, grace, meta] = row;
    const known = this.#byNode.get(node)?.get(ref);
    if (known !== undefined) {
      known.departure = undefined;
      return;
    }
    if ((this.#byNode.get(node)?.size ?? 0) >= ENTRIES_MAX) return;
    this.#add({ topic, key, ref, node, grace, meta, departure: undefined });
  }

  #add(entry: PresenceEntry): void {
    let keys = this.#topics.get(entry.topic);
    if (keys === undefined) this.#topics.set(entry.topic, keys = new Map());
    let entries = keys.get(entry.key);
    if (entries === undefined) keys.set(entry.key, entries = new Map());
    // The client has returned, so its entries that are in their grace period are removed.
    const stale = [...entries.values()].filter(({ departure }) => departure !== undefined);
    entries.set(entry.ref, entry);
    let own = this.#byNode.get(entry.node);
    if (own === undefined) this.#byNode.set(entry.node, own = new Map());
    own.set(entry.ref, entry);
    this.#diff(entry.topic).joins.set(entry.ref, entry);
    this.#flushSoon();
    for (const old of stale) {
      if (old.node === this.#me) {
        old.departure!.cancel();
        this.leave(old);
      } else if (!this.#peers.has(old.node)) this.#remove(old);
    }
  }

  /** Removes an entry. Returns whether it existed. */
  #remove(entry: PresenceEntry): boolean {
    const { topic, key, ref, node } = entry;
    const own = this.#byNode.get(node);
    if (own?.get(ref) !== entry) return false;
    own.delete(ref);
    if (own.size === 0) this.#byNode.delete(node);
    const keys = this.#topics.get(topic)!;
    const entries = keys.get(key)!;
    entries.delete(ref);
    if (entries.size === 0) keys.delete(key);
    if (keys.size === 0) this.#topics.delete(topic);
    const { joins, leaves } = this.#diff(topic);
    if (!joins.delete(ref)) leaves.set(ref, entry);
    this.#flushSoon();
    return true;
  }

  #diff(topic: string): Diff {
    let diff = this.#diffs.get(topic);
    if (diff === undefined) this.#diffs.set(topic, diff = { joins: new Map(), leaves: new Map() });
    return diff;
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#port.soon(() => this.#flush());
  }

  /** Sends the pending changes to peers and clients. */
  #flush(): void {
    this.#isFlushing = false;
    if (this.#joins.size + this.#leaves.length > 0) {
      const [joins, leaves] = [[...this.#joins.values()], this.#leaves];
      this.#joins.clear();
      this.#leaves = [];
      for (let at = 0; at < Math.max(joins.length, leaves.length); at += PORTION_COUNT) {
        const [from, to] = [at, at + PORTION_COUNT];
        this.#port.send(undefined, [
          "presence",
          ++this.#number,
          joins.slice(from, to),
          leaves.slice(from, to),
        ]);
      }
      this.#digest ??= this.#port.after(DIGEST_MS, () => {
        this.#digest = undefined;
        this.#port.send(undefined, ["presence", this.#number, [], []]);
      });
    }
    for (const [topic, { joins, leaves }] of this.#diffs) {
      if (joins.size + leaves.size === 0) continue;
      this.#port.deliver(topic, { joins: listOf(joins), leaves: listOf(leaves) });
    }
    this.#diffs.clear();
  }

  #sendAll(node: string): void {
    const entries = this.#byNode.get(this.#me)?.values() ?? [].values();
    const portion = (): void => {
      if (!this.#peers.has(node)) return;
      const rows: PresenceRow[] = [];
      for (const { topic, key, ref, grace, meta } of entries) {
        rows.push([topic, key, ref, grace, meta]);
        if (rows.length === PORTION_COUNT) break;
      }
      const isLast = rows.length < PORTION_COUNT;
      this.#port.send(node, ["presences", rows, isLast ? this.#number : undefined]);
      if (!isLast) this.#port.soon(portion);
    };
    portion();
  }
}

function metaOf({ ref, meta }: PresenceEntry): PresenceMeta & { phx_ref: string } {
  return { ...meta, phx_ref: ref };
}

function listOf(entries: ReadonlyMap<string, PresenceEntry>): PresenceList {
  const list: Record<string, { metas: (PresenceMeta & { phx_ref: string })[] }> = {};
  for (const entry of entries.values()) {
    const known = Object.hasOwn(list, entry.key) ? list[entry.key] : undefined;
    if (known === undefined) define(list, entry.key, { metas: [metaOf(entry)] });
    else known.metas.push(metaOf(entry));
  }
  return list;
}

/** Sets a property. The key may be any string, including `__proto__`. */
function define<Value>(record: Record<string, Value>, key: string, value: Value): void {
  Object.defineProperty(record, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}
