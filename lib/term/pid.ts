/**
 * Pids: the names of actors, which only a node can give.
 *
 *     u64   63 ──── 48 47 ── 40 39 ─────────────── 0
 *           node index  spare    local id
 *
 * A pid is a node, one life of that node, and a number that no other actor of that life has or had.
 * Inside a node a pid leads straight to its actor, without a look-up. On the wire it is the u64 above,
 * whose node index means something in one session only: translation happens there and nowhere else.
 *
 * @module
 */
import { assert } from "../base/assert.ts";

/** Local ids are below this: 40 bits. */
export const LOCAL_ID_MAX: number = 2 ** 40;

/** Where a pid or a reference comes from: one life of one node, as seen by the node that holds it. */
export interface Home {
  /** `name@host:port`. */
  readonly node: string;
  /** Which life of that node. */
  readonly creation: number;
  /** It is the node itself that holds the pid. */
  readonly local: boolean;
  /** What sends on behalf of the node that holds the pid; for the runtime. */
  readonly system?: object | undefined;
}

/**
 * Names an actor that takes messages of type `Message`. Made by `spawn` and by what arrives from
 * other nodes; compared with {@linkcode Pid.equals}, or by its {@linkcode Pid.key} in a map.
 */
export class Pid<in Message = never> {
  /** Where the actor lives. */
  readonly home: Home;
  /** The actor's number there, from 1. */
  readonly id: number;
  /** What takes its messages; for the runtime. It is gone when the actor is. */
  target: object | undefined;
  /** Never there: makes the types of what two actors take tell their pids apart. */
  declare readonly accepts: ((message: Message) => void) | undefined;

  /** For the runtime: programs get pids, they do not make them. */
  constructor(home: Home, id: number, target: object | undefined) {
    this.home = home;
    this.id = id;
    this.target = target;
  }

  /** The name of the node where the actor lives. */
  get node(): string {
    return this.home.node;
  }

  /** A text that equal pids share and others do not: for use as a key. */
  get key(): string {
    return `${this.home.node} ${this.id}.${this.home.creation}`;
  }

  /** Whether both name the same actor. */
  equals(other: unknown): boolean {
    return this === other || (other instanceof Pid && this.id === other.id &&
      this.home.creation === other.home.creation && this.home.node === other.home.node);
  }

  /** `<0.42>` at home, `<name@host:port 42.3>` abroad. */
  toString(): string {
    const { node, creation, local } = this.home;
    return local ? `<0.${this.id}>` : `<${node} ${this.id}.${creation}>`;
  }

  /** The same: JSON of a pid is for people. */
  toJSON(): string {
    return this.toString();
  }
}

/** A reference that no other equals: names a monitor, a call, a timer. */
export class Ref {
  /** Where it was made. */
  readonly home: Home;
  /** Its number there, from 1. */
  readonly id: number;

  /** For the runtime. */
  constructor(home: Home, id: number) {
    this.home = home;
    this.id = id;
  }

  /** A text that equal references share and others do not. */
  get key(): string {
    return `${this.home.node} ${this.id}.${this.home.creation}`;
  }

  /** Whether both are the same. */
  equals(other: unknown): boolean {
    return this === other || (other instanceof Ref && this.id === other.id &&
      this.home.creation === other.home.creation && this.home.node === other.home.node);
  }

  /** `#Ref<0.42>`, or with its node. */
  toString(): string {
    const { node, creation, local } = this.home;
    return local ? `#Ref<0.${this.id}>` : `#Ref<${node} ${this.id}.${creation}>`;
  }

  /** The same: JSON of a reference is for people. */
  toJSON(): string {
    return this.toString();
  }
}

// The same in `console.log`, which would walk through the whole system otherwise.
for (const { prototype } of [Pid, Ref]) {
  const value = prototype.toString;
  Object.defineProperty(prototype, Symbol.for("nodejs.util.inspect.custom"), { value });
}

/** The u64 of the wire. `node` is an index into the session's table, 0 to 65535. */
export function packPid(node: number, id: number): bigint {
  assert(node >= 0 && node <= 0xffff && id >= 0 && id < LOCAL_ID_MAX, `no pid: ${node}, ${id}`);
  return (BigInt(node) << 48n) | BigInt(id);
}

/** Writes the same eight bytes without making a bigint. */
export function writePid(view: DataView, at: number, node: number, id: number): void {
  // Its words are made only if it fails: this is on the way of every message.
  const isPid = node >= 0 && node <= 0xffff && id >= 0 && id < LOCAL_ID_MAX;
  if (!isPid) assert(false, `no pid: ${node}, ${id}`);
  view.setUint32(at, id >>> 0, true);
  view.setUint16(at + 4, Math.floor(id / 2 ** 32), true);
  view.setUint16(at + 6, node, true);
}

/** The node of the eight bytes at `at`. */
export function readPidNode(view: DataView, at: number): number {
  return view.getUint16(at + 6, true);
}

/** The local id of the eight bytes at `at`. The spare byte is not looked at. */
export function readPidId(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint8(at + 4) * 2 ** 32;
}
