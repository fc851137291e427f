/**
 * Faults for the in-memory network: data in transit can be held and delivered in any order between
 * connections, connections can be cut, and nodes isolated. The order within a connection is kept.
 */
import { ConnectError, type Host } from "../../lib/host/host.ts";
import type { Address, Stream, StreamEnd, StreamHandler } from "../../lib/host/stream.ts";
import { IGNORE } from "../../lib/host/stream.ts";
import { MemoryNetwork } from "./memory_host.ts";
import { hostWith } from "./mesh.ts";

type Step = (handler: StreamHandler) => void;

/** One end of a connection, whose incoming data can be held. */
class HeldStream implements Stream {
  handler: StreamHandler = IGNORE;
  readonly waiting: Step[] = [];
  isOver = false;
  /** The port of the node at this end. `link` identifies the two nodes that are connected. */
  readonly owner: number;
  readonly link: string;
  readonly #inner: Stream;
  readonly #faults: MemoryFaults;

  constructor(inner: Stream, owner: number, link: string, faults: MemoryFaults) {
    this.owner = owner;
    this.link = link;
    this.#inner = inner;
    this.#faults = faults;
    inner.handler = {
      data: (bytes) => {
        const copy = bytes.slice();
        this.#take((handler) => handler.data(copy));
      },
      drain: () => this.handler.drain(),
      end: () => this.#take((handler) => handler.end()),
      close: (end) => this.#take(() => this.#close(end)),
    };
  }

  get remote(): Address {
    return this.#inner.remote;
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.#inner.peerCertificate;
  }

  get unsent(): number {
    return this.#inner.unsent;
  }

  get isPaused(): boolean {
    return this.#inner.isPaused;
  }

  write(bytes: Uint8Array): void {
    this.#inner.write(bytes);
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  end(): void {
    this.#inner.end();
  }

  /** Called by the node at this end: aborts at once, even if data is held. */
  abort(): void {
    this.#inner.abort();
    this.#close({ kind: "aborted" });
  }

  /** Aborts as if the network had failed: both ends are notified. */
  break(): void {
    this.#inner.abort();
  }

  /** Delivers the first held chunk. */
  pass(): void {
    this.waiting.shift()?.(this.handler);
  }

  #take(step: Step): void {
    if (this.isOver) return;
    this.waiting.push(step);
    if (!this.#faults.isHeld) { while (this.waiting.length > 0) this.pass(); }
  }

  #close(end: StreamEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    this.waiting.length = 0;
    this.#faults.forget(this);
    this.handler.close(end);
  }
}

/** An in-memory network with faults. Nodes are identified by their ports. */
export class MemoryFaults {
  /** Whether incoming data is held until {@linkcode pass}. */
  isHeld = false;
  readonly #net = new MemoryNetwork();
  readonly #streams = new Set<HeldStream>();
  readonly #cut = new Set<string>();
  /** The node that is dialing in the current call. */
  #initiator = 0;

  /** Returns the host of a node that listens on this port. */
  host(port: number): Host {
    const inner = this.#net.host();
    return hostWith(() => ({
      listen: (options, accept) =>
        inner.listen(options, (stream) => accept(this.#held(stream, port, this.#initiator))),
      connect: async (options) => {
        if (this.#cut.has(pair(port, options.port))) {
          throw new ConnectError("unreachable", "the connection is cut");
        }
        this.#initiator = port;
        return this.#held(await inner.connect(options), port, options.port);
      },
    }), inner);
  }

  /** Cuts the connections between two nodes; new connections fail. */
  cut(one: number, other: number): void {
    const link = pair(one, other);
    this.#cut.add(link);
    for (const stream of [...this.#streams]) if (stream.link === link) stream.break();
  }

  /** Allows two nodes to connect again. */
  heal(one: number, other: number): void {
    this.#cut.delete(pair(one, other));
  }

  /** Kills a node's process: its ends of connections disappear at once. */
  kill(port: number): void {
    for (const stream of [...this.#streams]) if (stream.owner === port) stream.abort();
  }

  /** Delivers the next chunk of a connection that `choose` selects. Returns false if none is held. */
  pass(choose: (count: number) => number): boolean {
    const waiting = [...this.#streams].filter((stream) => stream.waiting.length > 0);
    if (waiting.length === 0) return false;
    waiting[choose(waiting.length)]!.pass();
    return true;
  }

  /** Delivers all held chunks from one node to another. */
  passTo(owner: number, other: number): void {
    const link = pair(owner, other);
    for (const stream of [...this.#streams]) {
      if (stream.owner !== owner || stream.link !== link) continue;
      while (stream.waiting.length > 0) stream.pass();
    }
  }

  /** Removes all faults, and delivers held data. */
  clear(): void {
    this.#cut.clear();
    this.isHeld = false;
    while (this.pass(() => 0));
  }

  forget(stream: HeldStream): void {
    this.#streams.delete(stream);
  }

  #held(stream: Stream, owner: number, other: number): Stream {
    const held = new HeldStream(stream, owner, pair(owner, other), this);
    this.#streams.add(held);
    return held;
  }
}

function pair(one: number, other: number): string {
  return `${Math.min(one, other)} ${Math.max(one, other)}`;
}
