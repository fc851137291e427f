/** An authority outside of the cluster that grants leases, for the promise of singletons. */
import type { Lease } from "../../../lib/cluster/lease.ts";
import type { Node } from "../../../lib/node.ts";
import type { Simulation } from "../../../lib/simulate.ts";

const TTL_MS = 3_000;

/** Maximum time in milliseconds for a request, and for its answer. */
const DELAY_MS_MAX = 200;

interface Grant {
  readonly node: string;
  readonly token: number;
  readonly until: number;
}

/** Grants each name to one node at a time. Nodes temporarily lose their connection to it. */
export class Authority {
  readonly #sim: Simulation;
  readonly #grants = new Map<string, Grant>();
  readonly #unreachableUntil = new Map<string, number>();
  #lastToken = 0;

  constructor(sim: Simulation) {
    this.#sim = sim;
  }

  /** Cuts a node off from the authority. */
  cut(node: string, ms: number): void {
    this.#unreachableUntil.set(node, this.#sim.now + ms);
  }

  /** Returns the authority in the form in which a node uses it: as a lease. */
  from(node: Node): Lease {
    const ask = async <T>(decide: () => T): Promise<T> => {
      await this.#travel(node);
      const answer = decide();
      // An answer may be lost although the request took effect.
      await this.#travel(node);
      return answer;
    };
    return {
      ttl: TTL_MS,
      acquire: (name, holder) => ask(() => this.#grant(name, holder)),
      renew: (name, token) => ask(() => this.#renew(name, token)),
      release: (name, token) =>
        ask(() => {
          if (this.#current(name)?.token === token) this.#grants.delete(name);
        }),
    };
  }

  #current(name: string): Grant | undefined {
    const grant = this.#grants.get(name);
    return grant === undefined || grant.until <= this.#sim.now ? undefined : grant;
  }

  #grant(name: string, node: string): number | undefined {
    const current = this.#current(name);
    if (current !== undefined && current.node !== node) return undefined;
    const token = ++this.#lastToken;
    this.#grants.set(name, { node, token, until: this.#sim.now + TTL_MS });
    return token;
  }

  #renew(name: string, token: number): boolean {
    const current = this.#current(name);
    if (current?.token !== token) return false;
    this.#grants.set(name, { ...current, until: this.#sim.now + TTL_MS });
    return true;
  }

  /**
   * Waits as long as a message takes, on the clock of the node's machine, so that a paused machine
   * sends and receives nothing.
   */
  async #travel(node: Node): Promise<void> {
    const ms = this.#sim.random.below(DELAY_MS_MAX);
    await new Promise<void>((arrived) =>
      node.spawn(async (self) => {
        await self.sleep(ms);
        arrived();
      })
    );
    if (this.#sim.now < (this.#unreachableUntil.get(node.name) ?? 0)) {
      throw new Error("the authority cannot be reached");
    }
  }
}
