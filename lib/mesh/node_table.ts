/**
 * Implements the node table of one session, which translates between nodes and the node indexes of
 * encoded pids.
 *
 *     0: the sender · 1: the receiver · from 2 on: other nodes, each announced once by a HOME
 *
 * Each side announces its own indexes, so there is one table per direction. A pid that A sends to B
 * and B sends to C therefore refers to the same actor: B has announced the incarnation of A to C.
 *
 * @module
 */
import type { Call } from "../actor/call.ts";
import type { NodeLink } from "../actor/remote.ts";
import type { System } from "../actor/system.ts";
import type { PidReader } from "../term/decode.ts";
import type { PidWriter, TransferableCall } from "../term/encode.ts";
import { type Home, Pid, Ref } from "../term/pid.ts";
import type { HeldCalls } from "./transferred_call.ts";

/** The index of the sender's actors. */
export const SENDER = 0;

/** The index of the receiver's actors. */
export const RECEIVER = 1;

/** The first index that a HOME announces. */
const FIRST_ANNOUNCED = 2;

/** Maximum number of indexes: an index has 16 bits. */
const INDEXES_MAX = 0x1_0000;

/** One incarnation of another node. */
export class RemoteIncarnation implements Home {
  readonly node: string;
  readonly creation: number;
  readonly local = false;
  readonly system: System;
  /** The link to the incarnation, if it was looked up. Its session may have ended. */
  nodeLink: FoundNodeLink | undefined = undefined;

  constructor(system: System, node: string, creation: number) {
    this.system = system;
    this.node = node;
    this.creation = creation;
  }
}

/** A cached link. Its session may have ended. */
export interface FoundNodeLink extends NodeLink {
  readonly isOpen: boolean;
}

/** The two tables of one session, one for each direction. */
export class NodeTable implements PidWriter, PidReader {
  /** The incarnation of the node on the other side. */
  readonly peer: RemoteIncarnation;
  readonly #system: System;
  /**
   * Stores the calls that this node forwards. While it is `undefined`, calls cannot be forwarded.
   */
  held: HeldCalls | undefined = undefined;
  readonly #announce: (index: number, home: Home) => void;
  /** A cache of the indexes sent to the peer, by the object that represents an incarnation. */
  readonly #indexes = new Map<Home, number>();
  readonly #byKey = new Map<string, number>();
  /** The nodes announced by the peer, from index {@linkcode FIRST_ANNOUNCED} on. */
  readonly #homes: Home[] = [];

  /** `announce` sends a new index to the peer. */
  constructor(
    system: System,
    peer: RemoteIncarnation,
    announce: (index: number, home: Home) => void,
  ) {
    this.#system = system;
    this.peer = peer;
    this.#announce = announce;
  }

  /**
   * Returns the index of a node, and announces it if it is new. Returns `undefined` if the table is
   * full.
   */
  index(home: Home): number | undefined {
    if (home === this.#system.home) return SENDER;
    if (home === this.peer) return RECEIVER;
    return this.#indexes.get(home) ?? this.#find(home);
  }

  /** Handles a HOME. Returns the rule that the peer violated, or undefined. */
  announced(index: number, node: string, creation: number): string | undefined {
    if (index !== this.#homes.length + FIRST_ANNOUNCED) return "a HOME out of order";
    const { home } = this.#system;
    if (isIncarnation(home, node, creation)) this.#homes.push(home);
    else if (isIncarnation(this.peer, node, creation)) this.#homes.push(this.peer);
    else this.#homes.push(new RemoteIncarnation(this.#system, node, creation));
    return undefined;
  }

  /** Returns the pid of an actor; `undefined` if the index was not announced. */
  pid(index: number, id: number): Pid | undefined {
    if (index === RECEIVER) return this.#own(id);
    if (index === SENDER) return pidAt(this.peer, id);
    const home = this.#homes[index - FIRST_ANNOUNCED];
    if (home === undefined) return undefined;
    return home instanceof RemoteIncarnation ? pidAt(home, id) : this.#own(id);
  }

  /** Returns a reference; `undefined` if the index was not announced. */
  ref(index: number, id: number): Ref | undefined {
    const home = this.#home(index);
    return home && new Ref(home, id);
  }

  /** Returns a call; `undefined` if the index was not announced. */
  call(index: number, id: number, request: unknown): Call | undefined {
    const home = this.#home(index);
    return home && this.held?.arrived(home, id, request);
  }

  /** Returns the form in which a call is sent; `undefined` if the value is not a call. */
  transferable(value: object): TransferableCall | undefined {
    return this.held?.transferable(value);
  }

  #home(index: number): Home | undefined {
    if (index === RECEIVER) return this.#system.home;
    return index === SENDER ? this.peer : this.#homes[index - FIRST_ANNOUNCED];
  }

  /**
   * Returns the pid of a local actor. For a live actor, this is the pid object that links refer to.
   */
  #own(id: number): Pid {
    if (id === 0) return this.#system.pid;
    const pid = this.#system.find(id)?.pid as Pid | undefined;
    return pid ?? new Pid(this.#system.home, id, undefined);
  }

  #find(home: Home): number | undefined {
    // Different objects may represent the same incarnation, for example in different sessions.
    const key = `${home.node} ${home.creation}`;
    let index = this.#byKey.get(key);
    if (index === undefined) {
      if (isIncarnation(this.#system.home, home.node, home.creation)) index = SENDER;
      else if (isIncarnation(this.peer, home.node, home.creation)) index = RECEIVER;
      else {
        index = FIRST_ANNOUNCED + this.#byKey.size;
        if (index >= INDEXES_MAX) return undefined;
        this.#byKey.set(key, index);
        this.#announce(index, home);
      }
    }
    // The keys are objects that belong to sessions. Clearing the map removes the keys of ended
    // sessions.
    if (this.#indexes.size >= INDEXES_MAX) this.#indexes.clear();
    this.#indexes.set(home, index);
    return index;
  }
}

function isIncarnation(home: Home, node: string, creation: number): boolean {
  return home.creation === creation && home.node === node;
}

/**
 * Returns the pid of a remote actor: the pid object that links refer to, if it exists; otherwise a
 * new one.
 */
function pidAt(home: RemoteIncarnation, id: number): Pid {
  const known = home.nodeLink?.isOpen ? home.nodeLink.known(id) : undefined;
  return (known?.pid as Pid | undefined) ?? new Pid(home, id, undefined);
}
