/**
 * The network between the nodes of a test: one proxy for each pair of initiator and responder, so
 * that each direction can be broken separately.
 */
import { Proxy } from "../../kit/proxy.ts";

/** The routes between nodes, by short name. */
export class Network {
  readonly shorts: readonly string[];
  readonly #proxies = new Map<string, Proxy>();

  private constructor(shorts: readonly string[]) {
    this.shorts = shorts;
  }

  /** Opens a route from each node to each other node. */
  static async open(shorts: readonly string[]): Promise<Network> {
    const network = new Network(shorts);
    for (const from of shorts) {
      for (const to of shorts) {
        if (from !== to) network.#proxies.set(`${from}>${to}`, await Proxy.listen());
      }
    }
    return network;
  }

  /** Returns the full name of a node. The port in the name is that of a route to the node. */
  nameOf(short: string): string {
    const other = this.shorts.find((other) => other !== short)!;
    return `${short}@127.0.0.1:${this.#way(other, short).port}`;
  }

  /** Returns, for each port in the name of another node, the port of this node's route to it. */
  routesOf(short: string): Record<string, number> {
    const routes: Record<string, number> = {};
    for (const other of this.shorts) {
      if (other === short) continue;
      routes[this.nameOf(other).split(":").at(-1)!] = this.#way(short, other).port;
    }
    return routes;
  }

  /**
   * Makes the routes to a node lead to the port on which it listens, or nowhere (`undefined`) while
   * it is down.
   */
  lead(short: string, port: number | undefined): void {
    for (const other of this.shorts) {
      if (other !== short) this.#way(other, short).target = port;
    }
  }

  /** Holds back all data from one node to another. */
  block(from: string, to: string): void {
    this.#way(from, to).block("forth");
    this.#way(to, from).block("back");
  }

  /** Removes all blocks. */
  heal(): void {
    for (const proxy of this.#proxies.values()) proxy.heal();
  }

  /** Ends the connections between two nodes. */
  cut(a: string, b: string): void {
    this.#way(a, b).cut();
    this.#way(b, a).cut();
  }

  /** The number of open connections. */
  get open(): number {
    return Array.from(this.#proxies.values(), ({ open }) => open).reduce((a, b) => a + b, 0);
  }

  /** The number of forwarded bytes. */
  get bytes(): number {
    return Array.from(this.#proxies.values(), ({ bytes }) => bytes).reduce((a, b) => a + b, 0);
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#proxies.values(), (proxy) => proxy.close()));
  }

  #way(from: string, to: string): Proxy {
    return this.#proxies.get(`${from}>${to}`)!;
  }
}
