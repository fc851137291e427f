/**
 * The network between the nodes of a test: a proxy for each that may dial and each that may be dialled, so
 * that each link can be broken by itself.
 */
import { Proxy } from "../../kit/proxy.ts";

/** The ways between nodes, by their short names. */
export class Network {
  readonly shorts: readonly string[];
  readonly #proxies = new Map<string, Proxy>();

  private constructor(shorts: readonly string[]) {
    this.shorts = shorts;
  }

  /** Opens all ways. */
  static async open(shorts: readonly string[]): Promise<Network> {
    const network = new Network(shorts);
    for (const from of shorts) {
      for (const to of shorts) {
        if (from !== to) network.#proxies.set(`${from}>${to}`, await Proxy.listen());
      }
    }
    return network;
  }

  /** A node's full name: at a port that leads to it. Nobody dials it but by the routes. */
  nameOf(short: string): string {
    const other = this.shorts.find((other) => other !== short)!;
    return `${short}@127.0.0.1:${this.#way(other, short).port}`;
  }

  /** From which port to go to which instead, for a node that dials another by its name. */
  routesOf(short: string): Record<string, number> {
    const routes: Record<string, number> = {};
    for (const other of this.shorts) {
      if (other === short) continue;
      routes[this.nameOf(other).split(":").at(-1)!] = this.#way(short, other).port;
    }
    return routes;
  }

  /** Where a node listens really; nowhere, when it is down. */
  lead(short: string, port: number | undefined): void {
    for (const other of this.shorts) {
      if (other !== short) this.#way(other, short).target = port;
    }
  }

  /** Nothing comes from one to the other any more. */
  block(from: string, to: string): void {
    this.#way(from, to).block("forth");
    this.#way(to, from).block("back");
  }

  /** Everything passes everywhere. */
  heal(): void {
    for (const proxy of this.#proxies.values()) proxy.heal();
  }

  /** The connections of two end. */
  cut(a: string, b: string): void {
    this.#way(a, b).cut();
    this.#way(b, a).cut();
  }

  /** How many connections there are. */
  get open(): number {
    return Array.from(this.#proxies.values(), ({ open }) => open).reduce((a, b) => a + b, 0);
  }

  /** The bytes that went through. */
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
