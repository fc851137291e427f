/**
 * Addresses that a webhook must not reach: this machine, its networks, and the metadata services of
 * clouds. The author of a rule chooses the receiver, and must not be able to reach internal
 * services through this server. Also parses ranges of addresses for other uses. Deterministic.
 *
 * An address is 16 bytes; IPv4 addresses are `::ffff:a.b.c.d`.
 *
 * @module
 */
import { isIPv4, isIPv6 } from "node:net";

/** An IPv4 or IPv6 address as 16 bytes. */
export type Address = Uint8Array;

/** The addresses whose first `bits` bits are those of `address`. */
export interface AddressRange {
  readonly address: Address;
  readonly bits: number;
}

/** Internal targets that webhooks are allowed to reach. */
export interface Allowed {
  /** Names that are allowed regardless of the addresses to which they resolve. */
  readonly names: ReadonlySet<string>;
  readonly ranges: readonly AddressRange[];
}

/** An empty list of allowed targets: no internal target is allowed. */
export const NOTHING_ALLOWED: Allowed = { names: new Set(), ranges: [] };

/**
 * The internal IPv4 ranges: those of the registry of special purposes, and the address of Azure's
 * server for virtual machines.
 */
const INSIDE_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "168.63.129.16",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
].map(mustRange);

/** The range of external IPv6 addresses, with the exceptions of {@linkcode INSIDE_V6}. */
const OUTSIDE_V6 = mustRange("2000::/3");
/** Internal ranges within the external range: protocol assignments and documentation. */
const INSIDE_V6 = ["2001::/23", "2001:db8::/32", "3fff::/20"].map(mustRange);
/**
 * IPv6 ranges whose addresses contain an IPv4 address, each with the offset of that address in
 * bytes.
 */
const CARRIERS: readonly (readonly [AddressRange, number])[] = [
  [mustRange("::ffff:0:0/96"), 12],
  [mustRange("64:ff9b::/96"), 12],
  [mustRange("2002::/16"), 2],
];

/** Parses an address. Returns null if it is invalid. */
export function addressFrom(text: string): Address | null {
  if (isIPv4(text)) {
    const bytes = new Uint8Array(16).fill(0xff, 10, 12);
    bytes.set(text.split(".").map(Number), 12);
    return bytes;
  }
  const [bare] = text.split("%");
  return isIPv6(text) ? fromV6(bare!) : null;
}

/** Parses a range, `address/bits` or a single address. Returns null if it is invalid. */
export function rangeFrom(text: string): AddressRange | null {
  const [, host, bitsText] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = host === undefined ? null : addressFrom(host);
  if (address === null) return null;
  const most = isIPv4(host!) ? 32 : 128;
  const bits = bitsText === undefined ? most : Number(bitsText);
  return bits > most ? null : { address, bits: bits + 128 - most };
}

/**
 * Parses allowed targets: names, addresses and ranges. Returns the invalid item as a string if
 * there is one.
 */
export function allowedFrom(items: readonly string[]): Allowed | string {
  const names = new Set<string>();
  const ranges: AddressRange[] = [];
  for (const item of items) {
    const range = rangeFrom(item.replace(/^\[(.*)\]$/, "$1"));
    if (range !== null) ranges.push(range);
    else if (/^(?=.*[a-z])[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(item)) {
      names.add(item.toLowerCase());
    } else return item;
  }
  return { names, ranges };
}

/** Parses addresses and ranges. Returns the invalid item as a string if there is one. */
export function rangesFrom(items: readonly string[]): readonly AddressRange[] | string {
  const ranges: AddressRange[] = [];
  for (const item of items) {
    const range = rangeFrom(item.replace(/^\[(.*)\]$/, "$1"));
    if (range === null) return item;
    ranges.push(range);
  }
  return ranges;
}

/** Returns whether an address is internal. An invalid address counts as internal. */
export function isInside(text: string, { ranges }: Allowed): boolean {
  const address = addressFrom(text);
  if (address === null) return true;
  if (ranges.some((range) => isIn(address, range))) return false;
  for (const [carrier, at] of CARRIERS) {
    if (!isIn(address, carrier)) continue;
    const carried = new Uint8Array(16).fill(0xff, 10, 12);
    carried.set(address.subarray(at, at + 4), 12);
    return INSIDE_V4.some((range) => isIn(carried, range));
  }
  return !isIn(address, OUTSIDE_V6) || INSIDE_V6.some((range) => isIn(address, range));
}

/**
 * Returns whether the host of a URL is internal, as far as this is known without a lookup. Other
 * names are checked when they are resolved.
 */
export function isInsideHost(host: string, allowed: Allowed): boolean {
  const name = bareHost(host);
  if (allowed.names.has(name)) return false;
  if (name === "localhost" || name.endsWith(".localhost")) return isInside("127.0.0.1", allowed);
  return addressFrom(name) !== null && isInside(name, allowed);
}

/** Returns the host of a URL in the form for a lookup: without brackets and trailing dot. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase();
}

/** Returns whether an address is in a range. */
export function isIn(address: Address, range: AddressRange): boolean {
  const bytes = range.bits >> 3;
  for (let i = 0; i < bytes; i++) if (address[i] !== range.address[i]) return false;
  const mask = 0xff00 >> (range.bits & 7) & 0xff;
  return mask === 0 || (address[bytes]! & mask) === (range.address[bytes]! & mask);
}

function fromV6(text: string): Address {
  // The last part may be in IPv4 notation.
  const plain = text.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) => `${(a << 8 | b).toString(16)}:${(c << 8 | d).toString(16)}`,
  );
  const [head, tail] = plain.split("::");
  const before = head === "" ? [] : head!.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...before, ...Array(8 - before.length - after.length).fill("0"), ...after];
  const bytes = new Uint8Array(16);
  for (const [i, group] of groups.entries()) {
    const value = parseInt(group, 16);
    bytes.set([value >> 8, value & 0xff], 2 * i);
  }
  return bytes;
}

function mustRange(text: string): AddressRange {
  const range = rangeFrom(text);
  if (range === null) throw new Error(`${text} is not a range`);
  return range;
}
