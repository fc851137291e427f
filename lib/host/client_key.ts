/**
 * What counts as one client where something is limited per address. Quiet.
 *
 * @module
 */
import { isIP } from "node:net";

/** An IPv4 address that is written as an IPv6 one, as IPv4; others as they are. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped === null ? address : mapped[1]!;
}

/**
 * What counts as one client for limits per address: an IPv4 address, or the first 64 bits of an IPv6
 * address, which is the smallest network that one customer has.
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
