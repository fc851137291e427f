/**
 * Defines what counts as one client for limits per address. Deterministic.
 *
 * @module
 */
import { isIP } from "node:net";

/** Returns an IPv4-mapped IPv6 address as IPv4, and other addresses unchanged. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped === null ? address : mapped[1]!;
}

/**
 * Returns the key of a client for limits per address: an IPv4 address, or the first 64 bits of an
 * IPv6 address, which is the smallest network assigned to one customer.
 */
export function clientKey(address: string): string {
  const plain = plainAddress(address);
  if (isIP(plain) !== 6) return plain;
  const [head = "", tail] = plain.split("%")[0]!.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill("0"), ...right].slice(0, 4);
  return `${groups.map((group) => parseInt(group || "0", 16).toString(16)).join(":")}::/64`;
}
