/**
 * Identifies the client of a request, so that requests can be limited per client: by its IPv4
 * address, or by the /64 network of its IPv6 address, because a client with one IPv6 address can
 * use 2^64 of them.
 *
 *     X-Forwarded-For: made up, 203.0.113.9, 10.0.0.2      from 10.0.0.1
 *                                 the client ◀── a proxy ◀── a proxy of ours
 *
 * Behind a proxy, all connections are the proxy's, so that all clients would count as one. A proxy
 * in the config is trusted to append the client's address to X-Forwarded-For: the header is read
 * from its end, skipping trusted proxies. Entries before that may be forged. Without trusted
 * proxies, the header is ignored.
 *
 * @module
 */
import { type Address, addressFrom, type AddressRange, isIn } from "../domain/address.ts";

/**
 * Returns the address of a client, as text. `remote` is the peer's address, and `proxies` are the
 * trusted proxies.
 */
export function clientAddressOf(
  headers: Headers,
  remote: string,
  proxies: readonly AddressRange[],
): string {
  let client = remote;
  const hops = headers.get("x-forwarded-for")?.split(",") ?? [];
  while (hops.length > 0) {
    const address = addressFrom(client);
    if (address === null || !proxies.some((range) => isIn(address, range))) break;
    const hop = bareHop(hops.pop()!);
    if (addressFrom(hop) === null) break;
    client = hop;
  }
  return client.replace(/^::ffff:(?=\d+\.)/i, "");
}

/**
 * Returns the key of a client. `remote` is the peer's address, and `proxies` are the trusted
 * proxies.
 */
export function clientOf(
  headers: Headers,
  remote: string,
  proxies: readonly AddressRange[],
): string {
  const text = clientAddressOf(headers, remote, proxies);
  const client = addressFrom(text);
  return client === null ? text : networkOf(client);
}

/** Removes the port from an address. Some proxies add it. */
function bareHop(hop: string): string {
  return hop.trim().replace(/^\[([^\]]*)\](?::\d+)?$/, "$1").replace(/^([\d.]+):\d+$/, "$1");
}

/**
 * Returns whether a request came over https: a trusted proxy reports it (X-Forwarded-Proto), or
 * always with `MESHER_SECURE_COOKIES`.
 */
export function isSecure(
  headers: Headers,
  remote: string,
  { proxies, secureCookies }: { proxies: readonly AddressRange[]; secureCookies: boolean },
): boolean {
  if (secureCookies) return true;
  const from = addressFrom(remote);
  if (from === null || !proxies.some((range) => isIn(from, range))) return false;
  // Each proxy appends a value. Only the last one is certain not to be from the client.
  return headers.get("x-forwarded-proto")?.split(",").at(-1)?.trim().toLowerCase() === "https";
}

function networkOf(address: Address): string {
  if (isIn(address, V4)) return address.subarray(12).join(".");
  const groups = [0, 2, 4, 6].map((at) => (address[at]! << 8 | address[at + 1]!).toString(16));
  return `${groups.join(":")}::/64`;
}

const V4: AddressRange = { address: addressFrom("0.0.0.0")!, bits: 96 };
