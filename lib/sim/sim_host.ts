/**
 * The host of one simulated node, for one incarnation of its machine: time, randomness and sockets.
 * When the machine is off, nothing that it has scheduled runs any more.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { LogSink } from "../base/log.ts";
import { SeededRandom } from "../base/random.ts";
import { FlushPoint } from "../host/flush_point.ts";
import type {
  Child,
  ConnectOptions,
  Host,
  Listener,
  ListenOptions,
  SpawnOptions,
} from "../host/host.ts";
import type { Stream } from "../host/stream.ts";
import { type Machine, type Network, portInUse, type SimListener } from "./network.ts";
import type { Event, World } from "./world.ts";

/** The wall-clock time at which a simulation begins, 2026-01-01, in milliseconds since 1970. */
const EPOCH_MS = 1_767_225_600_000;

/** The host of one simulated node. */
export class SimHost implements Host, Machine {
  readonly runtime = "deno";
  readonly label: string;
  /** The address of the machine, which is also its host name. */
  readonly hostname: string;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly log: LogSink;
  readonly flushPoint: FlushPoint = new FlushPoint(queueMicrotask);
  isGone = false;
  isHeld = false;
  /** Whether the machine is off and its peers were not notified. */
  isOff = false;
  /** How far the machine's wall clock is ahead of the virtual time, in milliseconds. */
  skewMs = 0;
  readonly #world: World;
  readonly #network: Network;
  readonly #listeners = new Map<number, SimListener>();
  #lastPort = 50_000;

  constructor(world: World, network: Network, label: string, hostname: string) {
    this.#world = world;
    this.#network = network;
    this.label = label;
    this.hostname = hostname;
    this.random = new SeededRandom(world.random.uint32());
    this.clock = {
      now: () => world.now,
      wall: () => EPOCH_MS + Math.floor(world.now + this.skewMs),
      after: (ms, task) => this.#timer(ms, task, false),
      every: (ms, task) => this.#timer(ms, task, true),
    };
    this.log = ({ level, line }) => {
      if (!this.isGone) world.trace.comment(world.now, label, `${level}: ${line}`);
    };
    network.add(this);
  }

  /** Fails the simulation with the error of a listener of the node's events. */
  listenerFailed(error: unknown): void {
    this.#world.failure ??= { error };
  }

  /** Returns the listener on a port. */
  listening(port: number): SimListener | undefined {
    return this.#listeners.get(port);
  }

  nextPort(): number {
    return ++this.#lastPort;
  }

  listen(options: ListenOptions, accept: (stream: Stream) => void): Promise<Listener> {
    const port = options.port || this.nextPort();
    if (this.#listeners.has(port)) return Promise.reject(portInUse(port));
    const listener = { accept, cert: options.tls?.cert };
    this.#listeners.set(port, listener);
    return Promise.resolve({
      address: { hostname: options.hostname, port },
      secure: ({ cert }) => void (listener.cert = cert),
      close: () => {
        this.#listeners.delete(port);
        return Promise.resolve();
      },
    });
  }

  connect(options: ConnectOptions): Promise<Stream> {
    return this.#network.connect(this, options);
  }

  atFlush(task: () => void): void {
    this.flushPoint.task(task);
  }

  yieldToIo(task: () => void): void {
    this.#world.after(0, this, "", task);
  }

  /**
   * Turns the machine off. If `notifiesPeers` is true, its kernel notifies the peers, as it does
   * when a process ends.
   */
  vanish(notifiesPeers: boolean): void {
    this.#network.vanish(this, notifiesPeers);
    this.isGone = true;
    this.isOff = !notifiesPeers;
    this.#listeners.clear();
  }

  spawn(_options: SpawnOptions): Child {
    throw new Error("a simulated machine starts no processes");
  }

  /** Returns the host name itself, because simulated machines use host names as addresses. */
  lookup(hostname: string): Promise<string[]> {
    return Promise.resolve([hostname]);
  }

  lookupService(service: string): Promise<{ hostname: string; port: number }[]> {
    return Promise.reject(new Error(`there is no DNS service ${service} in a simulation`));
  }

  readText(path: string): Promise<string> {
    return Promise.reject(new Error(`there is no file ${path} in a simulation`));
  }

  onTermination(): () => void {
    return () => {};
  }

  secretFile(): string {
    throw new Error("a simulated machine has no files: give the node a cookie");
  }

  #timer(ms: number, task: () => void, again: boolean): Timer {
    let event: Event;
    const set = (): void => {
      event = this.#world.after(ms, this, "", () => {
        if (again) set();
        task();
      });
    };
    set();
    return { cancel: () => this.#world.cancel(event) };
  }
}
