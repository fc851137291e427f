/**
 * The table of nodes of one session: what the node index of a pid on the wire means.
 *
 *     0 the sender · 1 the receiver · from 2 on others, announced once by a HOME row
 *
 * Each side announces its own indexes, so there is one table for each direction. A pid that travels
 * A → B → C so means the same actor: C knows by B's announcement that it is one of A's, of this life of A.
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

/** The sender's own actors. */
export const SENDER = 0;

/** The receiver's. */
export const RECEIVER = 1;

/** The first index that is announced. */
const FIRST = 2;

/** So many indexes there are: 16 bits. */
const INDEXES_MAX = 0x1_0000;

/** One life of another node. */
export class RemoteIncarnation implements Home {
  readonly node: string;
  readonly creation: number;
  readonly local = false;
  readonly system: System;
  /** The way there, as far as it was looked up; it may have ended. */
  line: FoundNodeLink | undefined = undefined;

  constructor(system: System, node: string, creation: number) {
    this.system = system;
    this.node = node;
    this.creation = creation;
  }
}

/** A line that was found, and may have ended since. */
export interface FoundNodeLink extends NodeLink {
  readonly isOpen: boolean;
}

/** Both tables of one session. */
export class NodeTable implements PidWriter, PidReader {
  /** The node at the other end, in this life of it. */
  readonly peer: RemoteIncarnation;
  readonly #system: System;
  /** The calls that travel; without them none can. */
  held: HeldCalls | undefined = undefined;
  readonly #announce: (index: number, home: Home) => void;
  /** What was announced to the peer. */
  readonly #indexes = new Map<Home, number>();
  readonly #byKey = new Map<string, number>();
  /** What the peer has announced, from {@linkcode FIRST} on. */
  readonly #homes: Home[] = [];

  /** `announce` tells the peer of an index. */
  constructor(
    system: System,
    peer: RemoteIncarnation,
    announce: (index: number, home: Home) => void,
  ) {
    this.#system = system;
    this.peer = peer;
    this.#announce = announce;
  }

  /** The index of a home, which is announced if it is new; `undefined`: there is no room. */
  index(home: Home): number | undefined {
    if (home === this.#system.home) return SENDER;
    if (home === this.peer) return RECEIVER;
    return this.#indexes.get(home) ?? this.#find(home);
  }

  /** The peer announces an index. A returned text is the rule that it broke. */
  announced(index: number, node: string, creation: number): string | undefined {
    if (index !== this.#homes.length + FIRST) return "a HOME out of turn";
    const { home } = this.#system;
    if (isLife(home, node, creation)) this.#homes.push(home);
    else if (isLife(this.peer, node, creation)) this.#homes.push(this.peer);
    else this.#homes.push(new RemoteIncarnation(this.#system, node, creation));
    return undefined;
  }

  /** The pid of an actor; `undefined` if the index was not announced. */
  pid(index: number, id: number): Pid | undefined {
    if (index === RECEIVER) return this.#own(id);
    if (index === SENDER) return pidAt(this.peer, id);
    const home = this.#homes[index - FIRST];
    if (home === undefined) return undefined;
    return home instanceof RemoteIncarnation ? pidAt(home, id) : this.#own(id);
  }

  /** Likewise a reference. */
  ref(index: number, id: number): Ref | undefined {
    const home = this.#home(index);
    return home && new Ref(home, id);
  }

  /** Likewise a call. */
  call(index: number, id: number, request: unknown): Call | undefined {
    const home = this.#home(index);
    return home && this.held?.arrived(home, id, request);
  }

  /** How a call travels; `undefined` if the value is none. */
  transferable(value: object): TransferableCall | undefined {
    return this.held?.transferable(value);
  }

  #home(index: number): Home | undefined {
    if (index === RECEIVER) return this.#system.home;
    return index === SENDER ? this.peer : this.#homes[index - FIRST];
  }

  /** One of ours. A pid of an actor that lives is one object, by which links know it. */
  #own(id: number): Pid {
    if (id === 0) return this.#system.pid;
    const pid = this.#system.find(id)?.pid as Pid | undefined;
    return pid ?? new Pid(this.#system.home, id, undefined);
  }

  #find(home: Home): number | undefined {
    // Another object may stand for the same life, such as one that another session has told of.
    const key = `${home.node} ${home.creation}`;
    let index = this.#byKey.get(key);
    if (index === undefined) {
      if (isLife(this.#system.home, home.node, home.creation)) index = SENDER;
      else if (isLife(this.peer, home.node, home.creation)) index = RECEIVER;
      else {
        index = FIRST + this.#byKey.size;
        if (index >= INDEXES_MAX) return undefined;
        this.#byKey.set(key, index);
        this.#announce(index, home);
      }
    }
    // Objects come and go with sessions: those of the past are not kept.
    if (this.#indexes.size >= INDEXES_MAX) this.#indexes.clear();
    this.#indexes.set(home, index);
    return index;
  }
}

function isLife(home: Home, node: string, creation: number): boolean {
  return home.creation === creation && home.node === node;
}

/** A pid abroad; the one that links know, if there is one. */
function pidAt(home: RemoteIncarnation, id: number): Pid {
  const known = home.line?.isOpen ? home.line.known(id) : undefined;
  return (known?.pid as Pid | undefined) ?? new Pid(home, id, undefined);
}
