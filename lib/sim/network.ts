/**
 * A simulated network. The seed and the simulation's body determine its faults.
 *
 * A connection is reliable and ordered, as with TCP. Blocked data waits and is delivered later,
 * unless the connection was closed in the meantime. There is no TLS: data is not encrypted, and a
 * client verifies only the issuer of the listener's certificate.
 *
 * @module
 */
import { ConnectError, type ConnectOptions, ListenError } from "../host/host.ts";
import {
  type Address,
  IGNORE,
  type Stream,
  type StreamEnd,
  type StreamHandler,
} from "../host/stream.ts";
import { concat } from "../base/bytes.ts";
import { derOf } from "../mesh/certificate.ts";
import type { Flushable } from "../host/flush_point.ts";
import { hashOf } from "./trace.ts";
import type { Place, World } from "./world.ts";

/** Properties of the path between two machines. */
export interface LinkOptions {
  /** Latency of the path, in milliseconds. Default 1. */
  readonly delay?: number | undefined;
  /** Maximum random addition to the latency, in milliseconds. Default 1. */
  readonly jitter?: number | undefined;
  /**
   * Number of bytes that the path carries per millisecond. Further data waits. Default: no limit.
   */
  readonly bandwidth?: number | undefined;
}

/** A listener of a simulated machine. */
export interface SimListener {
  readonly accept: (stream: Stream) => void;
  /** The certificate that is presented to clients, as PEM text. */
  cert: string | undefined;
}

/** A machine at one end of a connection. */
export interface Machine extends Place {
  /** The address of the machine, which is also its host name. */
  readonly hostname: string;
  /** Whether the machine is off and its peers were not notified. */
  readonly isOff: boolean;
  readonly flushPoint: { dirty(stream: Flushable): void };
  /** Returns the listener on a port. */
  listening(port: number): SimListener | undefined;
  nextPort(): number;
}

/** The line that ends a certificate. In a simulation, the name of the issuer follows it. */
const END = "-----END CERTIFICATE-----\n";

const DELAY_MS = 1;
const JITTER_MS = 1;

/**
 * Minimum time between two deliveries of one connection, in milliseconds, so that their order is
 * fixed.
 */
const DELIVERY_GAP_MS = 1e-6;

/** The path from one machine to another, in one direction. */
interface Link {
  delay: number;
  jitter: number;
  bandwidth: number;
  isBlocked: boolean;
  /** Virtual time at which the path will have sent all data that it has received so far. */
  freeAt: number;
  /** Deliveries that are held until the path is unblocked. */
  waiting: (() => void)[];
}

/** The simulated network: all machines, and the paths between them. */
export class Network {
  readonly #world: World;
  readonly #defaults: LinkOptions;
  readonly #links = new Map<string, Link>();
  readonly #machines = new Map<string, Machine>();
  readonly #connections = new Set<SimStream>();

  /** `defaults` are the properties of paths for which `set` was not called. */
  constructor(world: World, defaults: LinkOptions = {}) {
    this.#world = world;
    this.#defaults = defaults;
  }

  add(machine: Machine): void {
    this.#machines.set(machine.hostname, machine);
  }

