/**
 * Determines the client's address from the headers of trusted proxies. Deterministic.
 *
 *     client ──▶ proxy 1 ──▶ proxy 2 ──▶ server        X-Forwarded-For: client, proxy 1
 *
 * The list is read from its end: each trusted proxy has appended the address of its peer. The first
 * address that is not a trusted proxy is the client; entries before it may be forged.
 *
 * @module
 */
import { BlockList, isIP } from "node:net";
import { plainAddress } from "../host/client_key.ts";
import type { Address } from "../host/stream.ts";
import { UNIX_PEER } from "../host/unix_socket.ts";
import { headerOf, type RequestHead } from "./handshake.ts";

/** The addresses and networks of trusted proxies. */
export class TrustedProxies {
  readonly #list = new BlockList();
  /** Whether the clients of a Unix socket are trusted. */
  #hasUnix = false;

  /**
   * `entries` are addresses such as `"10.0.0.1"` and networks such as `"10.0.0.0/8"`. Throws an
   * error created by `fail` if one is invalid.
   */
  constructor(entries: readonly string[], fail: (words: string) => Error) {
    for (const entry of entries) {
      if (entry === UNIX_PEER.hostname) {
        this.#hasUnix = true;
        continue;
      }
      const [address = "", prefix, ...more] = String(entry).split("/");
      const family = isIP(address);
      const most = family === 6 ? 128 : 32;
      const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
      if (family === 0 || more.length > 0 || bits < 0 || bits > most) {
        throw fail(
          `option trustedProxies has ${JSON.stringify(entry)}: use addresses and networks ` +
            'such as "10.0.0.1" or "10.0.0.0/8", or "unix" for a Unix socket\'s clients',
        );
      }
      this.#list.addSubnet(address, bits, family === 6 ? "ipv6" : "ipv4");
    }
  }

  /** Returns whether an address belongs to a trusted proxy. */
  has(address: string): boolean {
    if (address === UNIX_PEER.hostname) return this.#hasUnix;
    const plain = plainAddress(address);
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 6 ? "ipv6" : "ipv4");
  }

  /**
   * Returns the client's address for a request from `remote`. The port is 0 if the proxy does not
   * report it.
   */
  client(head: RequestHead, remote: Address): Address {
    if (!this.has(remote.hostname)) return remote;
    const forwarded = headerOf(head, "x-forwarded-for");
    if (forwarded === undefined) return remote;
    let client = remote;
    const hops = forwarded.split(",");
    while (hops.length > 0 && this.has(client.hostname)) {
      const hop = parseHop(hops.pop()!.trim());
      if (hop === undefined) break;
      client = hop;
    }
    return client;
  }

  /** Returns the client's scheme, if a trusted proxy reports it. */
  scheme(head: RequestHead, remote: Address): "http" | "https" | undefined {
    if (!this.has(remote.hostname)) return undefined;
    const proto = headerOf(head, "x-forwarded-proto")?.split(",").at(-1)?.trim().toLowerCase();
    if (proto === "https" || proto === "wss") return "https";
    return proto === "http" || proto === "ws" ? "http" : undefined;
  }
}

/** Parses `address`, `address:port` or `[address]:port`. */
function parseHop(text: string): Address | undefined {
  if (isIP(text) !== 0) return { hostname: text, port: 0 };
  const found = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(text);
  const hostname = found?.[1] ?? found?.[2] ?? "";
  return isIP(hostname) === 0 ? undefined : { hostname, port: Number(found![3] ?? 0) };
}
