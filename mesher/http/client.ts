/**
 * Where a request comes from, as far as it is counted by that: an address of IPv4, or the network of one of
 * IPv6, since a client with one address there has 2^64.
 *
 *     X-Forwarded-For: made up, 203.0.113.9, 10.0.0.2      from 10.0.0.1
 *                                 the client ◀── a proxy ◀── a proxy of ours
 *
 * Behind a proxy all connections are the proxy's, so that all clients would be one. A proxy in the config is trusted
 * with the address that it appends to X-Forwarded-For: the header is read from its end, past trusted proxies.
 * Entries before that may be forged. Without such a config the header is ignored.
 *
 * @module
 */
import { type Address, addressFrom, type AddressRange, isIn } from "../domain/address.ts";

/** Who asks. `remote` is the peer's address, `proxies` are those that are believed. */
export function clientOf(
  headers: Headers,
  remote: string,
  proxies: readonly AddressRange[],
): string {
  let client = addressFrom(remote);
  if (client === null) return remote;
  const hops = headers.get("x-forwarded-for")?.split(",") ?? [];
  while (hops.length > 0 && proxies.some((range) => isIn(client!, range))) {
    const hop = addressFrom(bareHop(hops.pop()!));
    if (hop === null) break;
    client = hop;
  }
  return networkOf(client);
}

/** A hop without its port, which some proxies write too. */
function bareHop(hop: string): string {
  return hop.trim().replace(/^\[([^\]]*)\](?::\d+)?$/, "$1").replace(/^([\d.]+):\d+$/, "$1");
}

/**
 * Whether a request came over https: to a proxy that the config names and that says so (X-Forwarded-Proto), or
 * always, by `MESHER_SECURE_COOKIES`.
 */
export function isSecure(
  headers: Headers,
  remote: string,
  { proxies, secureCookies }: { proxies: readonly AddressRange[]; secureCookies: boolean },
): boolean {
  if (secureCookies) return true;
  const from = addressFrom(remote);
  if (from === null || !proxies.some((range) => isIn(from, range))) return false;
  // Each proxy appends its own; the last is the one that the client did not write.
  return headers.get("x-forwarded-proto")?.split(",").at(-1)?.trim().toLowerCase() === "https";
}

function networkOf(address: Address): string {
  if (isIn(address, V4)) return address.subarray(12).join(".");
  const groups = [0, 2, 4, 6].map((at) => (address[at]! << 8 | address[at + 1]!).toString(16));
  return `${groups.join(":")}::/64`;
}

const V4: AddressRange = { address: addressFrom("0.0.0.0")!, bits: 96 };