  /** Sets the properties of the path between two machines, in both directions. */
  set(a: string, b: string, options: LinkOptions): void {
    for (const link of [this.#link(a, b), this.#link(b, a)]) {
      link.delay = options.delay ?? link.delay;
      link.jitter = options.jitter ?? link.jitter;
      link.bandwidth = options.bandwidth ?? link.bandwidth;
    }
  }

  /** Blocks all data from one machine to another until it is unblocked. */
  block(from: string, to: string): void {
    this.#link(from, to).isBlocked = true;
  }

  unblock(from: string, to: string): void {
    const link = this.#link(from, to);
    link.isBlocked = false;
    for (const send of link.waiting.splice(0)) send();
  }

  /** Unblocks all paths, and delivers the data that they held back. */
  heal(): void {
    for (const key of [...this.#links.keys()]) {
      const [from, to] = key.split(">") as [string, string];
      this.unblock(from, to);
    }
  }

  /** Breaks all connections between two machines. Returns their number. */
  reset(a: string, b: string): number {
    let count = 0;
    for (const stream of [...this.#connections]) {
      if (stream.machine.hostname !== a || stream.far.machine.hostname !== b) continue;
      count++;
      stream.far.broke("ECONNRESET");
      stream.broke("ECONNRESET");
    }
    return count;
  }

  /** Removes all connections of a machine. With `notifiesPeers`, the other ends are notified. */
  vanish(machine: Machine, notifiesPeers: boolean): void {
    for (const stream of [...this.#connections]) {
      if (stream.machine !== machine) continue;
      if (notifiesPeers) {
        this.carry(machine.hostname, stream.far, 0, "reset", (far) => far.broke("ECONNRESET"));
      }
      this.#connections.delete(stream);
    }
  }

  /** Connects. Resolves when the other machine has accepted. */
  connect(from: Machine, options: ConnectOptions): Promise<Stream> {
    const { hostname, port, timeoutMs, signal, tls } = options;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const over = (): boolean => {
        if (isOver) return true;
        isOver = true;
        world.cancel(timer);
        return false;
      };
      const fail = (code: ConnectError["code"], words: string): void => {
        if (!over()) reject(new ConnectError(code, words));
      };
      const world = this.#world;
      const timer = world.after(timeoutMs, from, "", () => {
        fail("timeout", `no answer from ${hostname}:${port} in ${timeoutMs} ms`);
      });
      signal?.addEventListener("abort", () => fail("aborted", "given up"), { once: true });
      const there = this.#machines.get(hostname);
      if (there === undefined) return fail("unreachable", `there is no machine ${hostname}`);
      this.#pass(from.hostname, hostname, 0, () => {
        if (there.isGone) return there.isOff ? undefined : back(() => refuse());
        const listener = there.listening(port);
        if (listener === undefined) return back(() => refuse());
        const near = new SimStream(this, from, { hostname, port });
        near.peerCertificate = listener.cert === undefined ? undefined : derOf(listener.cert);
        const far = new SimStream(this, there, { hostname: from.hostname, port: there.nextPort() });
        near.far = far;
        far.far = near;
        this.#connections.add(near);
        this.#connections.add(far);
        world.after(0, there, `accepts ${from.label}`, () => listener.accept(far));
        const issuer = listener.cert?.slice(listener.cert.indexOf(END) + END.length) ?? "";
        if (tls?.ca.includes(issuer) === false) {
          near.abort();
          return back(() => fail("untrusted", "no authority of this client has issued it"));
        }
        back(() => over() ? near.abort() : resolve(near));
      }, there);
      const refuse = (): void => fail("refused", `no process listens on ${hostname}:${port}`);
      const back = (run: () => void): void => this.#pass(hostname, from.hostname, 0, run, from);
    });
  }

  /** Delivers an item to the other end of a connection after a delay, behind all earlier items. */
  carry(
    from: string,
    to: SimStream,
    bytes: number,
    what: string,
    run: (to: SimStream) => void,
  ): void {
    this.#pass(
      from,
      to.machine.hostname,
      bytes,
      () => {
        if (!to.isOver) run(to);
      },
      to.machine,
      what,
      to,
    );
  }

  forget(stream: SimStream): void {
    this.#connections.delete(stream);
  }

  #pass(
    from: string,
    to: string,
    bytes: number,
    run: () => void,
    place: Place,
    what?: string,
    stream?: SimStream,
  ): void {
    const link = this.#link(from, to);
    const send = (): void => {
      const world = this.#world;
      const begins = Math.max(world.now, link.freeAt);
      link.freeAt = begins + bytes / link.bandwidth;
      let at = link.freeAt + link.delay + link.jitter * world.random.next();
      if (stream !== undefined) at = stream.lastAt = Math.max(at, stream.lastAt + DELIVERY_GAP_MS);
      world.after(at - world.now, place, what ?? "", run);
    };
    if (link.isBlocked) link.waiting.push(send);
    else send();
  }

  #link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = {
        delay: this.#defaults.delay ?? DELAY_MS,
        jitter: this.#defaults.jitter ?? JITTER_MS,
        bandwidth: this.#defaults.bandwidth ?? Infinity,
        isBlocked: false,
        freeAt: 0,
        waiting: [],
      };
      this.#links.set(key, link);
    }
    return link;
  }
}

