/**
 * Pids: identifiers of actors, which only a node can create.
 *
 *     u64   63 ──── 48 47 ── 40 39 ─────────────── 0
 *           node index  spare    local id
 *
 * A pid consists of a node, an incarnation of that node, and a number that is unique in that
 * incarnation. Within a node, a pid refers directly to its actor, without a lookup. On the wire it
 * is the u64 above. The node index is valid in one session only, and only that session translates
 * it.
 *
 * @module
 */
import { assert } from "../base/assert.ts";

/** Exclusive upper bound of local ids, which have 40 bits. */
export const LOCAL_ID_MAX: number = 2 ** 40;

/**
 * The origin of a pid or reference: one incarnation of a node, from the perspective of the node
 * that holds the pid.
 */
export interface Home {
  /** The name of the node, `name@host:port`. */
  readonly node: string;
  /** The incarnation of the node: differs after each restart of the node. */
  readonly creation: number;
  /** Whether the actor is on the node that holds the pid. */
  readonly local: boolean;
  /** The system of the node that holds the pid. Internal. */
  readonly system?: object | undefined;
}

/**
 * Identifies an actor that accepts messages of type `Message`. Created by `spawn` and by decoding.
 * Compare pids with {@linkcode Pid.equals}, or use {@linkcode Pid.key} as a map key.
 *
 * @example
 * ```ts
 * import { Node, type Pid } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid: Pid<string> = node.spawn(() => (_message: string) => {});
 * node.send(pid, "hello");
 * const names = new Map([[pid.key, "the first"]]);
 * assertEquals(names.get(pid.key), "the first");
 * assertEquals([pid.node, `${pid}`], [node.name, `<0.${pid.id}>`]);
 * ```
 */
export class Pid<in Message = never> {
  /** The incarnation of the node on which the actor runs. */
  readonly home: Home;
  /** Number of the actor on its node, from 1. */
  readonly id: number;
  /** The actor that receives the messages; undefined after it has exited. Internal. */
  target: object | undefined;
  /** Never set. Distinguishes the types of pids by the messages that their actors accept. */
  declare readonly accepts: ((message: Message) => void) | undefined;

  /** Internal: programs receive pids, and do not construct them. */
  constructor(home: Home, id: number, target: object | undefined) {
    this.home = home;
    this.id = id;
    this.target = target;
  }

  /** Name of the actor's node. */
  get node(): string {
    return this.home.node;
  }

  /** A text that is equal only for equal pids, so that it can be a map key. */
  get key(): string {
    return `${this.home.node} ${this.id}.${this.home.creation}`;
  }

  /** Returns whether both pids identify the same actor. */
  equals(other: unknown): boolean {
    return this === other || (other instanceof Pid && this.id === other.id &&
      this.home.creation === other.home.creation && this.home.node === other.home.node);
  }

  /** Returns `<0.42>` on the actor's own node, and `<name@host:port 42.3>` on other nodes. */
  toString(): string {
    const { node, creation, local } = this.home;
    return local ? `<0.${this.id}>` : `<${node} ${this.id}.${creation}>`;
  }

  /** Returns the same text as `toString`, for readable JSON. */
  toJSON(): string {
    return this.toString();
  }
}

/**
 * A unique reference: identifies a monitor, a call or a timer.
 *
 * @example
 * ```ts
 * import { Down, Node, type Ref, type Self } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const equal = new Promise<boolean>((resolve) =>
 *   node.spawn(async (self: Self<Down>) => {
 *     const ref: Ref = self.monitor(node.spawn(() => {}));
 *     const message = await self.receive();
 *     resolve(message instanceof Down && message.ref.equals(ref));
 *   })
 * );
 * assertEquals(await equal, true);
 * ```
 */
export class Ref {
  /** The incarnation of the node that created the reference. */
  readonly home: Home;
  /** Number of the reference on the node that created it, from 1. */
  readonly id: number;

  /** Internal: created by the runtime. */
  constructor(home: Home, id: number) {
    this.home = home;
    this.id = id;
  }

  /** A text that is equal only for equal references. */
  get key(): string {
    return `${this.home.node} ${this.id}.${this.home.creation}`;
  }

  /** Returns whether both references are the same. */
  equals(other: unknown): boolean {
    return this === other || (other instanceof Ref && this.id === other.id &&
      this.home.creation === other.home.creation && this.home.node === other.home.node);
  }

  /**
   * Returns `#Ref<0.42>` on the node that created the reference, and `#Ref<name@host:port 42.3>` on
   * other nodes.
   */
  toString(): string {
    const { node, creation, local } = this.home;
    return local ? `#Ref<0.${this.id}>` : `#Ref<${node} ${this.id}.${creation}>`;
  }

  /** Returns the same text as `toString`, for readable JSON. */
  toJSON(): string {
    return this.toString();
  }
}

// Makes `console.log` print the text of `toString`. Otherwise it would print the whole system.
for (const { prototype } of [Pid, Ref]) {
  const value = prototype.toString;
  Object.defineProperty(prototype, Symbol.for("nodejs.util.inspect.custom"), { value });
}

/** Writes the u64 of a pid. `node` is an index into the session's table, 0 to 65535. */
export function writePid(view: DataView, at: number, node: number, id: number): void {
  // The message is built only on failure, because this check runs for every message.
  const isPid = node >= 0 && node <= 0xffff && id >= 0 && id < LOCAL_ID_MAX;
  if (!isPid) assert(false, `invalid pid: ${node}, ${id}`);
  view.setUint32(at, id >>> 0, true);
  view.setUint16(at + 4, Math.floor(id / 2 ** 32), true);
  view.setUint16(at + 6, node, true);
}

/** Returns the node index in the u64 of a pid at `at`. */
export function readPidNode(view: DataView, at: number): number {
  return view.getUint16(at + 6, true);
}

/** Returns the local id in the u64 of a pid at `at`. Ignores the spare byte. */
export function readPidId(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint8(at + 4) * 2 ** 32;
}
