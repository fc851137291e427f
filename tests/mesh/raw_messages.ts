/** Actor messages that tests encode by hand. */
import { Writer } from "../../lib/base/bytes.ts";
import { joined } from "./collector.ts";

/** Returns the u64 of a pid. `node` is an index into the session's table. */
export const packPid = (node: number, id: number): bigint => (BigInt(node) << 48n) | BigInt(id);

/** Returns a pid of the sender. */
export const from = (id: number): bigint => packPid(0, id);

/** Returns a pid of the receiver. */
export const to = (id: number): bigint => packPid(1, id);

/** Encodes u64s, and the bytes that follow them. */
export function row(numbers: readonly (number | bigint)[], ...rest: Uint8Array[]): Uint8Array {
  const writer = new Writer(64);
  for (const number of numbers) writer.u64(BigInt(number));
  return joined(writer.done(), ...rest);
}

/** Encodes a text after its length. */
export function named(name: string): Uint8Array {
  return new Writer(16).text16(name).done();
}