/** One end of a simulated connection, as a stream. */
export class SimStream implements Stream {
  readonly machine: Machine;
  readonly remote: Address;
  peerCertificate: Uint8Array | undefined = undefined;
  unsent = 0;
  far!: SimStream;
  /** Virtual time at which the last item that is in transit to this end will arrive. */
  lastAt = 0;
  isOver = false;
  readonly #network: Network;
  #handler: StreamHandler = IGNORE;
  #isClaimed = false;
  /** Events that arrived before a handler was set, and are held for it. */
  readonly #held: ((handler: StreamHandler) => void)[] = [];
  #written: Uint8Array[] = [];
  isPaused = false;
  #isEnding = false;
  #hasEnded = false;

  constructor(network: Network, machine: Machine, remote: Address) {
    this.#network = network;
    this.machine = machine;
    this.remote = remote;
  }

  get handler(): StreamHandler {
    return this.#handler;
  }

  set handler(handler: StreamHandler) {
    this.#handler = handler;
    if (this.#isClaimed) return;
    this.#isClaimed = true;
    queueMicrotask(() => this.#release());
  }

  write(bytes: Uint8Array): void {
    if (this.#isEnding || this.isOver || bytes.length === 0) return;
    if (this.#written.length === 0) this.machine.flushPoint.dirty(this);
    this.#written.push(bytes);
    this.unsent += bytes.length;
  }

  /** Sends the data that was written in this turn. Called at the end of the turn. */
  flush(): void {
    if (this.isOver || this.#written.length === 0) return;
    const bytes = concat(this.#written);
    this.#written = [];
    const what = `from ${this.machine.label}: ${bytes.length} bytes ${hashOf(bytes)}`;
    this.#network.carry(this.machine.hostname, this.far, bytes.length, what, (far) => {
      far.arrive((handler) => handler.data(bytes));
      // Notifies this end that the other end has received the data, so that there is space for
      // more.
      this.#network.carry(far.machine.hostname, this, 0, "", (near) => near.#sent(bytes.length));
    });
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#release();
  }

  end(): void {
    if (this.#isEnding || this.isOver) return;
    this.flush();
    this.#isEnding = true;
    this.#network.carry(this.machine.hostname, this.far, 0, "end", (far) => far.#ended());
    if (this.#hasEnded) this.#over({ kind: "closed" });
  }

  abort(): void {
    if (this.isOver) return;
    this.#network.carry(
      this.machine.hostname,
      this.far,
      0,
      "reset",
      (far) => far.broke("ECONNRESET"),
    );
    this.#over({ kind: "aborted" });
  }

  /** Ends the stream because its connection is broken. */
  broke(message: string): void {
    if (this.isOver) return;
    this.#over({ kind: "broken", message });
  }

  arrive(step: (handler: StreamHandler) => void): void {
    this.#held.push(step);
    this.#release();
  }

  #sent(length: number): void {
    this.unsent -= length;
    if (this.unsent === 0) this.#handler.drain();
  }

  #ended(): void {
    this.arrive((handler) => {
      this.#hasEnded = true;
      handler.end();
      if (this.#isEnding) this.#over({ kind: "closed" });
    });
  }

  #release(): void {
    while (this.#isClaimed && !this.isPaused && !this.isOver && this.#held.length > 0) {
      this.#held.shift()!(this.#handler);
    }
  }

  #over(end: StreamEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    this.unsent = 0;
    this.#written = [];
    this.#network.forget(this);
    this.#handler.close(end);
  }
}

/** Returns the error for a port that already has a listener. */
export function portInUse(port: number): ListenError {
  return new ListenError("EADDRINUSE", `port ${port} is in use`);
}
