/**
 * Finds nodes whose names are not known in advance: evaluates the seeds periodically, and requests
 * the names of the nodes at new addresses.
 *
 *     seeds, function ─▶ files, DNS ─▶ addresses ─identify─▶ names ─▶ the mesh dials them
 *
 * A node that a source no longer lists is forgotten by the same rules as any other node. While a
 * source fails, the nodes that it listed before remain.
 *
 * @module
 */
import type { Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Host } from "../host/host.ts";
import { addressKey, parseSeed, type SeedFunction, seedsOfText } from "./seed.ts";

/** Maximum number of addresses that are identified at once. */
const IDENTIFIED_AT_ONCE_MAX = 16;

/**
 * Maximum number of addresses used from one evaluation of the seeds. Further addresses are ignored.
 */
export const ADDRESSES_MAX = 1_024;

/** The parts of the mesh that discovery uses. */
export interface DiscoveryOwner {
  readonly log: () => Log;
  /**
   * Returns true if a node need not be dialed: it has a session with this node, or it is this node.
   */
  readonly isKnown: (name: string) => boolean;
  /** Requests the name of the node at an address. */
  readonly identify: (hostname: string, port: number, signal: AbortSignal) => Promise<string>;
  /**
   * Called after each periodic evaluation that found nodes, with their names. Not called after the
   * evaluation by {@linkcode Discovery.start}, which returns the names.
   */
  readonly found: (names: readonly string[]) => void;
}

/** Evaluates the seeds of one node. */
export class Discovery {
  readonly #host: Host;
  readonly #owner: DiscoveryOwner;
  readonly #seeds: readonly string[] | SeedFunction;
  readonly #intervalMs: number;
  readonly #cancel = new AbortController();
  /** The name of the node that answered at each address in the last evaluation. */
  #nameAt: ReadonlyMap<string, string> = new Map();
  /** The last failure of each source, so that it is logged once. */
  readonly #failures = new Map<string, string>();
  #timer: Timer | undefined;

  /** `intervalMs` is the pause between two evaluations. */
  constructor(
    host: Host,
    seeds: readonly string[] | SeedFunction,
    intervalMs: number,
    owner: DiscoveryOwner,
  ) {
    this.#host = host;
    this.#seeds = seeds;
    this.#intervalMs = intervalMs;
    this.#owner = owner;
  }

  /**
   * Evaluates the seeds now, and then periodically. Resolves to the names of the nodes found now.
   */
  async start(): Promise<string[]> {
    const names = await this.#evaluate();
    this.#again();
    return names;
  }

  /** Stops evaluating the seeds. */
  stop(): void {
    this.#cancel.abort();
    this.#timer?.cancel();
  }

  #again(): void {
    if (this.#cancel.signal.aborted) return;
    this.#timer = this.#host.clock.after(this.#intervalMs, async () => {
      const names = await this.#evaluate();
      if (!this.#cancel.signal.aborted && names.length > 0) this.#owner.found(names);
      this.#again();
    });
  }

  async #evaluate(): Promise<string[]> {
    const names = new Set<string>();
    const addresses = new Map<string, { hostname: string; port: number }>();
    const add = (hostname: string, port: number): void => {
      if (addresses.size < ADDRESSES_MAX) {
        addresses.set(addressKey(hostname, port), { hostname, port });
      }
    };
    const seeds = typeof this.#seeds === "function"
      ? await this.#try("the function in option seeds", this.#seeds) ?? []
      : this.#seeds;
    for (const seed of seeds) await this.#try(seed, () => this.#expand(seed, names, add, true));
    await this.#identifyAll([...addresses], names);
    return [...names];
  }

  async #expand(
    text: string,
    names: Set<string>,
    add: (hostname: string, port: number) => void,
    mayRead: boolean,
  ): Promise<void> {
    const seed = parseSeed(text);
    switch (seed.kind) {
      case "name":
        return void names.add(seed.name);
      case "address":
        return add(seed.hostname, seed.port);
      case "dns":
        for (const address of await this.#host.lookup(seed.hostname)) add(address, seed.port);
        return;
      case "service":
        for (const { hostname, port } of await this.#host.lookupService(seed.service)) {
          for (const address of await this.#host.lookup(hostname)) add(address, port);
        }
        return;
      case "file":
        if (!mayRead) throw new Error("a file of seeds must not name another one");
        for (const line of seedsOfText(await this.#host.readText(seed.path))) {
          await this.#try(line, () => this.#expand(line, names, add, false));
        }
    }
  }

  /**
   * Adds the names of the nodes at the addresses to `names`. An address whose node is known and
   * need not be dialed is not asked again.
   */
  async #identifyAll(
    addresses: [string, { hostname: string; port: number }][],
    names: Set<string>,
  ): Promise<void> {
    const nameAt = new Map<string, string>();
    const waiting = addresses.values();
    const work = async (): Promise<void> => {
      for (const [key, { hostname, port }] of waiting) {
        const known = this.#nameAt.get(key);
        const name = known !== undefined && this.#owner.isKnown(known)
          ? known
          : await this.#try(key, () => this.#owner.identify(hostname, port, this.#cancel.signal));
        if (name === undefined) continue;
        nameAt.set(key, name);
        names.add(name);
      }
    };
    await Promise.all(Array.from({ length: IDENTIFIED_AT_ONCE_MAX }, work));
    this.#nameAt = nameAt;
  }

  /**
   * Runs a step that may fail. Logs the failure if it differs from the last failure of `source`,
   * and returns `undefined`.
   */
  async #try<T>(source: string, step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      const result = await step();
      this.#failures.delete(source);
      return result;
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      if (this.#cancel.signal.aborted || this.#failures.get(source) === words) return undefined;
      if (this.#failures.size > ADDRESSES_MAX) this.#failures.clear();
      this.#failures.set(source, words);
      this.#owner.log().warn(`no node found by seed ${source}: ${words}`);
      return undefined;
    }
  }
}
