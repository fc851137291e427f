/**
 * Rows of actors, made by hand.
 */
import { Writer } from "../../lib/base/bytes.ts";
import { packPid } from "../../lib/term/pid.ts";
import { joined } from "./collector.ts";

/** A pid of the sender's. */
export const from = (id: number): bigint => packPid(0, id);

/** A pid of the receiver's. */
export const to = (id: number): bigint => packPid(1, id);

/** A row of u64s, and what follows them. */
export function row(numbers: readonly (number | bigint)[], ...rest: Uint8Array[]): Uint8Array {
  const writer = new Writer(64);
  for (const number of numbers) writer.u64(BigInt(number));
  return joined(writer.done(), ...rest);
}

/** A text behind its length. */
export function named(name: string): Uint8Array {
  return new Writer(16).text16(name).done();
}
