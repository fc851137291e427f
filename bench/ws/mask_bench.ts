/**
 * Question: what does unmasking cost, compared with one XOR per byte, below and above the length at
 * which `unmask` switches to aligned words?
 *
 * The payload is at offset 6, as in a short client frame.
 *
 * @module
 */
import { unmask } from "../../lib/ws/mask.ts";
import { Scratch } from "../../lib/ws/scratch.ts";
import { bench, size } from "../kit.ts";

const KEY = 0xd4c3b2a1 | 0;
const FROM = 6;
const scratch = new Scratch(128 * 1024);

function byteByByte(bytes: Uint8Array, from: number, to: number, key: number): void {
  for (let at = from; at < to; at++) bytes[at]! ^= (key >>> (((at - from) & 3) << 3)) & 0xff;
}

for (const length of [16, 64, 127, 128, 1024, size(65_536, 2048)]) {
  const group = `${length} B`;
  bench(`one XOR a byte: ${group}`, { group, baseline: true }, () => {
    byteByByte(scratch.bytes, FROM, FROM + length, KEY);
  });
  bench(`unmask: ${group}`, { group }, () => {
    unmask(scratch, FROM, FROM + length, KEY);
  });
}
